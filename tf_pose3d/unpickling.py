"""Unpickling without running what a pickle names.

A pickle may name any Python function and have it called. Here only the names in a table are known, each
replaced by a function of this package, so that a file can make arrays, numbers, strings and containers and
nothing else.
"""

from __future__ import annotations

import operator
import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import IO, Any

import numpy as np

from tf_pose3d.errors import Pose3DError

__all__ = ["Admitted", "PlainUnpickler", "Refused", "plain_data"]


class Refused(Pose3DError):
    """A pickle holds something that is not plain data; the file's name is still to be put in front."""


class Admitted:
    """A function that a pickle may call, with nothing of it that the pickle could change."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise Refused("changes a function instead of calling it; only plain data is read")


class _Dtype:
    """Stands for a numpy dtype while unpickling.

    numpy's own dtype takes its flags from the pickle, with which an object array can be made to hold
    addresses of the file's choosing; this one takes the type code and the byte order, nothing else.
    """

    def __init__(self, code: str, align: bool = False, copy: bool = False) -> None:
        dtype = np.dtype(str(code))
        if dtype.kind not in "biufcSUO":
            raise Refused(f"holds arrays of type {code}; only plain numbers and strings are read")
        self.dtype = dtype

    def __setstate__(self, state: tuple) -> None:
        _, order, subarray, names, fields = state[:5]
        if subarray is not None or names is not None or fields is not None:
            raise Refused("holds structured arrays; only plain numbers and strings are read")
        if order in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(order)


class _Array:
    """Stands for numpy.ndarray while unpickling."""

    array: np.ndarray

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, fortran_order, content = state
        # numpy checks that the content fits the shape, and shares its memory.
        self.array = np.empty(0, np.int8)
        self.array.__setstate__((1, tuple(shape), dtype.dtype, bool(fortran_order), content))


_ARRAY_TYPE = Admitted(_Array)


def _reconstruct(kind: Any, shape: tuple, code: bytes) -> _Array:
    if kind is not _ARRAY_TYPE:
        raise TypeError("an array that is no array")
    return _Array()


def _frombuffer(
    buffer: bytes, dtype: _Dtype, shape: tuple, order: str, axis_order: tuple | None = None
) -> np.ndarray:
    array = np.frombuffer(buffer, dtype.dtype)
    if order != "K" or axis_order is None:
        return array.reshape(shape, order=order)
    stored = array.reshape([shape[axis] for axis in axis_order])
    return stored.transpose(np.argsort(axis_order))


def _scalar(dtype: _Dtype, content: bytes | str) -> np.generic:
    raw = content.encode("latin1") if isinstance(content, str) else content
    if dtype.dtype.itemsize == 0:  # an empty string
        return dtype.dtype.type()
    return np.frombuffer(raw, dtype.dtype, count=1)[0]


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Python 3 writes bytes like this into pickles of protocol 2."""
    if encoding not in ("latin1", "latin-1"):
        raise ValueError(f"text in encoding {encoding}")
    return text.encode("latin1")


def _plain_names() -> dict[tuple[str, str], Admitted]:
    names = {
        ("numpy", "dtype"): Admitted(_Dtype),
        ("numpy", "ndarray"): _ARRAY_TYPE,
        ("_codecs", "encode"): Admitted(_encode),
        ("collections", "OrderedDict"): Admitted(OrderedDict),
    }
    for core in ("numpy.core", "numpy._core"):
        names[f"{core}.multiarray", "_reconstruct"] = Admitted(_reconstruct)
        names[f"{core}.multiarray", "scalar"] = Admitted(_scalar)
        names[f"{core}.numeric", "_frombuffer"] = Admitted(_frombuffer)
    for builtins in ("builtins", "__builtin__"):
        for kind in (set, frozenset, bytes, bytearray, complex):
            names[builtins, kind.__name__] = Admitted(kind)
    return names


_PLAIN_NAMES = _plain_names()


class PlainUnpickler(pickle.Unpickler):
    """Reads pickles of protocol 2 to 5, by numpy 1 or 2, by Python 2 or 3.

    Args:
        stream: Positioned at a pickle; afterwards behind it.
        further: More names that a pickle may call, `(module, name) -> Admitted`.

    Raises:
        Refused: From `load`, at any other name.
    """

    def __init__(self, stream: IO[bytes], further: Mapping[tuple[str, str], Admitted] | None = None) -> None:
        # Python 2 wrote array contents as strings, for which latin1 is the identity.
        super().__init__(stream, encoding="latin1")
        self._further = further or {}

    def find_class(self, module: str, name: str) -> Admitted:
        found = self._further.get((module, name)) or _PLAIN_NAMES.get((module, name))
        if found is None:
            raise Refused(
                f"holds {module}.{name}, which would run code; only arrays, numbers, strings and containers "
                f"are read"
            )
        return found


def plain_data(root: Any) -> Any:
    """What `PlainUnpickler.load` gave, with arrays in the place of their stand-ins, in nested containers."""
    done: set[int] = set()

    def visit(value: Any) -> Any:
        if type(value) is Admitted:
            raise Refused("holds a function instead of data; only plain data is read")
        if type(value) is _Dtype:
            return value.dtype
        if type(value) is _Array:
            value = value.array
        if type(value) is np.ndarray:
            return value if value.dtype != object else visit_array(value)
        if type(value) is tuple:
            parts = [visit(part) for part in value]
            return value if all(map(operator.is_, parts, value)) else tuple(parts)
        if type(value) not in (dict, OrderedDict, list) or id(value) in done:
            return value
        # Lists and dicts are filled in place: they may be huge, shared, or hold themselves.
        done.add(id(value))
        if type(value) is list:
            value[:] = [visit(part) for part in value]
        else:
            for key, part in value.items():
                value[key] = visit(part)
        return value

    def visit_array(array: np.ndarray) -> np.ndarray:
        flat = np.empty(array.size, object)
        for i, part in enumerate(array.ravel()):
            flat[i] = visit(part)
        return flat.reshape(array.shape)

    return visit(root)
