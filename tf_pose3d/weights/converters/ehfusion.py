"""Checkpoints of EHFusion's release, one-stage and three-stage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tf_pose3d.types import Parsed
from tf_pose3d.weight_files.checkpoint import Checkpoint
from tf_pose3d.weights.converters.converter import Assignment, Converter
from tf_pose3d.weights.converters.rie import RELEASED_PARTS, encoder_assignments, same_stage
from tf_pose3d.weights.converters.temporal_layers import (
    body_part_values,
    fully_connected_assignments,
    linear_assignments,
    network_assignments,
)

if TYPE_CHECKING:
    from tf_pose3d.layers.normed_linear import NormedLinear
    from tf_pose3d.models.ehfusion.config import EHFusionConfig
    from tf_pose3d.models.ehfusion.model import EHFusion

__all__ = ["EHFusionConverter"]

_FUSION_MAPS = 4


def _limb_fusion_assignments(layer: NormedLinear) -> Iterator[Assignment]:
    """The release's four maps, side by side in one layer here."""
    tasks = [f"NDDR_Fusion.Conv_Task_List.{index}" for index in range(_FUSION_MAPS)]

    def sources(part: str) -> tuple[str, ...]:
        return tuple(f"{task}.{part}" for task in tasks)

    def side_by_side(*arrays: np.ndarray) -> np.ndarray:
        return np.concatenate(arrays)

    yield Assignment(
        layer.kernel, sources("0.weight"), lambda *arrays: np.concatenate([a[..., 0] for a in arrays]).T
    )
    yield Assignment(layer.bias, sources("0.bias"), side_by_side)
    norm = layer.norm
    yield Assignment(norm.gamma, sources("1.weight"), side_by_side)
    yield Assignment(norm.beta, sources("1.bias"), side_by_side)
    yield Assignment(norm.moving_mean, sources("1.running_mean"), side_by_side)
    yield Assignment(norm.moving_variance, sources("1.running_var"), side_by_side)


class EHFusionConverter(Converter["EHFusionConfig"]):
    """Of EHFusion's release.

    One-stage checkpoints come with the released behaviour, which never fuses; `strategy="one_stage"` runs the
    fusion, whose weights the release never trained. Checkpoints of stages 2 and 3 look alike; they count as 3
    unless `stage=2` is given.
    """

    arch = "EHFusion"
    telling_tensor = "angle_torso.expand_conv.weight"

    def recognises(self, checkpoint: Checkpoint) -> bool:
        return {self.telling_tensor, "embedder.w1.weight"} <= checkpoint.tensors.keys()

    def config_values(self, checkpoint: Checkpoint) -> dict[str, Any]:
        names, values = checkpoint.tensors.keys(), body_part_values(checkpoint)
        if "Integration_Torso_S1.fc_1.weight" in names:
            return {**values, "STRATEGY": "one_stage_released"}
        fused = "FuseBlocks.fc_1.weight" in names
        return {**values, "STRATEGY": "three_stage", "STAGE": 3 if fused else 1}

    def agrees(self, key: str, found: Parsed, wanted: Parsed) -> bool:
        if key == "STRATEGY" and found == "one_stage_released":
            return wanted != "three_stage"
        return same_stage(key, found, wanted)

    def assignments(self, model: EHFusion, config: EHFusionConfig) -> Iterator[Assignment]:
        yield from encoder_assignments(model)
        if model.torso_fusion is not None and model.limb_fusion is not None:
            yield from fully_connected_assignments(model.torso_fusion, "FuseBlocks")
            yield from _limb_fusion_assignments(model.limb_fusion)
        for name, network in zip(RELEASED_PARTS, model.angle_networks, strict=True):
            yield from network_assignments(network, f"angle_{name.lower()}.")
        for index, layer in enumerate(model.camera_layers, start=1):
            yield from linear_assignments(layer, f"embedder.w{index}", f"embedder.b{index}")
        branches = [(model.decoders, "" if config.in_stages else "_S2")]
        if model.unfused_decoders:
            branches.append((model.unfused_decoders, "_S1"))
        for decoders, suffix in branches:
            for name, decoder in zip(RELEASED_PARTS, decoders, strict=True):
                yield from fully_connected_assignments(decoder, f"Integration_{name}{suffix}")
