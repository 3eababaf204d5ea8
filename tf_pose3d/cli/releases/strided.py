"""Flags of Strided Transformer and PoseFormer: VideoPose3D's, with frames instead of kernels."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tf_pose3d.cli.releases.release import Flag
from tf_pose3d.cli.releases.videopose3d import TemporalRelease

__all__ = ["PoseFormerRelease", "StridedTransformerRelease"]


class PoseFormerRelease(TemporalRelease):
    """VideoPose3D's flags as far as the network has what they set, and the number of frames."""

    network_keys: ClassVar[tuple[str, ...]] = ("FRAMES", "CHANNELS")

    def flags(self, program: str) -> list[Flag]:
        known = {field.name for field in dataclasses.fields(self.family.config_class)}
        flags = [one for one in super().flags(program) if not one.key or one.key.partition(".")[0] in known]
        return [
            *flags,
            Flag(
                ("-frame", "--frames", "--number_of_frames"), "FRAMES", "frames in a window", int, metavar="N"
            ),
        ]


class StridedTransformerRelease(PoseFormerRelease):
    """Strided Transformer's own flags."""

    network_keys = ("FRAMES", "CHANNELS", "HIDDEN", "LAYERS")

    def size_flags(self) -> list[Flag]:
        return [
            Flag(("--layers",), "LAYERS", "blocks before the strided ones", int, metavar="N"),
            Flag(("--channel",), "CHANNELS", "width of a frame token", int, metavar="N"),
            Flag(("--d_hid",), "HIDDEN", "width inside the MLPs", int, metavar="N"),
        ]

    def training_flags(self) -> list[Flag]:
        schedule = "SCHEDULE_PARAMS"
        return [
            Flag(("--refine",), "REFINE", "train with the refine module", None),
            Flag(
                ("--lr",), f"{schedule}.initial_learning_rate", "initial learning rate", float, metavar="LR"
            ),
            Flag(
                ("--large_decay_epoch",),
                f"{schedule}.large_decay_epochs",
                "epochs between larger decays",
                int,
                metavar="N",
            ),
            Flag(
                ("--lr_decay_large",),
                f"{schedule}.large_decay_rate",
                "factor of a larger decay",
                float,
                metavar="FACTOR",
            ),
        ]
