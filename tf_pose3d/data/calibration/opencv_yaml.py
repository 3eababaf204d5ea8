"""The YAML that OpenCV's FileStorage writes, and no more of YAML than that.

Mappings, sequences (block and flow), numbers, strings and `!!opencv-matrix`. Other tags name types to
construct, anchors and aliases repeat parts without end: all three are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.types import Parsed

__all__ = ["matrix_of", "parse_opencv_yaml"]

_DEEPEST = 12
_MATRIX_TAGS = ("!!opencv-matrix", "!<tag:yaml.org,2002:opencv-matrix>", "!!opencv-nd-matrix")
_NUMBER = re.compile(r"[-+]?(\d{1,400}(\.\d{0,400})?|\.\d{1,400})([eE][-+]?\d{1,5})?")
_SPECIAL = {".nan": np.nan, ".inf": np.inf, "-.inf": -np.inf, "+.inf": np.inf}
_KEY = re.compile(r"""("(?:[^"\\]|\\.)*"|'[^']*'|[^\s"'\[\]{},&*!|>%@`#-][^:#\[\]{},]*?)\s*:(?=\s|$)""")


def parse_opencv_yaml(text: str, where: object) -> dict[str, Parsed]:
    """The mapping that a file holds; matrices become float64 arrays.

    Args:
        text: All of it.
        where: Names the file in messages.

    Raises:
        Pose3DError: It is no such file; the message says at which line.
    """
    return _Parser(text, where).document()


def matrix_of(value: Parsed, where: str) -> Parsed:
    """A mapping of rows, cols and data as an array; other values as they are.

    Raises:
        Pose3DError: There are more or fewer numbers than rows times columns.
    """
    if not isinstance(value, Mapping) or not {"rows", "cols", "data"} <= value.keys():
        return value
    rows, cols, data = value["rows"], value["cols"], value["data"]
    if isinstance(data, str):
        data = data.split()
    if type(rows) is not int or type(cols) is not int or not isinstance(data, list) or not (rows > 0 < cols):
        raise Pose3DError(f"{where}: a matrix needs rows, cols and a list data")
    try:
        numbers = np.array(data, np.float64)
    except (TypeError, ValueError, OverflowError):
        numbers = np.zeros((0, 0))
    if numbers.ndim != 1 or len(numbers) != rows * cols:
        raise Pose3DError(f"{where}: a matrix of {rows} rows and {cols} columns holds other data")
    return numbers.reshape(rows, cols)


class _Parser:
    """Line by line; what a flow sequence spreads over several lines is joined first."""

    def __init__(self, text: str, where: object) -> None:
        self._where = where
        # (line number, indent, text)
        self._lines: list[tuple[int, int, str]] = []
        self._next = 0
        self._read_lines(text)

    def _fail(self, number: int, what: str) -> Pose3DError:
        return Pose3DError(f"{self._where}: line {number}: {what}")

    def _read_lines(self, text: str) -> None:
        started = False
        pending: tuple[int, int, str] | None = None
        for number, raw in enumerate(text.lstrip("\ufeff").splitlines(), 1):
            line = _without_comment(raw).rstrip()
            if pending is not None:
                first, indent, begun = pending
                line = f"{begun} {line.strip()}"
                number, width = first, indent
            else:
                if not line.strip() or (line.startswith("%") and not started):
                    continue
                if line == "---" and not started:
                    started = True
                    continue
                if line in ("...", "---"):
                    break
                started = True
                width = len(line) - len(line.lstrip(" "))
                if line[width] == "\t":
                    raise self._fail(number, "is indented by a tabulator, expected spaces")
                line = line.strip()
            if len(line) > 1_000_000:
                raise self._fail(number, "a list without end")
            if _open_brackets(line) > 0:
                pending = (number, width, line)
                continue
            pending = None
            self._lines.append((number, width, line))
        if pending is not None:
            raise self._fail(pending[0], "a list is not closed: the file is cut off")

    def document(self) -> dict[str, Parsed]:
        if not self._lines:
            raise Pose3DError(f"{self._where} holds nothing")
        value = self._block(self._lines[0][1], 0)
        if self._next < len(self._lines):
            number, _, line = self._lines[self._next]
            raise self._fail(number, f"{line[:40]!r} belongs to nothing: check its indentation")
        if not isinstance(value, dict):
            raise Pose3DError(f"{self._where} holds a list, expected keys and values")
        return value

    def _block(self, indent: int, depth: int) -> Parsed:
        if depth > _DEEPEST:
            raise self._fail(self._lines[self._next][0], "nested too deeply")
        if self._lines[self._next][2].startswith(("- ", "-\t")) or self._lines[self._next][2] == "-":
            return self._sequence(indent, depth)
        return self._mapping(indent, depth)

    def _sequence(self, indent: int, depth: int) -> list[Parsed]:
        values = []
        while self._next < len(self._lines):
            number, width, line = self._lines[self._next]
            if width != indent or not (line.startswith("- ") or line == "-"):
                break
            rest = line[1:].strip()
            if rest and _KEY.match(rest) and not rest.startswith(("{", "[")):
                # A mapping that begins on the line of its dash.
                self._lines[self._next] = (number, indent + line.index(rest, 1), rest)
                values.append(self._mapping(self._lines[self._next][1], depth + 1))
                continue
            self._next += 1
            values.append(self._value(rest, number, indent, depth))
        return values

    def _mapping(self, indent: int, depth: int) -> dict[str, Parsed]:
        values: dict[str, Parsed] = {}
        while self._next < len(self._lines):
            number, width, line = self._lines[self._next]
            if width != indent:
                if width > indent:
                    raise self._fail(number, f"{line[:40]!r} is indented further than its neighbours")
                break
            found = _KEY.match(line)
            if found is None:
                if values and line.startswith("-"):
                    break
                raise self._fail(number, f"{line[:40]!r} is no key with a value")
            self._next += 1
            key = _unquoted(found[1].strip())
            if key in values:
                raise self._fail(number, f"the key {key[:40]!r} stands there twice")
            values[key] = self._value(line[found.end() :].strip(), number, indent, depth)
        return values

    def _value(self, rest: str, number: int, indent: int, depth: int) -> Parsed:
        matrix = False
        for tag in _MATRIX_TAGS:
            if rest == tag or rest.startswith(f"{tag} "):
                matrix, rest = True, rest[len(tag) :].strip()
        if rest[:1] in ("!", "&", "*", "|", ">", "?", "@", "`"):
            what = {"!": "the tag", "&": "the anchor", "*": "the alias"}.get(rest[0], "the text")
            raise self._fail(
                number,
                f"{what} {rest.split()[0][:40]!r} is not read: only numbers, texts, lists and matrices are",
            )
        if rest:
            value = _flow(rest, lambda what: self._fail(number, what))
        elif self._next < len(self._lines) and (
            self._lines[self._next][1] > indent
            or (self._lines[self._next][1] == indent and self._lines[self._next][2].startswith("- "))
        ):
            value = self._block(self._lines[self._next][1], depth + 1)
        else:
            value = None
        if matrix:
            value = matrix_of(value, f"{self._where}: line {number}")
            if not isinstance(value, np.ndarray):
                raise self._fail(number, "a matrix needs rows, cols and data")
        return value


def _without_comment(line: str) -> str:
    if "#" not in line:
        return line
    quote = ""
    for place, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter == "#" and (place == 0 or line[place - 1] in " \t"):
            return line[:place]
    return line


def _open_brackets(line: str) -> int:
    """How many brackets are open at the end of the line; of none, if none begins a value."""
    if "[" not in line and "{" not in line:
        return 0
    bare = re.sub(r"""("(?:[^"\\]|\\.)*"|'[^']*')""", "", line)
    return bare.count("[") + bare.count("{") - bare.count("]") - bare.count("}")


def _unquoted(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        inner = text[1:-1]
        return re.sub(r"\\(.)", r"\1", inner) if text[0] == '"' else inner
    return text


def _scalar(text: str) -> Parsed:
    if text[:1] in "\"'":
        return _unquoted(text)
    if _NUMBER.fullmatch(text):
        whole = text.lstrip("+-")
        return int(text) if whole.isdecimal() and len(whole) < 19 else float(text)
    return _SPECIAL.get(text.lower(), {"true": True, "false": False, "null": None, "~": None}.get(text, text))


# In the place of a value that is still to come.
_OPEN = object()
_FLOW_TOKEN = re.compile(r"""\s*([\[\]{},]|"(?:[^"\\]|\\.)*"|'[^']*'|[^\[\]{},\s"'][^\[\]{},"']*)""")


def _flow(text: str, fail: Callable[[str], Pose3DError]) -> Parsed:
    """A scalar, `[a, b]` or `{ a: 1 }` on one line."""
    if text[0] not in "[{":
        return _scalar(text)
    # Open lists and mappings, outermost first.
    stack: list[list[Parsed] | dict[str, Parsed]] = []
    place = 0
    while True:
        found = _FLOW_TOKEN.match(text, place)
        if found is None:
            raise fail(f"a list is damaged at {text[place : place + 20]!r}")
        token = found[1]
        place = found.end()
        if token in ("[", "{"):
            new: list[Parsed] | dict[str, Parsed] = [] if token == "[" else {}
            if stack:
                _put(stack[-1], new, fail)
            if len(stack) >= _DEEPEST:
                raise fail("nested too deeply")
            stack.append(new)
        elif token in ("]", "}"):
            if isinstance(stack[-1], list) != (token == "]"):
                raise fail(f"a list is damaged at {text[place - 1 : place + 19]!r}")
            closed = stack.pop()
            if isinstance(closed, dict):
                for key in [key for key in closed if closed[key] is _OPEN]:
                    closed[key] = None
            if not stack:
                if text[place:].strip():
                    raise fail(f"{text[place : place + 20]!r} follows a list")
                return closed
        elif token != ",":
            if token[:1] in ("!", "&", "*"):
                raise fail(f"{token.strip()[:40]!r} is not read: only numbers and texts are")
            inside = stack[-1]
            if isinstance(inside, list):
                inside.append(_scalar(token.strip()))
            elif token[0] in "\"'":
                if _waiting(inside) is None:
                    inside[_unquoted(token)] = _OPEN
                else:
                    _put(inside, _scalar(token), fail)
            else:
                key, colon, value = token.partition(":")
                if not colon:
                    raise fail(f"{token.strip()[:40]!r} is no key with a value")
                if key.strip():
                    inside[key.strip()] = _OPEN
                if value.strip():
                    _put(inside, _scalar(value.strip()), fail)


def _put(inside: list[Parsed] | dict[str, Parsed], value: Parsed, fail: Callable[[str], Pose3DError]) -> None:
    if isinstance(inside, list):
        inside.append(value)
        return
    key = _waiting(inside)
    if key is None:
        raise fail(f"{str(value)[:40]!r} has no key")
    inside[key] = value


def _waiting(inside: dict[str, Parsed]) -> str | None:
    """The key whose value has not come yet."""
    return next((key for key in reversed(inside) if inside[key] is _OPEN), None)
