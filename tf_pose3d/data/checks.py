"""Checks that all readers make of the coordinates they read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.types import Parsed

__all__ = ["check_coordinates", "check_finite"]


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


def check_finite(values: np.ndarray, path: str | Path, recording: str) -> None:
    """Check that `(F, ...)` coordinates are neither NaN nor infinite.

    Args:
        values: Any unit and frame.
        path: The file, for the message.
        recording: Subject, action and camera, for the message.

    Raises:
        Pose3DError: Some are; the message names the first frame.
    """
    # A sum is finite only if all its terms are, and costs a fraction of a look at each.
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(values.sum()):
            return
    bad = ~np.isfinite(values).reshape(len(values), -1).all(axis=1)
    if bad.any():
        raise Pose3DError(
            f"{path}: {recording}, frame {int(bad.argmax())} has NaN or infinite coordinates "
            f"({int(bad.sum())} such frames); every coordinate must be a finite number"
        )
