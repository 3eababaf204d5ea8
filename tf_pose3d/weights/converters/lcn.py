"""Checkpoints of LCN's release (TensorFlow 1)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from tf_pose3d.errors import Pose3DError
from tf_pose3d.weight_files.checkpoint import Checkpoint
from tf_pose3d.weight_files.tensorflow1 import read_tensorflow1_checkpoint
from tf_pose3d.weights.converters.converter import Assignment, Choice, Converter

if TYPE_CHECKING:
    from tf_pose3d.models.lcn.config import LCNConfig
    from tf_pose3d.models.lcn.model import LCN

__all__ = ["LCNConverter"]

_SCOPE = "linear_model"
_BLOCK = re.compile(rf"{_SCOPE}/two_linear_(\d+)/w2_\1")


class LCNConverter(Converter["LCNConfig"]):
    """Of LCN's release.

    A checkpoint tells its widths and depth and whether the mask was learned, but not which joints are
    connected: give `knn` or `mask` (17 x 17), and `residual=False` or `max_norm=False` where the training was
    without.
    """

    arch = "LCN"
    telling_tensor = f"{_SCOPE}/w1"
    kind = "tensorflow1"
    aliases: ClassVar[dict[str, str]] = {"MAX_NORM": "WEIGHT_MAX_NORM"}

    def read(self, path: str | os.PathLike) -> Checkpoint:
        return read_tensorflow1_checkpoint(path)

    def recognises(self, checkpoint: Checkpoint) -> bool:
        return {self.telling_tensor, f"{_SCOPE}/w4", f"{_SCOPE}/b4"} <= checkpoint.tensors.keys()

    def config_values(self, checkpoint: Checkpoint) -> dict[str, Any]:
        tensors = checkpoint.tensors
        gamma = tensors.get(f"{_SCOPE}/batch_normalization/gamma")
        inputs, hidden = tensors[self.telling_tensor].shape
        outputs = tensors[f"{_SCOPE}/b4"].shape[0]
        channels = 0 if gamma is None else len(gamma)
        joints = outputs // 3
        if not channels or outputs % 3 or hidden != joints * channels or inputs % joints:
            raise Pose3DError(
                f"{checkpoint.source}: {inputs} inputs, {hidden} features and {outputs} outputs, expected a "
                "whole number of each for every joint, and batch normalisation"
            )
        learned = "mask" in tensors
        return {
            "IN_JOINTS": joints,
            "OUT_JOINTS": joints,
            "IN_F": inputs // joints,
            "CHANNELS": channels,
            "LAYERS": sum(1 for name in tensors if _BLOCK.fullmatch(name)),
            "MASK_TYPE": "locally_connected_learnable" if learned else "locally_connected",
        }

    def choices(self, checkpoint: Checkpoint) -> list[Choice]:
        return [
            Choice(
                ("KNN", "MASK", "MASK_SOURCE"),
                "which joints are connected, by hops on the graph (the release's --knn) or the mask itself",
                "3",
            )
        ]

    def assignments(self, model: LCN, config: LCNConfig) -> Iterator[Assignment]:
        if model.mask_layer is not None:
            yield Assignment(model.mask_layer.logits, ("mask",))
        names = [("w1", "b1", "batch_normalization")]
        for index in range(config.LAYERS):
            scope = f"two_linear_{index}"
            names += [
                (
                    f"{scope}/w{half + 1}_{index}",
                    f"{scope}/b{half + 1}_{index}",
                    f"{scope}/batch_normalization{half}{index}",
                )
                for half in (1, 2)
            ]
        for block, (kernel, bias, norm) in zip(model.linear_blocks, names, strict=True):
            yield Assignment(block.linear.kernel, (f"{_SCOPE}/{kernel}",))
            yield Assignment(block.linear.bias, (f"{_SCOPE}/{bias}",))
            for weight in ("gamma", "beta", "moving_mean", "moving_variance"):
                yield Assignment(getattr(block.norm, weight), (f"{_SCOPE}/{norm}/{weight}",))
        yield Assignment(model.last.kernel, (f"{_SCOPE}/w4",))
        yield Assignment(model.last.bias, (f"{_SCOPE}/b4",))

    def ignores(self, name: str) -> bool:
        """Also what training alone needs: Adam's averages, the step, averages of the loss."""
        return (
            name.startswith(("training/", "loss/"))
            or name.endswith(("/Adam", "/Adam_1"))
            or name
            in (
                "global_step",
                "beta1_power",
                "beta2_power",
            )
        )
