"""Plain numpy arrays of one person: `.npy`, or `.npz` with what belongs to them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.formats.layouts import choose_layout
from tf_pose3d.inference.formats.source import ReadOptions, Source
from tf_pose3d.inference.keypoints import KeypointVideo, Person, mark_missing
from tf_pose3d.skeleton import LAYOUTS, Skeleton, get_skeleton

__all__ = ["KEYS", "matches", "read"]

# Names under which npz files hold the keypoints.
KEYS = ("keypoints_2d", "keypoints", "pose_2d", "poses_2d", "kpts")
# Numbers of joints that only one layout has.
_UNIQUE = {18: "openpose_18", 25: "openpose_25", 26: "halpe_26", 33: "mediapipe_33", 15: "humaneva_15"}


def matches(source: Source) -> bool:
    """Whether this is a `.npy`, or a `.npz` with keypoints under one of `KEYS` or nothing else in it."""
    if source.kind == "npz":
        return len(source.archive) == 1 or any(key in source.archive for key in KEYS)
    return source.kind == "npy"


def read(source: Source, options: ReadOptions) -> KeypointVideo:
    """Reads `(F, J, 2 or 3)` pixels, the third number a confidence.

    A `.npz` may also hold `confidence (F, J)`, `width`, `height`, `fps`, and the layout's name as `layout` or
    its joints' names as `joints`. Seventeen joints have several layouts: then one of these, or `--layout`,
    must say which.

    Raises:
        Pose3DError: Another shape, or joints of an unknown layout.
    """
    held: dict[str, Any] = {}
    if source.kind == "npz":
        held = source.archive
        key = next((key for key in KEYS if key in held), next(iter(held), None))
        if key is None:
            raise Pose3DError(f"{source} is empty, expected keypoints under {KEYS[0]}")
        points = held[key]
    elif source.kind == "npy":
        try:
            points = np.load(source.path, allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            raise Pose3DError(
                f"{source} is damaged, or no plain array: {' '.join(str(error).split())}"
            ) from None
    else:
        raise Pose3DError(f"{source} is no .npy or .npz file")
    points = _checked(points, held.get("confidence"), str(source))
    skeleton = _layout(held, points.shape[1], options, str(source))
    points = mark_missing(points[:, : skeleton.num_joints], str(source))
    seen = np.flatnonzero(np.isfinite(points[..., 0]).any(axis=1))
    people = (Person("0", seen, points[seen]),) if len(seen) else ()
    return KeypointVideo(
        str(source),
        "array",
        skeleton,
        people,
        len(points),
        width=_number(held, "width", int),
        height=_number(held, "height", int),
        fps=_number(held, "fps", float),
    )


def _checked(points: Any, confidence: Any, where: str) -> np.ndarray:
    if not isinstance(points, np.ndarray) or not (
        np.issubdtype(points.dtype, np.floating) or np.issubdtype(points.dtype, np.integer)
    ):
        raise Pose3DError(
            f"{where}: the keypoints are no array of numbers, expected (frames, joints, 2 or 3)"
        )
    if points.ndim != 3 or points.shape[2] not in (2, 3):
        raise Pose3DError(
            f"{where}: keypoints of shape {points.shape}, expected (frames, joints, 2 or 3): x, y, confidence"
        )
    if not len(points):
        raise Pose3DError(f"{where}: no frames")
    points = points.astype(np.float32)
    if points.shape[2] == 3:
        return points
    if confidence is None:
        confidence = np.ones(points.shape[:2], np.float32)
    confidence = np.asarray(confidence, np.float32)
    if confidence.shape != points.shape[:2]:
        raise Pose3DError(f"{where}: confidence of shape {confidence.shape}, expected {points.shape[:2]}")
    return np.concatenate([points, confidence[..., None]], axis=2)


def _layout(held: dict[str, Any], joints: int, options: ReadOptions, where: str) -> Skeleton:
    if options.layout is None and "layout" in held:
        return choose_layout(str(held["layout"]), joints, _UNIQUE, where)
    if options.layout is None and "joints" in held:
        names = tuple(map(str, np.ravel(held["joints"])))
        found = next((layout for layout in LAYOUTS.values() if layout.joints == names), None)
        if found is None:
            raise Pose3DError(f"{where}: its joints ({', '.join(names)}) are those of no known layout")
        return get_skeleton(found.name)
    return choose_layout(options.layout, joints, _UNIQUE, where)


def _number(held: dict[str, Any], key: str, kind: type) -> Any:
    value = held.get(key)
    return kind(value) if value is not None and np.ndim(value) == 0 else None
