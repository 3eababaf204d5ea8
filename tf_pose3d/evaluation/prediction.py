"""Poses for many windows: batched, mirrored and averaged, with shared work done once."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_pose3d.data.windows import Windows
from tf_pose3d.evaluation.mirroring import mirror_joints
from tf_pose3d.evaluation.temporal_prediction import temporal_predictor
from tf_pose3d.layers.folding import foldable_layers, folded_weights
from tf_pose3d.process import cores_apart

__all__ = ["Predictor", "in_parts", "predict_poses", "predict_with_loss", "predictor_of"]

# Windows whose frames are encoded together, and windows per forward pass on a CPU. The first bounds
# memory, the second keeps a pass's activations near the cache; on a GPU the caller's batch size holds.
# Windows of a single frame need more of them for efficient matrix products.
_CHUNK = 4096
_CPU_BATCH = 32
_CPU_FRAMES = 256
# Single frames of a part, at least, where cores work apart.
_PART = 64


def in_parts(
    forward: Callable[[dict[str, tf.Tensor]], tf.Tensor], parts: int
) -> Callable[[dict[str, tf.Tensor]], tf.Tensor]:
    """The same for a batch in so many parts that do not wait for each other, where each has a core.

    Args:
        forward: From a batch to `(B, ...)`.
        parts: See `tf_pose3d.process.cores_apart`.
    """
    if parts == 1:
        return forward

    def run(batch: dict[str, tf.Tensor]) -> tf.Tensor:
        count = tf.shape(next(iter(batch.values())))[0]
        ends = [count * part // parts for part in range(parts)] + [count]
        return tf.concat(
            [
                forward({name: values[begin:end] for name, values in batch.items()})
                for begin, end in itertools.pairwise(ends)
            ],
            axis=0,
        )

    return run


class Predictor:
    """The compiled forward passes of one model, for any number of windows and recordings.

    A model with `encode_frames`, `replacement_token` and `lift_tokens` (each frame encoded alone, then
    lifted together) has every frame of a video encoded once, however many windows hold it. Temporal
    convolutions go through a predictor of their own, see `temporal_predictor`.

    Networks that give every frame of a clip go through `FrameSequencePredictor`.

    Layers that can be folded have the weights of the first call, see `tf_pose3d.layers.folding`. On CPUs
    single frames are predicted in parts, see `in_parts`; XLA is not used for these.

    Args:
        model: Maps a batch dict to an output dict with `pose_3d`.
        flip: Average with the mirrored prediction for the mirrored input.
        jit_compile: Compile the forward pass with XLA.
        overlap: Of clips, see `tf_pose3d.data.clips.covering_clips`.
        output: Of networks that give every frame, see `FrameSequencePredictor`.
    """

    def __init__(
        self,
        model: keras.Model,
        flip: bool = True,
        jit_compile: bool = False,
        overlap: float = 0.0,
        output: str | None = None,
    ) -> None:
        self.model = model
        self._flip = flip
        self._jit_compile = jit_compile
        self._shared = all(
            hasattr(model, name) for name in ("encode_frames", "replacement_token", "lift_tokens")
        )
        self._temporal = temporal_predictor(model, flip, jit_compile, overlap, output)
        self._on_cpu = not tf.config.list_physical_devices("GPU")
        # What windows can differ in -> compiled functions.
        self._compiled: dict[Any, Any] = {}

    def __call__(
        self,
        windows: Windows,
        batch_size: int,
        indices: np.ndarray | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> np.ndarray:
        """The model's pose for the centre frame of each window; see `predict_poses`."""
        indices = np.arange(windows.num_centres) if indices is None else np.asarray(indices)
        if self._temporal is not None:
            return self._temporal(windows, batch_size, indices, progress)
        if self._on_cpu:
            frames = max(getattr(self.model, "cpu_batch", _CPU_FRAMES), _PART * cores_apart())
            batch_size = frames if windows.spec.length == 1 else min(batch_size, _CPU_BATCH)
        poses = []
        for start in range(0, len(indices), _CHUNK):
            chunk = indices[start : start + _CHUNK]
            if self._shared:
                poses.append(self._run_shared(windows, chunk, batch_size, progress))
                continue
            for first in range(0, len(chunk), batch_size):
                part = chunk[first : first + batch_size]
                poses.append(self._run_whole(windows, part))
                if progress is not None:
                    progress(len(part))
        return np.concatenate(poses)

    def _shared_functions(self, windows: Windows) -> tuple[Callable, Callable]:
        joints, width = windows.store.arrays["keypoints_2d"].shape[1:]
        length = windows.spec.length
        key = (windows.store.skeleton.name, width, length)
        if key not in self._compiled:
            flip_order = tf.constant(windows.store.skeleton.flip_order, tf.int32)
            self._compiled[key] = self._compile_shared(joints, width, length, flip_order)
        return self._compiled[key]

    def _compile_shared(
        self, joints: int, width: int, length: int, flip_order: tf.Tensor
    ) -> tuple[Callable, Callable]:
        model, flip = self.model, self._flip

        @tf.function(
            input_signature=[tf.TensorSpec((None, joints, width))],
            jit_compile=self._jit_compile,
            autograph=False,
        )
        def encode(keypoints: tf.Tensor) -> tf.Tensor:
            return model.encode_frames(keypoints, training=False)

        @tf.function(
            input_signature=[
                tf.TensorSpec((None, None), model.compute_dtype),
                tf.TensorSpec((None, length), tf.int32),
                tf.TensorSpec((None, length), tf.bool),
            ],
            jit_compile=self._jit_compile,
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
            return (straight + mirror_joints(mirrored, flip_order)) / 2

        return encode, lift

    def _run_shared(
        self, windows: Windows, indices: np.ndarray, batch_size: int, progress: Callable | None
    ) -> np.ndarray:
        encode, lift = self._shared_functions(windows)
        flip_order = list(windows.store.input_skeleton.flip_order)
        frames = windows.store.arrays["keypoints_2d"]
        views = 2 if self._flip else 1

        def encode_all(keypoints: np.ndarray) -> list[tf.Tensor]:
            pieces = [tf.constant(keypoints[i : i + _CHUNK]) for i in range(0, len(keypoints), _CHUNK)]
            images = [mirror_joints(piece, flip_order) for piece in pieces] if self._flip else []
            return [encode(piece) for piece in pieces + images]

        index = windows.rows(tf.constant(indices, tf.int64))
        rows = index["rows"].numpy()
        mask = index["stride_mask"].numpy() if "stride_mask" in index else np.ones(rows.shape, bool)
        seen, place = np.unique(rows[mask], return_inverse=True)
        table = tf.concat([*encode_all(frames[seen]), self.model.replacement_token()], axis=0)
        lookup = np.full(rows.shape, views * len(seen), np.int32)
        lookup[mask] = place.reshape(-1)
        poses = []
        for first in range(0, len(indices), batch_size):
            part, part_mask = lookup[first : first + batch_size], mask[first : first + batch_size]
            if self._flip:
                image = np.where(part_mask, part + len(seen), part)
                part = np.concatenate([part, image])
            poses.append(lift(table, part, np.tile(part_mask, (views, 1))).numpy())
            if progress is not None:
                progress(len(poses[-1]))
        return np.concatenate(poses)

    def _run_whole(self, windows: Windows, indices: np.ndarray) -> np.ndarray:
        batch = windows.batch(tf.constant(indices, tf.int64))
        store = windows.store
        key = (
            store.skeleton.name,
            store.input_skeleton.name,
            *((name, values.shape[1:], values.dtype) for name, values in batch.items()),
        )
        if key not in self._compiled:
            signature = {
                name: tf.TensorSpec((None, *values.shape[1:]), values.dtype) for name, values in batch.items()
            }
            self._compiled[key] = self._compile_whole(
                signature,
                cores_apart() if windows.spec.length == 1 and self._on_cpu else 1,
                tf.constant(store.input_skeleton.flip_order, tf.int32),
                tf.constant(store.skeleton.flip_order, tf.int32),
            )
        return self._compiled[key](batch).numpy()

    def _poses(self, batch: dict[str, tf.Tensor]) -> tf.Tensor:
        return tf.cast(self.model(batch, training=False)["pose_3d"], tf.float32)

    def _compile_whole(
        self, signature: dict[str, tf.TensorSpec], parts: int, input_flip: tf.Tensor, flip_order: tf.Tensor
    ) -> Callable:
        model, flip = self.model, self._flip
        # XLA's programs would wait for each other, and together they are slower than the parts.
        forward, jit_compile = in_parts(self._poses, parts), self._jit_compile and parts == 1

        @tf.function(input_signature=[signature], jit_compile=jit_compile, autograph=False)
        def run(batch: dict[str, tf.Tensor]) -> tf.Tensor:
            poses = forward(batch)
            if not flip:
                return poses
            image = {**batch, "keypoints_2d": mirror_joints(batch["keypoints_2d"], input_flip)}
            return (poses + mirror_joints(forward(image), flip_order)) / 2

        # Called itself, it looks through nothing but the tensors.
        with folded_weights(model):
            return run.get_concrete_function()


# Where a model keeps its predictors: beside the attributes that Keras tracks.
_HELD = "_tf_pose3d_predictors"


class _Held:
    """Predictors by how they predict, each with the checksum of the weights that it copied.

    An object of its own, as Keras looks into what containers a model holds when it saves.
    """

    def __init__(self) -> None:
        self.predictors: dict[tuple[bool, bool, float], tuple[Predictor, int]] = {}


def predictor_of(
    model: keras.Model, flip: bool = True, jit_compile: bool = False, overlap: float = 0.0
) -> Predictor:
    """The predictor of a model, the same for every call: only the first one traces.

    Where a predictor keeps copies of the weights, it is made anew when they have changed.

    Args:
        model, flip, jit_compile, overlap: See `Predictor`.
    """
    held = vars(model).setdefault(_HELD, _Held()).predictors
    key = (flip, jit_compile, overlap)
    copied = 0
    if foldable_layers(model):
        for variable in model.variables:
            copied = zlib.crc32(np.asarray(variable).tobytes(), copied)
    found = held.get(key)
    if found is None or found[1] != copied:
        found = held[key] = (Predictor(model, flip, jit_compile, overlap), copied)
    return found[0]


def predict_poses(
    model: keras.Model,
    windows: Windows,
    batch_size: int,
    indices: np.ndarray | None = None,
    flip: bool = True,
    jit_compile: bool = False,
    progress: Callable[[int], None] | None = None,
    overlap: float = 0.0,
) -> np.ndarray:
    """The model's pose for the centre frame of each window.

    Args:
        model, flip, jit_compile, overlap: See `Predictor`.
        windows: Unmirrored windows.
        batch_size: Windows per forward pass.
        indices: `(n,)` window indices in increasing order; None: all centres.
        progress: Called with the number of windows done since the last call.

    Returns:
        `(n, J, 3)` float32, metres, root-centred, camera frame.
    """
    return predictor_of(model, flip, jit_compile, overlap)(windows, batch_size, indices, progress)


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
    input_flip = tf.constant(windows.store.input_skeleton.flip_order, tf.int32)
    middle = windows.spec.length // 2

    batches = windows.ordered_batches(batch_size, count)

    @tf.function(input_signature=[batches.element_spec], jit_compile=jit_compile, autograph=False)
    def run(batch: dict[str, tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        outputs = model(batch, training=False)
        poses, losses = tf.cast(outputs["pose_3d"], tf.float32), [loss(outputs, batch)]
        if flip:
            image = {
                **batch,
                "keypoints_2d": mirror_joints(batch["keypoints_2d"], input_flip),
                "pose_3d": mirror_joints(batch["pose_3d"], flip_order),
            }
            outputs = model(image, training=False)
            losses.append(loss(outputs, image))
            poses = (poses + mirror_joints(tf.cast(outputs["pose_3d"], tf.float32), flip_order)) / 2
        return poses, losses

    poses, targets, actions = [], [], []
    losses: list[float] = []
    for batch in batches:
        predicted, batch_losses = run(batch)
        poses.append(predicted.numpy())
        targets.append(batch["pose_3d"][:, middle].numpy())
        actions.append(batch["action"].numpy())
        losses.extend(float(value) for value in batch_losses)
    return np.concatenate(poses), np.concatenate(targets), np.concatenate(actions), float(np.mean(losses))
