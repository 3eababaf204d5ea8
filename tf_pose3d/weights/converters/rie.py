"""Checkpoints of RIE's release."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tf_pose3d.types import Parsed
from tf_pose3d.weight_files.checkpoint import Checkpoint
from tf_pose3d.weights.converters.converter import Assignment, Converter
from tf_pose3d.weights.converters.temporal_layers import (
    body_part_values,
    fully_connected_assignments,
    network_assignments,
)

if TYPE_CHECKING:
    from tf_pose3d.models.body_part_model import BodyPartModel
    from tf_pose3d.models.rie.config import RIEConfig
    from tf_pose3d.models.rie.model import RIE

__all__ = ["RELEASED_PARTS", "RIEConverter", "encoder_assignments", "same_stage"]

# The releases' names of the parts, in the order of `body_parts`; their left and right are swapped.
RELEASED_PARTS = ("Torso", "LArm", "RArm", "LLeg", "RLeg")


def encoder_assignments(model: BodyPartModel) -> Iterator[Assignment]:
    """Of the parts' networks and the encoder of the whole pose."""
    for name, network in zip(RELEASED_PARTS, model.local_networks, strict=True):
        yield from network_assignments(network, f"LocalLayer_{name}.")
    yield from fully_connected_assignments(model.global_encoder, "GlobalInfo")


def same_stage(key: str, found: Parsed, wanted: Parsed) -> bool:
    """Whether an override agrees with a checkpoint: stages 2 and 3 are one network."""
    return found == wanted or (key == "STAGE" and found > 1 and wanted in (2, 3))


class RIEConverter(Converter["RIEConfig"]):
    """Of RIE's release.

    Checkpoints of stages 2 and 3 look alike; they count as 3 unless `stage=2` is given.
    """

    arch = "RIE"
    telling_tensor = "LocalLayer_Torso.expand_conv.weight"

    def recognises(self, checkpoint: Checkpoint) -> bool:
        names = checkpoint.tensors.keys()
        return {self.telling_tensor, "GlobalInfo.fc_1.weight"} <= names and "embedder.w1.weight" not in names

    def config_values(self, checkpoint: Checkpoint) -> dict[str, Any]:
        fused = "FuseBlocks.0.fc_1.weight" in checkpoint.tensors
        return {**body_part_values(checkpoint), "STAGE": 3 if fused else 1}

    def agrees(self, key: str, found: Parsed, wanted: Parsed) -> bool:
        return same_stage(key, found, wanted)

    def assignments(self, model: RIE, config: RIEConfig) -> Iterator[Assignment]:
        yield from encoder_assignments(model)
        for index, block in enumerate(model.fusion_blocks):
            yield from fully_connected_assignments(block, f"FuseBlocks.{index}")
        for name, decoder in zip(RELEASED_PARTS, model.decoders, strict=True):
            yield from fully_connected_assignments(decoder, f"Integration_{name}")
