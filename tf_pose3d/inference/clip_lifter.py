"""Lifting with the general lifter: whole clips, only joints that were found, an uncertainty for each."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tf_pose3d.camera import Camera, project_pixels
from tf_pose3d.config import TrainingConfig
from tf_pose3d.data.motion_views import DETECTOR_JOINTS, DETECTOR_SKELETON
from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.clip_prediction import ClipPredictor
from tf_pose3d.inference import sanity
from tf_pose3d.inference.clip_arguments import check_clip, check_keypoint_array
from tf_pose3d.inference.exported import ExportedClips, ExportedNetwork
from tf_pose3d.inference.keypoints import mark_missing
from tf_pose3d.inference.lifter import LiftedPerson, Lifter
from tf_pose3d.inference.preparation import frames_present, rare_joints, resample
from tf_pose3d.inference.trajectory import camera_trajectory, default_camera
from tf_pose3d.progress import Progress
from tf_pose3d.skeleton import Skeleton, convert_joints, make_skeleton, missing_joints

if TYPE_CHECKING:
    import keras

    from tf_pose3d.models.general.numpy_network import NumpyNetwork

__all__ = ["ClipLifter", "detector_keypoints"]

# With fewer joints a frame says next to nothing.
FEWEST_JOINTS = 4
# Frame rates that the temporal network was trained on, per second.
_SLOWEST, _FASTEST = 15.0, 60.0


def detector_keypoints(points: np.ndarray, source: Skeleton, min_confidence: float) -> np.ndarray:
    """`(F, 13, 3)` the joints that the network reads, confidence 0 for those that were not found.

    Args:
        points: `(F, Js, 3)` pixels and confidence, NaN where a joint was not found.
        source: Their layout.
        min_confidence: Joints below it count as not found.
    """
    lacking = missing_joints(source, DETECTOR_SKELETON)
    held = tuple(joint for joint in DETECTOR_JOINTS if joint not in lacking)
    found = np.zeros((len(points), len(DETECTOR_JOINTS), 3), np.float32)
    if held:
        converted = convert_joints(points, source, make_skeleton("held", held), confidence=True)
        found[:, [DETECTOR_JOINTS.index(joint) for joint in held]] = converted
    seen = np.isfinite(found).all(axis=-1) & (np.nan_to_num(found[..., 2]) >= max(min_confidence, 1e-6))
    return np.where(seen[..., None], found, 0).astype(np.float32)


class ClipLifter(Lifter):
    """A `Lifter` whose model lifts every frame of a clip and says how sure it is.

    Joints that were not found are left to the model and never made up; frames with fewer than four joints
    take their poses from the frames round them, for as long as `max_gap`.
    """

    _repairs_sides: ClassVar[bool] = True

    def __init__(
        self,
        model: keras.Model | NumpyNetwork | ExportedNetwork,
        config: TrainingConfig | None = None,
        min_confidence: float = 0.3,
        max_gap: int = 10,
        normalization: str = "frame",
        repair_sides: bool | None = None,
    ) -> None:
        super().__init__(model, config, min_confidence, max_gap, normalization, repair_sides)
        self._clips: ClipPredictor | ExportedClips = (
            ExportedClips(model)
            if isinstance(model, ExportedNetwork)
            else ClipPredictor(model, self._setting.EVAL_FLIP)
        )

    def _lift_array(
        self,
        keypoints_2d: np.ndarray,
        width: int | None,
        height: int | None,
        fps: float | None,
        source: Skeleton,
        focal_length: float | None,
        where: str,
        show_progress: bool,
        subject: str = "",
        name: str = "",
    ) -> LiftedPerson:
        points = check_keypoint_array(keypoints_2d, source, where)
        width, height, fps = check_clip(width, height, fps, where)
        camera = default_camera(width, height, focal_length)
        found = sanity.check_image_range(points, width, height, where)
        points = mark_missing(points, where)
        points = self._with_sides_right(points, source, fps, where, found)
        keypoints = detector_keypoints(points, source, self.min_confidence)
        enough = (keypoints[..., 2] > 0).sum(axis=1) >= FEWEST_JOINTS
        if not enough.any():
            raise Pose3DError(
                f"{where}: no frame of {len(points)} has {FEWEST_JOINTS} joints or more with a confidence of "
                f"{self.min_confidence:g}, of {', '.join(DETECTOR_JOINTS)}"
            )
        found += sanity.check_sides(points, source)
        poses, radius = self._lift_known(keypoints, camera, fps, show_progress)
        present = frames_present(enough, self.max_gap)
        seen = (keypoints[present, :, 2] > 0).sum(axis=0).tolist()
        limbs = {
            joint: frames
            for joint, frames in zip(DETECTOR_JOINTS, seen, strict=True)
            if joint in source.joints and joint != "nose"
        }
        found += rare_joints(limbs, int(present.sum()), "elsewhere the network supposes the joint")
        if not enough.all():
            known = np.flatnonzero(enough)
            places = np.interp(np.arange(len(poses)), known, np.arange(len(known)))
            poses, radius = resample(poses[known], places), resample(radius[known], places)
        shown = self._shown(keypoints, poses, camera)
        found += sanity.check_keypoints(shown[present], self.skeleton)
        found += sanity.check_poses(poses[present], self.skeleton)
        found += self._absences(present)
        radius[:, self.root] = 0
        poses[~present] = radius[~present] = np.nan
        return LiftedPerson(
            poses,
            shown,
            present,
            self.skeleton,
            self.root,
            camera,
            fps,
            tuple(found),
            subject=subject,
            name=name,
            uncertainty=1000 * radius,
        )

    def _lift_known(
        self, keypoints: np.ndarray, camera: Camera, fps: float, show_progress: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Poses and radii of a clip, by way of a frame rate that the network knows."""
        places: np.ndarray | None = None
        if self._clips.reach and fps > _FASTEST:
            step = math.ceil(fps / _FASTEST)
            places = np.arange(len(keypoints)) / step
            keypoints = keypoints[::step]
        elif self._clips.reach and fps < _SLOWEST:
            times = min(math.ceil(_SLOWEST / fps), 4)
            places = np.arange(len(keypoints)) * float(times)
            keypoints = _denser(keypoints, times)
        with Progress(len(keypoints), "lifting") as progress:
            count = (lambda done: progress.update(steps=done)) if show_progress else None
            poses, radius = self._clips(keypoints, camera, progress=count)
        if places is not None:
            poses, radius = resample(poses, places), resample(radius, places)
        return poses, radius

    def _shown(self, keypoints: np.ndarray, poses: np.ndarray, camera: Camera) -> np.ndarray:
        """`(F, 17, 3)` 2D poses of pictures: joints that were found, and the pose's projection for others."""
        joints = [self.skeleton.index("head" if name == "nose" else name) for name in DETECTOR_JOINTS]
        place = camera_trajectory(poses[:, joints], keypoints, camera)
        placed = poses.astype(np.float64) + place[:, None]
        placed[..., 2] = np.maximum(placed[..., 2], 0.1)
        shown = np.zeros((*poses.shape[:2], 3), np.float32)
        shown[..., :2] = project_pixels(placed, camera)
        seen = keypoints[..., 2] > 0
        shown[:, joints] = np.where(seen[..., None], keypoints, shown[:, joints])
        return shown

    def complete_frame(self, known: np.ndarray, age: np.ndarray, source: Skeleton) -> np.ndarray | None:
        fresh = np.where((age == 0)[:, None], known, np.nan)
        keypoints = detector_keypoints(fresh[None], source, self.min_confidence)[0]
        return keypoints if (keypoints[:, 2] > 0).sum() >= FEWEST_JOINTS else None

    def lift_frame(self, keypoints: np.ndarray, frame: int, camera: Camera, fps: float) -> np.ndarray:
        return self._clips(keypoints, camera)[0][frame]


def _denser(keypoints: np.ndarray, times: int) -> np.ndarray:
    """Keypoints with so many steps from frame to frame; between two, a joint is seen where both show it."""
    between = np.arange((len(keypoints) - 1) * times + 1) / times
    points = resample(keypoints, between)
    seen = keypoints[..., 2] > 0
    both = seen[np.floor(between).astype(int)] & seen[np.ceil(between).astype(int)]
    points[..., 2] *= both
    return points
