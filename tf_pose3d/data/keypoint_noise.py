"""2D keypoints made of 3D poses, with the errors of a detector, as MotionBERT is pre-trained on them.

Zhu et al., "MotionBERT: a unified perspective on learning human motion representations", ICCV 2023; the
numbers were fitted by its authors, in h36m_17's joints and units of the normalised image.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

__all__ = ["add_noise", "mask_keypoints", "synthetic_keypoints"]

_MEAN = np.array(
    [
        [0.000813253, 0.000212396],
        [-0.000148208, 0.001997603],
        [0.002038824, -0.001510083],
        [0.000943847, 0.00090837],
        [0.00186711, -0.000703703],
        [0.00193284, -0.005204166],
        [0.000894206, -0.001871771],
        [0.002467694, 0.002333917],
        [0.002141222, -0.006508411],
        [0.001655924, 0.001655108],
        [0.000836944, 0.001592935],
        [0.000793935, -0.004621909],
        [0.001499354, 0.000296017],
        [0.001159182, 0.001629964],
        [0.002103821, -0.003166052],
        [0.001682264, -0.000330003],
        [0.001663881, 0.001317515],
    ],
    np.float32,
)
_DEVIATION = np.array(
    [
        [0.00366263, 0.003572606],
        [0.007134928, 0.005109187],
        [0.006084423, 0.005003426],
        [0.008953024, 0.005293174],
        [0.006716577, 0.005327726],
        [0.007012924, 0.00492123],
        [0.009505804, 0.005625369],
        [0.006588319, 0.00496767],
        [0.005491425, 0.005305329],
        [0.005338831, 0.004876642],
        [0.003416378, 0.003492242],
        [0.008006617, 0.006087204],
        [0.005167672, 0.004753615],
        [0.004990404, 0.005089038],
        [0.007823455, 0.007934266],
        [0.006009086, 0.005721289],
        [0.0053703, 0.005684072],
    ],
    np.float32,
)
# Share of key frames at which a joint is off by a normal error, not by any.
_NORMAL_SHARE = np.array(
    [
        0.998745425,
        0.966954301,
        0.889606869,
        0.89383533,
        0.974620207,
        0.876672936,
        0.821006254,
        0.957807386,
        0.918314635,
        0.967940317,
        0.984119812,
        0.890993166,
        0.801556175,
        0.70277023,
        0.880895628,
        0.824628774,
        0.72874761,
    ],
    np.float32,
)
_KEY_FRAMES = 27
_UNIFORM_RANGE = 0.06
_FRAME_DEVIATION = 0.002
# Confidence of a joint that is off by d: a / (d + a) + b d, and a normal draw.
_A, _B, _M, _S = 0.028, 1.1, -0.0045856964, 0.1431056857
_DRAWS = 7


def _seeds(key: tf.Tensor) -> tf.Tensor:
    """`(7, 2)` seeds of one step's draws."""
    first = tf.cast(key, tf.int64)
    return tf.stack(
        [tf.range(_DRAWS, dtype=tf.int64) + first[0] * _DRAWS, tf.fill([_DRAWS], first[1])], axis=1
    )


def add_noise(keypoints: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    """`(B, F, 17, 3)` keypoints off by a detector's errors, with confidences that follow from these.

    At 27 key frames each joint is off by a normal or a uniform draw, in between linearly; each frame adds a
    small error that is the same in the whole batch.

    Args:
        keypoints: `(B, F, 17, 2)` normalised.
        key: `(2,)` int64, of every draw.
    """
    seeds = _seeds(key)
    batch, frames = tf.shape(keypoints)[0], keypoints.shape[1]
    shape = [batch, _KEY_FRAMES, 17, 2]
    chosen = tf.random.stateless_uniform([batch, _KEY_FRAMES, 17, 1], seeds[0])
    normal = tf.random.stateless_normal(shape, seeds[1]) * _DEVIATION + _MEAN
    uniform = (tf.random.stateless_uniform(shape, seeds[2]) - 0.5) * _UNIFORM_RANGE
    at_keys = tf.where(chosen < _NORMAL_SHARE[:, None], normal, uniform)
    place = np.linspace(0, _KEY_FRAMES - 1, frames) if frames > 1 else np.zeros(1)
    before = np.minimum(place.astype(np.int64), _KEY_FRAMES - 2)
    share = (place - before).astype(np.float32)[:, None, None]
    off = tf.gather(at_keys, before, axis=1) * (1 - share) + tf.gather(at_keys, before + 1, axis=1) * share
    off += tf.random.stateless_normal([frames, 17, 2], seeds[3]) * _FRAME_DEVIATION
    distance = tf.sqrt(tf.reduce_sum(tf.square(off), axis=-1, keepdims=True))
    confidence = _A / (distance + _A) + _B * distance
    confidence += tf.random.stateless_normal(tf.shape(distance), seeds[4]) * _S + _M
    return tf.concat([keypoints + off, tf.clip_by_value(confidence, 0.0, 1.0)], axis=-1)


def mask_keypoints(keypoints: tf.Tensor, key: tf.Tensor, joints: float, frames: float) -> tf.Tensor:
    """`(B, F, J, 3)` with joints, and whole frames of the whole batch, set to 0.

    Args:
        keypoints: `(B, F, J, 3)`.
        key: `(2,)` int64, of every draw.
        joints, frames: Shares of joints and of frames that are set to 0.
    """
    seeds = _seeds(key)
    shape = tf.shape(keypoints)
    kept = tf.random.stateless_uniform([shape[0], shape[1], shape[2], 1], seeds[5]) > joints
    kept &= tf.random.stateless_uniform([1, shape[1], 1, 1], seeds[6]) > frames
    return keypoints * tf.cast(kept, keypoints.dtype)


def synthetic_keypoints(
    keypoints: tf.Tensor,
    pose_image: tf.Tensor | None,
    key: tf.Tensor,
    noise: bool,
    mask_joints: float,
    mask_frames: float,
) -> tf.Tensor:
    """A batch's keypoints as pre-training reads them.

    Args:
        keypoints: `(B, F, 17, 3)` that the data hold.
        pose_image: `(B, F, 17, 3)`: x and y take the keypoints' place, with confidence 1; None: they stay.
        key: `(2,)` int64, of every draw.
        noise: Add a detector's errors, which also give confidences.
        mask_joints, mask_frames: Shares that are set to 0 afterwards.
    """
    if pose_image is not None:
        keypoints = tf.concat([pose_image[..., :2], tf.ones_like(pose_image[..., :1])], axis=-1)
    if noise:
        keypoints = add_noise(keypoints[..., :2], key)
    if mask_joints or mask_frames:
        keypoints = mask_keypoints(keypoints, key, mask_joints, mask_frames)
    return keypoints
