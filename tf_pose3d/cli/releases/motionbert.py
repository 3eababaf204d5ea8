"""Flags of MotionBERT's programs."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from tf_pose3d.cli.releases.release import Flag, Log, Release, find_checkpoint, let_stand_for

__all__ = ["MotionBERTRelease", "SequenceRelease", "overlap_flag"]


def overlap_flag() -> Flag:
    """Of every network that gives each frame of a clip."""
    return Flag(
        ("--overlap",),
        "OVERLAP",
        "share of a clip that the next one holds, too; frames of several clips are averaged",
        float,
        metavar="SHARE",
    )


class SequenceRelease(Release):
    """Networks from clips to clips, and what `-e` or `--eval_only` means: a test instead of training."""

    def evaluated(self, arguments: argparse.Namespace) -> str | None:
        """The weights that `train.py` is asked to test and not to train; None: it trains."""
        return None

    def training_runs(self, arguments: argparse.Namespace, log: Log) -> Iterator[argparse.Namespace]:
        weights = self.evaluated(arguments)
        if weights is None:
            yield arguments
            return
        from tf_pose3d.cli.eval import evaluate_weights

        given = ["--weights", weights]
        for flag in ("config", "dataset"):
            if getattr(arguments, flag) is not None:
                given += [f"--{flag}", getattr(arguments, flag)]
        given += [part for text in arguments.set for part in ("--set", text)]
        evaluate_weights(given, log)


class MotionBERTRelease(SequenceRelease):
    """MotionBERT's own flags: `-e` is a file to test, `-p` and `-ms` what fine-tuning starts from."""

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
                Flag(("--focus",), None, "id of the person to lift, short for --people", metavar="ID"),
                Flag(("--clip_len",), "CLIP_FRAMES", "frames of a clip", int, metavar="N"),
            ]
        if program == "eval":
            return [overlap_flag()]
        return [
            Flag(("-c", "--checkpoint"), None, "short for --out_dir", metavar="DIR"),
            Flag(("-p", "--pretrained"), None, "folder of weights to start from", metavar="DIR"),
            Flag(("-ms", "--selection"), None, "file in it (default: best)", metavar="FILE"),
            Flag(("-r",), None, "checkpoint of --out_dir to continue from", metavar="FILE"),
            Flag(("-e", "--evaluate"), None, "test these weights, train nothing", metavar="FILE"),
            Flag(("-sd",), None, "short for --seed", int, metavar="N"),
        ]

    def evaluated(self, arguments: argparse.Namespace) -> str | None:
        return arguments.evaluate

    def complete_arguments(self, program: str, arguments: argparse.Namespace) -> None:
        if program == "inference":
            let_stand_for_default(arguments, "focus", "people", "largest", "--focus")
            if arguments.pixel:
                arguments.normalization = "pixel"
            return
        if program != "train":
            return
        let_stand_for(arguments, "checkpoint", "out_dir", "-c")
        let_stand_for(arguments, "sd", "seed", "-sd")
        if arguments.pretrained is not None and arguments.weights is None:
            name = arguments.selection or "best"
            arguments.weights = str(Path(arguments.pretrained) / name)
        if arguments.r is not None:
            arguments.continue_training = find_checkpoint(arguments.r, arguments.out_dir)


def let_stand_for_default(
    arguments: argparse.Namespace, short: str, name: str, default: str, flag: str
) -> None:
    """As `let_stand_for`, for a flag that has a default."""
    if getattr(arguments, name) == default and getattr(arguments, short) is not None:
        setattr(arguments, name, None)
    let_stand_for(arguments, short, name, flag)
