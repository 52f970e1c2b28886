"""A FailureReason taken apart."""

import pytest

from neo_magics.api.events import NEXT_STEP
from neo_magics.errors import CompilationError, NeoMagicsError, failure_reason
from neo_magics.widgets.failure import Failure, failure


@pytest.mark.parametrize("kind", [NeoMagicsError, CompilationError])
def test_each_part_is_found_again(kind):
    error = kind("The operator Fancy (twice) is unknown.", hint="Replace it.")
    found = failure(failure_reason(error, "import"), ["import: failed", f"{NEXT_STEP}Replace it."])
    assert found == Failure(
        "The operator Fancy (twice) is unknown.", kind.reason_prefix, "import", "Replace it."
    )


def test_another_services_words_stay_whole():
    found = failure("Something (odd): happened", [])
    assert found.text == "Something (odd): happened"
    assert (found.kind, found.stage, found.next_step) == ("", "", "")


def test_no_reason():
    assert failure("", []).text == "No reason was given."
