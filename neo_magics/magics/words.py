"""Splits a magic's line into words: quotes hold, and so do brackets, so that JSON needs no quoting."""

from __future__ import annotations

from neo_magics.errors import UsageError

_PAIRS = {"(": ")", "[": "]", "{": "}"}


def split(line: str) -> list[str]:
    """The words of `line`. `--input-shape {"x": [1, 3]}` and `--input x[0, :1]` are two words each.

    Quotes around a word or a part of it are removed, as a shell does; inside brackets they are kept.

    Raises:
        UsageError: a quote or bracket is not closed.
    """
    reader = _Reader(line)
    return list(iter(reader.word, None))


class _Reader:
    def __init__(self, line: str) -> None:
        self.line, self.at = line, 0

    def word(self) -> str | None:
        while self.at < len(self.line) and self.line[self.at].isspace():
            self.at += 1
        if self.at == len(self.line):
            return None
        parts = []
        while self.at < len(self.line) and not self.line[self.at].isspace():
            parts.append(self._part())
        return "".join(parts)

    def _part(self) -> str:
        start, char = self.at, self.line[self.at]
        if char in "'\"":
            self._quoted()
            return self.line[start + 1 : self.at - 1]
        if char in _PAIRS:
            self._bracketed()
            return self.line[start : self.at]
        self.at += 1
        return char

    def _quoted(self) -> None:
        end = self.line.find(self.line[self.at], self.at + 1)
        if end < 0:
            raise _unclosed(self.line[self.at])
        self.at = end + 1

    def _string(self) -> None:
        """A string of JSON or Python, where a backslash escapes."""
        quote, at = self.line[self.at], self.at + 1
        while at < len(self.line) and self.line[at] != quote:
            at += 2 if self.line[at] == "\\" else 1
        if at >= len(self.line):
            raise _unclosed(quote)
        self.at = at + 1

    def _bracketed(self) -> None:
        closing: list[str] = []
        while self.at < len(self.line):
            char = self.line[self.at]
            if char in "'\"":
                self._string()
                continue
            self.at += 1
            if char in _PAIRS:
                closing.append(_PAIRS[char])
            elif closing and char == closing[-1]:
                closing.pop()
                if not closing:
                    return
        raise _unclosed(closing[-1])


def _unclosed(char: str) -> UsageError:
    return UsageError(f"The line has no closing {char}", hint="Close the quote or bracket.")
