"""MotionBERT's and MotionAGFormer's test: poses of the image, turned to millimetres by the true scale."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from tf_pose3d.data.clips import clip_frames
from tf_pose3d.data.windows import Windows
from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.image_space import (
    FrameErrors,
    image_space_metrics,
    image_space_results,
    image_space_table,
    is_left_out,
)
from tf_pose3d.evaluation.protocols.uplift import Evaluation
from tf_pose3d.evaluation.protocols.videopose3d import VideoPose3DProtocol
from tf_pose3d.evaluation.sequence_prediction import FrameSequencePredictor
from tf_pose3d.models.sequence_to_sequence import ImageSequenceConfig
from tf_pose3d.progress import Progress

__all__ = ["ImageClipProtocol"]


class ImageClipProtocol(VideoPose3DProtocol[ImageSequenceConfig]):
    """On `h36m_sh` the releases' protocol; on data in metres VideoPose3D's metrics, every frame once.

    On `h36m_sh`: clips side by side, what is left of a video not tested, three recordings with wrong labels
    left out; errors of root-aligned poses in millimetres, by the true scale of each frame; means over a
    frame's clips, over frames of an action, over actions. With OVERLAP a frame's pose is the mean of its
    clips', and each frame is tested.
    """

    def evaluate(
        self, model: keras.Model, config: ImageSequenceConfig, data: Windows, show_progress: bool = False
    ) -> Iterator[Evaluation]:
        if "image_scale" not in data.store.arrays:
            _require_space(config, "metric", data)
            yield from super().evaluate(model, config, data, show_progress)
            return
        _require_space(config, "image", data)
        results, poses = self._image_space(model, config, data, show_progress=show_progress)
        store = data.store
        sequence, frame = data.centre_frames()
        rows = store.offsets[sequence] + frame
        yield Evaluation(
            "", {"image_space": results}, poses[rows], store.arrays["pose_3d"][rows], sequence, frame
        )

    def validate(
        self, model: keras.Model, config: ImageSequenceConfig, data: Windows, action_wise: bool = True
    ) -> dict[str, float]:
        if "image_scale" not in data.store.arrays:
            return super().validate(model, config, data, action_wise)
        count = config.VALIDATION_EXAMPLES
        results, _ = self._image_space(model, config, data, None if count < 0 else count)
        return image_space_metrics(results, action_wise)

    def _image_space(
        self,
        model: keras.Model,
        config: ImageSequenceConfig,
        data: Windows,
        count: int | None = None,
        show_progress: bool = False,
    ) -> tuple[dict[str, Any], np.ndarray]:
        """Results, and `(R, J, 3)` root-relative poses in metres of all frames, NaN where none is predicted.

        Args:
            model, config, data: As of `evaluate`.
            count: Only videos that begin before so many frames; None: all.
            show_progress: Show a progress bar.
        """
        store, length = data.store, config.clip_frames
        keypoints = store.arrays["keypoints_2d"]
        stride = max(round(length * (1 - config.overlap)), 1)
        frames, video = clip_frames(store.lengths, length, stride, "shift" if config.overlap else "drop")
        kept = [not is_left_out(name) for name in store.names]
        tested = np.array(kept) & (store.offsets < (count if count is not None else store.num_frames))
        chosen = tested[video]
        if not chosen.any():
            raise Pose3DError("no clip to test is left")
        rows = (frames + store.offsets[video][:, None])[chosen]
        predictor = FrameSequencePredictor(model, config.EVAL_FLIP, config.JIT_COMPILE, config.overlap)
        with Progress(len(rows), "evaluating") as progress:
            shown: Callable[[int], None] | None = None
            if show_progress:

                def shown(done: int) -> None:
                    progress.update(steps=done)

            output = predictor.clips(
                keypoints, rows, store.input_skeleton.flip_order, config.BATCH_SIZE, shown
            )
        metres = np.asarray(model.rooted(output)) * store.arrays["image_scale"][rows][..., None, None]
        total = np.zeros((store.num_frames, *metres.shape[2:]))
        share = np.zeros(store.num_frames)
        weights = predictor.frame_weights(length)
        np.add.at(total, rows, metres * weights[None, :, None, None])
        np.add.at(share, rows, np.broadcast_to(weights, rows.shape))
        poses = np.where(
            share[:, None, None] > 0, total / np.where(share > 0, share, 1)[:, None, None], np.nan
        )
        targets = store.arrays["pose_3d"][: store.num_frames]
        targets = targets - targets[:, :1]
        errors = FrameErrors(store.num_frames, metres.shape[2])
        if config.overlap:
            # Whole videos: no frame is at a clip's end.
            for number in np.flatnonzero(tested):
                mine = store.offsets[number] + np.arange(store.lengths[number])
                errors.add(mine, 1000 * poses[mine], 1000 * targets[mine])
        else:
            for mine, clip in zip(rows, metres, strict=True):
                errors.add(mine, 1000 * clip, 1000 * targets[mine])
        of_frame = np.repeat(np.arange(len(store.lengths)), store.lengths)
        left_out = [name for name, good in zip(store.names, kept, strict=True) if not good]
        results = image_space_results(errors, store.action_ids[of_frame], store.actions, left_out)
        return results, poses.astype(np.float32)

    def tables(self, evaluation: Evaluation, action_wise: bool = True) -> str:
        results = evaluation.results.get("image_space")
        if results is None:
            return super().tables(evaluation, action_wise)
        return image_space_table(results, action_wise)


def _require_space(config: ImageSequenceConfig, space: str, data: Windows) -> None:
    if space != config.SPACE:
        what = {"image": "poses of the image (h36m_sh)", "metric": "poses in metres (npz files)"}
        raise Pose3DError(
            f"a network trained on {what[config.SPACE]} is tested on these, not on {what[space]}, as "
            f"{data.store.names[0]} holds"
        )
