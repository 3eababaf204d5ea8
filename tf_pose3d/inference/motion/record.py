"""Motion: one person's poses and what is known about them, as writers take it."""

from __future__ import annotations

import dataclasses

import numpy as np

from tf_pose3d.camera import Camera
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import Skeleton, make_skeleton

__all__ = ["Motion", "hold_joints", "hold_poses"]


def hold_poses(poses: np.ndarray) -> np.ndarray:
    """Poses `(F, J, 3)` in which frames without one (NaN) repeat the last that has one, or the first."""
    present = np.isfinite(poses).all(axis=(1, 2))
    if present.all() or not present.any():
        return poses
    last = np.maximum.accumulate(np.where(present, np.arange(len(poses)), -1))
    return poses[np.where(last < 0, np.argmax(present), last)]


def hold_joints(poses: np.ndarray) -> np.ndarray:
    """Poses `(F, J, 3)` in which each missing joint (NaN) stays where it was last, or where it is first
    found.

    A joint that is found nowhere stays NaN.
    """
    known = np.isfinite(poses).all(axis=-1)
    frames = np.arange(len(poses))[:, None]
    last = np.maximum.accumulate(np.where(known, frames, -1), axis=0)
    first = np.argmax(known, axis=0)
    return np.take_along_axis(poses, np.where(last < 0, first, last)[..., None], axis=0)


@dataclasses.dataclass(frozen=True)
class Motion:
    """One person's poses over time, with what belongs to them.

    Attributes:
        poses: `(F, J, 3)` metres, camera frame (x right, y down, z away), or the world's (z up) where
            `world`; NaN in frames without a pose; what several cameras saw also lacks single joints.
        skeleton: Names the J joints.
        root: Index of the root joint.
        fps: Frames per second.
        camera: What saw the person, or None.
        keypoints: `(F, J, 2 or 3)` pixels, perhaps with a confidence: the 2D poses, or None.
        truth: `(F, J, 3)` metres, camera frame: the true poses, or None.
        subject: The person's name; may be empty.
        name: The recording's name; may be empty.
        uncertainty: `(F, J)` millimetres, see `LiftedPerson`, or None.
        frame: `(F,)` int64: what the source calls each frame; None: they are counted from 0.
        world: The poses lie in the world, z up, and where they truly are.
        zeros: Marker files hold 0 0 0 for joints that are found in no frame, as Pose2Sim's do.
        error_px: `(F, J)` mean reprojection error, or None.
        views: `(F, J)` how many views made each point, or None.
        filled: `(F, J)` joints that a lifter supposed where views did not tell, or None.
        level: What told which way is up: `"camera"` its orientation, `"angles"` pitch and roll that were
            given, `"person"` how the person stands, `"file"` the file that the motion comes from,
            `"calibration"` that of the cameras which saw it; empty: nothing did, and the axes are a camera's.
        placement: `"root"`, `"camera"`, `"floor"` or `"world"`, see `tf_pose3d.inference.motion.stage`.
        resting: `(F, 2)` bool: the left, the right foot rests on the floor; None: not known.
        root_uncertainty: `(F,)` metres: standard deviation of the root's place along the line of sight, or
            None.
        bone_names: Convention of the bones' names in files for animation, see
            `tf_pose3d.inference.writers.rig_names`.
        pose_image: `(F, J, 3)`, see `LiftedPerson`, or None.
        viewpoint: `(3, 3)` rotation and `(3,)` metres from the world to a camera's frame, into which
            placement `"camera"` brings what several cameras saw; None: no camera is known.
        path: `(F, 3)`, see `LiftedPerson`, or None.

    Raises:
        Pose3DError: Arrays that do not fit each other, or a root that is no joint.
    """

    poses: np.ndarray
    skeleton: Skeleton
    root: int
    fps: float
    camera: Camera | None = None
    keypoints: np.ndarray | None = None
    truth: np.ndarray | None = None
    subject: str = ""
    name: str = ""
    uncertainty: np.ndarray | None = None
    frame: np.ndarray | None = None
    world: bool = False
    zeros: bool = False
    error_px: np.ndarray | None = None
    views: np.ndarray | None = None
    filled: np.ndarray | None = None
    level: str = ""
    placement: str = "root"
    resting: np.ndarray | None = None
    root_uncertainty: np.ndarray | None = None
    bone_names: str = "mixamo"
    pose_image: np.ndarray | None = None
    viewpoint: tuple[np.ndarray, np.ndarray] | None = None
    path: np.ndarray | None = None

    def __post_init__(self) -> None:
        joints = self.skeleton.num_joints
        if self.poses.ndim != 3 or self.poses.shape[1:] != (joints, 3):
            raise Pose3DError(
                f"poses of shape {self.poses.shape}, expected (frames, {joints}, 3) for the "
                f"{self.skeleton.name} layout"
            )
        if not 0 <= self.root < joints:
            raise Pose3DError(f"root joint {self.root}, expected 0 to {joints - 1}")
        for name, widths in (("keypoints", (2, 3)), ("truth", (3,))):
            values = getattr(self, name)
            if values is not None and (
                values.shape[:2] != self.poses.shape[:2] or values.shape[2:] not in [(n,) for n in widths]
            ):
                raise Pose3DError(f"{name} of shape {values.shape} beside poses of shape {self.poses.shape}")

        if self.uncertainty is not None and self.uncertainty.shape != self.poses.shape[:2]:
            raise Pose3DError(
                f"uncertainty of shape {self.uncertainty.shape} beside poses of shape {self.poses.shape}"
            )
        if self.path is not None and self.path.shape != (len(self.poses), 3):
            raise Pose3DError(f"path of shape {self.path.shape} beside poses of shape {self.poses.shape}")
        if self.frame is not None and self.frame.shape != self.poses.shape[:1]:
            raise Pose3DError(f"frame of shape {self.frame.shape} beside poses of shape {self.poses.shape}")

    @classmethod
    def from_sequence(cls, sequence: Sequence, poses: np.ndarray, root: int) -> Motion:
        """Poses of a data set's recording, with its 2D poses and truth.

        Args:
            sequence: What was lifted; its `pose_3d`, where it has one, is the truth.
            poses: `(F, J, 3)` metres, camera frame.
            root: The root joint.
        """
        return cls(
            poses=poses,
            skeleton=sequence.skeleton,
            root=root,
            fps=sequence.fps,
            camera=sequence.camera,
            keypoints=sequence.pose_2d,
            truth=sequence.pose_3d,
            subject=sequence.subject,
            name=sequence.name,
        )

    def to_sequence(self) -> Sequence:
        """As the record that pictures are drawn from."""
        return Sequence(
            subject=self.subject,
            action=self.name,
            name=self.name,
            skeleton=self.skeleton,
            fps=self.fps,
            camera=self.camera,
            pose_2d=self.keypoints,
            pose_3d=self.truth,
        )

    def keypoints_where_present(self) -> np.ndarray:
        """`(F, J, 2)` pixels: the 2D poses of frames that have a pose, else NaN."""
        if self.keypoints is None:
            return np.full((*self.poses.shape[:2], 2), np.nan, np.float32)
        return np.where(self.present[:, None, None], self.keypoints[..., :2], np.float32(np.nan))

    @property
    def num_frames(self) -> int:
        """F."""
        return len(self.poses)

    @property
    def frame_numbers(self) -> np.ndarray:
        """`(F,)` int64: what the source calls each frame, by default its row."""
        return np.arange(self.num_frames, dtype=np.int64) if self.frame is None else self.frame

    @property
    def present(self) -> np.ndarray:
        """`(F,)` bool: the frame has a pose, of any joint."""
        return np.asarray(self.known.any(axis=1))

    @property
    def known(self) -> np.ndarray:
        """`(F, J)` bool: the joint has a place."""
        return np.isfinite(self.poses).all(axis=2)

    @property
    def partial(self) -> bool:
        """Whether any frame with a pose lacks joints."""
        known = self.known
        return bool((known.any(axis=1) != known.all(axis=1)).any())

    def upright(self, poses: np.ndarray | None = None) -> np.ndarray:
        """`(F, J, 3)` float64 metres with y up, as animation programs and laboratories have it.

        z points to the camera that told which way is up (`level`); otherwise the world's y, z, x become x, y,
        z, as Pose2Sim has it.

        Args:
            poses: Others in the same axes; None: the motion's own.
        """
        poses = (self.poses if poses is None else poses).astype(np.float64)
        if not self.world:
            return poses * np.array([1.0, -1.0, -1.0])
        if self.level in ("camera", "angles", "person"):
            return poses[..., [0, 2, 1]] * np.array([1.0, 1.0, -1.0])
        return poses[..., [1, 2, 0]]

    def held(self) -> np.ndarray:
        """`(F, J, 3)`: the poses, where frames without one repeat the last that has one, or the first."""
        return hold_joints(self.poses) if self.partial else hold_poses(self.poses)

    def in_camera_axes(self) -> np.ndarray:
        """`(F, J, 3)` metres in the camera frame's axes (x right, y down, z away): `upright` turned round."""
        return self.upright() * np.array([1.0, -1.0, -1.0]) if self.world else self.poses

    def without_gaps(self) -> Motion:
        """The motion for formats that have no gaps: joints found nowhere are gone, others stay where they
        were.

        Raises:
            Pose3DError: No joint is found in any frame.
        """
        kept = self.found_joints()
        return dataclasses.replace(kept, poses=kept.held())

    def found_joints(self) -> Motion:
        """The motion without the joints that are found in no frame.

        Raises:
            Pose3DError: No joint is found in any frame.
        """
        kept = np.flatnonzero(self.known.any(axis=0))
        if not len(kept):
            raise Pose3DError(f"none of the {self.num_frames} frames has a pose, expected one or more")
        if len(kept) == self.skeleton.num_joints:
            return self
        names = tuple(self.skeleton.joints[joint] for joint in kept)
        return self.in_layout(self.poses[:, kept], make_skeleton(self.skeleton.name, names))

    def in_layout(self, poses: np.ndarray, skeleton: Skeleton) -> Motion:
        """The motion with other joints; what is known of the former joints is gone.

        Args:
            poses: `(F, J, 3)` metres in the same axes.
            skeleton: Names the J joints.
        """
        return dataclasses.replace(
            self,
            poses=poses,
            skeleton=skeleton,
            root=skeleton.root,
            keypoints=None,
            truth=None,
            uncertainty=None,
            error_px=None,
            views=None,
            filled=None,
            pose_image=None,
        )
