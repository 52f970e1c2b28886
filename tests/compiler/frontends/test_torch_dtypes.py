"""Numbers of 8 and 16 bits, truths and mixed dtypes, equal to PyTorch."""

from __future__ import annotations

import pytest
import torch

from tests.compiler.frontends.oracle import agrees
from tests.compiler.frontends.test_torch_operators import Apply, Function

BYTES = torch.tensor([[0, 3, 200, 255], [7, 1, 128, 90], [5, 250, 17, 64]], dtype=torch.uint8)
SIGNED = (BYTES.to(torch.int16) - 128).to(torch.int8)
SHORT = SIGNED.to(torch.int16) * 200
TRUTHS = BYTES > 100

CASES: dict[str, tuple[Function, torch.Tensor]] = {
    # TVM: numbers that the dtype does not hold are refused; PyTorch takes their lowest bits.
    "compared": (lambda x: (x > -1, x < -2, x == -1, x >= 300), BYTES),
    "reckoned": (lambda x: (x % -2, x // -2, x + (-1), x * -3, x - 300), BYTES),
    "filled": (
        lambda x: (x.masked_fill(x > 3, -1), torch.full((2,), -1, dtype=torch.uint8), torch.full_like(x, 7)),
        BYTES,
    ),
    "signed": (lambda x: (x > 200, x + 200, x * 300), SIGNED),
    # TVM: multiplies by -1, which unsigned numbers do not have.
    "negated": (lambda x: (-x, x.neg().float() / 2), BYTES),
    # TVM: the runtime sorts none of these, and says so when the model runs.
    "bytes in order": (lambda x: (*x.sort(1), x.argsort(0, descending=True), *x.median(1)), BYTES),
    "signed in order": (lambda x: (*x.sort(1, descending=True), *x.kthvalue(2, 1)), SIGNED),
    "short in order": (lambda x: (*x.sort(0), *x.topk(2, 1), *x.topk(1, 0, largest=False)), SHORT),
    "truths in order": (lambda x: (x.sort(1).values, x.sort(dim=0, stable=True).indices), TRUTHS),
    # TVM: there is no largest truth.
    "largest truth": (
        lambda x: (x.amax(1), x.amin(0), x.max(1).values, x.amin((0, 1), keepdim=True)),
        TRUTHS,
    ),
    # TVM: not known.
    "shifts": (
        lambda x: (
            torch.bitwise_left_shift(x.int() & 7, 2),
            torch.bitwise_right_shift(x, x & 3),
            torch.bitwise_right_shift(1000, x.int() & 3),
        ),
        BYTES,
    ),
    "arithmetic shift": (lambda x: (torch.bitwise_right_shift(x, 2), x >> 1), SIGNED),
    # Of the first one's dtype, which the run then refused.
    "sign of another dtype": (lambda x: torch.copysign(x, -torch.ones(4)), SHORT.half()),
    "sign of whole numbers": (lambda x: torch.copysign(x, torch.tensor([-1, 1, -1, 1])), SHORT),
}


@pytest.mark.parametrize("name", CASES)
def test_dtypes(name: str) -> None:
    function, example = CASES[name]
    agrees(Apply(function), example)
