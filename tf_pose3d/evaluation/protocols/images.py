"""The protocol of PoseResNet: detection rates and accuracy of its heat maps."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tf_pose3d.data.multiview.batches import SingleImages
from tf_pose3d.evaluation.image_prediction import Loss, original_pixels, run_batches
from tf_pose3d.evaluation.multiview_metrics import (
    DETECTION_THRESHOLDS,
    detection_rates,
    detection_table,
    heatmap_accuracy,
    heatmap_peaks,
    rates_by_name,
)
from tf_pose3d.evaluation.protocols.protocol import ConfigT, DataT, Protocol
from tf_pose3d.files import write_whole
from tf_pose3d.models.pose_resnet.config import PoseResNetConfig
from tf_pose3d.progress import Progress

__all__ = ["ImageEvaluation", "ImagesProtocol", "ImagesProtocolBase", "evaluate_images"]


@dataclasses.dataclass(frozen=True)
class ImageEvaluation:
    """What an evaluation on images gives.

    Attributes:
        label: Empty; there is one setting.
        results: Errors in mm and shares, for tables and JSON.
        arrays: What `--predictions` writes, by name.
        joints: Names of the joints in `results["detection_rates"]`.
    """

    label: str
    results: dict[str, Any]
    arrays: dict[str, Any]
    joints: tuple[str, ...]

    def detection_rows(self) -> list[list[Any]]:
        """Detection rates as rows of a CSV file: a heading, then one row per threshold."""
        rates = self.results["detection_rates"]
        rows = [[threshold, *rates[f"{threshold:g}"].values()] for threshold in DETECTION_THRESHOLDS]
        return [["threshold", *self.joints, "mean"], *rows]


class ImagesProtocolBase(Protocol[ConfigT, DataT, ImageEvaluation]):
    """What protocols of images share: one evaluation and its arrays."""

    def save_predictions(self, path: str | Path, evaluations: Sequence[ImageEvaluation], data: DataT) -> None:
        """Writes `arrays` of the one evaluation that there is."""
        with write_whole(path) as file:
            np.savez_compressed(file, **evaluations[0].arrays)


class ImagesProtocol(ImagesProtocolBase[PoseResNetConfig, SingleImages]):
    """Detection rates and accuracy of the heat maps of single images."""

    examples = predicted = "images"

    def evaluate(
        self, model: keras.Model, config: PoseResNetConfig, data: SingleImages, show_progress: bool = False
    ) -> Iterator[ImageEvaluation]:
        with Progress(len(data), "evaluating") as progress:
            count = (lambda done: progress.update(steps=done)) if show_progress else None
            yield evaluate_images(
                model,
                data,
                config.BATCH_SIZE,
                config.used_joints,
                config.POST_PROCESS,
                progress=count,
                jit_compile=config.JIT_COMPILE,
            )

    def validate(
        self, model: keras.Model, config: PoseResNetConfig, data: SingleImages, action_wise: bool = True
    ) -> dict[str, float]:
        """`loss`, `detection_rate` (share of joints within 0.025 of the box) and `accuracy`."""
        results = evaluate_images(
            model,
            data,
            config.BATCH_SIZE,
            config.used_joints,
            config.POST_PROCESS,
            self.family.loss(config, "val"),
            None if config.VALIDATION_EXAMPLES < 0 else config.VALIDATION_EXAMPLES,
            jit_compile=config.JIT_COMPILE,
        ).results
        return {
            "loss": results["loss"],
            "detection_rate": results["detection_rate"],
            "accuracy": results["accuracy"]["mean"],
        }

    def tables(self, evaluation: ImageEvaluation, action_wise: bool = True) -> str:
        accuracy = evaluation.results["accuracy"]["mean"]
        return f"{detection_table(evaluation.results['detection_rates'])}\n2D accuracy: {accuracy:.3f}"


def evaluate_images(
    model: keras.Model,
    data: SingleImages,
    batch_size: int,
    used: list[int],
    shift: bool = False,
    loss: Loss | None = None,
    count: int | None = None,
    progress: Callable[[int], None] | None = None,
    jit_compile: bool = False,
) -> ImageEvaluation:
    """Detection rates and accuracy of the backbone.

    Args:
        model: Gives `heatmaps (B, h, w, K)`.
        data: Test images with K joints.
        batch_size: Images at once.
        used: Which of the K joints are reported, those that the data set annotates.
        shift: See `heatmap_peaks`.
        loss: Its mean becomes `loss` of the results.
        count, progress, jit_compile: See `run_batches`.

    Raises:
        Pose3DError: An image cannot be read.
    """
    size = data.spec.heatmap_size
    outputs, inputs, mean_loss = run_batches(
        model,
        data,
        batch_size,
        ("heatmaps",),
        ("heatmaps", "crop", "record"),
        loss,
        count,
        progress,
        jit_compile,
    )
    found = heatmap_peaks(outputs["heatmaps"][..., used], shift)
    plain = heatmap_peaks(outputs["heatmaps"][..., used])
    target = heatmap_peaks(inputs["heatmaps"][..., used])
    accuracy, mean_accuracy = heatmap_accuracy(plain.positions, target.positions, size)
    rows = inputs["record"]
    pixels = original_pixels(found.positions, inputs["crop"], data.spec.stride)
    truth = data.records.keypoints_2d[rows][:, used]
    joints = tuple(data.records.joints[joint] for joint in used)
    rates = detection_rates(pixels, truth, data.records.box[rows])
    results = {
        "detection_rates": rates_by_name(rates, joints),
        # The release keeps its best weights by the middle one of the five thresholds.
        "detection_rate": float(rates[2].mean()),
        "accuracy": {**dict(zip(joints, map(float, accuracy), strict=True)), "mean": mean_accuracy},
        "loss": mean_loss,
    }
    arrays = {
        "keypoints_2d": pixels.astype(np.float32),
        "confidence": found.values,
        "target": truth,
        "image": np.array([data.records.images.name(int(row)) for row in rows]),
        "joints": np.array(joints),
    }
    return ImageEvaluation("", results, arrays, joints)
