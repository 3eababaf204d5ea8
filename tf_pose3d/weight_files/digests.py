"""Digests of what this package writes to HDF5 files, which have none of their own.

A damaged pointer in an HDF5 file may lead to other numbers of the same file that look like weights. So each
group of arrays written here has an attribute with the SHA-256 of their names, shapes and bytes, and readers
hold what they read against it. Files without it, of other programs and of earlier versions, are read as they
are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import h5py
import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.hdf5_values import hdf5_attribute

__all__ = ["DIGEST", "check_digest", "digest_of"]

DIGEST = "tf_pose3d_sha256"


def digest_of(text: str, arrays: Iterable[tuple[str, np.ndarray]] = ()) -> str:
    """The SHA-256 of a text and of named arrays in their order, in hexadecimal.

    Args:
        text: Whatever belongs to the arrays.
        arrays: As HDF5 stores them: numbers of any type and byte order.
    """
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass"))
    for name, array in arrays:
        head = f"\0{name}\0{array.shape}\0{array.dtype.itemsize}\0"
        digest.update(head.encode("utf-8", "surrogatepass"))
        # A view of bytes: HDF5 knows no bfloat16 and stores its bytes.
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def check_digest(
    held: h5py.Group, text: str, arrays: Iterable[tuple[str, np.ndarray]] = (), *, what: str
) -> None:
    """Holds what was read of a group against the digest that it carries, if it does.

    Args:
        held: Of an open file.
        text, arrays: As they went into `digest_of`.
        what: Names file and part, as a message begins.

    Raises:
        Pose3DError: They differ.
    """
    stored = hdf5_attribute(held, DIGEST)
    if stored is not None and not (isinstance(stored, str) and stored == digest_of(text, arrays)):
        raise Pose3DError(
            f"{what} is not what was written: its SHA-256 differs. Copy or make the file again, or, if that "
            f"was changed on purpose, delete the attribute {DIGEST}"
        )
