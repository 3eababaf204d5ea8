"""The protocol of DenseWarper: 3D errors of every frame of a group, beside those of unwarped views."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np

from tf_pose3d.data.multiview.batches import ViewGroupImages
from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.image_prediction import Loss, original_pixels, run_batches
from tf_pose3d.evaluation.multiview_metrics import (
    detection_rates,
    detection_table,
    heatmap_accuracy,
    multiview_errors,
    rates_by_name,
)
from tf_pose3d.evaluation.protocols.images import ImageEvaluation, ImagesProtocolBase
from tf_pose3d.evaluation.tables import error_table
from tf_pose3d.models.densewarper.config import DenseWarperConfig
from tf_pose3d.progress import Progress

__all__ = ["MultiviewProtocol", "evaluate_groups", "format_multiview"]


class MultiviewProtocol(ImagesProtocolBase[DenseWarperConfig, ViewGroupImages]):
    """3D errors of interleaved views, with the pelvis aligned and in the world."""

    examples = predicted = "groups of views"

    def evaluate(
        self,
        model: keras.Model,
        config: DenseWarperConfig,
        data: ViewGroupImages,
        show_progress: bool = False,
    ) -> Iterator[ImageEvaluation]:
        with Progress(len(data), "evaluating") as progress:
            count = (lambda done: progress.update(steps=done)) if show_progress else None
            yield evaluate_groups(
                model,
                data,
                config.BATCH_SIZE,
                self.family.root_joint(config),
                progress=count,
                jit_compile=config.JIT_COMPILE,
            )

    def validate(
        self, model: keras.Model, config: DenseWarperConfig, data: ViewGroupImages, action_wise: bool = True
    ) -> dict[str, float]:
        """`loss`, `MPJPE` in mm with the root aligned, `MPJPE world` without, and both of the unwarped views.

        Unwarped: triangulated as if all views showed one frame.
        """
        results = evaluate_groups(
            model,
            data,
            config.BATCH_SIZE,
            self.family.root_joint(config),
            self.family.loss(config, "val"),
            None if config.VALIDATION_EXAMPLES < 0 else config.VALIDATION_EXAMPLES,
            jit_compile=config.JIT_COMPILE,
        ).results
        warped, unwarped = results["j3d_DenseWarper"], results["j3d_unwarped"]
        return {
            "loss": results["loss"],
            "MPJPE": warped["mpjpe"],
            "MPJPE unwarped": unwarped["mpjpe"],
            "MPJPE world": warped["mpjpe_world"],
            "MPJPE world unwarped": unwarped["mpjpe_world"],
        }

    def tables(self, evaluation: ImageEvaluation, action_wise: bool = True) -> str:
        return format_multiview(evaluation.results, action_wise)


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
    results: dict[str, Any] = {
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
        "detection_rates": rates_by_name(rates, joints),
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


def format_multiview(results: Mapping[str, Any], action_wise: bool = True) -> str:
    """The release's summary lines and, with `action_wise`, tables per action, per joint and of 2D.

    Args:
        results: Of `evaluate_groups`.
        action_wise: Whether tables are wanted.
    """
    ways = {name: part for name, part in results.items() if name.startswith("j3d_")}
    lines = [f"MPJPE summary: {name} {errors['mpjpe']:.2f}" for name, errors in ways.items()]
    lines += [
        f"MPJPE in the world, no root aligned: {name} {errors['mpjpe_world']:.2f}"
        for name, errors in ways.items()
    ]
    first = next(iter(ways.values()))
    if first["not_seen"]:
        lines.append(
            f"{first['not_seen']:.1%} of the joints are seen by fewer than two views and count as 0; "
            f"without them {first['mpjpe_seen']:.2f}"
        )
    if first["not_triangulated"]:
        lines.append(f"{first['not_triangulated']} joints could not be triangulated and are left out")
    if action_wise:
        lines.append(_error_table(ways, "per_action", "Action", "average", "action_wise_average"))
        lines.append(_error_table(ways, "per_joint", "Joint", "all", "mpjpe"))
        lines.append(detection_table(results["detection_rates"]))
    lines.append(f"2D accuracy: {results['accuracy']['mean']:.3f}")
    return "\n".join(lines)


def _error_table(
    ways: Mapping[str, Mapping[str, Any]], part: str, corner: str, summary: str, key: str
) -> str:
    """Errors with a column for each way to make poses."""
    rows = list(next(iter(ways.values()))[part])
    values = [[errors[part][row] for errors in ways.values()] for row in rows]
    values.append([errors[key] for errors in ways.values()])
    title = f"MPJPE in mm by {corner.lower()}, pelvis aligned"
    return str(error_table([*rows, summary], list(ways), values, corner=corner, title=title, summary_rows=1))
