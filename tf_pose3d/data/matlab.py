"""MATLAB's files (version 5), read by SciPy: whole, or refused in one line."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from tf_pose3d.data.checks import real_numbers
from tf_pose3d.errors import Pose3DError
from tf_pose3d.extras import require_extra

__all__ = ["load_matlab", "matlab_numbers"]

_HEADER_BYTES = 128
_COMPRESSED = 15
# A variable may grow so much when it is unpacked, beyond a size that always may be.
_MOST_GROWTH, _ALWAYS_ALLOWED = 300, 1 << 26
_BLOCK = 1 << 22


def _check_growth(path: Path) -> None:
    """Unpacks each compressed variable once, block by block, without keeping it.

    Raises:
        ValueError: One grows to more than its size warrants.
    """
    content = path.read_bytes()
    order = ">" if content[126:128] == b"MI" else "<"
    place = _HEADER_BYTES
    while place + 8 <= len(content):
        kind, size = struct.unpack(f"{order}II", content[place : place + 8])
        if kind == _COMPRESSED:
            unpacker = zlib.decompressobj()
            held = content[place + 8 : place + 8 + size]
            most, grown = max(_MOST_GROWTH * len(held), _ALWAYS_ALLOWED), 0
            while held and not unpacker.eof:
                grown += len(unpacker.decompress(held, _BLOCK))
                if grown > most:
                    raise ValueError(f"a variable of {size} bytes unpacks to more than {most}")
                held = unpacker.unconsumed_tail
        place += 8 + size


def load_matlab(path: str | Path, where: str | None = None) -> dict[str, Any]:
    """The variables of a file.

    Args:
        path: The file.
        where: Names it in messages; None: its path.

    Raises:
        Pose3DError: It is missing, no MATLAB file or damaged; or SciPy is not installed.
    """
    path = Path(path)
    where = str(path) if where is None else where
    require_extra("scipy", "SciPy", "prepare", f"{where}: a MATLAB file")
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    if not path.is_file():
        raise Pose3DError(f"{where} does not exist")
    try:
        _check_growth(path)
        return loadmat(path)
    # What damage raises in SciPy, and in zlib and struct under it.
    except (
        MatReadError,
        zlib.error,
        struct.error,
        OSError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        NotImplementedError,
        OverflowError,
        MemoryError,
        RecursionError,
    ) as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise Pose3DError(f"{where} is no MATLAB file or is damaged ({reason})") from None


def matlab_numbers(content: dict[str, Any], key: str, where: str) -> np.ndarray:
    """A variable as float64.

    Raises:
        Pose3DError: It is not there, or holds anything but real numbers.
    """
    if key not in content:
        names = ", ".join(one for one in content if not one.startswith("__")) or "nothing"
        raise Pose3DError(f"{where} has no {key}; it holds {names}")
    values = real_numbers(content[key])
    if values is None:
        raise Pose3DError(f"{where}: {key} holds something else than real numbers")
    return values
