"""Flags of MotionAGFormer's programs."""

from __future__ import annotations

import argparse
from pathlib import Path

from tf_pose3d.cli.releases.motionbert import SequenceRelease, overlap_flag
from tf_pose3d.cli.releases.release import Flag, let_stand_for
from tf_pose3d.errors import Pose3DError

__all__ = ["MotionAGFormerRelease"]


class MotionAGFormerRelease(SequenceRelease):
    """MotionAGFormer's own flags."""

    def flags(self, program: str) -> list[Flag]:
        if program == "inference":
            return [
                overlap_flag(),
                Flag(
                    ("--pixel",),
                    None,
                    "keypoints round the image's centre, poses (pose_image) in pixels",
                    None,
                ),
            ]
        if program == "eval":
            return [overlap_flag()]
        return [
            Flag(("-c", "--checkpoint"), None, "folder of weights to start from, or to test", metavar="DIR"),
            Flag(("--checkpoint_file",), None, "file in it (default: best)", metavar="FILE"),
            Flag(("--new_checkpoint",), None, "short for --out_dir", metavar="DIR"),
            Flag(("--eval_only",), None, "test the weights of -c, train nothing", None),
            Flag(("-sd",), None, "short for --seed", int, metavar="N"),
            Flag(
                ("--num_cpus",),
                None,
                "accepted: clips are made by as many threads as serve",
                int,
                metavar="N",
            ),
        ]

    def evaluated(self, arguments: argparse.Namespace) -> str | None:
        if not arguments.eval_only:
            return None
        if arguments.weights is None:
            raise Pose3DError("--eval_only needs weights: -c DIR, or --weights FILE")
        return arguments.weights

    def complete_arguments(self, program: str, arguments: argparse.Namespace) -> None:
        if program == "inference" and arguments.pixel:
            arguments.normalization = "pixel"
        if program != "train":
            return
        let_stand_for(arguments, "new_checkpoint", "out_dir", "--new_checkpoint")
        let_stand_for(arguments, "sd", "seed", "-sd")
        if arguments.checkpoint is not None and arguments.weights is None:
            arguments.weights = str(Path(arguments.checkpoint) / (arguments.checkpoint_file or "best"))
