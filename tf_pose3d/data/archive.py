"""Reading npz and pickle files without running what they contain.

The community's files hold pickled dicts of arrays. A pickle may name any Python function and have it called;
here only the names below are known, all of them replaced by functions of this module, so that a file can
make arrays, numbers, strings and containers and nothing else.
"""

from __future__ import annotations

import operator
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from tf_pose3d.errors import Pose3DError

__all__ = ["load_archive", "load_recordings", "require_keys"]

_SIGNATURES = (
    (b"\x93NUMPY", "a single npy array"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"BZh", "a bzip2 file"),
    (b"7z", "a 7z file"),
    (b"MATLAB", "a MATLAB file"),
    (b"version https://git-lfs", "a Git LFS pointer, not the data it points to"),
    (b"<", "a web page or XML"),
    (b"{", "JSON or other text"),
    (b"[", "JSON or other text"),
)


class _Refused(Pose3DError):
    """A pickle holds something that is not plain data; the file's name is still to be put in front."""


class _Dtype:
    """Stands for a numpy dtype while unpickling.

    numpy's own dtype takes its flags from the pickle, with which an object array can be made to hold
    addresses of the file's choosing; this one takes the type code and the byte order, nothing else.
    """

    def __init__(self, code: str, align: bool = False, copy: bool = False) -> None:
        dtype = np.dtype(str(code))
        if dtype.kind not in "biufcSUO":
            raise _Refused(f"holds arrays of type {code}; only plain numbers and strings are read")
        self.dtype = dtype

    def __setstate__(self, state: tuple) -> None:
        _, order, subarray, names, fields = state[:5]
        if subarray is not None or names is not None or fields is not None:
            raise _Refused("holds structured arrays; only plain numbers and strings are read")
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


def _reconstruct(kind: type, shape: tuple, code: bytes) -> _Array:
    if kind is not _Array:
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


def _admitted() -> dict[tuple[str, str], Callable]:
    names: dict[tuple[str, str], Callable] = {
        ("numpy", "dtype"): _Dtype,
        ("numpy", "ndarray"): _Array,
        ("_codecs", "encode"): _encode,
        ("collections", "OrderedDict"): OrderedDict,
    }
    for core in ("numpy.core", "numpy._core"):
        names[f"{core}.multiarray", "_reconstruct"] = _reconstruct
        names[f"{core}.multiarray", "scalar"] = _scalar
        names[f"{core}.numeric", "_frombuffer"] = _frombuffer
    for builtins in ("builtins", "__builtin__"):
        for kind in (set, frozenset, bytes, bytearray, complex):
            names[builtins, kind.__name__] = kind
    return names


_ADMITTED = _admitted()


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Callable:
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise _Refused(
                f"holds {module}.{name}, which would run code; only arrays, numbers, strings and containers "
                f"are read"
            ) from None


def _plain(root: Any) -> Any:
    """Put the arrays in the place of their stand-ins, throughout nested containers."""
    done: set[int] = set()

    def visit(value: Any) -> Any:
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


def _unpickle(stream: IO[bytes]) -> Any:
    # Python 2 wrote array contents as strings, for which latin1 is the identity.
    return _plain(_Unpickler(stream, encoding="latin1").load())


def _read_member(archive: zipfile.ZipFile, member: str) -> Any:
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        elif version == (2, 0):
            shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
        else:
            raise ValueError(f"npy format version {version}")
        if dtype.hasobject:
            array = _unpickle(stream)
            if not isinstance(array, np.ndarray) or array.shape != shape:
                raise ValueError(f"{member} does not hold the array that its header announces")
            return array.item() if shape == () else array
    with archive.open(member) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def _read_npz(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        members = [name for name in archive.namelist() if name.endswith(".npy")]
        if not members:
            raise Pose3DError(f"{path} is a zip file without npy arrays, expected an npz file")
        return {member.removesuffix(".npy"): _read_member(archive, member) for member in members}


def load_archive(path: str | Path) -> Any:
    """Everything an npz file or a pickle file holds.

    Reads pickles of protocol 2 to 5, by numpy 1 or 2, by Python 2 or 3, alone or inside an npz.

    Args:
        path: The file; its content decides how it is read, not its name.

    Returns:
        For an npz file a dict of its arrays, where a single pickled object stands for itself and not for
        an array of no dimensions. For a pickle file the object it holds.

    Raises:
        Pose3DError: The file is missing, truncated, something else, or names a function to run.
    """
    path = Path(path)
    try:
        with path.open("rb") as stream:
            head = stream.read(32)
            if head.startswith(b"PK"):
                return _read_npz(path)
            if head[:1] == b"\x80":
                stream.seek(0)
                return _unpickle(stream)
    except _Refused as error:
        raise Pose3DError(f"{path} {error}") from None
    except FileNotFoundError:
        raise Pose3DError(f"{path} does not exist, expected an npz file") from None
    except OSError as error:
        raise Pose3DError(f"{path} cannot be read: {error.strerror or error}") from None
    except Pose3DError:
        raise
    except Exception as error:  # damage may surface anywhere in zipfile, zlib, pickle or numpy
        reason = " ".join(str(error).split()) or type(error).__name__
        raise Pose3DError(f"{path} is truncated or damaged ({reason}); copy or make it again") from None
    found = next((what for signature, what in _SIGNATURES if head.lstrip().startswith(signature)), None)
    found = found or ("empty" if not head else "of an unknown kind")
    raise Pose3DError(f"{path} is {found}, expected an npz file")


def require_keys(archive: Any, path: str | Path, *keys: str) -> None:
    """Check that an archive is a dict which holds these keys.

    Args:
        archive: What `load_archive` returned.
        path: The file it came from, for the message.
        keys: What is needed.

    Raises:
        Pose3DError: A key is missing; the message lists those present.
    """
    if not isinstance(archive, Mapping):
        raise Pose3DError(f"{path} holds a {type(archive).__name__}, expected a dict with {', '.join(keys)}")
    missing = [key for key in keys if key not in archive]
    if missing:
        present = ", ".join(map(str, archive)) or "nothing"
        raise Pose3DError(f"{path} has no {', '.join(missing)}; it holds {present}")


def load_recordings(path: str | Path, key: str) -> dict[str, dict[str, Any]]:
    """The dict `subject -> recording -> content` that the community's npz files hold under a key.

    Args:
        path: The file.
        key: Its key, e.g. `"positions_3d"`.

    Raises:
        Pose3DError: As `load_archive` and `require_keys`, or there is something else under the key.
    """
    archive = load_archive(path)
    require_keys(archive, path, key)
    content = archive[key]
    if not isinstance(content, dict) or not all(isinstance(part, dict) for part in content.values()):
        raise Pose3DError(f"{path}: {key} must be a dict of subjects, each a dict of recordings")
    return {
        str(subject): {str(name): value for name, value in recordings.items()}
        for subject, recordings in content.items()
    }
