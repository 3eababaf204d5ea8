"""MixSTE's test: clips side by side through VideoPose3D's metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from tf_pose3d.data.clips import clip_frames
from tf_pose3d.data.windows import FrameStore, Windows
from tf_pose3d.evaluation.protocols.uplift import Evaluation
from tf_pose3d.evaluation.protocols.videopose3d import VideoPose3DProtocol, evaluate_videos
from tf_pose3d.evaluation.sequence_prediction import FrameSequencePredictor
from tf_pose3d.models.sequence_to_sequence import SequenceConfig
from tf_pose3d.progress import Progress

__all__ = ["MetricClipProtocol"]


class MetricClipProtocol(VideoPose3DProtocol[SequenceConfig]):
    """VideoPose3D's metrics of poses in metres, the predicted root counting like any joint.

    As released, the last clip of a video is shifted back and what it holds twice counts twice; the last
    frame of a video shorter than a clip is repeated, and counts as often. With OVERLAP each frame counts
    once, by the mean of its clips.
    """

    def evaluate(
        self, model: keras.Model, config: SequenceConfig, data: Windows, show_progress: bool = False
    ) -> Iterator[Evaluation]:
        if config.overlap or config.subsample_step("test") > 1:
            yield from super().evaluate(model, config, data, show_progress)
            return
        store = data.store
        frames, video = clip_frames(store.lengths, config.clip_frames, config.clip_frames, "shift")
        rows = frames + store.offsets[video][:, None]
        _, setting = config.evaluation_settings()[0]
        predictor = FrameSequencePredictor(model, setting.EVAL_FLIP, setting.JIT_COMPILE)
        with Progress(len(frames), "evaluating") as progress:
            count: Callable[[int], None] | None = None
            if show_progress:

                def count(done: int) -> None:
                    progress.update(steps=done)

            poses = predictor.clips(
                store.arrays["keypoints_2d"], rows, store.input_skeleton.flip_order, config.BATCH_SIZE, count
            )
        poses = poses.reshape(-1, *poses.shape[2:])
        targets = store.arrays["pose_3d"][rows.reshape(-1)]
        of_frame = np.repeat(video, frames.shape[1])
        root = self.family.root_joint(config)
        results = {"all_frames": self._results(poses, targets, of_frame, store, root)}
        if config.BY_SUBJECT:
            subject = store.subject_ids[of_frame]
            for index in dict.fromkeys(subject.tolist()):
                mine = subject == index
                results[store.subjects[index]] = self._results(
                    poses[mine], targets[mine], of_frame[mine], store, root
                )
        yield Evaluation("", results, poses, targets, of_frame, frames.reshape(-1))

    @staticmethod
    def _results(
        poses: np.ndarray, targets: np.ndarray, video: np.ndarray, store: FrameStore, root: int
    ) -> dict[str, Any]:
        actions = [store.actions[index] for index in store.action_ids]
        return evaluate_videos(poses, targets, video, actions, root)
