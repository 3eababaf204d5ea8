"""Unpickling without running what a pickle names, and without more memory than its size warrants.

A pickle may name any Python function and have it called. Here only the names in a table are known, each
replaced by a function of this package, so that a file can make arrays, numbers, strings and containers and
nothing else. What a function made cannot be changed afterwards (the opcode BUILD). Before a pickle is read,
one pass over its opcodes holds every announced length against what follows, and every number under which a
value is remembered against the pickle's size: nine bytes can otherwise ask for gigabytes.
"""

from __future__ import annotations

import io
import math
import mmap
import operator
import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.types import Parsed

__all__ = [
    "DAMAGE",
    "Admitted",
    "PlainUnpickler",
    "Refused",
    "check_texts",
    "plain_data",
    "reason_of",
    "unpickling_explained",
]

# What damage raises in pickle, in numpy and in the functions of the table.
DAMAGE = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    MemoryError,
    RecursionError,
    struct.error,
)


class Refused(Pose3DError):
    """A pickle holds something that is not plain data; the file's name is still to be put in front."""


class Admitted:
    """A function that a pickle may call, with nothing of it that the pickle could change."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Parsed:
        return self._function(*arguments)

    def __setstate__(self, state: Parsed) -> None:
        raise Refused("changes a function instead of calling it; only plain data is read")


class _Dtype:
    """Stands for a numpy dtype while unpickling.

    numpy's own dtype takes its flags from the pickle, with which an object array can be made to hold
    addresses of the file's choosing; this one takes the type code and the byte order, nothing else.
    """

    def __init__(self, code: str, align: bool = False, copy: bool = False) -> None:
        dtype = np.dtype(str(code)[:40])
        if dtype.kind not in "biufcSUO":
            raise Refused(f"holds arrays of type {code}; only plain numbers and strings are read")
        self.dtype = dtype

    def __setstate__(self, state: tuple) -> None:
        _, order, subarray, names, fields = state[:5]
        if subarray is not None or names is not None or fields is not None:
            raise Refused("holds structured arrays; only plain numbers and strings are read")
        if order in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(order)


# Texts without characters take no bytes, so that their number says nothing about the file.
_MOST_EMPTY = 1_000_000


def _checked_count(shape: Parsed, dtype: np.dtype) -> int:
    """Values of an array of this shape."""
    lengths = [operator.index(length) for length in tuple(shape)]
    count = math.prod(lengths)
    if min(lengths, default=0) < 0 or (dtype.itemsize == 0 and count > _MOST_EMPTY):
        raise ValueError(f"an array of shape {tuple(shape)} and type {dtype}")
    return count


def check_texts(array: np.ndarray) -> np.ndarray:
    """The array, if its texts have characters that there are; Python fails at others without a word of why.

    Raises:
        ValueError: It has others.
    """
    if array.dtype.kind == "U" and array.size and array.dtype.itemsize:
        codes = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("="), copy=False).reshape(-1)
        if int(codes.view(np.uint32).max()) > 0x10FFFF:
            raise ValueError("texts of characters that there are not")
    return array


class _Array:
    """Stands for numpy.ndarray while unpickling."""

    array: np.ndarray

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, fortran_order, content = state
        count = _checked_count(shape, dtype.dtype)
        if dtype.dtype == object:
            # numpy takes as many values as the shape says, wherever the list ends.
            if not isinstance(content, list) or len(content) != count:
                raise ValueError(f"an array of shape {tuple(shape)} whose values are others in number")
            flat = np.empty(count, object)
            for place, value in enumerate(content):
                flat[place] = value
            # In C's order whatever the array's own is.
            self.array = flat.reshape(tuple(shape))
            return
        # numpy checks that the content fits the shape, and shares its memory.
        self.array = np.empty(0, np.int8)
        plain = (1, tuple(shape), dtype.dtype, bool(fortran_order), content)
        # The stub wants numpy's own bool, which numpy refuses.
        self.array.__setstate__(plain)  # type: ignore[arg-type]
        check_texts(self.array)


_ARRAY_TYPE = Admitted(_Array)


def _reconstruct(kind: Parsed, shape: tuple, code: bytes) -> _Array:
    if kind is not _ARRAY_TYPE:
        raise TypeError("an array that is no array")
    return _Array()


def _frombuffer(
    buffer: bytes, dtype: _Dtype, shape: tuple, order: str, axis_order: tuple | None = None
) -> np.ndarray:
    array = check_texts(np.frombuffer(buffer, dtype.dtype))
    if order in ("C", "F"):
        return array.reshape(shape, order="F" if order == "F" else "C")
    if order != "K" or axis_order is None:
        raise ValueError(f"an array in order {order!r}")
    stored = array.reshape([shape[axis] for axis in axis_order])
    return stored.transpose(np.argsort(axis_order))


def _scalar(dtype: _Dtype, content: bytes | str) -> np.generic:
    raw = content.encode("latin1") if isinstance(content, str) else content
    if dtype.dtype.itemsize == 0:  # an empty string
        return dtype.dtype.type()
    return check_texts(np.frombuffer(raw, dtype.dtype, count=1))[0]


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Python 3 writes bytes like this into pickles of protocol 2."""
    if encoding not in ("latin1", "latin-1"):
        raise ValueError(f"text in encoding {encoding}")
    return text.encode("latin1")


class _Ordered(OrderedDict):
    """An OrderedDict to which a pickle cannot add attributes (PyTorch's state dicts carry `_metadata`)."""

    def __setstate__(self, state: Parsed) -> None:
        pass


def _bytes(*arguments: Any) -> bytes:
    """`bytes` and `bytearray` as pickles call them: of nothing, of bytes, of text; never of a size."""
    if not arguments:
        return b""
    first, *encoding = arguments
    if isinstance(first, str):
        return _encode(first, *encoding)
    if isinstance(first, (bytes, bytearray)):
        return bytes(first)
    if isinstance(first, list):
        return bytes(first)
    raise ValueError("bytes of something that is no text")


def _bytearray(*arguments: Any) -> bytearray:
    return bytearray(_bytes(*arguments))


def _plain_names() -> dict[tuple[str, str], Admitted]:
    names = {
        ("numpy", "dtype"): Admitted(_Dtype),
        ("numpy", "ndarray"): _ARRAY_TYPE,
        ("_codecs", "encode"): Admitted(_encode),
        ("collections", "OrderedDict"): Admitted(_Ordered),
    }
    for core in ("numpy.core", "numpy._core"):
        names[f"{core}.multiarray", "_reconstruct"] = Admitted(_reconstruct)
        names[f"{core}.multiarray", "scalar"] = Admitted(_scalar)
        names[f"{core}.numeric", "_frombuffer"] = Admitted(_frombuffer)
    for builtins in ("builtins", "__builtin__"):
        for kind in (set, frozenset, complex):
            names[builtins, kind.__name__] = Admitted(kind)
        names[builtins, "bytes"] = Admitted(_bytes)
        names[builtins, "bytearray"] = Admitted(_bytearray)
    return names


_PLAIN_NAMES = _plain_names()


# Opcode -> bytes that follow it; negative: the width of a length that precedes the content.
_LINES = frozenset(b"cFIgLpPVSi")
_FOLLOWING = {
    ord(code): size
    for size, codes in {
        0: "(.012NQRabd]}elostut)\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94\x97\x98",
        1: "Khq\x80\x82",
        2: "M\x83",
        4: "Jjr\x84",
        8: "G\x95",
        -1: "UC\x8a\x8c",
        -4: "TBX\x8b",
        -8: "\x8d\x8e\x96",
    }.items()
    for code in codes
}


def _check_opcodes(content: bytes | mmap.mmap, start: int, stop: int) -> None:
    """Holds what a pickle announces against its size.

    Its frames must end where one of its operations does: behind one that does not, Python's own unpicklers
    read on at different places, by what the pickle lies in.

    Args:
        content: What it lies in.
        start: Where it begins.
        stop: Where what follows ends; the pickle itself may end before.

    Raises:
        ValueError, EOFError: It announces more than it holds, or is no pickle.
    """
    following, lines, find = _FOLLOWING, _LINES, content.find
    unpack = int.from_bytes
    most = stop - start
    place = start
    # Where the frame ends, or the pickle.
    edge, framed = stop, False
    while place < stop:
        while place < edge:
            code = content[place]
            if code == 46:  # STOP
                return
            place += 1
            size = following.get(code)
            if size is None:
                if code not in lines:
                    raise ValueError(f"opcode {code} at byte {place - 1 - start}")
                end = find(b"\n", place, stop)
                if end < 0:
                    raise EOFError("it ends within a line")
                if code == 112 and (end - place > 18 or int(content[place:end]) > most):  # PUT
                    raise ValueError(f"more values to remember than it has bytes (byte {place - 1 - start})")
                place = end + 1
                if code in (99, 105):  # GLOBAL and INST have two lines
                    end = find(b"\n", place, stop)
                    if end < 0:
                        raise EOFError("it ends within a name")
                    place = end + 1
            elif size >= 0:
                if code == 114 and unpack(content[place : place + 4], "little") > most:  # LONG_BINPUT
                    raise ValueError(f"more values to remember than it has bytes (byte {place - 1 - start})")
                place += size
                if code == 149:  # FRAME
                    length = unpack(content[place - size : place], "little")
                    if place + length > stop:
                        raise EOFError(f"it announces a frame of {length} bytes and ends before them")
                    if framed:
                        raise ValueError(f"a frame within a frame (byte {place - 1 - size - start})")
                    edge, framed = place + length, True
            else:
                length = unpack(content[place : place - size], "little")
                place += length - size
                if place > stop:
                    raise EOFError(f"it announces {length} bytes and ends before them")
        if edge < place <= stop:
            raise ValueError(f"a frame that ends within a value (byte {edge - start})")
        edge, framed = stop, False
    raise EOFError("it has no end")


class PlainUnpickler(pickle.Unpickler):
    """Reads pickles of protocol 0 to 5, by numpy 1 or 2, by Python 2 or 3.

    Args:
        stream: Positioned at a pickle and seekable; afterwards behind it.
        further: More names that a pickle may call, `(module, name) -> Admitted`.

    Raises:
        Refused: From `load`, at any other name.
        ValueError, EOFError: At once, where the pickle announces more than it holds.
    """

    def __init__(self, stream: IO[bytes], further: Mapping[tuple[str, str], Admitted] | None = None) -> None:
        with _content(stream) as (content, start, stop):
            _check_opcodes(content, start, stop)
        # Python 2 wrote array contents as strings, for which latin1 is the identity.
        super().__init__(stream, encoding="latin1")
        self._further = further or {}

    def find_class(self, module: str, name: str) -> Admitted:
        found = self._further.get((module, name)) or _PLAIN_NAMES.get((module, name))
        if found is None:
            named = " ".join(f"{module[:80]}.{name[:80]}".split())
            raise Refused(
                f"holds {named}, which would run code; only arrays, numbers, strings and containers are read"
            )
        return found


@contextmanager
def _content(stream: IO[bytes]) -> Iterator[tuple[bytes | mmap.mmap, int, int]]:
    """All bytes that a stream lies in, its position among them, and their end."""
    start = stream.tell()
    if isinstance(stream, io.BytesIO):
        content = stream.getvalue()
        yield content, start, len(content)
        return
    try:
        mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):
        content = stream.read()
        stream.seek(start)
        yield content, 0, len(content)
        return
    with mapped:
        yield mapped, start, len(mapped)


@contextmanager
def unpickling_explained(what: object) -> Iterator[None]:
    """Turns what damage raises in the block into one line.

    Raises:
        Pose3DError: It is damaged, or holds something that is not plain data.
    """
    try:
        yield
    except Refused as error:
        raise Pose3DError(f"{what} {error}") from None
    except Pose3DError:
        raise
    except DAMAGE as error:
        raise Pose3DError(
            f"{what} is truncated or damaged ({reason_of(error)}); copy or make it again"
        ) from None


def reason_of(error: BaseException) -> str:
    """An error's text on one line, or its kind where it has none."""
    text = " ".join(str(error).split())[:200]
    if isinstance(error, RecursionError):
        text = "nested too deeply"
    elif isinstance(error, MemoryError):
        text = "it claims more memory than there is"
    return text or type(error).__name__


# Values that a pickle may unfold to, where parts of it are shared: so many, and so many more for each of its
# bytes.
_UNFOLDED, _UNFOLDED_PER_BYTE = 1_000_000, 64
_CONTAINERS = frozenset({dict, list, tuple, OrderedDict, _Ordered, _Array, _Dtype, Admitted, np.ndarray})


def plain_data(root: Parsed, size: int | None = None) -> Parsed:
    """What `PlainUnpickler.load` gave, with arrays in the place of their stand-ins, in nested containers.

    Args:
        root: The value.
        size: Bytes of its pickle; None: any size.

    Raises:
        Refused: It holds a function; or it unfolds, part shared with part, to many more values than its size
            warrants.
        RecursionError: It is nested too deeply.
    """
    limit = None if size is None else _UNFOLDED + _UNFOLDED_PER_BYTE * size
    # id -> (the value, so that its id stays its own; what it became; how many values it unfolds to)
    done: dict[int, tuple[Any, Any, int]] = {}

    def visit(value: Parsed) -> tuple[Any, int]:
        """What a value becomes, and how many values it unfolds to."""
        known = done.get(id(value))
        if known is not None:
            return known[1], known[2]
        kind = type(value)
        if kind is Admitted:
            raise Refused("holds a function instead of data; only plain data is read")
        if kind is _Dtype:
            return value.dtype, 1
        if kind is _Array:
            array = value.array
            result, count = (array, 1) if array.dtype != object else visit_array(array)
        elif kind is np.ndarray:
            result, count = (value, 1) if value.dtype != object else visit_array(value)
        elif kind is tuple:
            parts, count = visit_all(value)
            result = value if all(map(operator.is_, parts, value)) else tuple(parts)
        elif kind is list:
            # Lists and dicts are filled in place: they may be huge, shared, or hold themselves.
            done[id(value)] = (value, value, 0)
            value[:], count = visit_all(value)
            result = value
        else:
            result = OrderedDict() if kind is _Ordered else value
            done[id(value)] = (value, result, 0)
            parts, count = visit_all(value.values())
            for key, part in zip(list(value), parts, strict=True):
                result[key] = part
        done[id(value)] = (value, result, count)
        if limit is not None and count > limit:
            raise Refused(f"unfolds to {count} values, many more than its {size} bytes warrant")
        return result, count

    def visit_all(values: Parsed) -> tuple[list[Any], int]:
        parts, count = [], 1
        for value in values:
            if type(value) in _CONTAINERS:
                part, more = visit(value)
                parts.append(part)
                count += more
            else:
                parts.append(value)
        return parts, count + len(parts)

    def visit_array(array: np.ndarray) -> tuple[np.ndarray, int]:
        parts, count = visit_all(array.ravel())
        flat = np.empty(array.size, object)
        for i, part in enumerate(parts):
            flat[i] = part
        return flat.reshape(array.shape), count

    return visit(root)[0] if type(root) in _CONTAINERS else root
