"""Annotation pickles of multi-view data sets: a list of dicts, one per image, column by column.

The layout is that of H36M-Toolbox's `generate_labels.py`, which DenseWarper's release reads for both of its
data sets. Pickles are read without running anything in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tf_pose3d.data.archive import load_archive
from tf_pose3d.data.checks import LARGEST, real_numbers
from tf_pose3d.data.multiview.records import Calibrations
from tf_pose3d.errors import Pose3DError
from tf_pose3d.types import Parsed

__all__ = ["calibration_table", "camera_to_world", "number_column", "read_items", "value_column"]

_CAMERA_KEYS = ("R", "T", "fx", "fy", "cx", "cy")


def read_items(path: str | Path) -> list[dict[str, Any]]:
    """The items of an annotation pickle.

    Raises:
        Pose3DError: No such file, one that would run code, or one that holds something else.
    """
    items = load_archive(path)
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        raise Pose3DError(f"{path} must hold a list of dicts, one per image, as H36M-Toolbox writes it")
    return items


def value_column(items: Sequence[dict[str, Any]], key: str, path: str | Path) -> list[Any]:
    """One key of all items.

    Raises:
        Pose3DError: An item lacks it; the message names the item.
    """
    try:
        return [item[key] for item in items]
    except KeyError:
        number = next(number for number, item in enumerate(items) if key not in item)
        held = ", ".join(sorted(str(name)[:40] for name in items[number])[:30])
        raise Pose3DError(f"{path}: item {number} has no {key}; it has {held}") from None


def number_column(
    items: Sequence[dict[str, Any]],
    key: str,
    path: str | Path,
    shape: tuple[int, ...] = (),
    dtype: type = np.float32,
    least: float = -LARGEST,
    mask: bool = False,
) -> np.ndarray:
    """One key of all items as an array `(N, *shape)`, of numbers not below `least`, or 1 and 0 of a mask.

    Raises:
        Pose3DError: An item lacks it, or holds something else; the message names the item.
    """
    values = value_column(items, key, path)
    column = real_numbers(values, mask)
    if column is None or column.shape != (len(items), *shape):
        number = next((n for n, value in enumerate(values) if not _has_shape(value, shape, mask)), 0)
        expected = f"numbers of shape {shape}" if shape else "a number"
        raise Pose3DError(f"{path}: item {number} has a {key} that is not {expected}")
    flat = column.reshape(len(items), -1)
    for fine, what in (
        (np.isfinite(flat), "finite"),
        ((flat >= least) & (flat <= LARGEST), f"between {least:g} and {LARGEST:g}"),
        (not np.issubdtype(dtype, np.integer) or flat == np.round(flat), "a whole number"),
    ):
        fine = np.broadcast_to(fine, flat.shape).all(axis=1)
        if not fine.all():
            raise Pose3DError(f"{path}: item {int(np.argmin(fine))} has a {key} that is not {what}")
    return column.astype(dtype)


def _has_shape(value: Parsed, shape: tuple[int, ...], mask: bool) -> bool:
    numbers = real_numbers(value, mask)
    return numbers is not None and numbers.shape == shape


def calibration_table(
    items: Sequence[dict[str, Any]],
    labels: Sequence[str],
    path: str | Path,
    centre_from_translation: bool = False,
) -> tuple[np.ndarray, Calibrations]:
    """The distinct cameras of all items.

    Args:
        items: Each with a dict `camera` of `R (3, 3)` world to camera, `T` millimetres, `fx`, `fy`, `cx`,
            `cy` pixels.
        labels: What messages call each item's camera.
        path: The file, for messages.
        centre_from_translation: T is t of `R X + t`, and the camera's centre -R^T t; otherwise T is the
            centre.

    Returns:
        `(N,)` int32 index of each item's camera, and the cameras.

    Raises:
        Pose3DError: A camera without intrinsics or extrinsics; the message names it and the item.
    """
    known: dict[int, int] = {}
    table: dict[tuple, int] = {}
    names: list[str] = []
    index = np.empty(len(items), np.int32)
    for number, (camera, label) in enumerate(zip(value_column(items, "camera", path), labels, strict=True)):
        # Items of one recording usually share the very same dict.
        found = known.get(id(camera))
        if found is None:
            key = _camera_numbers(camera, f"{path}: item {number}: camera {label}")
            found = table.setdefault(key, len(table))
            if found == len(names):
                names.append(label)
            known[id(camera)] = found
        index[number] = found
    values = np.array(list(table))
    rotation, place = values[:, :9].reshape(-1, 3, 3), values[:, 9:12]
    if centre_from_translation:
        place = -np.einsum("cji,cj->ci", rotation, place)
    cameras = Calibrations(
        names=tuple(names),
        rotation=rotation.astype(np.float32),
        centre=place.astype(np.float32),
        intrinsics=values[:, 12:].astype(np.float32),
    )
    return index, cameras


def _camera_numbers(camera: Parsed, where: str) -> tuple[float, ...]:
    if not isinstance(camera, dict):
        raise Pose3DError(f"{where} is no dict with {', '.join(_CAMERA_KEYS)}")
    missing = [key for key in _CAMERA_KEYS if key not in camera]
    if missing:
        raise Pose3DError(f"{where} has no {', '.join(missing)}; a camera needs {', '.join(_CAMERA_KEYS)}")
    held = [real_numbers(camera[key]) for key in _CAMERA_KEYS]
    parts = [values.ravel() for values in held if values is not None]
    if len(parts) < len(held):
        raise Pose3DError(f"{where}: {', '.join(_CAMERA_KEYS)} must be numbers")
    sizes = [len(part) for part in parts]
    if sizes != [9, 3, 1, 1, 1, 1]:
        raise Pose3DError(f"{where}: expected R (3, 3), T (3,) and single fx, fy, cx, cy")
    numbers = np.concatenate(parts)
    if not (np.abs(numbers) <= LARGEST).all() or (numbers[12:14] <= 0).any():
        raise Pose3DError(f"{where}: expected finite numbers and positive focal lengths fx, fy")
    rotation = parts[0].reshape(3, 3)
    if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3):
        raise Pose3DError(f"{where}: R is no rotation matrix")
    return tuple(numbers.tolist())


def camera_to_world(poses: np.ndarray, cameras: Calibrations, index: np.ndarray) -> np.ndarray:
    """`(N, J, 3)` millimetres in the frame of each pose's camera to the world frame."""
    rotation, centre = cameras.rotation.astype(np.float64), cameras.centre.astype(np.float64)
    return (np.einsum("nji,nkj->nki", rotation[index], poses) + centre[index, None]).astype(np.float32)
