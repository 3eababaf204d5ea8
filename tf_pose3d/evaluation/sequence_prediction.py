"""Poses of whole videos from networks that give a pose for every frame of a clip."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from tf_pose3d.data.clips import covering_clips
from tf_pose3d.data.windows import Windows
from tf_pose3d.evaluation.mirroring import mirror_joints

__all__ = ["FrameSequencePredictor"]

# Tokens of a pass on a CPU, whose activations bound the memory.
_CPU_TOKENS = 8192


class FrameSequencePredictor:
    """Cuts videos into clips, lifts these and puts the poses of every frame together.

    Args:
        model: A `SequenceModel`.
        flip: Average with the mirrored prediction for the mirrored input.
        jit_compile: Compile the forward pass with XLA.
        overlap: Share of a clip that the next one holds, too; frames of several clips are averaged, those
            near a clip's ends counting less. 0: side by side, the last clip of a video shifted back.
        output: Name of the output; None: the model's `sequence_output`. Numbers behind x, y and z are
            averaged as these are, and not mirrored.
    """

    def __init__(
        self,
        model: keras.Model,
        flip: bool = True,
        jit_compile: bool = False,
        overlap: float = 0.0,
        output: str | None = None,
    ) -> None:
        self._model, self._flip, self._jit_compile, self._overlap = model, flip, jit_compile, overlap
        self._output = output or model.sequence_output
        self._run: Callable[..., tf.Tensor] | None = None

    def _compiled(self, flip_order: tuple[int, ...]) -> Callable[..., tf.Tensor]:
        model, flip, output = self._model, self._flip, self._output
        order = tf.constant(flip_order, tf.int32)

        @tf.function(jit_compile=self._jit_compile, autograph=False, reduce_retracing=False)
        def run(keypoints: tf.Tensor) -> tf.Tensor:
            clips = keypoints
            if flip:
                clips = tf.concat([clips, mirror_joints(clips, order)], axis=0)
            poses = tf.cast(model({"keypoints_2d": clips}, training=False)[output], tf.float32)
            if not flip:
                return poses
            straight, mirrored = tf.split(poses, 2)
            return (straight + mirror_joints(mirrored, order)) / 2

        return run

    def clips(
        self,
        keypoints: np.ndarray,
        frames: np.ndarray,
        flip_order: tuple[int, ...],
        batch_size: int,
        progress: Callable[[int], None] | None = None,
    ) -> np.ndarray:
        """The network's own output for clips.

        Args:
            keypoints: `(R, J, C)` normalised, of all frames.
            frames: `(n, F)` rows of it.
            flip_order: Of the joints after mirroring.
            batch_size: Clips per pass, fewer on CPUs.
            progress: Called with the number of clips done since the last call.

        Returns:
            `(n, F, J, 3)` float32, or with more numbers a joint where the output has them.
        """
        if self._run is None:
            self._run = self._compiled(flip_order)
        if not tf.config.list_physical_devices("GPU"):
            batch_size = min(batch_size, max(_CPU_TOKENS // (frames.shape[1] * keypoints.shape[1]), 1))
        parts = []
        for first in range(0, len(frames), batch_size):
            part = frames[first : first + batch_size]
            parts.append(self._run(tf.constant(keypoints[part])).numpy())
            if progress is not None:
                progress(len(part))
        return np.concatenate(parts)

    def frame_weights(self, length: int) -> np.ndarray:
        """`(length,)` weights of a clip's frames in means over clips; with overlap small at its ends."""
        if not self._overlap:
            return np.ones(length, np.float32)
        place = np.arange(length) + 0.5
        return (2 * np.minimum(place, length - place) / length).astype(np.float32)

    def __call__(
        self,
        windows: Windows,
        batch_size: int,
        numbers: np.ndarray,
        progress: Callable[[int], None] | None = None,
    ) -> np.ndarray:
        """`(n, J, 3)` poses at the centres of windows; see `predict_poses`."""
        store, length = windows.store, windows.spec.length
        keypoints = store.arrays["keypoints_2d"]
        scale = store.arrays.get("image_scale")
        result: np.ndarray | None = None
        weights = self.frame_weights(length)
        for rows, those, places in _videos(windows, numbers):
            clips = covering_clips(len(rows), length, self._overlap)
            clips = clips[np.isin(clips, places).any(axis=1)]
            poses = self.clips(keypoints, rows[clips], store.input_skeleton.flip_order, batch_size)
            total = np.zeros((len(rows), *poses.shape[2:]), np.float64)
            share = np.zeros(len(rows))
            np.add.at(total, clips, poses * weights[None, :, None, None])
            np.add.at(share, clips, np.broadcast_to(weights, clips.shape))
            mean = total[places] / share[places, None, None]
            mean = mean.astype(np.float32)
            pose = np.asarray(self._model.rooted(mean[..., :3]))
            pose = np.concatenate([pose, mean[..., 3:]], axis=-1)
            if result is None:
                result = np.empty((len(numbers), *pose.shape[1:]), np.float32)
            result[those] = pose if scale is None else pose * scale[rows[places]][:, None, None]
            if progress is not None:
                progress(len(those))
        assert result is not None
        return result


def _videos(windows: Windows, numbers: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Videos at the windows' stride: rows of the store, positions in `numbers`, and their places in the rows.

    At a stride of k frames a video is k such sequences.
    """
    store = windows.store
    for video, phase, those, places in windows.by_video(numbers):
        stride = windows.spec.stride * int(store.multiples[video])
        yield store.offsets[video] + np.arange(phase, store.lengths[video], stride), those, places
