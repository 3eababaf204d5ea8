"""VideoPose3D's flags, which the releases that build on it took over."""

from __future__ import annotations

import argparse
from typing import ClassVar

from tf_pose3d.cli.releases.release import ConfigT, Flag, Release, find_checkpoint, let_stand_for
from tf_pose3d.data.pose_files import as_names
from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import resolve_weights
from tf_pose3d.types import Parsed
from tf_pose3d.weight_files.hdf5 import read_config

__all__ = ["TemporalRelease", "VideoPose3DRelease"]


class TemporalRelease(Release[ConfigT]):
    """What VideoPose3D's release and those that build on it have in common.

    Attributes:
        network_keys: Config keys that say what network it is, which flags at evaluation may name but not
            change.
    """

    network_keys: ClassVar[tuple[str, ...]] = ("FILTER_WIDTHS", "CHANNELS", "CAUSAL")

    def size_flags(self) -> list[Flag]:
        """Flags that set the size of the network."""
        return []

    def training_flags(self) -> list[Flag]:
        """Further flags of training."""
        return []

    def flags(self, program: str) -> list[Flag]:
        schedule = "SCHEDULE_PARAMS"
        flags = [
            Flag(("-k",), None, "short for --keypoints", metavar="NAME"),
            Flag(
                ("-no-tta", "--no_test_time_augmentation"),
                "EVAL_FLIP",
                "predict without the mirrored pass",
                None,
                const=False,
            ),
            Flag(("-arc", "--architecture"), "FILTER_WIDTHS", "kernel widths", _widths, metavar="3,3,3"),
            Flag(("-ch", "--channels"), "CHANNELS", "features inside", int, metavar="N"),
            Flag(("--causal",), "CAUSAL", "predict from frames up to now only", None),
            *self.size_flags(),
        ]
        if program == "inference":
            return flags
        flags += [
            Flag(("-a",), None, "short for --actions", as_names, metavar="LIST"),
            Flag(("-b",), "BATCH_SIZE", "windows at once", int, metavar="N"),
            Flag(("--downsample",), "DOWNSAMPLE", "use every n-th frame", int, metavar="N"),
            Flag(("-ste", "--subjects_test"), None, "subjects to test on", metavar="LIST"),
        ]
        if program == "eval":
            return [*flags, Flag(("--by_subject",), "BY_SUBJECT", "also report each subject", None)]
        rate = f"{schedule}.initial_learning_rate"
        return [
            *flags,
            Flag(("-str", "--subjects_train"), None, "subjects to train on", metavar="LIST"),
            Flag(("-c", "--checkpoint"), None, "short for --out_dir", metavar="DIR"),
            Flag(("-r",), None, "checkpoint of --out_dir to continue from", metavar="FILE"),
            Flag(("-e", "--epochs"), "EPOCHS", "epochs to train", int, metavar="N"),
            Flag(("-drop", "--dropout"), "DROP_RATE", "dropout rate", float, metavar="RATE"),
            Flag(("-lr", "--learning_rate"), rate, "initial learning rate", float, metavar="LR"),
            Flag(
                ("-lrd", "--lr_decay"),
                f"{schedule}.decay_rate",
                "factor of an epoch",
                float,
                metavar="FACTOR",
            ),
            Flag(
                ("-no-da", "--no_data_augmentation"),
                "AUGM_FLIP_PROB",
                "train without mirrored windows",
                None,
                const=0.0,
            ),
            Flag(("--subset",), "TRAIN_FRACTION", "share of the training frames", float, metavar="SHARE"),
            Flag(("--checkpoint_frequency",), "CHECKPOINT_INTERVAL", "epochs between", int, metavar="N"),
            Flag(("--no_eval",), None, "train without validation", None),
            Flag(
                ("--export_training_curves",),
                None,
                "accepted: curves.png and curves.csv are always written",
                None,
            ),
            *self.training_flags(),
        ]

    def complete_arguments(self, program: str, arguments: argparse.Namespace) -> None:
        let_stand_for(arguments, "k", "keypoints", "-k")
        if program != "inference":
            let_stand_for(arguments, "a", "actions", "-a")
        if program == "train":
            let_stand_for(arguments, "subjects_train", "train_subset", "-str")
            let_stand_for(arguments, "subjects_test", "val_subset", "-ste")
            let_stand_for(arguments, "checkpoint", "out_dir", "-c")
            if arguments.no_eval:
                if arguments.export_training_curves:
                    raise Pose3DError(
                        "--export-training-curves needs the validation that --no-eval leaves out"
                    )
                arguments.val_subset = "none"
            if arguments.r is not None:
                arguments.continue_training = find_checkpoint(arguments.r, arguments.out_dir)
            return
        if program == "eval" and arguments.subjects_test is not None:
            arguments.test_subset = arguments.subjects_test
        if arguments.weights is not None:
            self._check_network(program, arguments)

    def _check_network(self, program: str, arguments: argparse.Namespace) -> None:
        """Checks that flags which name the network name the one whose weights are read."""
        held = read_config(resolve_weights(arguments.weights)) or {}
        for flag in self.flags(program):
            given = getattr(arguments, flag.destination)
            if given is None or flag.key not in self.network_keys or flag.key not in held:
                continue
            if not self.same_network(flag.key, held[flag.key], given):
                raise Pose3DError(
                    f"{arguments.weights}: weights of {flag.key} {held[flag.key]}, "
                    f"{flag.names[0]} says {given}"
                )

    def same_network(self, key: str, held: Parsed, wanted: Parsed) -> bool:
        """Whether two values of a network key stand for one and the same network."""
        return held == wanted


def _widths(text: str) -> list[int]:
    """Kernel widths of `3,3,3`."""
    return [int(width) for width in text.split(",")]


class VideoPose3DRelease(TemporalRelease):
    """VideoPose3D's own flags."""

    network_keys = (*TemporalRelease.network_keys, "DENSE")

    def size_flags(self) -> list[Flag]:
        return [Flag(("--dense",), "DENSE", "kernels that skip no frame", None)]

    def training_flags(self) -> list[Flag]:
        return [
            Flag(("-s", "--stride"), "CHUNK_LENGTH", "frames that a window predicts", int, metavar="N"),
            Flag(
                ("-sun", "--subjects_unlabeled"),
                "UNLABELED_SUBSET",
                "subjects whose 2D poses alone are trained on, too; sets TRAJECTORY",
                metavar="LIST",
            ),
            Flag(
                ("--warmup",),
                "WARMUP_EPOCHS",
                "first epochs without the unlabelled subjects",
                int,
                metavar="N",
            ),
            Flag(("--no_proj",), "PROJECTION_LOSS", "unlabelled poses need not project", None, const=False),
            Flag(
                ("--linear_projection",), "LINEAR_PROJECTION", "project without the lens's distortion", None
            ),
            Flag(
                ("--no_bone_length",),
                "BONE_LENGTH_LOSS",
                "without the loss of bone lengths",
                None,
                const=False,
            ),
        ]

    def complete_arguments(self, program: str, arguments: argparse.Namespace) -> None:
        super().complete_arguments(program, arguments)
        if program == "train" and arguments.subjects_unlabeled is not None:
            # As in the release, where the network of the root's path comes with unlabelled subjects.
            arguments.set = [*arguments.set, "TRAJECTORY=true"]
