"""Flags of DenseWarper and of its backbone; poses of one group of interleaved views, from flags to files."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tf_pose3d.cli.pictures import check_output, check_pictures, draw_pictures
from tf_pose3d.cli.releases.release import ConfigT, Flag, Log, Release
from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import write_whole
from tf_pose3d.models.densewarper.config import DenseWarperConfig
from tf_pose3d.models.pose_resnet.config import PoseResNetConfig
from tf_pose3d.types import Parsed

if TYPE_CHECKING:
    import keras

__all__ = ["DenseWarperRelease", "ImageRelease", "PoseResNetRelease"]


def _camera_list(text: str) -> list[int]:
    """Camera numbers of `0,1,2,3`."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r}, expected camera numbers with commas between them, e.g. 0,1,2,3"
        ) from None


class ImageRelease(Release[ConfigT]):
    """Flags of the programs that read images of calibrated cameras."""

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

    def save_evaluation(
        self, arguments: argparse.Namespace, evaluations: Sequence[Any], data: Parsed, log: Log
    ) -> None:
        """Writes poses (`--predictions`) and tables of detection rates (`--csv`)."""
        super().save_evaluation(arguments, evaluations, data, log)
        if arguments.csv is not None:
            with write_whole(arguments.csv, "w") as file:
                csv.writer(file, lineterminator="\n").writerows(evaluations[0].detection_rows())
            log(f"wrote {arguments.csv}")


class PoseResNetRelease(ImageRelease[PoseResNetConfig]):
    """Flags of the backbone's training."""

    def flags(self, program: str) -> list[Flag]:
        flags = super().flags(program)
        if program == "eval":
            flags.append(
                Flag(("--post_process",), "POST_PROCESS", "move maxima by a quarter of a pixel", None)
            )
        return flags


class DenseWarperRelease(ImageRelease[DenseWarperConfig]):
    """Flags of DenseWarper, and lifting the images of one group."""

    def flags(self, program: str) -> list[Flag]:
        flags = super().flags(program)
        if program == "inference":
            flags += [
                Flag(("--images",), None, "one image per view, in their order", metavar="FILE", nargs="+"),
                Flag(("--cameras",), None, "their calibration; see docs/calibration.md", metavar="FILE"),
            ]
        return flags

    def lifts_recordings(self, arguments: argparse.Namespace, config: DenseWarperConfig) -> bool:
        return False

    def infer(
        self, arguments: argparse.Namespace, config: DenseWarperConfig, model: keras.Model, log: Log
    ) -> bool:
        """Poses of one group of views, in the frame of the first view's camera, to files and pictures."""
        from tf_pose3d.inference.motion.record import Motion
        from tf_pose3d.inference.multiview import lift_views
        from tf_pose3d.inference.writers import check_motion_file, write_motion

        model.set_triangulation(config.TRIANGULATION, config.MIN_CONFIDENCE, config.RANSAC_THRESHOLD)
        if arguments.images is None or arguments.cameras is None:
            raise Pose3DError(
                "DenseWarper lifts images of calibrated cameras: give --images a.jpg b.jpg ... and "
                "--cameras FILE"
            )
        if arguments.output is None and arguments.viz_output is None:
            raise Pose3DError("nothing to write: give --viz_output for a picture or --output for the poses")
        if len(arguments.images) != model.num_views:
            raise Pose3DError(
                f"--images: {len(arguments.images)} files, expected one for each of {model.num_views} views"
            )
        inputs = [arguments.weights, arguments.config, arguments.cameras, *arguments.images]
        if arguments.output is not None:
            check_motion_file(arguments.output)
            check_output("--output", arguments.output, inputs)
        if arguments.viz_output is not None:
            check_output("--viz_output", arguments.viz_output, [*inputs, arguments.output])
        lifted = lift_views(model, config, arguments.images, arguments.cameras, arguments.fps)
        missing = int(np.isnan(lifted.pose_3d).any(axis=-1).sum())
        if missing:
            log(f"{missing} joints are seen by fewer than two views and have no position")
        log(f"{len(lifted.pose_3d)} frames of {model.num_views} views")
        root = self.family.root_joint(config)
        if arguments.output is not None:
            write_motion(arguments.output, Motion.from_sequence(lifted.sequence, lifted.pose_3d, root))
            log(f"wrote {arguments.output}")
        if arguments.viz_output is not None:
            check_pictures(arguments, lifted.sequence)
            draw_pictures(arguments, lifted.sequence, lifted.pose_3d, root, log)
        return True
