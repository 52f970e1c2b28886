"""The one error for operators that cannot be converted, in Neo's wording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from neo_magics.errors import UnsupportedOperatorsError

_SHOWN = 3  # places named per operator


def unsupported(
    framework: str, missing: Mapping[str, Sequence[str]], hint: str = ""
) -> UnsupportedOperatorsError:
    """All operators of `missing` at once; its values say where in the model each of them is.

    `hint` is what to do, where more is known than that they have to go.
    """
    names = ", ".join(sorted(missing))
    places = "; ".join(f"{name} in {_some(where)}" for name, where in sorted(missing.items()) if any(where))
    return UnsupportedOperatorsError(
        f"TVM cannot convert {framework} model. Please make sure the framework you selected is correct. "
        f"The following operators are not implemented: {{{names}}}" + (f" ({places})." if places else "."),
        hint=hint or "Replace them in the model, or run those parts outside of it.",
        operators=sorted(missing),
        places={name: [place for place in where if place] for name, where in missing.items()},
    )


def reason_of(error: BaseException) -> str:
    """Why a converter failed, in one line: TVM's last words with their class, our own as they are."""
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    told = lines[-1][:200]
    return told if isinstance(error, NotImplementedError) else f"{type(error).__name__}: {told}"


def _some(places: Sequence[str]) -> str:
    named = list(dict.fromkeys(place for place in places if place))
    more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
    return ", ".join(named[:_SHOWN]) + more
