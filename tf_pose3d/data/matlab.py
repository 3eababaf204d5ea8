"""MATLAB's files of version 5 to 7: their arrays of numbers and cells of such, read here without SciPy.

SciPy's reader can be brought to stray into other memory by a damaged file, which ends the process. The format
is MathWorks' "MAT-File Format": a header, then one element per variable, a tag of type and size before each.
"""

from __future__ import annotations

import dataclasses
import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tf_pose3d.data.checks import real_numbers
from tf_pose3d.errors import Pose3DError

__all__ = ["load_matlab", "matlab_numbers"]

_HEADER_BYTES = 128
# Types of elements: numbers, a variable, a compressed variable.
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_MATRIX, _COMPRESSED = 14, 15
# Classes of variables.
_CELL = 1
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
_OTHERS = {2: "a struct", 3: "an object", 4: "text", 5: "a sparse matrix", 16: "a function", 17: "an object"}
_COMPLEX = 0x0800
# A variable may grow so much when it is unpacked, beyond a size that always may be.
_MOST_GROWTH, _ALWAYS_ALLOWED = 300, 1 << 26
_DEEPEST = 8
# Numbers in an array, far beyond any file's.
_MOST = 2**40


class _Damaged(Exception):
    """A file that is not what it should be; the text says how."""


@dataclasses.dataclass(frozen=True)
class _Other:
    """A variable of a kind that is not read."""

    kind: str


class _Elements:
    """The elements of a part of a file, one after another.

    Args:
        content: The part.
        order: `"<"` or `">"`.
    """

    def __init__(self, content: memoryview, order: str) -> None:
        self.content, self.order = content, order
        self._place = 0

    def __len__(self) -> int:
        """Bytes that are left."""
        return len(self.content) - self._place

    def next(self) -> tuple[int, memoryview]:
        """Type and content of the next element."""
        if len(self) < 8:
            raise _Damaged("it ends within a variable")
        first, size = struct.unpack_from(f"{self.order}II", self.content, self._place)
        start = self._place + 8
        # Up to four bytes stand in the tag itself, whose type then has the size in its upper half.
        kind, short = first & 0xFFFF, first >> 16
        if short:
            start, size = self._place + 4, short
            if short > 4:
                raise _Damaged(f"an element of {short} bytes in a tag of four")
        if start + size > len(self.content):
            raise _Damaged(f"it announces {size} bytes and ends before them")
        self._place = start + size
        # Compressed variables alone are not padded to a multiple of eight.
        if short:
            self._place = start + 4
        elif kind != _COMPRESSED:
            self._place = min(self._place + -size % 8, len(self.content))
        return kind, self.content[start : start + size]

    def numbers(self) -> np.ndarray:
        """The next element's numbers."""
        kind, content = self.next()
        if kind not in _NUMBERS:
            raise _Damaged(f"an element of type {kind} where numbers should be")
        dtype = np.dtype(f"{self.order}{_NUMBERS[kind]}")
        if len(content) % dtype.itemsize:
            raise _Damaged(f"{len(content)} bytes of numbers of {dtype.itemsize}")
        return np.frombuffer(content, dtype)


def _matrix(content: memoryview, order: str, depth: int = 0) -> tuple[str, Any]:
    """Name and value of a variable."""
    if not len(content):  # an empty cell's
        return "", np.zeros((0, 0))
    if depth > _DEEPEST:
        raise _Damaged("cells nested too deeply")
    elements = _Elements(content, order)
    flags = elements.numbers()
    if len(flags) != 2 or flags.dtype.kind != "u":
        raise _Damaged("a variable without flags")
    shape = tuple(int(length) for length in elements.numbers())
    # An empty variable may announce lengths whose product no array can have.
    if not 2 <= len(shape) <= 32 or min(shape) < 0 or math.prod(max(length, 1) for length in shape) > _MOST:
        raise _Damaged(f"a variable of shape {shape[:8]}")
    name = bytes(elements.next()[1]).decode("utf-8", "replace")
    kind, count = int(flags[0]) & 0xFF, math.prod(shape)
    if kind == _CELL:
        if count * 8 > len(elements):
            raise _Damaged(f"{count} cells in {len(elements)} bytes")
        cells = np.empty(count, object)
        for number in range(count):
            inner, held = elements.next()
            if inner != _MATRIX:
                raise _Damaged(f"an element of type {inner} as a cell")
            cells[number] = _matrix(held, order, depth + 1)[1]
        return name, cells.reshape(shape, order="F")
    if kind not in _CLASSES:
        return name, _Other(_OTHERS.get(kind, f"a variable of class {kind}"))
    if int(flags[0]) & _COMPLEX:
        return name, _Other("complex numbers")
    values = elements.numbers()
    if len(values) != count:
        raise _Damaged(f"{len(values)} numbers for a shape of {shape}")
    # Numbers are stored in the smallest type that holds them.
    with np.errstate(over="ignore", invalid="ignore"):
        return name, values.astype(_CLASSES[kind]).reshape(shape, order="F")


def _unpacked(content: memoryview) -> memoryview:
    most = max(_MOST_GROWTH * len(content), _ALWAYS_ALLOWED)
    unpacker = zlib.decompressobj()
    held = unpacker.decompress(content, most)
    if not unpacker.eof:
        raise _Damaged(f"a variable of {len(content)} bytes that is cut off, or unpacks to more than {most}")
    return memoryview(held)


def _variables(content: bytes) -> Iterator[tuple[str, Any]]:
    if content.startswith(b"MATLAB 7.3") or content[512:516] == b"\x89HDF":
        raise _Damaged("it is of MATLAB 7.3; save it with -v7")
    order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
    if order is None:
        raise _Damaged("it has no header")
    elements = _Elements(memoryview(content)[_HEADER_BYTES:], order)
    while len(elements):
        kind, held = elements.next()
        if kind == _COMPRESSED:
            kind, held = _Elements(_unpacked(held), order).next()
        if kind != _MATRIX:
            raise _Damaged(f"an element of type {kind} where a variable should be")
        yield _matrix(held, order)


def load_matlab(path: str | Path, where: str | None = None) -> dict[str, Any]:
    """The variables of a file.

    Args:
        path: The file.
        where: Names it in messages; None: its path.

    Returns:
        Name -> array of numbers, or of objects for cells. Of texts, structs and other kinds only the name is
        of use.

    Raises:
        Pose3DError: It is missing, no MATLAB file, damaged, or of version 7.3.
    """
    where = str(path) if where is None else where
    try:
        return dict(_variables(Path(path).read_bytes()))
    except FileNotFoundError:
        raise Pose3DError(f"{where} does not exist") from None
    except OSError as error:
        raise Pose3DError(f"{where} cannot be read: {error.strerror or error}") from None
    except (_Damaged, zlib.error) as error:
        raise Pose3DError(f"{where} is no MATLAB file or is damaged ({error})") from None


def matlab_numbers(content: dict[str, Any], key: str, where: str) -> np.ndarray:
    """A variable as float64.

    Raises:
        Pose3DError: It is not there, or holds anything but real numbers.
    """
    if key not in content:
        raise Pose3DError(f"{where} has no {key}; it holds {', '.join(content) or 'nothing'}")
    values = None if isinstance(content[key], _Other) else real_numbers(content[key])
    if values is None:
        kind = content[key].kind if isinstance(content[key], _Other) else "something else"
        raise Pose3DError(f"{where}: {key} holds {kind}, expected real numbers")
    return values
