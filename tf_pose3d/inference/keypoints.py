"""2D keypoints as detectors give them: people over the frames of one video."""

from __future__ import annotations

import dataclasses

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import Skeleton

__all__ = ["KeypointVideo", "Person", "checked_keypoints", "dense_keypoints", "mark_missing"]


@dataclasses.dataclass(frozen=True, repr=False)
class Person:
    """One person through a video.

    Attributes:
        id: The detector's name for the person, or a number given when detections were linked.
        frames: `(n,)` int64, increasing: the frames in which at least one joint was found.
        keypoints: `(n, J, 3)` float32: x and y in pixels and a confidence between 0 and 1; NaN where a joint
            was not found.
    """

    id: str
    frames: np.ndarray
    keypoints: np.ndarray

    def __repr__(self) -> str:
        first, last = (int(self.frames[0]), int(self.frames[-1])) if len(self.frames) else (0, 0)
        return (
            f"<Person {self.id}: {len(self.frames)} frames from {first} to {last}, "
            f"{self.keypoints.shape[1]} joints, mean confidence {self.confidence():.2f}>"
        )

    def size(self) -> float:
        """Mean area of the person's bounding box over the frames, pixels squared."""
        box = np.nanmax(self.keypoints[..., :2], axis=1) - np.nanmin(self.keypoints[..., :2], axis=1)
        return float(np.mean(box[:, 0] * box[:, 1]))

    def confidence(self) -> float:
        """Mean confidence over all joints and frames, 0 where a joint was not found."""
        return float(np.nan_to_num(self.keypoints[..., 2]).mean())


@dataclasses.dataclass(frozen=True, repr=False)
class KeypointVideo:
    """What a file of keypoints holds.

    Attributes:
        source: The file, for messages.
        format: Name of its format, see `tf_pose3d.inference.formats.FORMATS`.
        skeleton: Names the J joints.
        people: Everyone found; empty where there is no one.
        num_frames: Frames of the video, as far as the file tells.
        width, height: Image size in pixels, None where the file does not tell.
        fps: Frames per second, None where the file does not tell.
    """

    source: str
    format: str
    skeleton: Skeleton
    people: tuple[Person, ...]
    num_frames: int
    width: int | None = None
    height: int | None = None
    fps: float | None = None

    def __repr__(self) -> str:
        size = "unknown size" if self.width is None else f"{self.width}x{self.height}"
        rate = "an unknown rate" if self.fps is None else f"{self.fps:g} per second"
        people = f"{len(self.people)} people" if len(self.people) != 1 else "1 person"
        return (
            f"<KeypointVideo {self.source}: {self.format}, {self.skeleton.name}, {self.num_frames} frames of "
            f"{size} at {rate}, {people}>"
        )


def dense_keypoints(person: Person, num_frames: int) -> np.ndarray:
    """`(num_frames, J, 3)` keypoints of a person, NaN in frames without them."""
    dense = np.full((num_frames, *person.keypoints.shape[1:]), np.nan, np.float32)
    dense[person.frames] = person.keypoints
    return dense


def checked_keypoints(values: object, joints: int, where: str) -> np.ndarray:
    """One detection as `(joints, 3)` float32 with NaN for joints that were not found.

    A joint is not found where its confidence is 0 or a coordinate is no finite number.

    Args:
        values: `(joints, 2 or 3)` or flat numbers.
        joints: How many joints there must be.
        where: Names file and frame in messages.

    Raises:
        Pose3DError: Another number of values, something that is no number, or a confidence beyond 0 to 1.
    """
    try:
        # None stands for a missing number in some writers' JSON; numpy reads it as NaN.
        points = np.array(values, np.float32)
    except (TypeError, ValueError):
        raise Pose3DError(f"{where}: keypoints must be numbers, joint by joint x, y and confidence") from None
    if points.ndim == 1 and joints and points.size in (2 * joints, 3 * joints):
        points = points.reshape(joints, -1)
    if points.ndim != 2 or len(points) != joints or points.shape[1] not in (2, 3):
        count = points.size / 3 if points.ndim == 1 else len(points)
        raise Pose3DError(
            f"{where}: {count:g} keypoints, expected {joints} with x, y and confidence, as in those before"
        )
    if points.shape[1] == 2:
        points = np.concatenate([points, np.ones((joints, 1), np.float32)], axis=1)
    return mark_missing(points, where)


# Scores of detectors may lie a little above 1, e.g. those of heat maps.
_HIGHEST = 1.25


def mark_missing(points: np.ndarray, where: str) -> np.ndarray:
    """Keypoints `(..., 3)` with NaN for joints that were not found, see `checked_keypoints`.

    Raises:
        Pose3DError: A confidence beyond 0 to 1.
    """
    confidence = np.nan_to_num(points[..., 2])
    bad = (confidence < 0) | (confidence > _HIGHEST)
    if bad.any():
        raise Pose3DError(
            f"{where}: a confidence of {confidence[bad].flat[0]:g}, expected 0 to 1 as a joint's third number"
        )
    missing = (confidence == 0) | ~np.isfinite(points[..., :2]).all(axis=-1)
    points = np.where(missing[..., None], np.nan, points).astype(np.float32)
    points[..., 2] = np.minimum(points[..., 2], 1)
    return points
