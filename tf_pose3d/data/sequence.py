"""Sequence: the one record that every data reader returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from tf_pose3d.camera import Camera
from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import Skeleton, convert_joints

__all__ = ["Sequence"]


@dataclass(frozen=True)
class Sequence:
    """One person seen by one camera (or, for motion capture without a camera, in the world).

    Attributes:
        subject: Subject name as the data set spells it, e.g. `"S9"`.
        action: Action name without take number, e.g. `"Walking"` for the file entry `"Walking 1"`.
        name: The data set's full name of the recording, e.g. `"Walking 1"`.
        skeleton: Names the J joints of the 3D pose, and of the 2D pose unless `skeleton_2d` does.
        fps: Frames per second.
        camera: The camera, or None (AMASS: one is drawn per window); HumanEva's has no intrinsics.
        pose_2d: `(F, J, 2)` pixels, or `(F, J, 3)` with a confidence, float32; or None.
        pose_3d: `(F, J, 3)` metres, float32; or None where there is no ground truth.
        world_frame: True when `pose_3d` is in the world frame (z up) instead of the camera's.
        per_frame: Further arrays of F rows that a family asks for by name (boxes, root depths,
            image paths ...). They travel through the windows under the same name.
        skeleton_2d: Names the joints of the 2D pose, where a model reads others than it gives.
    """

    subject: str
    action: str
    name: str
    skeleton: Skeleton
    fps: float = 50.0
    camera: Camera | None = None
    pose_2d: np.ndarray | None = None
    pose_3d: np.ndarray | None = None
    world_frame: bool = False
    per_frame: Mapping[str, np.ndarray] = field(default_factory=dict)
    skeleton_2d: Skeleton | None = None

    def __post_init__(self) -> None:
        lengths = set()
        for key, skeleton, widths in (
            ("pose_2d", self.input_skeleton, (2, 3)),
            ("pose_3d", self.skeleton, (3,)),
        ):
            pose, joints = getattr(self, key), skeleton.num_joints
            if pose is None:
                continue
            if pose.ndim != 3 or pose.shape[1] != joints or pose.shape[2] not in widths:
                raise Pose3DError(
                    f"{self.label}: {key} has shape {pose.shape}, expected (frames, {joints}, "
                    f"{' or '.join(map(str, widths))}) for the {skeleton.name} layout"
                )
            lengths.add(len(pose))
        lengths.update(len(values) for values in self.per_frame.values())
        if len(lengths) > 1:
            raise Pose3DError(f"{self.label}: arrays of different lengths {sorted(lengths)}")

    @property
    def input_skeleton(self) -> Skeleton:
        """The layout of the 2D pose."""
        return self.skeleton_2d or self.skeleton

    def in_one_layout(self) -> Sequence:
        """The sequence with its 2D pose in the 3D pose's joints.

        Raises:
            Pose3DError: Nothing gives one of them.
        """
        if self.skeleton_2d is None or self.pose_2d is None:
            return self
        has_confidence = self.pose_2d.shape[2] == 3
        pose_2d = convert_joints(self.pose_2d, self.skeleton_2d, self.skeleton, confidence=has_confidence)
        return replace(self, pose_2d=pose_2d, skeleton_2d=None)

    @property
    def num_frames(self) -> int:
        """F."""
        for values in (self.pose_2d, self.pose_3d, *self.per_frame.values()):
            if values is not None:
                return len(values)
        return 0

    @property
    def label(self) -> str:
        """`"S9, Walking 1, camera 54138969"`: how messages name this sequence."""
        camera = f", camera {self.camera.id}" if self.camera is not None else ""
        return f"{self.subject}, {self.name}{camera}"
