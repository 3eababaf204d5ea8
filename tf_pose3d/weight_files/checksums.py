"""Checksums of what this package writes to HDF5 files, which have none of their own.

A damaged pointer in an HDF5 file may lead to other numbers of the same file that look like weights. So each
group of arrays written here has an attribute with the CRC-32 of their names, shapes and bytes, and readers
hold what they read against it. Files without it, of other programs and of earlier versions, are read as they
are. It tells damage, not intent: a CRC-32 takes less than half the time of SHA-256.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import h5py
import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.hdf5_values import hdf5_attribute

__all__ = ["CHECKSUM", "checksum_of", "compare_checksum"]

CHECKSUM = "tf_pose3d_crc32"


def checksum_of(text: str, arrays: Iterable[tuple[str, np.ndarray]] = ()) -> str:
    """The CRC-32 of a text and of named arrays in their order, eight hexadecimal digits.

    Args:
        text: Whatever belongs to the arrays.
        arrays: As HDF5 stores them: numbers of any type and byte order.
    """
    sum_of = zlib.crc32(text.encode("utf-8", "surrogatepass"))
    for name, array in arrays:
        head = f"\0{name}\0{array.shape}\0{array.dtype.itemsize}\0"
        sum_of = zlib.crc32(head.encode("utf-8", "surrogatepass"), sum_of)
        # A view of bytes: HDF5 knows no bfloat16 and stores its bytes.
        sum_of = zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data, sum_of)
    return f"{sum_of:08x}"


def compare_checksum(
    held: h5py.Group, text: str, arrays: Iterable[tuple[str, np.ndarray]] = (), *, what: str
) -> None:
    """Holds what was read of a group against the checksum that it carries, if it does.

    Args:
        held: Of an open file.
        text, arrays: As they went into `checksum_of`.
        what: Names file and part, as a message begins.

    Raises:
        Pose3DError: They differ.
    """
    stored = hdf5_attribute(held, CHECKSUM)
    if stored is not None and not (isinstance(stored, str) and stored == checksum_of(text, arrays)):
        raise Pose3DError(
            f"{what} is not what was written: its checksum differs. Copy or make the file again, or, if that "
            f"was changed on purpose, delete the attribute {CHECKSUM}"
        )
