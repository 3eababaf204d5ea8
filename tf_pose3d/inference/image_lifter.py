"""Lifting with networks of the normalised image, as MotionBERT's release does in the wild."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tf_pose3d.anthropometry import typical_bones
from tf_pose3d.camera import Camera
from tf_pose3d.config import TrainingConfig
from tf_pose3d.data.clips import covering_clips
from tf_pose3d.evaluation.sequence_prediction import FrameSequencePredictor
from tf_pose3d.inference import sanity
from tf_pose3d.inference.lifted import LiftedPerson
from tf_pose3d.inference.lifter import Lifter, check_clip, check_keypoint_array
from tf_pose3d.inference.preparation import prepare_keypoints
from tf_pose3d.inference.trajectory import default_camera
from tf_pose3d.skeleton import Skeleton

if TYPE_CHECKING:
    import keras

__all__ = ["ImageLifter", "crop_to_unit", "pixels_to_unit", "unit_to_pixels"]

# Where MotionBERT takes the joints of h36m_17 from Halpe's 26: one of them, or the middle of two.
_HALPE_NUMBERS = (19, 12, 14, 16, 11, 13, 15, (18, 19), 18, 0, 17, 5, 7, 9, 6, 8, 10)


def halpe_keypoints(points: np.ndarray) -> np.ndarray:
    """`(F, 17, 3)` of h36m_17 from `(F, 26, 3)` of halpe_26, confidences averaged as places are."""
    return np.stack(
        [points[:, list(np.atleast_1d(number))].mean(axis=1) for number in _HALPE_NUMBERS], axis=1
    ).astype(np.float32)


def crop_to_unit(keypoints: np.ndarray) -> np.ndarray:
    """Keypoints in the square round everything that was found in the clip, from -1 to 1.

    Args:
        keypoints: `(F, J, 3)` pixels and confidence; joints of confidence 0 do not count.

    Returns:
        `(F, J, 3)`, everything clipped to -1 and 1; zeros where fewer than four joints were found.
    """
    found = keypoints[keypoints[..., 2] != 0][:, :2]
    if len(found) < 4:
        return np.zeros_like(keypoints)
    low, high = found.min(axis=0), found.max(axis=0)
    side = (high - low).max()
    if side == 0:
        return np.zeros_like(keypoints)
    result = keypoints.copy()
    result[..., :2] = ((keypoints[..., :2] - (low + high - side) / 2) / side - 0.5) * 2
    return np.clip(result, -1, 1)


def pixels_to_unit(keypoints: np.ndarray, width: int, height: int) -> np.ndarray:
    """Keypoints round the image's centre, in halves of its shorter side; nothing is clipped."""
    result = keypoints.copy()
    result[..., :2] = (keypoints[..., :2] - np.array([width, height]) / 2) / (min(width, height) / 2)
    return result


def unit_to_pixels(poses: np.ndarray, width: int, height: int) -> np.ndarray:
    """The way back for poses `(F, J, 3)`: x and y in the image, z on their scale."""
    result = poses * (min(width, height) / 2)
    result[..., :2] += np.array([width, height]) / 2
    return result.astype(np.float32)


class ImageLifter(Lifter):
    """A `Lifter` whose network was trained on poses of the image.

    Keypoints are cropped to the person's square of the whole clip (`normalization="pixel"`: taken round the
    image's centre instead), with their confidences, at the video's own frame rate; joints of little
    confidence are left to the network. Clips lie side by side, the last one shorter where the network can
    read it, else shifted back. What it gives, in `pose_image`, has no unit of length: `pose_3d` is scaled
    so that the bones of the clip have in sum a typical adult's length.
    """

    normalizations = ("frame", "crop", "pixel")

    def __init__(
        self,
        model: keras.Model,
        config: TrainingConfig | None = None,
        min_confidence: float = 0.3,
        max_gap: int = 10,
        normalization: str = "frame",
        repair_sides: bool | None = None,
    ) -> None:
        super().__init__(model, config, min_confidence, max_gap, normalization, repair_sides)
        setting = self._setting
        self._network: keras.Model = model
        self._clips = FrameSequencePredictor(model, setting.EVAL_FLIP, setting.JIT_COMPILE, setting.overlap)

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
        found = sanity.check_image_range(points, width, height, where)
        points = self._with_sides_right(points, source, fps, where, found)
        if source.name == "halpe_26" and np.isfinite(points).all():
            keypoints, present = halpe_keypoints(points), np.ones(len(points), bool)
        else:
            prepared = prepare_keypoints(points, source, self.input_skeleton, 0.0, self.max_gap, where)
            keypoints, present = prepared.keypoints, prepared.present
            found += prepared.warnings
        found += sanity.check_keypoints(keypoints[present], self.skeleton)
        found += sanity.check_sides(points, source)
        camera = default_camera(width, height, focal_length)
        output = self._lift_unit(self._unit(keypoints, camera))
        poses = self._metres(output)
        found += sanity.check_poses(poses[present], self.skeleton)
        image = unit_to_pixels(output, width, height) if self.normalization == "pixel" else output
        found += self._absences(present)
        poses[~present] = image[~present] = np.nan
        return LiftedPerson(
            poses,
            keypoints,
            present,
            self.skeleton,
            self.root,
            camera,
            fps,
            tuple(found),
            subject=subject,
            name=name,
            pose_image=image,
        )

    def _unit(self, keypoints: np.ndarray, camera: Camera) -> np.ndarray:
        if self.normalization == "pixel":
            return pixels_to_unit(keypoints, camera.width, camera.height)
        return crop_to_unit(keypoints)

    def _lift_unit(self, keypoints: np.ndarray) -> np.ndarray:
        """`(F, J, 3)` what the network gives for normalised keypoints, roots as the release sets them."""
        count, length = len(keypoints), self.spec.length
        keypoints = np.ascontiguousarray(keypoints, np.float32)
        overlap = self._setting.overlap
        if not overlap and getattr(self.model, "_reads_shorter_windows", False):
            parts = [np.arange(first, min(first + length, count))[None] for first in range(0, count, length)]
        else:
            parts = [covering_clips(count, length, overlap)]
        total, share = np.zeros((count, *keypoints.shape[1:-1], 3)), np.zeros(count)
        flip, batch = self.input_skeleton.flip_order, self._setting.BATCH_SIZE
        for clips in parts:
            poses = self._clips.clips(keypoints, clips, flip, batch)
            if self._network.root_relative:
                poses[:, :, 0] = 0
            else:
                # Only the root's depth in a clip's first frame is known.
                poses[:, 0, 0, 2] = 0
            weights = self._clips.frame_weights(clips.shape[1])
            np.add.at(total, clips, poses * weights[None, :, None, None])
            np.add.at(share, clips, np.broadcast_to(weights, clips.shape))
        return (total / share[:, None, None]).astype(np.float32)

    def _metres(self, output: np.ndarray) -> np.ndarray:
        """Root-relative poses on the scale at which the bones have a typical adult's lengths in sum."""
        poses = output - output[:, self.root : self.root + 1]
        bones = typical_bones(self.skeleton)
        parents, children = (list(ends) for ends in zip(*bones, strict=True))
        lengths = np.linalg.norm(poses[:, parents] - poses[:, children], axis=-1).sum(axis=1)
        size = float(np.median(lengths))
        return poses * np.float32(sum(bones.values()) / size if size > 0 else 1.0)

    def lift_frame(self, keypoints: np.ndarray, frame: int, camera: Camera, fps: float) -> np.ndarray:
        length = self.spec.length
        first = max(min(frame + 1, len(keypoints)) - length, 0)
        clip = self._unit(keypoints[first : first + length, :, :3], camera)
        return self._metres(self._lift_unit(clip))[frame - first]
