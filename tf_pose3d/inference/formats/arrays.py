"""Plain numpy arrays, `.npy` or `.npz`: of one person, or with an axis of people."""

from __future__ import annotations

from typing import Any

import numpy as np

from tf_pose3d.data.archive import read_npy
from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.formats.assembly import make_video_of_tracks, rate_of, size_of
from tf_pose3d.inference.formats.layouts import BY_COUNT, stated_skeleton
from tf_pose3d.inference.formats.source import ReadOptions, Source
from tf_pose3d.inference.formats.values import shown
from tf_pose3d.inference.keypoints import KeypointVideo
from tf_pose3d.skeleton import LAYOUTS
from tf_pose3d.types import Parsed

__all__ = ["KEYS", "matches", "read"]

# Names under which npz files hold the keypoints; the demos of MHFormer and those after it say
# `reconstruction`.
KEYS = ("keypoints_2d", "keypoints", "pose_2d", "poses_2d", "kpts", "reconstruction")
# Points of MediaPipe's holistic model as FreeMoCap stores them: body, hands, and a face of 478 or 468.
_HOLISTIC = (553, 543)
# No tool's scores lie above.
_HIGHEST_SCORE = 30.0
_SCORES = ("confidence", "scores", "keypoint_scores", "score")


def matches(source: Source) -> bool:
    """Whether this is a `.npy`, or a `.npz` with keypoints under one of `KEYS` or nothing else in it."""
    if source.kind == "npz":
        return len(source.archive) == 1 or any(key in source.archive for key in KEYS)
    return source.kind == "npy"


def read(source: Source, options: ReadOptions) -> KeypointVideo:
    """Reads `(F, J, 2 or 3)` pixels, the third number a confidence; or with people, an axis more.

    People come first, `(M, F, J, 2)`, in the demos of MHFormer, StridedTransformer and PoseFormerV2 and in
    FreeMoCap's files (cameras); second, `(F, M, J, 2)`, where rtmlib's results are stacked: the longer of the
    two is time. A list of rtmlib's results, one array per frame with as many people as there are, is read
    too.

    A `.npz` may also hold scores `(F, J)` as `confidence` or `scores`, `width`, `height`, `fps`, and the
    layout's name as `layout` or its joints' names as `joints`. Seventeen joints have several layouts: then
    one of these, or `--layout`, must say which.

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
        with source.open() as file:
            points, key = read_npy(file, source.path), None
    else:
        raise Pose3DError(f"{source} is no .npy or .npz file")
    where = str(source)
    scores = next((held[name] for name in _SCORES if name in held), None)
    if isinstance(points, np.ndarray) and points.dtype == object:
        points = _padded(points, where)
        scores = _padded(scores, where) if isinstance(scores, np.ndarray) else scores
    notes, warnings = [], []
    if isinstance(points, np.ndarray) and points.ndim == 4 and points.shape[2] in _HOLISTIC:
        notes.append("its first axis, FreeMoCap's cameras, is taken as people: --people N chooses camera N")
    if _has_depths(points):
        points = points[..., :2]
        warnings.append("its third numbers are depths, no confidences, and are passed over")
    tracks, linked = _tracks(_checked(points, scores, where), key, where)
    joints = next(iter(tracks.values())).shape[1]
    expected, names = BY_COUNT, None
    if options.layout is None and "layout" in held:
        stated = stated_skeleton(_text(held["layout"], f"{where}: layout"), where)
        if stated.num_joints != joints:
            raise Pose3DError(
                f"{where} has {joints} joints, but its layout {stated.name} has {stated.num_joints}"
            )
        expected = {joints: (stated.name,)}
    elif "joints" in held:
        names = [_text(name, f"{where}: joints") for name in np.ravel(held["joints"])]
        known = any(list(layout.joints) == names for layout in LAYOUTS.values())
        if not known and joints == len(names):
            # Names in anyone's way; those that mean nothing here are passed over.
            expected = {}
    width, height = size_of(_plain(held), ("width", "height"), where)
    return make_video_of_tracks(
        where,
        "array",
        tracks,
        None,
        options,
        expected,
        linked=linked,
        names=names,
        width=width,
        height=height,
        fps=rate_of(_plain(held), where),
        notes=notes,
        warnings=warnings,
    )


def _plain(held: dict[str, Any]) -> dict[str, Any]:
    """The facts that are there at all: a text or array of no dimensions, None where it says nothing."""
    facts = {}
    for key in ("width", "height", "fps"):
        value = held.get(key)
        facts[key] = value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
    return facts


def _text(value: Parsed, what: str) -> str:
    value = value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
    value = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    if not isinstance(value, str):
        raise Pose3DError(f"{what} is {shown(value)}, expected a name")
    return str(value)


def _has_depths(points: Parsed) -> bool:
    """Whether FreeMoCap wrote these points of MediaPipe's holistic model: x, y, and depth times the width.

    Other arrays with such third numbers may be points in space.
    """
    if not isinstance(points, np.ndarray) or points.ndim != 4 or points.dtype.kind != "f":
        return False
    return points.shape[2] in _HOLISTIC and points.shape[3] == 3 and _are_no_scores(points[..., 2])


def _are_no_scores(values: np.ndarray) -> bool:
    known = values[np.isfinite(values)]
    return bool(known.size and np.abs(known).max() > _HIGHEST_SCORE and (known < -0.05).mean() > 0.05)


def _padded(frames: np.ndarray, where: str) -> np.ndarray:
    """Arrays of frames with different numbers of people as one, NaN where there are fewer."""
    if frames.dtype != object:
        return frames
    parts = [part if isinstance(part, np.ndarray) else np.zeros(0) for part in np.ravel(frames)]
    if not parts or any(part.dtype.kind not in "fiu" for part in parts):
        raise Pose3DError(
            f"{where}: the keypoints are no arrays of numbers, expected (people, joints, 2 or 3)"
        )
    shapes = {part.shape[1:] for part in parts if part.size}
    if len(shapes) != 1 or len(next(iter(shapes))) not in (1, 2):
        raise Pose3DError(
            f"{where}: frames of shapes {shown(sorted(shapes))}, expected (people, joints, 2 or 3)"
        )
    most, shape = max(len(part) for part in parts if part.size), shapes.pop()
    if len(parts) * most > 50 * sum(len(part) for part in parts) + 10_000:
        raise Pose3DError(f"{where}: a frame of {most} people, expected about as many as in the others")
    padded = np.full((len(parts), most, *shape), np.nan)
    for place, part in enumerate(parts):
        if part.size:
            padded[place, : len(part)] = part
    return padded


def _checked(points: Parsed, scores: Parsed, where: str) -> np.ndarray:
    """`(..., J, 3)` float64 of three or four axes."""
    if not isinstance(points, np.ndarray) or points.dtype.kind not in "fiu":
        raise Pose3DError(
            f"{where}: the keypoints are no array of numbers, expected (frames, joints, 2 or 3)"
        )
    if points.ndim not in (3, 4) or points.shape[-1] not in (2, 3):
        raise Pose3DError(
            f"{where}: keypoints of shape {points.shape}, expected (frames, joints, 2 or 3): x, y, confidence"
        )
    if not points.shape[0]:
        raise Pose3DError(f"{where}: no frames")
    if not points.size:
        raise Pose3DError(f"{where}: keypoints of shape {points.shape}: nothing in them")
    if np.isinf(points).any():
        place = np.argwhere(np.isinf(points))[0]
        raise Pose3DError(f"{where}: an infinite number at {', '.join(map(str, place))} of the keypoints")
    with np.errstate(invalid="ignore"):  # float16 that is NaN in a way of its own
        points = points.astype(np.float64)
    if points.shape[-1] == 3:
        if _are_no_scores(points[..., 2]):
            low, high = np.nanmin(points[..., 2]), np.nanmax(points[..., 2])
            raise Pose3DError(
                f"{where}: third numbers from {low:.3g} to {high:.3g} are no confidences: are these points "
                "in space? Expected (frames, joints, 2 or 3): x and y in pixels, confidence"
            )
        return points
    if scores is None:
        scores = np.ones(points.shape[:-1])
    if not isinstance(scores, np.ndarray) or scores.dtype.kind not in "fiub":
        raise Pose3DError(f"{where}: confidences are {shown(scores)}, expected numbers {points.shape[:-1]}")
    if scores.shape == (*points.shape[:-1], 1):
        scores = scores[..., 0]
    if scores.shape != points.shape[:-1]:
        raise Pose3DError(f"{where}: confidence of shape {scores.shape}, expected {points.shape[:-1]}")
    return np.concatenate([points, scores[..., None].astype(np.float64)], axis=-1)


def _tracks(points: np.ndarray, key: str | None, where: str) -> tuple[dict[str, np.ndarray], bool]:
    """Id -> `(F, J, 3)`, and whether the ids are mere places in each frame's list."""
    if points.ndim == 3:
        return {"0": points}, False
    first, second = points.shape[:2]
    people_first = key == "reconstruction" or first < second or first == 1
    if not people_first and first == second and first > 1:
        raise Pose3DError(
            f"{where}: keypoints of shape {points.shape}: {first} people in {first} frames, and nothing "
            "tells which axis is which; give (frames, joints, 3) of one person"
        )
    if people_first:
        return {str(number): points[number] for number in range(first)}, False
    return {str(number): points[:, number] for number in range(second)}, second > 1
