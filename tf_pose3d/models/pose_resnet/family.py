"""PoseResNet as the programs see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import keras

from tf_pose3d.models.family import Flag
from tf_pose3d.models.image_family import ImageFamily
from tf_pose3d.models.pose_resnet.config import ImageConfig, PoseResNetConfig
from tf_pose3d.models.pose_resnet.losses import heatmap_loss
from tf_pose3d.models.pose_resnet.model import PoseResNet

if TYPE_CHECKING:
    from tf_pose3d.data.datasets import Dataset
    from tf_pose3d.data.multiview.batches import SingleImages
    from tf_pose3d.evaluation.image_prediction import ImageEvaluation

__all__ = ["PoseResNetFamily", "make_backbone"]


def make_backbone(config: ImageConfig, name: str) -> PoseResNet:
    """The network that a config describes, with random weights."""
    model = PoseResNet(
        config.num_joints,
        config.NUM_LAYERS,
        config.STAGE_CHANNELS,
        config.NUM_DECONV_FILTERS,
        config.DECONV_WITH_BIAS,
        config.FINAL_CONV_KERNEL,
        name=name,
    )
    model.build()
    return model


class PoseResNetFamily(ImageFamily):
    """See the base class. The batch has `image`, `heatmaps` and `weights`; see `PoseResNet`."""

    arch = "PoseResNet"
    examples = predicted = "images"
    config_class = PoseResNetConfig

    def build_model(self, config: PoseResNetConfig) -> PoseResNet:
        return make_backbone(config, "pose_resnet")

    def loss(self, config: PoseResNetConfig) -> Callable[[dict[str, Any], dict[str, Any]], Any]:
        """Squared errors of the heat maps, joints that are not visible left out by USE_TARGET_WEIGHT."""

        def loss(outputs: dict[str, Any], batch: dict[str, Any]) -> keras.KerasTensor:
            weights = batch["weights"] if config.USE_TARGET_WEIGHT else None
            return heatmap_loss(outputs["heatmaps"], batch["heatmaps"], weights)

        return loss

    def flags(self, program: str) -> list[Flag]:
        flags = super().flags(program)
        if program == "eval":
            flags.append(
                Flag(("--post_process",), "POST_PROCESS", "move maxima by a quarter of a pixel", None)
            )
        return flags

    def open_data(
        self,
        dataset: Dataset,
        subset: str,
        options: dict[str, Any],
        config: PoseResNetConfig,
        split: str,
        log: Callable[[str], None],
    ) -> SingleImages:
        """Every n-th image of the selected cameras, and with MIX_MPII all of MPII's for training."""
        import numpy as np

        from tf_pose3d.data.datasets import read_records
        from tf_pose3d.data.multiview.batches import SingleImages
        from tf_pose3d.data.multiview.mpii import read_mpii_images
        from tf_pose3d.data.multiview.records import join_records
        from tf_pose3d.skeleton import get_skeleton

        joints = get_skeleton(config.JOINTS).joints
        parts = [read_records(dataset, subset, options, log).with_joints(joints)]
        rows = np.flatnonzero(np.isin(parts[0].view, config.SELECTED_CAMS))[:: config.subsample_step(split)]
        if split == "train" and config.MIX_MPII:
            mpii = read_mpii_images(config.DATA_ROOT, "train", config.DATA_FORMAT, log)
            log(f"{len(mpii)} images of MPII with {len(rows)} of {dataset.name}")
            rows = np.concatenate([rows, len(parts[0]) + np.arange(len(mpii))])
            parts.append(mpii.with_joints(joints))
        return SingleImages(join_records(parts), self.crop_spec(config, split), config.SHUFFLE_SEED, rows)

    def evaluate(
        self,
        model: keras.Model,
        config: PoseResNetConfig,
        windows: SingleImages,
        show_progress: bool = False,
    ) -> Iterator[ImageEvaluation]:
        from tf_pose3d.evaluation.image_prediction import evaluate_images
        from tf_pose3d.progress import Progress

        with Progress(len(windows), "evaluating") as progress:
            count = (lambda done: progress.update(steps=done)) if show_progress else None
            yield evaluate_images(
                model,
                windows,
                config.BATCH_SIZE,
                config.used_joints,
                config.POST_PROCESS,
                progress=count,
                jit_compile=config.JIT_COMPILE,
            )

    def format_evaluation(self, evaluation: ImageEvaluation, action_wise: bool = True) -> str:
        from tf_pose3d.evaluation.multiview_evaluation import detection_table

        accuracy = evaluation.results["accuracy"]["mean"]
        return f"{detection_table(evaluation.results['detection_rates'])}\n2D accuracy: {accuracy:.3f}"

    def validate(
        self, model: keras.Model, config: PoseResNetConfig, windows: SingleImages, action_wise: bool
    ) -> dict[str, float]:
        """`loss`, `detection_rate` (share of joints within 0.025 of the box) and `accuracy`."""
        from tf_pose3d.evaluation.image_prediction import evaluate_images

        results = evaluate_images(
            model,
            windows,
            config.BATCH_SIZE,
            config.used_joints,
            config.POST_PROCESS,
            self.loss(config),
            None if config.VALIDATION_EXAMPLES < 0 else config.VALIDATION_EXAMPLES,
            jit_compile=config.JIT_COMPILE,
        ).results
        return {
            "loss": results["loss"],
            "detection_rate": results["detection_rate"],
            "accuracy": results["accuracy"]["mean"],
        }
