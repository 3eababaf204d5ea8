"""Evaluation of lifters for everybody: fixed scenes of motion that no one trained on."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tf_pose3d.data.motion_examples import MotionExamples
from tf_pose3d.evaluation.clip_prediction import ClipPredictor
from tf_pose3d.evaluation.motion_scenes import (
    LEGLESS,
    NOISY,
    SCENES,
    SceneResult,
    calibration_table,
    make_scene,
    measure,
    scene_table,
)
from tf_pose3d.evaluation.protocols.protocol import Protocol
from tf_pose3d.files import write_whole
from tf_pose3d.models.general.config import GeneralConfig
from tf_pose3d.progress import Progress

__all__ = ["MotionEvaluation", "MotionProtocol", "evaluate_motion", "validate_motion"]

# Clips a person in validation, between epochs.
_FEW = 3


@dataclasses.dataclass(frozen=True)
class MotionEvaluation:
    """What a model did in every scene.

    Attributes:
        label: Empty: there is one setting.
        scenes: Name of a scene -> its figures.
        predictions: Name of a scene -> the `(F, 17, 3)` poses of its clips.
        results: The figures as JSON holds them.
    """

    label: str
    scenes: dict[str, SceneResult]
    predictions: dict[str, list[np.ndarray]]
    results: dict[str, Any]


class MotionProtocol(Protocol[GeneralConfig, MotionExamples, MotionEvaluation]):
    """Errors in fixed scenes of held-out motion, and whether the stated uncertainty holds."""

    examples = predicted = "frames"

    def evaluate(
        self, model: keras.Model, config: GeneralConfig, data: MotionExamples, show_progress: bool = False
    ) -> Iterator[MotionEvaluation]:
        yield evaluate_motion(model, config.EVAL_FLIP, data, show_progress)

    def validate(
        self, model: keras.Model, config: GeneralConfig, data: MotionExamples, action_wise: bool = True
    ) -> dict[str, float]:
        return validate_motion(model, data)

    def tables(self, evaluation: MotionEvaluation, action_wise: bool = True) -> str:
        return scene_table(evaluation.scenes)

    def save_predictions(
        self, path: str | Path, evaluations: Sequence[MotionEvaluation], data: MotionExamples
    ) -> None:
        """Writes `SCENE/poses (F, 17, 3)` metres, root at 0, and `SCENE/offsets` of its clips."""
        arrays: dict[str, Any] = {}
        for evaluation in evaluations:
            for scene, clips in evaluation.predictions.items():
                arrays[f"{scene}/poses"] = np.concatenate(clips)
                arrays[f"{scene}/offsets"] = np.cumsum([0, *map(len, clips)])
        with write_whole(path) as file:
            np.savez_compressed(file, **arrays)


def evaluate_motion(
    model: keras.Model, flip: bool, data: MotionExamples, show_progress: bool = False
) -> MotionEvaluation:
    """Errors in ten scenes of exact keypoints, in a noisy one, and without legs.

    Args:
        model: A `GeneralNet` with its weights.
        flip: Average with the mirrored result for the mirrored clip.
        data: Held-out motion.
        show_progress: Show a progress bar.
    """
    predictor = ClipPredictor(model, flip)
    scenes: dict[str, SceneResult] = {}
    predictions: dict[str, list[np.ndarray]] = {}
    chosen = (*SCENES, NOISY, LEGLESS)
    with Progress(len(chosen), "evaluating") as progress:
        for scene in chosen:
            made = make_scene(data.clips, scene)
            lifted = [predictor(clip.keypoints, clip.camera) for clip in made]
            poses, radii = [one for one, _ in lifted], [one for _, one in lifted]
            scenes[scene.name] = measure(made, poses, list(radii))
            predictions[scene.name] = poses
            if show_progress:
                progress.update()
    results: dict[str, Any] = {name: result.numbers() for name, result in scenes.items()}
    results["calibration"] = calibration_table(scenes)
    return MotionEvaluation("", scenes, predictions, results)


def validate_motion(model: keras.Model, data: MotionExamples) -> dict[str, float]:
    """`MPJPE` and `PAMPJPE` of the noisy scene in mm, and those of the first exact one."""
    predictor = ClipPredictor(model, flip=False)
    metrics = {}
    for suffix, scene in (("", NOISY), (" exact", SCENES[0])):
        made = make_scene(data.clips, scene, _FEW)
        lifted = [predictor(clip.keypoints, clip.camera) for clip in made]
        result = measure(made, [poses for poses, _ in lifted], [None] * len(made))
        metrics["MPJPE" + suffix], metrics["PAMPJPE" + suffix] = result.mpjpe, result.pampjpe
    return metrics
