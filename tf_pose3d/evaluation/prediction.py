"""Poses for many windows: batched, mirrored and averaged, with shared work done once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_pose3d.data.windows import Windows

__all__ = ["predict_poses", "predict_with_loss"]

# Windows whose frames are encoded together, and windows per forward pass on a CPU. The first bounds
# memory, the second keeps a pass's activations near the cache; on a GPU the caller's batch size holds.
_CHUNK = 4096
_CPU_BATCH = 32


def _mirror(poses: tf.Tensor, flip_order: tf.Tensor) -> tf.Tensor:
    """Swaps left and right joints (axis -2) and negates x."""
    signs = tf.constant([-1.0] + [1.0] * (poses.shape[-1] - 1), poses.dtype)
    return tf.gather(poses, flip_order, axis=-2) * signs


def predict_poses(
    model: keras.Model,
    windows: Windows,
    batch_size: int,
    numbers: np.ndarray | None = None,
    flip: bool = True,
    jit_compile: bool = False,
    progress: Callable[[int], None] | None = None,
) -> np.ndarray:
    """The model's pose for the centre frame of each window.

    A model with `encode_frames`, `replacement_token` and `lift_tokens` (each frame encoded alone, then
    lifted together) has every frame of a video encoded once, however many windows hold it.

    Args:
        model: Maps a batch dict to an output dict with `pose_3d`.
        windows: Unmirrored windows.
        batch_size: Windows per forward pass.
        numbers: `(n,)` window numbers in increasing order; None: all centres.
        flip: Average with the mirrored prediction for the mirrored input.
        jit_compile: Compile the forward pass with XLA.
        progress: Called with the number of windows done since the last call.

    Returns:
        `(n, J, 3)` float32, metres, root-centred, camera frame.
    """
    numbers = np.arange(windows.num_centres) if numbers is None else np.asarray(numbers)
    if not tf.config.list_physical_devices("GPU"):
        batch_size = min(batch_size, _CPU_BATCH)
    shared = all(hasattr(model, name) for name in ("encode_frames", "replacement_token", "lift_tokens"))
    run = _shared_pass(model, windows, flip, jit_compile) if shared else None
    whole = None if shared else _whole_pass(model, windows, flip, jit_compile)
    poses = []
    for start in range(0, len(numbers), _CHUNK):
        chunk = numbers[start : start + _CHUNK]
        if run is not None:
            poses.append(run(chunk, batch_size, progress))
            continue
        for first in range(0, len(chunk), batch_size):
            part = chunk[first : first + batch_size]
            poses.append(whole(tf.constant(part, tf.int64)).numpy())
            if progress is not None:
                progress(len(part))
    return np.concatenate(poses)


def _shared_pass(
    model: keras.Model, windows: Windows, flip: bool, jit_compile: bool
) -> Callable[[np.ndarray, int, Callable | None], np.ndarray]:
    frames = windows.store.arrays["keypoints_2d"]
    flip_order = tf.constant(windows.store.skeleton.flip_order, tf.int32)
    joints, width = frames.shape[1:]
    views = 2 if flip else 1

    @tf.function(
        input_signature=[tf.TensorSpec((None, joints, width))], jit_compile=jit_compile, autograph=False
    )
    def encode(keypoints: tf.Tensor) -> tf.Tensor:
        return model.encode_frames(keypoints, training=False)

    length = windows.spec.length

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, None), model.compute_dtype),
            tf.TensorSpec((None, length), tf.int32),
            tf.TensorSpec((None, length), tf.bool),
        ],
        jit_compile=jit_compile,
        autograph=False,
    )
    def lift(table: tf.Tensor, lookup: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        table = tf.ensure_shape(table, (None, model.temporal_dim))
        tokens = tf.gather(table, lookup)
        poses = model.lift_tokens(tokens, mask, training=False, sequence=False)["pose_3d"]
        poses = tf.cast(poses, tf.float32)
        if not flip:
            return poses
        straight, mirrored = tf.split(poses, 2)
        return (straight + _mirror(mirrored, flip_order)) / 2

    def encode_all(keypoints: np.ndarray) -> list[tf.Tensor]:
        pieces = [tf.constant(keypoints[i : i + _CHUNK]) for i in range(0, len(keypoints), _CHUNK)]
        images = [_mirror(piece, flip_order) for piece in pieces] if flip else []
        return [encode(piece) for piece in pieces + images]

    def run(numbers: np.ndarray, batch_size: int, progress: Callable | None) -> np.ndarray:
        index = windows.rows(tf.constant(numbers, tf.int64))
        rows = index["rows"].numpy()
        mask = index["stride_mask"].numpy() if "stride_mask" in index else np.ones(rows.shape, bool)
        seen, place = np.unique(rows[mask], return_inverse=True)
        table = tf.concat([*encode_all(frames[seen]), model.replacement_token()], axis=0)
        lookup = np.full(rows.shape, views * len(seen), np.int32)
        lookup[mask] = place.reshape(-1)
        poses = []
        for first in range(0, len(numbers), batch_size):
            part, part_mask = lookup[first : first + batch_size], mask[first : first + batch_size]
            if flip:
                image = np.where(part_mask, part + len(seen), part)
                part = np.concatenate([part, image])
            poses.append(lift(table, part, np.tile(part_mask, (views, 1))).numpy())
            if progress is not None:
                progress(len(poses[-1]))
        return np.concatenate(poses)

    return run


def _whole_pass(
    model: keras.Model, windows: Windows, flip: bool, jit_compile: bool
) -> Callable[[tf.Tensor], tf.Tensor]:
    flip_order = tf.constant(windows.store.skeleton.flip_order, tf.int32)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.int64)], jit_compile=jit_compile, autograph=False)
    def run(numbers: tf.Tensor) -> tf.Tensor:
        batch = windows.batch(numbers)
        poses = tf.cast(model(batch, training=False)["pose_3d"], tf.float32)
        if not flip:
            return poses
        image = {**batch, "keypoints_2d": _mirror(batch["keypoints_2d"], flip_order)}
        mirrored = tf.cast(model(image, training=False)["pose_3d"], tf.float32)
        return (poses + _mirror(mirrored, flip_order)) / 2

    return run


def predict_with_loss(
    model: keras.Model,
    windows: Windows,
    batch_size: int,
    loss: Callable[[dict[str, Any], dict[str, Any]], Any],
    count: int | None = None,
    flip: bool = True,
    jit_compile: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Validation: poses, targets and the mean loss over batches, mirrored passes included.

    Args:
        model: Maps a batch dict to an output dict.
        windows: Unmirrored windows with 3D poses.
        batch_size: Windows per forward pass.
        loss: (outputs, batch) -> scalar.
        count: Only the first so many windows; None: all.
        flip: Average with the mirrored prediction for the mirrored input.
        jit_compile: Compile the pass with XLA.

    Returns:
        Poses and targets `(n, J, 3)` metres for the centre frames, the targets in the camera frame and
        not root-centred; action ids `(n,)`; the mean of the batches' losses.
    """
    flip_order = tf.constant(windows.store.skeleton.flip_order, tf.int32)
    middle = windows.spec.length // 2

    batches = windows.ordered_batches(batch_size, count)

    @tf.function(input_signature=[batches.element_spec], jit_compile=jit_compile, autograph=False)
    def run(batch: dict[str, tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        outputs = model(batch, training=False)
        poses, losses = tf.cast(outputs["pose_3d"], tf.float32), [loss(outputs, batch)]
        if flip:
            image = {
                **batch,
                "keypoints_2d": _mirror(batch["keypoints_2d"], flip_order),
                "pose_3d": _mirror(batch["pose_3d"], flip_order),
            }
            outputs = model(image, training=False)
            losses.append(loss(outputs, image))
            poses = (poses + _mirror(tf.cast(outputs["pose_3d"], tf.float32), flip_order)) / 2
        return poses, losses

    poses, targets, actions, losses = [], [], [], []
    for batch in batches:
        predicted, batch_losses = run(batch)
        poses.append(predicted.numpy())
        targets.append(batch["pose_3d"][:, middle].numpy())
        actions.append(batch["action"].numpy())
        losses.extend(float(value) for value in batch_losses)
    return np.concatenate(poses), np.concatenate(targets), np.concatenate(actions), float(np.mean(losses))
