"""What the families that read images share: their data sets and flags."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.family import Family, Flag

if TYPE_CHECKING:
    import keras

    from tf_pose3d.config import Config
    from tf_pose3d.data.multiview.crop_spec import CropSpec
    from tf_pose3d.data.window_spec import WindowSpec
    from tf_pose3d.models.pose_resnet.config import ImageConfig

__all__ = ["ImageFamily"]


def _camera_list(text: str) -> list[int]:
    """Camera numbers of `0,1,2,3`."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r}, expected camera numbers with commas between them, e.g. 0,1,2,3"
        ) from None


class ImageFamily(Family):
    """A family that reads images of calibrated cameras instead of sequences of 2D poses."""

    def skeleton(self, config: ImageConfig) -> str:
        return config.skeleton

    def datasets(self) -> tuple[str, ...]:
        from tf_pose3d.data.datasets import DATASETS, ImageDataset, get_dataset

        return tuple(name for name in DATASETS if isinstance(get_dataset(name), ImageDataset))

    def data_options(self, arguments: argparse.Namespace, config: ImageConfig) -> dict[str, Any]:
        return {"root": config.DATA_ROOT, "data_format": config.DATA_FORMAT}

    def window_spec(self, config: Config, split: str) -> WindowSpec:
        """There is none: images are not cut from sequences of 2D poses."""
        raise Pose3DError(f"{self.arch} reads images, not sequences of 2D poses")

    def flags(self, program: str) -> list[Flag]:
        flags = [
            Flag(
                ("--cams",),
                "SELECTED_CAMS",
                "cameras, by the data set's numbers",
                _camera_list,
                metavar="LIST",
            ),
            Flag(("--data_format",), "DATA_FORMAT", "where images are: jpg or zip", metavar="{jpg,zip}"),
            Flag(
                ("--data_root", "--dataDir"), "DATA_ROOT", "folder of images and annotations", metavar="DIR"
            ),
        ]
        if program == "eval":
            flags += [
                Flag(("--model_file", "--modelFile"), None, "weights, as --weights", metavar="FILE"),
                Flag(("--csv",), None, "also write detection rates as CSV", metavar="FILE"),
            ]
        return flags

    def complete_arguments(self, program: str, arguments: argparse.Namespace) -> None:
        if program == "eval" and arguments.model_file is not None:
            if arguments.weights is not None:
                raise Pose3DError("--weights and --modelFile both name weights; give one of them")
            arguments.weights = arguments.model_file

    def crop_spec(self, config: ImageConfig, split: str) -> CropSpec:
        """How images become the network's input; only training turns and scales them."""
        from tf_pose3d.data.multiview.crop_spec import CropSpec

        training = split == "train"
        return CropSpec(
            image_size=tuple(config.IMAGE_SIZE),
            heatmap_size=tuple(config.HEATMAP_SIZE),
            sigma=config.SIGMA,
            rotation_factor=config.ROT_FACTOR if training else 0.0,
            scale_factor=config.SCALE_FACTOR if training else 0.0,
            bgr=config.BGR,
        )

    def initialise(self, model: keras.Model, config: ImageConfig, log: Callable[[str], None]) -> None:
        """Loads the backbone that PRETRAINED names."""
        if config.PRETRAINED is not None:
            from tf_pose3d.models.pose_resnet.pretrained import load_backbone

            log(load_backbone(getattr(model, "backbone", model), config.PRETRAINED, config.JOINTS))

    def save_evaluation(
        self,
        arguments: argparse.Namespace,
        evaluations: list[Any],
        windows: Any,
        log: Callable[[str], None],
    ) -> None:
        """Writes poses (`--predictions`) and tables of detection rates (`--csv`)."""
        import csv

        import numpy as np

        from tf_pose3d.files import write_whole

        evaluation = evaluations[0]
        if arguments.predictions is not None:
            with write_whole(arguments.predictions) as file:
                np.savez_compressed(file, **evaluation.arrays)
            log(f"wrote {arguments.predictions}")
        if arguments.csv is not None:
            with write_whole(arguments.csv, "w") as file:
                csv.writer(file, lineterminator="\n").writerows(evaluation.detection_rows())
            log(f"wrote {arguments.csv}")
