"""Motion metrics of what a model predicts for whole recordings: `eval.py --motion_metrics`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING

import keras
import numpy as np

from tf_pose3d.config import TrainingConfig
from tf_pose3d.data.clips import clip_joins
from tf_pose3d.data.motion_clips import MOTION_FPS, MOTION_SKELETON
from tf_pose3d.data.motion_examples import MotionExamples
from tf_pose3d.data.windows import Windows
from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.every_frame import frames_to_predict, predict_every_frame
from tf_pose3d.evaluation.motion_metrics import Floats, motion_metrics
from tf_pose3d.evaluation.motion_scenes import LEGLESS, NOISY, SCENES, make_scene
from tf_pose3d.evaluation.protocols.motion import MotionEvaluation
from tf_pose3d.models.family import get_family
from tf_pose3d.skeleton import Skeleton, get_skeleton

if TYPE_CHECKING:
    from tf_pose3d.evaluation.evaluate import EvaluationRun

__all__ = ["evaluate_motion_metrics"]

# Third differences need four frames.
_SHORTEST = 4


@dataclasses.dataclass(frozen=True)
class _Clip:
    """Poses of a recording and the true ones, `(F, J, 3)` metres, camera frame; see `motion_metrics`."""

    poses: Floats
    truth: Floats
    skeleton: Skeleton
    fps: float
    joins: np.ndarray | None = None


def evaluate_motion_metrics(
    model: keras.Model, config: TrainingConfig, run: EvaluationRun
) -> dict[str, dict[str, float]]:
    """Setting, or scene of the general lifter -> `motion_metrics`, means over recordings weighted by frames.

    Poses are root-centred and in the camera frame, so that feet, floor and path are not measured. Of networks
    that give every frame of a clip, steps between frames are measured apart where clips side by side would
    join, whether they overlap or not.

    Args:
        model: With its weights.
        config: What was evaluated.
        run: The evaluation.

    Raises:
        Pose3DError: Examples that are no recordings with every frame and its true pose.
    """
    found = {}
    root = get_family(config.ARCH).root_joint(config)
    for label, clips in _settings(model, config, run):
        figures, weights = [], []
        for clip in clips:
            if len(clip.poses) >= _SHORTEST:
                figures.append(
                    motion_metrics(clip.poses, clip.skeleton, clip.fps, root, clip.truth, joins=clip.joins)
                )
                weights.append(len(clip.poses))
        if not figures:
            raise Pose3DError(f"motion metrics need recordings of {_SHORTEST} frames or more")
        found[label] = {name: _mean([one[name] for one in figures], weights) for name in figures[0]}
    return found


def _mean(values: list[float], weights: list[int]) -> float:
    """Over the recordings that have the figure."""
    known = np.isfinite(values)
    return (
        float(np.average(np.array(values)[known], weights=np.array(weights)[known]))
        if known.any()
        else np.nan
    )


def _settings(
    model: keras.Model, config: TrainingConfig, run: EvaluationRun
) -> Iterator[tuple[str, list[_Clip]]]:
    examples = run.examples
    if isinstance(examples, MotionExamples):
        yield from _scenes(run, examples)
    elif isinstance(examples, Windows):
        for label, setting in config.evaluation_settings():
            yield label or "all", _recordings(model, setting, examples)
    else:
        raise Pose3DError(f"motion metrics need recordings; {config.ARCH} reads single images")


def _scenes(run: EvaluationRun, examples: MotionExamples) -> Iterator[tuple[str, list[_Clip]]]:
    (evaluation,) = run.evaluations
    assert isinstance(evaluation, MotionEvaluation)
    skeleton = get_skeleton(MOTION_SKELETON)
    for scene in (*SCENES, NOISY, LEGLESS):
        # The clips follow from the data and a seed: those that were lifted.
        made = make_scene(examples.clips, scene)
        poses = evaluation.predictions[scene.name]
        yield (
            scene.name,
            [_Clip(one, clip.pose_3d, skeleton, MOTION_FPS) for one, clip in zip(poses, made, strict=True)],
        )


def _recordings(model: keras.Model, setting: TrainingConfig, windows: Windows) -> list[_Clip]:
    store = windows.store
    if store.world_frame or "pose_3d" not in store.arrays:
        raise Pose3DError("motion metrics need recordings with true poses, seen by cameras")
    family = get_family(setting.ARCH)
    poses, _ = predict_every_frame(family, model, setting, windows, frames_to_predict(setting, windows))
    root = family.root_joint(setting)
    length = windows.spec.length if hasattr(model, "sequence_output") else None
    numbers, frames = windows.centre_frames()
    clips = []
    for number, first in enumerate(store.offsets):
        rows = np.flatnonzero(numbers == number)
        truth = store.arrays["pose_3d"][int(first) + frames[rows]]
        # Every step-th frame: the same recording at a lower rate.
        fps = float(store.multiples[number]) * windows.spec.frame_rate / windows.spec.step
        clips.append(
            _Clip(
                poses[rows] - poses[rows, root : root + 1],
                truth - truth[:, root : root + 1],
                store.skeleton,
                fps,
                None if length is None else clip_joins(len(rows), length),
            )
        )
    return clips
