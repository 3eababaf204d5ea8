"""Runs the image families over their test data and measures what they give."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_pose3d.data.multiview.batches import ImageBatches, SingleImages, ViewGroupImages
from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.multiview_evaluation import (
    DETECTION_THRESHOLDS,
    detection_rates,
    heatmap_accuracy,
    heatmap_peaks,
    multiview_errors,
)

__all__ = ["ImageEvaluation", "evaluate_groups", "evaluate_images", "original_pixels", "run_batches"]

Loss = Callable[[dict[str, Any], dict[str, Any]], Any]


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
    arrays: dict[str, np.ndarray]
    joints: tuple[str, ...]

    def detection_rows(self) -> list[list[Any]]:
        """Detection rates as rows of a CSV file: a heading, then one row per threshold."""
        rates = self.results["detection_rates"]
        rows = [[threshold, *rates[f"{threshold:g}"].values()] for threshold in DETECTION_THRESHOLDS]
        return [["threshold", *self.joints, "mean"], *rows]


def run_batches(
    model: keras.Model,
    data: ImageBatches,
    batch_size: int,
    outputs: tuple[str, ...],
    inputs: tuple[str, ...],
    loss: Loss | None = None,
    count: int | None = None,
    progress: Callable[[int], None] | None = None,
    jit_compile: bool = False,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], float]:
    """Runs a model over data in order.

    Args:
        model: With its weights.
        data: What to run over.
        batch_size: Entries at once.
        outputs: Which of the model's outputs to keep.
        inputs: Which of the batch's values to keep.
        loss: Also give its mean over batches.
        count: Stop after so many entries.
        progress: Told how many entries each batch held.
        jit_compile: Compile with XLA.

    Returns:
        Outputs and inputs by name, entry axis first, and the loss (NaN without one).

    Raises:
        Pose3DError: An image cannot be read; the message names it.
    """
    batches = data.ordered_batches(batch_size, count)

    @tf.function(input_signature=[batches.element_spec], jit_compile=jit_compile, autograph=False)
    def run(batch: dict[str, tf.Tensor]) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        given = model(batch, training=False)
        value = tf.constant(float("nan")) if loss is None else tf.cast(loss(given, batch), tf.float32)
        return {name: given[name] for name in outputs}, value

    kept: list[dict[str, np.ndarray]] = []
    held: list[dict[str, np.ndarray]] = []
    losses = []
    try:
        for batch in batches:
            given, value = run(batch)
            kept.append({name: values.numpy() for name, values in given.items()})
            held.append({name: batch[name].numpy() for name in inputs})
            losses.append(float(value))
            if progress is not None:
                progress(len(next(iter(held[-1].values()))))
    except tf.errors.OpError:
        if data.failure is None:
            raise
        raise data.failure from None
    return _joined(kept), _joined(held), float(np.mean(losses))


def _joined(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _rates_by_name(rates: np.ndarray, joints: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Detection rates `(K, J)` by threshold and joint, with their mean."""
    return {
        f"{threshold:g}": {
            **dict(zip(joints, map(float, row), strict=True)),
            "mean": float(row.mean()),
        }
        for threshold, row in zip(DETECTION_THRESHOLDS, rates, strict=True)
    }


def original_pixels(positions: np.ndarray, crops: np.ndarray, stride: np.ndarray) -> np.ndarray:
    """Heat-map pixels `(N, J, 2)` in the original images, through the inverse of crops `(N, 2, 3)`."""
    shifted = positions * stride - crops[:, None, :, 2]
    return np.einsum("nij,nkj->nki", np.linalg.inv(crops[..., :2]), shifted)


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
        "detection_rates": _rates_by_name(rates, joints),
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


def evaluate_groups(
    model: keras.Model,
    data: ViewGroupImages,
    batch_size: int,
    root: int,
    loss: Loss | None = None,
    count: int | None = None,
    progress: Callable[[int], None] | None = None,
    jit_compile: bool = False,
) -> ImageEvaluation:
    """Errors of DenseWarper, beside those of triangulating the views as if they showed one frame.

    Args:
        model: Gives `pose_3d (B, T, J, 3)` mm, `keypoints_2d (B, T, V, J, 2)` heat-map pixels and
            `pose_3d_unwarped (B, J, 3)` mm.
        data: Test groups.
        batch_size: Groups at once.
        root: Index of the joint at which poses are aligned.
        loss: Its mean becomes `loss` of the results.
        count, progress, jit_compile: See `run_batches`.

    Raises:
        Pose3DError: An image cannot be read, or the model reads another number of views or frames.
    """
    pattern = getattr(model, "pattern", None)
    views, frames = data.groups.shown.shape[1], data.groups.target.shape[1]
    if pattern is not None and (len(pattern), max(pattern) + 1) != (views, frames):
        raise Pose3DError(
            f"the weights are for {len(pattern)} views and {max(pattern) + 1} frames, the data has {views} "
            f"and {frames} (--cams, SELECTED_CAMS and PATTERN)"
        )
    outputs, inputs, mean_loss = run_batches(
        model,
        data,
        batch_size,
        ("pose_3d", "pose_3d_unwarped", "keypoints_2d", "confidence"),
        ("pose_3d", "keypoints_2d", "visible", "crop", "group"),
        loss,
        count,
        progress,
        jit_compile,
    )
    records, groups = data.records, inputs["group"]
    shown = data.groups.shown[groups]
    takes = records.recording[shown[:, 0]]
    actions = [records.actions[take] for take in takes]
    joints = records.joints
    own = np.arange(views)
    seen = inputs["visible"][:, data.groups.pattern, own].sum(axis=1)
    targets = inputs["pose_3d"]
    unwarped = np.repeat(outputs["pose_3d_unwarped"][:, None], frames, axis=1)
    results = {
        name: multiview_errors(poses, targets, seen, actions, joints, root)
        for name, poses in (("j3d_DenseWarper", outputs["pose_3d"]), ("j3d_unwarped", unwarped))
    }
    # 2D joints of every view at every frame, in the original images.
    count_maps = len(groups) * frames * views
    crops = np.broadcast_to(inputs["crop"][:, None], (len(groups), frames, views, 2, 3))
    crops = crops.reshape(count_maps, 2, 3)
    flat = (count_maps, len(joints), 2)
    pixels = original_pixels(outputs["keypoints_2d"].reshape(flat), crops, data.spec.stride)
    truth = original_pixels(inputs["keypoints_2d"].reshape(flat), crops, data.spec.stride)
    box = np.broadcast_to(records.box[shown][:, None], (len(groups), frames, views, 2)).reshape(-1, 2)
    rates = detection_rates(pixels, truth, box)
    accuracy, mean_accuracy = heatmap_accuracy(
        np.rint(outputs["keypoints_2d"]).reshape(flat),
        np.rint(inputs["keypoints_2d"]).reshape(flat),
        data.spec.heatmap_size,
    )
    results = {
        **results,
        "detection_rates": _rates_by_name(rates, joints),
        "accuracy": {**dict(zip(joints, map(float, accuracy), strict=True)), "mean": mean_accuracy},
        "loss": mean_loss,
    }
    arrays = {
        "pose_3d": outputs["pose_3d"],
        "pose_3d_unwarped": outputs["pose_3d_unwarped"],
        "target": targets,
        "keypoints_2d": pixels.reshape(len(groups), frames, views, len(joints), 2).astype(np.float32),
        "confidence": outputs["confidence"],
        "subject": np.array([records.subjects[take] for take in takes]),
        "action": np.array(actions),
        "frame": records.frame[shown],
        "camera": records.view[shown],
        "joints": np.array(joints),
    }
    return ImageEvaluation("", results, arrays, joints)
