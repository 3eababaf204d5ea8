"""What a picture shows, apart from how it is drawn: 2D input and 3D poses in a viewer's world."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from tf_pose3d.camera import Camera, camera_to_world, quaternion_to_matrix
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.metrics import mpjpe
from tf_pose3d.skeleton import Skeleton

__all__ = [
    "LEVEL",
    "Scene",
    "SceneCamera",
    "SceneView",
    "Track",
    "make_scene",
    "motion_scene",
    "select_frames",
    "viewer_azimuth",
]

# Orientation of a camera that is held level: its x is the world's x, its y points down, it looks along y.
LEVEL = np.array([0.5**0.5, -(0.5**0.5), 0.0, 0.0])


def _with_company(person: np.ndarray, company: np.ndarray | None) -> np.ndarray:
    return person[None] if company is None else np.concatenate([person[None], company])


@dataclasses.dataclass(frozen=True)
class Track:
    """One skeleton in motion, drawn in a panel of its own.

    Attributes:
        title: `"Prediction"` or `"Ground truth"`.
        poses: `(F, J, 3)` metres, world frame with z up, the floor at z = 0.
        error_mm: `(F,)` mean joint error of each frame, or None.
        company: `(P, F, J, 3)` other people in the same place, NaN where they are not, or None.
        unsure: `(F, J)` metres: radius that holds the true joint nine times of ten, NaN where not known, or
            None.
    """

    title: str
    poses: np.ndarray
    error_mm: np.ndarray | None = None
    company: np.ndarray | None = None
    unsure: np.ndarray | None = None

    @property
    def everyone(self) -> np.ndarray:
        """`(1 + P, F, J, 3)` the followed person, then the others."""
        return _with_company(self.poses, self.company)

    def take(self, numbers: np.ndarray) -> Track:
        """Some of the frames, by index."""
        return dataclasses.replace(
            self,
            poses=self.poses[numbers],
            error_mm=None if self.error_mm is None else self.error_mm[numbers],
            company=None if self.company is None else self.company[:, numbers],
            unsure=None if self.unsure is None else self.unsure[numbers],
        )


@dataclasses.dataclass(frozen=True)
class SceneView:
    """What one of several cameras saw, and where the poses lie in its image.

    Attributes:
        name: The camera's.
        image_size: Width and height of the image, pixels.
        pose_2d: `(F, J, 2)` pixels, NaN where nothing was found.
        projected: `(F, J, 2)` pixels of the 3D pose in this image, NaN where there is none.
        video: Its video, drawn under both, or None.
        company_2d: `(P, F, J, 2)` pixels: the others in this image, NaN where they are not, or None.
    """

    name: str
    image_size: tuple[int, int]
    pose_2d: np.ndarray
    projected: np.ndarray
    video: str | None = None
    company_2d: np.ndarray | None = None

    @property
    def everyone_2d(self) -> np.ndarray:
        """`(1 + P, F, J, 2)` the followed person in the image, then the others."""
        return _with_company(self.pose_2d, self.company_2d)

    def take(self, numbers: np.ndarray) -> SceneView:
        """Some of the frames, by index."""
        return dataclasses.replace(
            self,
            pose_2d=self.pose_2d[numbers],
            projected=self.projected[numbers],
            company_2d=None if self.company_2d is None else self.company_2d[:, numbers],
        )


@dataclasses.dataclass(frozen=True)
class SceneCamera:
    """A camera as it stands in the world.

    Attributes:
        name: Its name.
        centre: `(3,)` metres.
        corners: `(4, 3)` metres: the corners of its image a little in front of it, in their order round it.
    """

    name: str
    centre: np.ndarray
    corners: np.ndarray


@dataclasses.dataclass(frozen=True)
class Scene:
    """A clip to draw.

    Attributes:
        title: Names the recording.
        skeleton: Of all poses.
        root: Its root joint; panels follow the person by it.
        fps: Pictures per second.
        frames: `(F,)` frame number of each picture in the recording.
        pose_2d: `(F, J, 2)` pixels.
        image_size: Width and height of the image that `pose_2d` lies in, pixels.
        tracks: The 3D panels, from left to right.
        azimuth: Degrees from the world's x axis to the side from which the viewer looks.
        views: What each of several cameras saw, for the interactive page; else empty.
        cameras: Where they stand; else empty.
        curves: Name -> `(F,)` what the interactive page shows under its scrubber, degrees; else empty.
        company_2d: `(P, F, J, 2)` pixels: the others in the image, NaN where they are not, or None.
    """

    title: str
    skeleton: Skeleton
    root: int
    fps: float
    frames: np.ndarray
    pose_2d: np.ndarray
    image_size: tuple[int, int]
    tracks: tuple[Track, ...]
    azimuth: float
    views: tuple[SceneView, ...] = ()
    cameras: tuple[SceneCamera, ...] = ()
    curves: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    company_2d: np.ndarray | None = None

    @property
    def everyone_2d(self) -> np.ndarray:
        """`(1 + P, F, J, 2)` the followed person in the image, then the others."""
        return _with_company(self.pose_2d, self.company_2d)

    def __len__(self) -> int:
        return len(self.frames)

    def take(self, numbers: np.ndarray) -> Scene:
        """Some of the pictures, by index."""
        return dataclasses.replace(
            self,
            frames=self.frames[numbers],
            pose_2d=self.pose_2d[numbers],
            tracks=tuple(track.take(numbers) for track in self.tracks),
            views=tuple(view.take(numbers) for view in self.views),
            curves={name: values[numbers] for name, values in self.curves.items()},
            company_2d=None if self.company_2d is None else self.company_2d[:, numbers],
        )


def viewer_azimuth(orientation: np.ndarray) -> float:
    """Azimuth in degrees of the side on which a camera of this orientation stands.

    For Human3.6M's four cameras these are, within a few degrees, the azimuths that VideoPose3D draws from.
    """
    forward = quaternion_to_matrix(orientation)[:, 2]
    return float(np.degrees(np.arctan2(-forward[1], -forward[0])))


def _standing(poses: np.ndarray, orientation: np.ndarray, root: int) -> np.ndarray:
    """Root-centred camera-frame poses turned upright, each with its lowest joint on the floor."""
    return _floored(camera_to_world(poses, orientation, np.zeros(3)), root)


def _floored(world: np.ndarray, root: int) -> np.ndarray:
    """Poses in the world in one place, each with its lowest joint on the floor."""
    world = world - world[:, root : root + 1]
    world[..., 2] -= world[..., 2].min(axis=1, keepdims=True)
    return world


def _placed(
    poses: np.ndarray, truth: np.ndarray, camera: Camera | None, orientation: np.ndarray, root: int
) -> tuple[np.ndarray, np.ndarray]:
    """Predicted and true poses in the world: roots in one place, the truth's lowest point on the floor."""
    translation = np.zeros(3) if camera is None or camera.translation is None else camera.translation
    shifted = poses - poses[:, root : root + 1] + truth[:, root : root + 1]
    predicted, true = (camera_to_world(points, orientation, translation) for points in (shifted, truth))
    floor = np.array([0, 0, true[..., 2].min()], true.dtype)
    return predicted - floor, true - floor


def select_frames(sequence: Sequence, skip: int = 0, downsample: int = 1, limit: int = -1) -> np.ndarray:
    """Numbers of the frames of a recording that a clip shows.

    Args:
        sequence: The recording.
        skip: Leave out the first frames.
        downsample: Show every n-th of the frames after those.
        limit: Show at most so many; below 1: all.

    Returns:
        `(F,)` increasing.

    Raises:
        Pose3DError: A negative `skip`, a `downsample` below 1, or no frame is left.
    """
    if skip < 0:
        raise Pose3DError(f"cannot leave out {skip} frames, expected 0 or more")
    if downsample < 1:
        raise Pose3DError(f"cannot draw every {downsample}th frame, expected 1 or more")
    frames = np.arange(skip, sequence.num_frames, downsample)
    if not len(frames):
        raise Pose3DError(
            f"{sequence.label} has {sequence.num_frames} frames; leaving out {skip} leaves none"
        )
    return frames[:limit] if limit >= 1 else frames


def make_scene(
    sequence: Sequence,
    poses: np.ndarray,
    root: int | None = None,
    skip: int = 0,
    downsample: int = 1,
    limit: int = -1,
    ground_truth: bool = True,
    axes: str = "camera",
    standing: bool = True,
    unsure: np.ndarray | None = None,
    company: np.ndarray | None = None,
    curves: Mapping[str, np.ndarray] | None = None,
    company_2d: np.ndarray | None = None,
) -> Scene:
    """A recording and its predicted poses as a clip.

    With ground truth the prediction stands where the person truly is; without, the person stays in place
    and the lowest joint of each frame touches the floor. Poses of a camera without known orientation are
    turned as if it were held level.

    Args:
        sequence: With 2D poses, seen by a camera; its 3D poses, if any, in the camera frame.
        poses: `(F, J, 3)` metres, camera frame; where the root is does not matter.
        root: Joint at which errors align poses; by default the skeleton's root.
        skip, downsample, limit: See `select_frames`.
        ground_truth: Show the true poses, where there are any, and errors; they are in the camera frame.
        axes: Of `poses`: `"camera"`, or `"world"` with z up, y ahead of a camera without known orientation.
        unsure, company, curves, company_2d: See `Track` and `Scene`; `company` in world axes only.
        standing: Put the lowest joint of each frame on the floor; else poses in the world stay where they
            are.

    Raises:
        Pose3DError: No 2D poses or camera, poses that do not fit, or as `select_frames`.
    """
    root = sequence.skeleton.root if root is None else root
    if sequence.pose_2d is None or sequence.camera is None:
        raise Pose3DError(f"{sequence.label}: pictures need 2D poses and a camera with an image size")
    expected = (sequence.num_frames, sequence.skeleton.num_joints, 3)
    if poses.shape != expected:
        raise Pose3DError(f"{sequence.label}: poses of shape {poses.shape}, expected {expected}")
    frames = select_frames(sequence, skip, downsample, limit)
    camera = sequence.camera
    orientation = LEVEL if camera.orientation is None else camera.orientation
    truth = sequence.pose_3d if ground_truth and axes == "camera" else None
    tracks: tuple[Track, ...]
    if axes == "world":
        placed = _floored(poses[frames], root) if standing else poses[frames]
        others = None if company is None else company[:, frames]
        tracks = (Track("Prediction", placed, company=others),)
    elif truth is None:
        tracks = (Track("Prediction", _standing(poses[frames], orientation, root)),)
    else:
        predicted, true = _placed(poses, truth, camera, orientation, root)
        error = 1000 * mpjpe(poses[frames], truth[frames], root=root).mean(axis=1)
        tracks = (Track("Prediction", predicted[frames], error), Track("Ground truth", true[frames]))
    if unsure is not None:
        tracks = (dataclasses.replace(tracks[0], unsure=unsure[frames]), *tracks[1:])
    names = (sequence.subject, sequence.name, camera.id and f"camera {camera.id}")
    return Scene(
        title=" · ".join(filter(None, names)),
        skeleton=sequence.skeleton,
        root=root,
        fps=sequence.fps / downsample,
        frames=frames,
        pose_2d=sequence.pose_2d[frames, :, :2],
        image_size=(camera.width, camera.height),
        tracks=tracks,
        azimuth=viewer_azimuth(orientation),
        curves={name: values[frames] for name, values in (curves or {}).items()},
        company_2d=None if company_2d is None else company_2d[:, frames, :, :2],
    )


def motion_scene(poses: np.ndarray, skeleton: Skeleton, root: int, fps: float, title: str) -> Scene:
    """Motion that no camera saw as a clip: the person from the front, in place of an image, and in the world.

    Args:
        poses: `(F, J, 3)` metres, world with z up, finite.
        skeleton: Names the joints.
        root: The joint that panels follow.
        fps: Frames per second.
        title: Names the motion.
    """
    side = 1000
    span = float(np.ptp(poses, axis=1).max()) * 1.3
    around = poses - poses[:, root : root + 1]
    height = side / 2 - around[..., 2] * (side / span)
    return Scene(
        title=title,
        skeleton=skeleton,
        root=root,
        fps=fps,
        frames=np.arange(len(poses)),
        pose_2d=np.stack([side / 2 + around[..., 0] * (side / span), height], axis=-1),
        image_size=(side, side),
        tracks=(Track("Motion", poses),),
        azimuth=viewer_azimuth(LEVEL),
    )
