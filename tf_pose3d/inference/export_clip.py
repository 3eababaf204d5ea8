"""What an export of the general lifter computes: whole clips, averaged with their mirror image."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_pose3d.data.motion_views import DETECTOR_SKELETON
from tf_pose3d.skeleton import get_skeleton

__all__ = ["ClipForward", "clip_example"]

Batch = dict[str, Any]

_FRAMES = 40
_MIRRORED_INTRINSICS = np.ones(11, np.float32)
_MIRRORED_INTRINSICS[[4, 9]] = -1


def clip_example() -> Batch:
    """A clip of random keypoints, some of them not found."""
    random = np.random.default_rng(0)
    joints = DETECTOR_SKELETON.num_joints
    start = random.uniform(-0.4, 0.4, (1, 1, joints, 2))
    points = start + np.cumsum(random.normal(0, 0.006, (1, _FRAMES, joints, 2)), axis=1)
    confidence = random.uniform(0.3, 1, (1, _FRAMES, joints, 1))
    confidence[random.random(confidence.shape) < 0.1] = 0
    intrinsics = np.zeros((1, 11), np.float32)
    intrinsics[:, :4] = [2, 2, 2.29, 2.29]
    keypoints = np.concatenate([points, confidence], axis=-1).astype(np.float32)
    return {"intrinsics": tf.constant(intrinsics), "keypoints_2d": tf.constant(keypoints)}


class ClipForward:
    """A `GeneralNet`'s pass over one clip of any length.

    Attributes:
        names: The inputs that it reads: keypoints_2d `(1, F, 13, 3)`, intrinsics `(1, 11)`.
        outputs: What it gives: pose_3d `(1, F, 17, 3)` metres, root at 0, bone lengths means over the clip;
            radius_90 `(1, F, 17)` metres; and, to lift a longer clip in pieces, bones `(1, F, 16, 3)` and
            log_lengths `(1, F, kinds)`, of which `models/general/assembly.py` makes poses.
    """

    names = ("intrinsics", "keypoints_2d")
    outputs = ("bones", "log_lengths", "pose_3d", "radius_90")

    def __init__(self, model: keras.Model, flip: bool) -> None:
        self._model = model
        self._flips = flip
        skeleton = get_skeleton("h36m_17")
        self._flip_2d = list(DETECTOR_SKELETON.flip_order)
        self._flip_3d = list(skeleton.flip_order)
        self._flip_bones = [joint - 1 for joint in skeleton.flip_order if joint != skeleton.root]

    def __call__(self, batch: Batch) -> dict[str, tf.Tensor]:
        keypoints, intrinsics = batch["keypoints_2d"], batch["intrinsics"]
        if self._flips:
            mirrored = tf.gather(keypoints, self._flip_2d, axis=2) * tf.constant([-1.0, 1.0, 1.0])
            keypoints = tf.concat([keypoints, mirrored], axis=0)
            intrinsics = tf.concat([intrinsics, intrinsics * _MIRRORED_INTRINSICS], axis=0)
        raw = self._model.lift_frames({"keypoints_2d": keypoints, "intrinsics": intrinsics})
        if self._flips:
            raw = self._averaged(raw)
        lengths = tf.reduce_mean(raw["log_lengths"], axis=1, keepdims=True)
        lifted = self._model.assemble(raw, lengths)
        return {
            "bones": tf.identity(raw["bones"]),
            "log_lengths": tf.identity(raw["log_lengths"]),
            "pose_3d": lifted["pose_3d_sequence"],
            "radius_90": lifted["radius_90"],
        }

    def _averaged(self, raw: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """As `ClipPredictor` does it."""
        bones, lengths, scale = (raw[name] for name in ("bones", "log_lengths", "scale"))
        other = tf.gather(bones[1:], self._flip_bones, axis=2) * tf.constant([-1.0, 1.0, 1.0])
        mean = (bones[:1] + other) / 2
        if self._model.settings["constant_bones"]:
            norm = tf.sqrt(tf.reduce_sum(mean * mean, axis=-1, keepdims=True))
            mean = mean / tf.maximum(norm, 1e-6)
        return {
            "bones": mean,
            "log_lengths": (lengths[:1] + lengths[1:]) / 2,
            "scale": tf.sqrt(scale[:1] * tf.gather(scale[1:], self._flip_3d, axis=2)),
        }
