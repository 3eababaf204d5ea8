"""HDF5 files from anywhere: opened and read, or refused in one line; never more memory than they store."""

from __future__ import annotations

import contextlib
import io
import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import h5py
import numpy as np

from tf_pose3d.errors import Pose3DError

__all__ = ["check_heaps", "hdf5_values", "opened_hdf5", "require_stored"]

# Numbers in one dataset of the files read here; above, a header is damaged.
_MOST_VALUES = 500_000_000
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


def check_heaps(file: str | os.PathLike | IO[bytes]) -> None:
    """Checks that the heaps in which texts lie have objects that get on: the HDF5 library waits for others.

    Args:
        file: A path, or a stream that can be sought.

    Raises:
        ValueError: One has an object without a size, or of one beyond the heap.
    """
    with _content(file) as content:
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
        check_heaps(file)
        with h5py.File(file, "r", locking=False) as opened:
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
    if count > _MOST_VALUES or count * dataset.dtype.itemsize > 1000 * max(stored, 1) + 4096:
        raise Pose3DError(f"{where} announces {count} values, more than the file stores")


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
