"""Keypoints as a model wants them: its joints, none missing, at its frame rate."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.keypoints import mark_missing
from tf_pose3d.skeleton import Skeleton, convert_joints, make_skeleton, missing_joints, used_joints

__all__ = [
    "PreparedKeypoints",
    "fill_gaps",
    "frame_times",
    "frames_present",
    "prepare_keypoints",
    "rare_joints",
    "resample",
]


@dataclasses.dataclass(frozen=True)
class PreparedKeypoints:
    """Keypoints without gaps.

    Attributes:
        skeleton: The model's layout.
        keypoints: `(F, J, 3)` float32: x and y in pixels and a confidence, all finite.
        present: `(F,)` bool: the person was found, or was lost for a short time only.
        found: Share of the joints over the present frames that the detector found.
        warnings: What was filled in from very little, one line each.
    """

    skeleton: Skeleton
    keypoints: np.ndarray
    present: np.ndarray
    found: float
    warnings: tuple[str, ...] = ()


def fill_gaps(points: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Values of each joint at all frames from those that are valid.

    Between valid frames they are interpolated linearly, before the first and after the last they are held.

    Args:
        points: `(F, J, C)`.
        valid: `(F, J)`, at least one frame of each joint.

    Returns:
        `(F, J, C)` float32.
    """
    filled = points.astype(np.float32, copy=True)
    frames = np.arange(len(points))
    for joint in np.flatnonzero(~valid.all(axis=0)):
        known = np.flatnonzero(valid[:, joint])
        lacking = np.flatnonzero(~valid[:, joint])
        for channel in range(points.shape[2]):
            filled[lacking, joint, channel] = np.interp(frames[lacking], known, points[known, joint, channel])
    return filled


def frames_present(seen: np.ndarray, max_gap: int) -> np.ndarray:
    """Frames in which the person was seen, with gaps of up to `max_gap` frames between them."""
    frames = np.flatnonzero(seen)
    present = seen.copy()
    for before, after in itertools.pairwise(frames):
        if 1 < after - before <= max_gap + 1:
            present[before:after] = True
    return present


def prepare_keypoints(
    keypoints: np.ndarray,
    source: Skeleton,
    target: Skeleton,
    min_confidence: float = 0.3,
    max_gap: int = 10,
    where: str = "keypoints",
) -> PreparedKeypoints:
    """A person's keypoints in the model's joints, with what is missing filled in.

    Joints below `min_confidence` count as missing. Each joint of the detector is filled in time by
    `fill_gaps`, then the model's joints are made by `tf_pose3d.skeleton.convert_joints` from those joints
    that were found in any frame.

    Args:
        keypoints: `(F, Js, 3)` pixels and confidence, NaN where a joint was not found.
        source: Their layout.
        target: The model's layout.
        min_confidence: Between 0 and 1.
        max_gap: Longest run of frames without the person that is filled; longer ones are not `present`.
        where: Names the keypoints in messages.

    Raises:
        Pose3DError: No joint in any frame, or joints that the model needs are never found.
    """
    keypoints = mark_missing(keypoints, where)
    valid = np.nan_to_num(keypoints[..., 2]) >= max(min_confidence, 1e-6)
    if not valid.any():
        raise Pose3DError(
            f"{where}: no joint in any of its {len(keypoints)} frames has a confidence of "
            f"{min_confidence:g} or more"
        )
    held = np.flatnonzero(valid.any(axis=0))
    joints = source
    if len(held) < source.num_joints:
        joints = make_skeleton(source.name, tuple(source.joints[joint] for joint in held))
    lacking = missing_joints(joints, target)
    if lacking:
        raise Pose3DError(
            f"{where}: nothing gives {', '.join(lacking)}: of layout {source.name} only "
            f"{', '.join(joints.joints)} have a confidence of {min_confidence:g} or more in any frame"
        )
    seen = valid.any(axis=1)
    present = frames_present(seen, max_gap)
    filled = fill_gaps(keypoints[:, held], valid[:, held])
    return PreparedKeypoints(
        target,
        convert_joints(filled, joints, target, confidence=True),
        present,
        float(valid[present].mean()),
        _rare_joints(valid[:, held], present, joints, target),
    )


# A joint found in fewer of the frames is mostly held where it once was, and the pose with it.
_RARELY = 0.2


def _rare_joints(
    valid: np.ndarray, present: np.ndarray, source: Skeleton, target: Skeleton
) -> tuple[str, ...]:
    """Says which of the joints that poses are made of were hardly ever found.

    Args:
        valid: `(F, Js)` of the source's joints.
        present: `(F,)`.
        source, target: As for `convert_joints`.
    """
    found = (valid & present[:, None]).sum(axis=0).tolist()
    used = {source.joints[joint]: found[joint] for joint in used_joints(source, target)}
    return rare_joints(used, int(present.sum()), "elsewhere the joint is held or interpolated")


def rare_joints(found: Mapping[str, int], count: int, otherwise: str) -> tuple[str, ...]:
    """Says which joints were hardly ever found; empty: none.

    Args:
        found: Joint -> frames in which it was found.
        count: Frames with the person.
        otherwise: What stands for the joint in the others.
    """
    rare = [joint for joint, frames in found.items() if frames < _RARELY * count]
    if not rare:
        return ()
    listing = ", ".join(f"{joint} in {found[joint]}" for joint in rare[:6])
    more = f" and {len(rare) - 6} more joints" if len(rare) > 6 else ""
    return (
        f"found in few of the {count} frames with the person: {listing}{more}; {otherwise}, and the pose is "
        "a guess there",
    )


def frame_times(num_frames: int, fps: float, target_fps: float) -> np.ndarray:
    """`(n,)` places of a clip's frames at another rate, counted in its own frames, from 0 to the last."""
    count = int(np.floor((num_frames - 1) * target_fps / fps + 1e-6)) + 1
    return np.arange(count) * (fps / target_fps)


def resample(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Values between frames, interpolated linearly, held past both ends.

    Args:
        values: `(F, ...)`.
        places: `(n,)` frame numbers with fractions.

    Returns:
        `(n, ...)` of the same dtype.
    """
    places = np.clip(places, 0, len(values) - 1)
    before = np.minimum(places.astype(np.int64), max(len(values) - 2, 0))
    after = np.minimum(before + 1, len(values) - 1)
    share = (places - before).astype(values.dtype).reshape(-1, *(1,) * (values.ndim - 1))
    return values[before] * (1 - share) + values[after] * share
