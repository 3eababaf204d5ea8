"""HDF5 files from anywhere: opened and read, or refused in one line; never more memory than they store."""

from __future__ import annotations

import contextlib
import io
import math
import mmap
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import h5py
import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.types import Parsed

__all__ = [
    "checked_hdf5",
    "hdf5_attribute",
    "hdf5_values",
    "opened_hdf5",
    "require_stored",
    "require_stored_attributes",
]

# Numbers in one dataset of the files read here; above, a header is damaged.
_MOST_VALUES = 500_000_000
# Bytes of a piece that a small table may announce: PyTables' are made for many rows.
_LARGEST_FREE_CHUNK = 1 << 24
# HDF5's class of types whose values have any length, and its kind of shape without any.
_ANY_LENGTH, _NO_VALUES = 9, 2
# Signature, version and padding of a heap.
_HEAP = b"GCOL\1\0\0\0"
# What damage raises in the HDF5 library and in h5py.
_DAMAGE = (
    OSError,
    RuntimeError,
    KeyError,
    IndexError,
    ValueError,
    TypeError,
    AttributeError,
    OverflowError,
    MemoryError,
)


@contextmanager
def _content(file: str | os.PathLike | IO[bytes]) -> Iterator[bytes | mmap.mmap]:
    if isinstance(file, io.BytesIO):
        yield file.getvalue()
        return
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(open(file, "rb")) if isinstance(file, (str, os.PathLike)) else file
        content: bytes | mmap.mmap
        try:
            content = stack.enter_context(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))
        except (OSError, ValueError):  # no file of the system, or an empty one
            opened.seek(0)
            content = opened.read()
            opened.seek(0)
        yield content


class _Content:
    """The bytes of an open file, and where in them texts of any length are described.

    Args:
        content: All of the file.
    """

    def __init__(self, content: bytes | mmap.mmap) -> None:
        self._content = content
        self._places: dict[str, list[tuple[int, int]]] = {}

    def check_heaps(self) -> None:
        """Checks that the objects of heaps, in which texts lie, get on: the HDF5 library waits for others.

        Raises:
            ValueError: One has an object without a size, or of one beyond the heap.
        """
        content = self._content
        place = content.find(_HEAP)
        while place >= 0:
            size = int.from_bytes(content[place + 8 : place + 16], "little")
            end = min(place + size, len(content))
            at = place + 16
            while at + 16 <= end:
                number, _, length = struct.unpack("<HHxxxxQ", content[at : at + 16])
                step = 16 + -(-length // 8) * 8 if number else length
                if not 0 < step <= end - at:
                    raise ValueError(f"an object of {length} bytes in the heap at byte {place}")
                at += step
            place = content.find(_HEAP, place + 8)

    def check_lengths(self, described: bytes, itemsize: int, what: str) -> None:
        """Checks that texts and other values of any length are no longer than the file.

        Args:
            described: Of each a length, and the place in a heap, 16 bytes together.
            itemsize: Bytes of what the lengths count.
            what: Names them in messages.

        Raises:
            ValueError: They are, taken together.
        """
        lengths = np.frombuffer(described[: len(described) // 16 * 16], "<u4").reshape(-1, 4)[:, 0]
        announced = int(lengths.sum(dtype=np.uint64)) * itemsize
        if announced > len(self._content):
            raise ValueError(f"{what} announces {announced} bytes in a file of {len(self._content)}")

    def part(self, place: int, size: int) -> bytes:
        """Bytes from `place` on."""
        return self._content[place : place + size]

    def attribute(self, name: str, count: int) -> list[bytes]:
        """The descriptions of values of any length behind every attribute of this name that has so many."""
        if name not in self._places:
            self._places[name] = list(self._attribute_places(name))
        found = [place for place, held in self._places[name] if held == count]
        return [self._content[place : place + 16 * count] for place in found]

    def _attribute_places(self, name: str) -> Iterator[tuple[int, int]]:
        """Where the values of attributes begin, and how many there are."""
        content, key = self._content, name.encode("utf-8", "surrogateescape") + b"\0"
        place = content.find(key)
        while place >= 0:
            # Versions 1 to 3 of the message: sizes of name, type and shape, which follow each other.
            for version, head in ((1, 8), (2, 8), (3, 9)):
                start = place - head
                if start < 0 or content[start] != version:
                    continue
                step = 8 if version == 1 else 1
                sizes = [-(-size // step) * step for size in struct.unpack_from("<HHH", content, start + 2)]
                kind, shape = place + sizes[0], place + sizes[0] + sizes[1]
                # Its type may also lie elsewhere, in a file that names types.
                elsewhere = version > 1 and content[start + 1] & 1
                if content[kind : kind + 1] and (elsewhere or content[kind] & 15 == _ANY_LENGTH):
                    yield shape + sizes[2], _count(content[shape : shape + sizes[2]])
            place = content.find(key, place + 1)


def _count(shape: bytes) -> int:
    """How many values a message of a shape announces; versions 1 and 2."""
    if len(shape) < 4 or (shape[:1] == b"\2" and shape[3] == _NO_VALUES):
        return 0
    start = 8 if shape[0] == 1 else 4
    sizes = (shape[start + 8 * axis : start + 8 * axis + 8] for axis in range(min(shape[1], 32)))
    return math.prod(int.from_bytes(size, "little") for size in sizes)


# Of the files that `checked_hdf5` holds open, by HDF5's number of the file.
_OPEN: dict[int, list[_Content]] = {}


@contextmanager
def checked_hdf5(file: str | os.PathLike | IO[bytes]) -> Iterator[h5py.File]:
    """The open file, after its heaps were checked; `hdf5_attribute` and `hdf5_values` know its content.

    Args:
        file: A path, or a stream that can be sought.

    Raises:
        OSError, ValueError and others of h5py: It is missing, truncated or damaged.
    """
    with _content(file) as content:
        known = _Content(content)
        known.check_heaps()
        with h5py.File(file, "r", locking=False) as opened:
            number = h5py.h5o.get_info(opened.id).fileno
            _OPEN.setdefault(number, []).append(known)
            try:
                yield opened
            finally:
                _OPEN[number].remove(known)
                if not _OPEN[number]:
                    del _OPEN[number]


def _content_of(held: h5py.Group | h5py.Dataset) -> _Content:
    return _OPEN[h5py.h5o.get_info(held.id).fileno][-1]


def _itemsize(dtype: np.dtype, what: str) -> int | None:
    """Bytes of one item of values of any length; None of types of one length.

    Raises:
        ValueError: Such values inside others, or references.
    """
    if not dtype.hasobject:
        return None
    if h5py.check_string_dtype(dtype) is not None:
        return 1
    inner = h5py.check_vlen_dtype(dtype)
    if inner is None or np.dtype(inner).hasobject:
        raise ValueError(f"{what} is of a type that is not read here")
    return np.dtype(inner).itemsize


def _require_attribute(held: h5py.Group | h5py.Dataset, name: str) -> None:
    attribute = held.attrs.get_id(name)
    itemsize = _itemsize(attribute.dtype, f"attribute {name}")
    if itemsize is None:
        return
    content, count = _content_of(held), attribute.get_space().get_simple_extent_npoints()
    found = content.attribute(name, count)
    if count and not found:
        raise ValueError(f"attribute {name} is not where it should be")
    for described in found:
        content.check_lengths(described, itemsize, f"attribute {name}")


def hdf5_attribute(held: h5py.Group | h5py.Dataset, name: str, default: Parsed = None) -> Parsed:
    """An attribute's value, after the length of its texts was held against the file's.

    Args:
        held: In a file that `opened_hdf5` or `checked_hdf5` opened.
        name: Of the attribute.
        default: Where there is none of this name.

    Raises:
        ValueError: A text is longer than the file; and other exceptions of h5py, which the two above make one
            line of.
    """
    if name not in held.attrs:
        return default
    _require_attribute(held, name)
    return held.attrs[name]


def require_stored_attributes(held: h5py.Group | h5py.Dataset) -> None:
    """Checks that all attributes can be read in no more memory than the file has bytes.

    Raises:
        ValueError: As `hdf5_attribute`.
    """
    for name in held.attrs:
        _require_attribute(held, name)


@contextmanager
def opened_hdf5(file: str | os.PathLike | IO[bytes], where: object, hint: str = "") -> Iterator[h5py.File]:
    """The open file; what the HDF5 library finds wrong in the block becomes one line.

    Args:
        file: A path, or a stream that can be sought.
        where: Names it in messages.
        hint: What was expected, behind the reason.

    Raises:
        Pose3DError: The file is missing, truncated or damaged, or is none.
    """
    try:
        with checked_hdf5(file) as opened:
            yield opened
    except Pose3DError:
        raise
    except FileNotFoundError:
        raise Pose3DError(f"{where} does not exist{hint}") from None
    except _DAMAGE as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise Pose3DError(
            f"{where} is truncated or damaged ({reason}); copy or make it again{hint}"
        ) from None


def require_stored(dataset: h5py.Dataset, where: str) -> None:
    """Checks that a dataset announces no more values than the file stores.

    Raises:
        Pose3DError: It does: reading would take memory, and time, that the file's size does not warrant.
    """
    count = int(np.prod(dataset.shape, dtype=object)) if dataset.shape is not None else 0
    stored = dataset.id.get_storage_size()
    # Compressed data take less; a factor of a thousand is more than any table reaches.
    most = 1000 * max(stored, 1) + 4096
    if count > _MOST_VALUES or count * dataset.dtype.itemsize > most:
        raise Pose3DError(f"{where} announces {count} values, more than the file stores")
    chunk = int(np.prod(dataset.chunks or (), dtype=object)) * dataset.dtype.itemsize
    if chunk > most + _LARGEST_FREE_CHUNK:
        raise Pose3DError(f"{where} announces pieces of {chunk} bytes, more than the file stores")
    try:
        itemsize = _itemsize(dataset.dtype, "it")
        if itemsize is not None:
            content = _content_of(dataset)
            content.check_lengths(_described(dataset, most), itemsize, "it")
    except ValueError as error:
        raise Pose3DError(f"{where} cannot be read: {error}") from None


def _described(dataset: h5py.Dataset, most: int) -> bytes:
    """What a dataset stores of values of any length: of each a length and a place in a heap, 16 bytes."""
    if dataset.chunks is None:
        place, size = dataset.id.get_offset(), dataset.id.get_storage_size()
        if size and place is None:
            raise ValueError("values of any length in an object's header")
        return _content_of(dataset).part(place or 0, size)
    filters = dataset.id.get_create_plist()
    known = [filters.get_filter(number)[0] for number in range(filters.get_nfilters())]
    if not set(known) <= {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE}:
        raise ValueError("values of any length, packed in a way that is not read here")
    parts = []
    for number in range(dataset.id.get_num_chunks()):
        offset = dataset.id.get_chunk_info(number).chunk_offset
        mask, part = dataset.id.read_direct_chunk(offset)
        for place in reversed(range(len(known))):
            if not mask >> place & 1:
                part = _unfiltered(part, known[place], most)
        parts.append(part)
    return b"".join(parts)


def _unfiltered(part: bytes, kind: int, most: int) -> bytes:
    if kind == h5py.h5z.FILTER_SHUFFLE:
        whole = len(part) // 16 * 16
        return np.frombuffer(part[:whole], np.uint8).reshape(16, -1).T.tobytes() + part[whole:]
    try:
        return zlib.decompressobj().decompress(part, most)
    except zlib.error as error:
        raise ValueError(f"packed values are damaged: {error}") from None


def hdf5_values(group: h5py.Group, name: str, where: str) -> np.ndarray:
    """A dataset's values, after its size was held against what the file stores.

    Raises:
        Pose3DError: There is none of this name, or its header announces more than there is.
    """
    dataset = group.get(name)
    # Links into other files would read what this one does not hold.
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        dataset = None
    if not isinstance(dataset, h5py.Dataset) or dataset.is_virtual or dataset.external:
        raise Pose3DError(f"{where} has no {name}; it holds {', '.join(list(group)[:12]) or 'nothing'}")
    if dataset.dtype.kind == "V" and dataset.dtype.names is None:
        raise Pose3DError(f"{where}: {name} is of type {dataset.dtype}, expected numbers or texts")
    require_stored(dataset, f"{where}: {name}")
    return np.asarray(dataset[()])
