"""Poses of whole recordings from temporal convolutions, with work that frames share done once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from tf_pose3d.data.windows import Windows
from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.sequence_prediction import FrameSequencePredictor
from tf_pose3d.layers.folding import folded_weights
from tf_pose3d.types import Parsed

__all__ = ["SequencePredictor", "WindowPredictor", "path_predictor", "temporal_predictor"]

# Frames of a video that are predicted together. Bounds memory; pieces overlap by a receptive field, so that
# small ones do more work.
_SEQUENCE_FRAMES = 4096
# Frames whose first layer is kept for the windows over them.
_EXPANDED_FRAMES = 8192
_CPU_BATCH = 64
_MIRRORED_PRINCIPAL_POINT = 4
_MIRRORED_TANGENTIAL = 9


def temporal_predictor(
    model: keras.Model, flip: bool, jit_compile: bool, overlap: float = 0.0, output: str | None = None
) -> Parsed | None:
    """The predictor that serves a model best, or None where windows are predicted each on their own."""
    if hasattr(model, "sequence_output"):
        return FrameSequencePredictor(model, flip, jit_compile, overlap, output)
    if hasattr(model, "lift_sequence"):
        return SequencePredictor(model, flip, jit_compile)
    if hasattr(model, "lift_windows"):
        return WindowPredictor(model, flip, jit_compile)
    return None


def path_predictor(model: keras.Model, flip: bool, jit_compile: bool) -> SequencePredictor | None:
    """The predictor of the root's path, or None where the model has no network for it."""
    if getattr(model, "trajectory", None) is None:
        return None
    return SequencePredictor(model, flip, jit_compile, path=True)


def _mirrored(poses: np.ndarray, flip_order: tuple[int, ...]) -> np.ndarray:
    """Swaps left and right joints (axis -2) and negates x."""
    image = poses[..., list(flip_order), :].copy()
    image[..., 0] *= -1
    return image


def _padded_videos(
    windows: Windows, indices: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, int]]:
    """Videos as windows see them: frames at the windows' stride, the first and last one repeated.

    Yields:
        `(T,)` rows of the store that are one video's frames, up to N - 1 of them repetitions; positions
        `(n,)` in `indices` of the windows that lie in it; `(n,)` where each of these begins; its number.
        At a stride of k frames a video is k such sequences.
    """
    store, spec = windows.store, windows.spec
    reach = spec.length - 1
    before = reach if spec.causal else reach // 2
    for video, phase, those, begins in windows.by_video(indices):
        stride = spec.stride * int(store.multiples[video])
        positions = np.arange(phase, int(store.lengths[video]), stride)
        rows = int(store.offsets[video]) + np.pad(positions, (before, reach - before), "edge")
        yield rows, those, begins, video


class SequencePredictor:
    """Predicts all frames of a video at once, for models with `lift_sequence`.

    Weights are those of the first call.

    Args:
        model: Maps `(B, T, Ji, 2)` to the poses of all frames that have a whole window in it.
        flip: Average with the mirrored prediction for the mirrored input.
        jit_compile: Compile the forward pass with XLA.
        path: Predict places `(n, 1, 3)` of the root instead of poses, by the model's `lift_path`.
    """

    def __init__(self, model: keras.Model, flip: bool, jit_compile: bool, path: bool = False) -> None:
        self._model = model
        self._flip = flip
        self._jit_compile = jit_compile
        self._path = path
        self._run: Callable[..., tf.Tensor] | None = None

    def _compile(self, joints: int) -> Callable[..., tf.Tensor]:
        model = self._model
        lift = model.lift_path if self._path else model.lift_sequence

        @tf.function(
            input_signature=[tf.TensorSpec((None, None, joints, 2))],
            jit_compile=self._jit_compile,
            autograph=False,
        )
        def run(keypoints: tf.Tensor) -> tf.Tensor:
            return tf.cast(lift(keypoints), tf.float32)

        with folded_weights(model):
            run.get_concrete_function()
        return run

    def __call__(
        self,
        windows: Windows,
        batch_size: int,
        indices: np.ndarray,
        progress: Callable[[int], None] | None = None,
    ) -> np.ndarray:
        """`(n, J, 3)` poses of windows; `batch_size` is not needed. See `predict_poses`."""
        store = windows.store
        frames = store.arrays["keypoints_2d"]
        flip_order = (0,) if self._path else store.skeleton.flip_order
        input_flip, reach = store.input_skeleton.flip_order, windows.spec.length - 1
        if self._run is None:
            self._run = self._compile(frames.shape[1])
        result = np.empty((len(indices), len(flip_order), 3), np.float32)
        for rows, those, begins, _ in _padded_videos(windows, indices):
            # From the first window that is asked for to the last.
            start, end = int(begins.min()), int(begins.max()) + 1
            keypoints = frames[rows[start : end + reach], :, :2]
            views = np.stack([keypoints, _mirrored(keypoints, input_flip)] if self._flip else [keypoints])
            count = end - start
            poses = np.concatenate(
                [
                    self._run(views[:, first : first + _SEQUENCE_FRAMES + reach]).numpy()
                    for first in range(0, count, _SEQUENCE_FRAMES)
                ],
                axis=1,
            )
            pose = (poses[0] + _mirrored(poses[1], flip_order)) / 2 if self._flip else poses[0]
            result[those] = pose[begins - start]
            if progress is not None:
                progress(len(those))
        return result


class WindowPredictor:
    """Predicts window by window, with the first layer done once a frame, for models with `lift_windows`.

    Weights are those of the first call.

    Args:
        model: A `BodyPartModel`.
        flip: Average with the mirrored prediction for the mirrored input.
        jit_compile: Compile the forward passes with XLA.
    """

    def __init__(self, model: keras.Model, flip: bool, jit_compile: bool) -> None:
        self._model = model
        self._flip = flip
        self._jit_compile = jit_compile
        self._functions: tuple[Callable, Callable] | None = None

    def _compile(self, joints: int) -> tuple[Callable, Callable]:
        model = self._model
        width = model.settings["filter_widths"][0]
        channels, parts = model.settings["channels"], len(model.parts)
        tokens = tf.constant(np.arange(0, model.window, width), tf.int64)

        @tf.function(
            input_signature=[tf.TensorSpec((None, joints, 2))],
            jit_compile=self._jit_compile,
            autograph=False,
        )
        def expand(keypoints: tf.Tensor) -> list[tf.Tensor]:
            return [frames[0] for frames in model.expand_frames(keypoints[None], stride=1)]

        @tf.function(
            input_signature=[
                [tf.TensorSpec((None, channels), model.compute_dtype)] * parts,
                tf.TensorSpec((None, joints, 2)),
                tf.TensorSpec((None,), tf.int64),
                tf.TensorSpec((None, 11)),
            ],
            jit_compile=self._jit_compile,
            autograph=False,
        )
        def lift(
            expanded: list[tf.Tensor], keypoints: tf.Tensor, begins: tf.Tensor, intrinsics: tf.Tensor
        ) -> tf.Tensor:
            rows = begins[:, None] + tokens
            frames = begins[:, None] + tf.range(model.window, dtype=tf.int64)
            outputs = model.lift_windows(
                [tf.gather(frames_of_part, rows) for frames_of_part in expanded],
                tf.gather(keypoints, frames),
                intrinsics,
                training=False,
            )
            return tf.cast(outputs["pose_3d"], tf.float32)

        with folded_weights(model):
            expand.get_concrete_function()
            lift.get_concrete_function()
        return expand, lift

    def __call__(
        self,
        windows: Windows,
        batch_size: int,
        indices: np.ndarray,
        progress: Callable[[int], None] | None = None,
    ) -> np.ndarray:
        """`(n, J, 3)` poses of windows; see `predict_poses`."""
        joints = windows.store.skeleton.num_joints
        if not tf.config.list_physical_devices("GPU"):
            batch_size = min(batch_size, _CPU_BATCH)
        result = np.empty((len(indices), joints, 3), np.float32)
        for rows, those, begins, videos in _groups(_padded_videos(windows, indices)):
            keypoints = windows.store.arrays["keypoints_2d"][rows, :, :2]
            intrinsics = windows.store.intrinsics[videos]
            known = np.isfinite(intrinsics[:, 2:6]).all(axis=1)
            if self._model.settings.get("camera") and not known.all():
                name = windows.store.names[videos[int(np.argmin(known))]]
                raise Pose3DError(
                    f"{name}: no camera intrinsics, which the model's embedding reads; train with CAMERA "
                    "zeros to do without"
                )
            result[those] = self._predict(keypoints, begins, intrinsics, windows, batch_size, progress)
        return result

    def _predict(
        self,
        keypoints: np.ndarray,
        begins: np.ndarray,
        intrinsics: np.ndarray,
        windows: Windows,
        batch_size: int,
        progress: Callable[[int], None] | None,
    ) -> np.ndarray:
        if self._functions is None:
            self._functions = self._compile(windows.store.skeleton.num_joints)
        expand, lift = self._functions
        flip_order = windows.store.skeleton.flip_order
        views = [(keypoints, intrinsics)]
        if self._flip:
            image = intrinsics.copy()
            image[:, [_MIRRORED_PRINCIPAL_POINT, _MIRRORED_TANGENTIAL]] *= -1
            views.append((_mirrored(keypoints, flip_order), image))
        tables = [(tf.constant(frames), cameras, expand(frames)) for frames, cameras in views]
        poses = []
        for first in range(0, len(begins), batch_size):
            part = slice(first, first + batch_size)
            pose, *mirrored = (
                lift(expanded, frames, begins[part], cameras[part]).numpy()
                for frames, cameras, expanded in tables
            )
            poses.append((pose + _mirrored(mirrored[0], flip_order)) / 2 if mirrored else pose)
            if progress is not None:
                progress(len(pose))
        return np.concatenate(poses)


def _groups(
    videos: Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, int]],
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Videos end to end, so many that their first layers fit in memory; the last item is by window."""
    group: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []
    frames = 0

    def joined() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        rows, those, begins, video = (np.concatenate(parts) for parts in zip(*group, strict=True))
        return rows, those, begins, video

    for rows, those, begins, video in videos:
        group.append((rows, those, begins + frames, np.full(len(those), video)))
        frames += len(rows)
        if frames >= _EXPANDED_FRAMES:
            yield joined()
            group, frames = [], 0
    if group:
        yield joined()
