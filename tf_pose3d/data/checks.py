"""Checks that all readers make of the coordinates they read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.types import Parsed

__all__ = [
    "LARGEST",
    "check_coordinates",
    "check_finite",
    "coordinate_array",
    "real_numbers",
    "single_precision",
]

# No coordinate in metres, millimetres or pixels is larger; squares of such numbers are still no infinities.
LARGEST = 1e9


def check_coordinates(values: Parsed, widths: tuple[int, ...], where: str) -> None:
    """Check that `values` is an array of numbers of shape `(frames, joints, C)`.

    Args:
        values: What a file holds.
        widths: The C that are right.
        where: File and recording, for the message.

    Raises:
        Pose3DError: It is not.
    """
    if not isinstance(values, np.ndarray):
        raise Pose3DError(f"{where} holds a {type(values).__name__}, expected an array of coordinates")
    if values.ndim != 3 or values.shape[2] not in widths or values.dtype.kind not in "fiu":
        raise Pose3DError(
            f"{where} has shape {values.shape} of {values.dtype}, expected numbers (frames, joints, "
            f"{' or '.join(map(str, widths))})"
        )


def real_numbers(value: Parsed, mask: bool = False) -> np.ndarray | None:
    """Numbers in nested lists or arrays as float64; None of anything else, such as texts or ragged lists.

    Args:
        value: What a file holds.
        mask: Whether true and false are 1 and 0: coordinates are neither.
    """
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None
    if array.dtype.kind not in ("fiub" if mask else "fiu"):
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        return array.astype(np.float64)


def single_precision(values: np.ndarray) -> np.ndarray:
    """float32; numbers beyond its range become infinite, which `check_finite` tells."""
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(np.float32, copy=False)


def coordinate_array(value: Parsed) -> np.ndarray | None:
    """Numbers up to `LARGEST` in nested lists or arrays as float32; None of anything else, NaN among it."""
    array = real_numbers(value)
    if array is None or not (np.abs(array) <= LARGEST).all():
        return None
    return array.astype(np.float32)


def check_finite(values: np.ndarray, path: str | Path, recording: str) -> None:
    """Check that `(F, ...)` coordinates are neither NaN nor infinite nor beyond `LARGEST`.

    Args:
        values: Any unit and frame.
        path: The file, for the message.
        recording: Subject, action and camera, for the message.

    Raises:
        Pose3DError: Some are; the message names the first frame.
    """
    if not values.size or (float(values.min()) >= -LARGEST and float(values.max()) <= LARGEST):
        return
    flat = values.reshape(len(values), -1)
    bad = ~np.isfinite(flat).all(axis=1)
    if bad.any():
        raise Pose3DError(
            f"{path}: {recording}, frame {int(bad.argmax())} has NaN or infinite coordinates "
            f"({int(bad.sum())} such frames); every coordinate must be a finite number"
        )
    frame, place = np.argwhere(np.abs(flat.astype(np.float64)) > LARGEST)[0]
    raise Pose3DError(
        f"{path}: {recording}, frame {frame} has a coordinate of {flat[frame, place]:g}, beyond anything "
        "that a camera sees"
    )
