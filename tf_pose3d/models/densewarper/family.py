"""DenseWarper as the programs see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from tf_pose3d.geometry.heatmaps import gaussian_heatmaps
from tf_pose3d.models.densewarper.config import DenseWarperConfig
from tf_pose3d.models.densewarper.losses import joint_loss, released_targets, views_that_see
from tf_pose3d.models.densewarper.model import DenseWarper
from tf_pose3d.models.family import Flag
from tf_pose3d.models.image_family import ImageFamily
from tf_pose3d.models.pose_resnet.family import make_backbone
from tf_pose3d.models.pose_resnet.losses import heatmap_loss

if TYPE_CHECKING:
    import argparse

    from tf_pose3d.data.datasets import Dataset
    from tf_pose3d.data.multiview.batches import ViewGroupImages
    from tf_pose3d.evaluation.image_prediction import ImageEvaluation

__all__ = ["DenseWarperFamily"]


class DenseWarperFamily(ImageFamily):
    """See the base class. The batch has `image`, `rotation`, `translation`, `intrinsics`, `crop` (see
    `DenseWarper`), and for training `keypoints_2d` `(B, T, V, J, 2)` heat-map pixels and `visible`
    `(B, T, V, J)`."""

    arch = "DenseWarper"
    examples = predicted = "groups of views"
    config_class = DenseWarperConfig

    def build_model(self, config: DenseWarperConfig) -> DenseWarper:
        model = DenseWarper(
            make_backbone(config, "backbone"),
            config.num_joints,
            config.used_joints,
            config.PATTERN,
            config.WARPER_CHANNELS,
            config.WARPER_BLOCKS,
            config.DILATIONS,
            config.WARPER_START,
            config.SIGMA,
            config.TRAIN_BACKBONE,
            config.TRIANGULATION,
            config.MIN_CONFIDENCE,
            config.RANSAC_THRESHOLD,
            name="densewarper",
        )
        model.build()
        return model

    def loss(self, config: DenseWarperConfig) -> Callable[[dict[str, Any], dict[str, Any]], Any]:
        """The robust 2D joint loss times JOINT_LOSS, and the heat maps' squared error times HEATMAP_LOSS."""

        def loss(outputs: dict[str, Any], batch: dict[str, Any]) -> keras.KerasTensor:
            target = ops.cast(batch["keypoints_2d"], "float32")
            visible = ops.cast(batch["visible"], "float32")
            if config.LOSS_TARGET == "released":
                target = released_targets(target, config.PATTERN)
            total = 0.0
            if config.JOINT_LOSS > 0:
                seen = views_that_see(visible, config.PATTERN) >= config.MIN_TRAINING_VIEWS
                counts = ops.broadcast_to(seen[:, None, None], ops.shape(visible))
                total = config.JOINT_LOSS * joint_loss(outputs["keypoints_2d"], target, counts)
            if config.HEATMAP_LOSS > 0:
                maps = ops.take(outputs["heatmaps"], config.used_joints, axis=-1)
                wanted = gaussian_heatmaps(target, config.HEATMAP_SIZE, config.SIGMA)
                total = total + config.HEATMAP_LOSS * heatmap_loss(maps, wanted, visible)
            return total

        return loss

    def flags(self, program: str) -> list[Flag]:
        flags = super().flags(program)
        if program == "inference":
            flags += [
                Flag(("--images",), None, "one image per view, in their order", metavar="FILE", nargs="+"),
                Flag(
                    ("--cameras",), None, "their calibration, .json; see docs/densewarper.md", metavar="FILE"
                ),
            ]
        return flags

    def infer(
        self,
        arguments: argparse.Namespace,
        config: DenseWarperConfig,
        model: DenseWarper,
        log: Callable[[str], None],
    ) -> bool:
        """Poses of one group of views, in the frame of the first view's camera."""
        from tf_pose3d.inference.multiview import lift_views

        model.set_triangulation(config.TRIANGULATION, config.MIN_CONFIDENCE, config.RANSAC_THRESHOLD)
        lift_views(self, model, config, arguments, log)
        return True

    def open_data(
        self,
        dataset: Dataset,
        subset: str,
        options: dict[str, Any],
        config: DenseWarperConfig,
        split: str,
        log: Callable[[str], None],
    ) -> ViewGroupImages:
        """Every n-th group of the selected cameras, interleaved by PATTERN."""
        from tf_pose3d.data.datasets import read_records
        from tf_pose3d.data.multiview.batches import ViewGroupImages
        from tf_pose3d.data.multiview.grouping import make_groups
        from tf_pose3d.skeleton import get_skeleton

        joints = get_skeleton(config.skeleton).joints
        records = read_records(dataset, subset, options, log).with_joints(joints)
        groups = make_groups(
            records,
            config.SELECTED_CAMS,
            config.PATTERN,
            config.subsample_step(split),
            config.MISSING_VIEW,
        )
        if groups.skipped:
            log(f"{records.source}: {groups.skipped} groups left out, as an image or a pose is missing")
        return ViewGroupImages(records, groups, self.crop_spec(config, split), config.SHUFFLE_SEED)

    def evaluate(
        self,
        model: keras.Model,
        config: DenseWarperConfig,
        windows: ViewGroupImages,
        show_progress: bool = False,
    ) -> Iterator[ImageEvaluation]:
        from tf_pose3d.evaluation.image_prediction import evaluate_groups
        from tf_pose3d.progress import Progress

        with Progress(len(windows), "evaluating") as progress:
            count = (lambda done: progress.update(steps=done)) if show_progress else None
            yield evaluate_groups(
                model,
                windows,
                config.BATCH_SIZE,
                self.root_joint(config),
                progress=count,
                jit_compile=config.JIT_COMPILE,
            )

    def format_evaluation(self, evaluation: ImageEvaluation, action_wise: bool = True) -> str:
        from tf_pose3d.evaluation.multiview_evaluation import format_multiview

        return format_multiview(evaluation.results, action_wise)

    def validate(
        self, model: keras.Model, config: DenseWarperConfig, windows: ViewGroupImages, action_wise: bool
    ) -> dict[str, float]:
        """`loss`, `MPJPE` in mm with the root aligned, `MPJPE world` without, and both of the unwarped views.

        Unwarped: triangulated as if all views showed one frame.
        """
        from tf_pose3d.evaluation.image_prediction import evaluate_groups

        results = evaluate_groups(
            model,
            windows,
            config.BATCH_SIZE,
            self.root_joint(config),
            self.loss(config),
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
