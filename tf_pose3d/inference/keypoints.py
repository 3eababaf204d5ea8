"""2D keypoints as detectors give them: people over the frames of one video."""

from __future__ import annotations

import dataclasses

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import Skeleton

__all__ = ["KeypointVideo", "Person", "dense_keypoints", "mark_missing"]

# Scores of detectors lie a little beyond 0 to 1 (peaks of heat maps), or far above (RTMPose); see
# `tf_pose3d.inference.formats.scores`, through which files come.
_LOWEST, _HIGHEST = -10.0, 30.0


@dataclasses.dataclass(frozen=True, repr=False)
class Person:
    """One person through a video.

    Attributes:
        id: The detector's name for the person, or a number given when detections were linked.
        frames: `(n,)` int64, increasing: the frames in which at least one joint was found.
        keypoints: `(n, J, 3)` float32: x and y in pixels and a confidence between 0 and 1; NaN where a joint
            was not found.
        detector_pose: `(n, J, 3)` float32: the detector's own pose in metres, to compare with, where it gives
            one.
    """

    id: str
    frames: np.ndarray
    keypoints: np.ndarray
    detector_pose: np.ndarray | None = None

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
        frame_numbers: `(num_frames,)` int64: what the file calls each frame; None: as they are counted here,
            from 0 on.
        decoded: `(num_frames,)` int64: which frame of the video, as they are decoded, belongs to each, where
            the video's own are not at even times; None: the same.
        notes: What was supposed where the file leaves it open, one line each.
        warnings: What looks wrong or was changed, one line each.
    """

    source: str
    format: str
    skeleton: Skeleton
    people: tuple[Person, ...]
    num_frames: int
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    frame_numbers: np.ndarray | None = None
    decoded: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def numbers(self) -> np.ndarray:
        """`(num_frames,)` int64: the number of each frame in the file."""
        if self.frame_numbers is None:
            return np.arange(self.num_frames, dtype=np.int64)
        return self.frame_numbers

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


def mark_missing(points: np.ndarray, where: str) -> np.ndarray:
    """Keypoints `(..., 3)` with NaN for joints that were not found.

    A joint is not found where its confidence is 0 or below (a heat map's peak may be), where a coordinate is
    no finite number, and where it lies at exactly 0, 0, which is what tools without confidences write.

    Args:
        points: x, y and a confidence.
        where: Names them in messages.

    Raises:
        Pose3DError: A confidence beyond 0 to 1 by more than a detector's peaks are.
    """
    confidence = np.nan_to_num(points[..., 2], posinf=np.inf, neginf=-np.inf)
    bad = (confidence < _LOWEST) | (confidence > _HIGHEST)
    if bad.any():
        raise Pose3DError(
            f"{where}: a confidence of {confidence[bad].flat[0]:g}, expected 0 to 1 as a joint's third number"
        )
    missing = (
        (confidence <= 0)
        | ~np.isfinite(points[..., :2]).all(axis=-1)
        | ((points[..., 0] == 0) & (points[..., 1] == 0))
    )
    points = np.where(missing[..., None], np.nan, points).astype(np.float32)
    points[..., 2] = np.minimum(points[..., 2], 1)
    return points
