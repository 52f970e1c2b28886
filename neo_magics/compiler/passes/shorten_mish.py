"""tanh(softplus(x)), which is what Mish multiplies x by, is a quotient of exponentials."""

from __future__ import annotations

from typing import Any

import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from neo_magics.compiler.passes import calls

_ALONE = 15  # from here on log(1 + eˣ) is x
_LARGE = 20.0  # where the quotient is 1 to the last bit, and long before e²ˣ is infinite


@tvm.transform.module_pass(opt_level=0, name="ShortenMish")
class ShortenMish:
    """tanh(log(1 + eˣ)) → n / (n + 2) with n = eˣ (eˣ + 2): one function in place of three.

    By tanh(log u) = (u² - 1) / (u² + 1). Front ends write the logarithm in three ways: as it stands, with x
    itself for large x (PyTorch), and as max(x, 0) + log(1 + e⁻|x|) (ONNX). float32 only.
    """

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main`; what is read no more is left to dead code elimination."""
        return calls.rewrite_entry(_Shortener(module), module)


@mutator
class _Shortener(PyExprMutator):  # type: ignore[misc]
    def visit_call_(self, call: Any) -> Any:
        call = self.visit_expr_post_order(call)
        if calls.name_of(call) != "relax.tanh" or calls.dtype_of(call.args[0]) != "float32":
            return call
        x = self._softplus_of(call.args[0])
        return call if x is None else self._quotient(x)

    def _quotient(self, x: Any) -> Any:
        power = self.builder_.emit(relax.op.exp(relax.op.minimum(x, _number(_LARGE))))
        n = self.builder_.emit(relax.op.multiply(power, relax.op.add(power, _number(2))))
        return relax.op.divide(n, relax.op.add(n, _number(2)))

    def _softplus_of(self, value: Any) -> Any | None:
        """x where `value` is log(1 + eˣ), else None."""
        made = self._made(value, "where", "add", "log", "nn.softplus")
        if made is None:
            return None
        forms = {"relax.where": self._chosen, "relax.add": self._in_two_parts, "relax.log": self._log1p_exp}
        if calls.name_of(made) in forms:
            return forms[calls.name_of(made)](made)
        return made.args[0] if float(made.attrs.beta) == 1 and float(made.attrs.threshold) >= _ALONE else None

    def _chosen(self, made: Any) -> Any | None:
        x = self._log1p_exp(made.args[2])
        return x if x is not None and made.args[1] == x and self._is_above(made.args[0], x) else None

    def _is_above(self, condition: Any, x: Any) -> bool:
        """Whether it is x > c with a c so large that nothing but x is left."""
        made = self._made(condition, "greater")
        limit = calls.constant(made.args[1]) if made is not None and made.args[0] == x else None
        return limit is not None and limit.size == 1 and float(limit.item()) >= _ALONE

    def _in_two_parts(self, made: Any) -> Any | None:
        positive = self._made(made.args[0], "maximum")
        size = self._log1p_exp(made.args[1])
        absolute = None if size is None else self._made(size, "negative")
        absolute = None if absolute is None else self._made(absolute.args[0], "abs")
        if positive is None or absolute is None or not _is(positive.args[1], 0):
            return None
        return positive.args[0] if positive.args[0] == absolute.args[0] else None

    def _log1p_exp(self, value: Any) -> Any | None:
        """The operand of log(1 + e…), else None."""
        log = self._made(value, "log")
        total = None if log is None else self._made(log.args[0], "add")
        if total is None:
            return None
        one, rest = total.args if _is(total.args[0], 1) else reversed(total.args)
        power = self._made(rest, "exp") if _is(one, 1) else None
        return None if power is None else power.args[0]

    def _made(self, value: Any, *names: str) -> Any | None:
        """The call that `value` is bound to, if it is one of these operators."""
        call = self.lookup_binding(value) if isinstance(value, relax.Var) else value
        return call if calls.name_of(call).removeprefix("relax.") in names else None


def _is(value: Any, number: float) -> bool:
    array = calls.constant(value)
    return array is not None and array.size == 1 and float(array.item()) == number


def _number(value: float) -> Any:
    return relax.const(value, "float32")
