"""The options of %%compile as one table: the parser, the help text and Tab completion all read it."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from neo_magics.api.target_names import nearest
from neo_magics.errors import UsageError

BACKENDS = ("local", "sagemaker")


def count(text: str) -> int:
    """A whole number above zero, as argparse wants its types."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"it takes a whole number from 1 on, not {text!r}")
    return number


def amount(text: str) -> float:
    """A number above zero."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not (number > 0 and math.isfinite(number)):
        raise argparse.ArgumentTypeError(f"it takes a number above zero, not {text!r}")
    return number


@dataclass(frozen=True)
class Option:
    """One option: `values` names what Tab offers after it ("targets", "variables", …)."""

    flags: tuple[str, ...]
    help: str
    metavar: str = ""  # empty: a flag without a value
    type: Callable[[str], Any] = str
    values: str = ""
    default: Any = None


COMPILE = (
    Option(
        ("--target",),
        "target device, or several separated by commas; local is this machine (%neo targets lists all)",
        "DEVICE",
        values="targets",
    ),
    Option(
        ("--platform",),
        "target platform in place of a device, such as LINUX_ARM64",
        "OS_ARCH",
        values="platforms",
    ),
    Option(("--input",), "example input: a variable, a tuple or a dict of them", "VALUE", values="variables"),
    Option(("--input-shape",), 'shapes instead of values, such as {"x": [1, 3, 224, 224]}', "JSON"),
    Option(("--model",), "the model, where the cell holds several", "NAME", values="variables"),
    Option(("-o", "--output-var"), "variable that receives the job", "NAME"),
    Option(("--name",), "the job's name (made up if not given)", "NAME"),
    Option(("--framework",), "framework of a model file", "NAME", values="frameworks"),
    Option(
        ("--dtype",),
        "precision of the arithmetic (bf16, int8), where the target has it, with inputs and outputs as they "
        "are; any other: the type of the inputs, where the model does not say it",
        "DTYPE",
        values="dtypes",
    ),
    Option(
        ("--calibrate",),
        "typical inputs for --dtype int8: an array of many rows, or a list of examples",
        "VALUE",
        values="variables",
    ),
    Option(("--mcpu",), "CPU to generate code for, such as skylake-avx512 or native", "CPU"),
    Option(("--mattr",), "CPU features to add or remove, such as +neon", "FEATURES"),
    Option(("--tolerance",), "largest accepted relative difference to the source model", "NUMBER", amount),
    Option(("--tune",), "seconds to spend on timing kernels; what is found is remembered", "SECONDS", amount),
    Option(("--max-runtime",), "seconds after which the job is stopped", "SECONDS", count),
    Option(("--no-cache",), "compile even if the same artifact exists already", default=False),
    Option(("--no-compare",), "do not measure before and after at the end", default=False),
    Option(("--trust-pickle",), "allow model files that hold a pickle", default=False),
    Option(("--wait",), "wait for the end of the job; Ctrl-C stops the waiting, not the job", default=False),
    Option(("--backend",), "local, sagemaker or an endpoint URL", "NAME", values="backends"),
    Option(("--bucket",), "bucket for the model and the artifact", "NAME"),
    Option(("--role",), "ARN of the role that SageMaker assumes", "ARN"),
)

EXAMPLES = """
examples:
  %%compile --target local --input x -o job
  model                                            # the cell's last expression is the model

  %compile model --target ml_c5 --input-shape {"x": [1, 3, 224, 224]}
  job = %compile model --input x --wait
"""


class HelpRequestedError(Exception):
    """`--help` was among the words; the text is the argument."""


class Parser(argparse.ArgumentParser):
    """argparse that raises this package's errors, guesses misspelt options and never exits."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}.", hint=f"{self.prog} --help lists the options.")

    def read(self, words: list[str]) -> argparse.Namespace:
        """The parsed words.

        Raises:
            HelpRequestedError: the help text was asked for.
            UsageError: an unknown option (with the nearest one) or a bad value.
        """
        if "--help" in words or "-h" in words:
            raise HelpRequestedError(self.format_help())
        found, unknown = self.parse_known_args(self._joined(words))
        if unknown:
            raise self._unknown(unknown[0])
        return found

    def _joined(self, words: list[str]) -> list[str]:
        """`--mattr -avx2` as one word: argparse takes what begins with a hyphen for an option."""
        joined: list[str] = []
        for word in words:
            before = self._option_string_actions.get(joined[-1]) if joined else None
            if before is not None and before.nargs is None and _is_value(word, self._option_string_actions):
                joined[-1] = f"{joined[-1]}={word}" if joined[-1].startswith("--") else joined[-1] + word
            else:
                joined.append(word)
        return joined

    def _unknown(self, word: str) -> UsageError:
        known = list(self._option_string_actions)
        if not word.startswith("-"):
            return UsageError(
                f"{self.prog}: unexpected {word!r}.", hint="Quote values that hold spaces, or bracket them."
            )
        return UsageError(f"{self.prog}: unknown option {word}.", hint=did_you_mean(word, known))


def _is_value(word: str, options: Mapping[str, Any]) -> bool:
    """Whether `word` begins with a hyphen and is no option, neither a known nor a misspelt one."""
    return word.startswith("-") and not word.startswith("--") and word not in options


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "--help lists them.") -> str:
    """A next step for a misspelt `word`."""
    near = nearest(word, known)
    return f"Did you mean {near}?" if near else otherwise


def compile_parser(prog: str, *, model: bool) -> Parser:
    """The parser of %%compile, or with `model` that of %compile MODEL."""
    parser = Parser(
        prog=prog,
        description="Compile a model with a CompilationJob and measure it before and after.",
        epilog=EXAMPLES,
        add_help=False,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if model:
        parser.add_argument("value", metavar="MODEL", help="a variable that holds the model, or a model file")
    for option in COMPILE:
        if model and option.flags == ("--model",):
            continue
        _add(parser, option)
    return parser


def _add(parser: Parser, option: Option) -> None:
    text = option.help.replace("%", "%%")
    if option.metavar:
        parser.add_argument(*option.flags, help=text, metavar=option.metavar, type=option.type)
    else:
        parser.add_argument(*option.flags, help=text, action="store_true")
