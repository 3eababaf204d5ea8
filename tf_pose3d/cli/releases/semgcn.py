"""Flags of SemGCN's release and of those that build on it."""

from __future__ import annotations

from tf_pose3d.cli.releases.release import Flag, Release

__all__ = ["HGCNRelease", "HOIFNetRelease", "MartinezRelease", "SemGCNRelease", "SingleFrameRelease"]


class SingleFrameRelease(Release):
    """What HOIF-Net, HGCN, SemGCN and Martinez's network have in common: SemGCN's flags."""

    def size_flags(self) -> list[Flag]:
        """Flags that set the size of the network in training."""
        return []

    def flags(self, program: str) -> list[Flag]:
        downsample = Flag(("--downsample",), "DOWNSAMPLE", "use every n-th frame", int, metavar="N")
        if program == "eval":
            return [downsample]
        if program != "train":
            return []
        schedule = "SCHEDULE_PARAMS"
        return [
            downsample,
            Flag(("--epochs",), "EPOCHS", "epochs to train", int, metavar="N"),
            Flag(("--batch", "--batch_size"), "BATCH_SIZE", "poses per step", int, metavar="N"),
            Flag(
                ("--lr",), f"{schedule}.initial_learning_rate", "initial learning rate", float, metavar="LR"
            ),
            Flag(("--lr_decay",), f"{schedule}.decay_steps", "steps between decays", int, metavar="STEPS"),
            Flag(("--lr_gamma",), f"{schedule}.decay_rate", "factor of each decay", float, metavar="FACTOR"),
            Flag(("--max_norm",), "MAX_NORM", "largest global norm of gradients", float, metavar="NORM"),
            Flag(("--no_max",), "MAX_NORM", "leave gradients as they are", None, const=0.0),
            Flag(("--dropout",), "DROP_RATE", "dropout rate", float, metavar="RATE"),
            Flag(("--snapshot",), "CHECKPOINT_INTERVAL", "epochs between checkpoints", int, metavar="N"),
            *self.size_flags(),
        ]


class HOIFNetRelease(SingleFrameRelease):
    """HOIFNet's size."""

    def size_flags(self) -> list[Flag]:
        return [
            Flag(("--hid_dim",), "HID_DIM", "features of a hop", int, metavar="N"),
            Flag(("--num_layers",), "NUM_LAYERS", "without effect, as in the release", int, metavar="N"),
            Flag(("--non_local",), "NON_LOCAL", "without effect, as in the release", None),
        ]


class HGCNRelease(SingleFrameRelease):
    """HGCN's size."""

    def size_flags(self) -> list[Flag]:
        return [
            Flag(("--hid_dim",), "HID_DIM", "features of a hop", int, metavar="N"),
            Flag(("--num_layers",), "NUM_LAYERS", "residual pairs", int, metavar="N"),
        ]


class SemGCNRelease(SingleFrameRelease):
    """SemGCN's size."""

    def size_flags(self) -> list[Flag]:
        return [
            Flag(("--hid_dim",), "HID_DIM", "features of a joint", int, metavar="N"),
            Flag(("--num_layers",), "NUM_LAYERS", "residual pairs", int, metavar="N"),
            Flag(("--non_local",), "NON_LOCAL", "add non-local blocks", None),
        ]


class MartinezRelease(SingleFrameRelease):
    """Martinez's size."""

    def size_flags(self) -> list[Flag]:
        return [
            Flag(("--hid_dim",), "HID_DIM", "features of the hidden layers", int, metavar="N"),
            Flag(("--num_layers",), "NUM_LAYERS", "residual stages", int, metavar="N"),
        ]
