"""Checkpoints of D3DP's release."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from tf_pose3d.weight_files.checkpoint import Checkpoint
from tf_pose3d.weights.converters.converter import Assignment, Converter
from tf_pose3d.weights.converters.graph_layers import dense_assignments
from tf_pose3d.weights.converters.mixste import mixste_assignments, mixste_sizes

if TYPE_CHECKING:
    from tf_pose3d.models.d3dp.config import D3DPConfig
    from tf_pose3d.models.d3dp.model import D3DP

__all__ = ["D3DPConverter"]

_PREFIX = "pose_estimator."


class D3DPConverter(Converter["D3DPConfig"]):
    """Of D3DP's release, whose noise schedule is made anew. Heads (8 there) lie in no tensor's shape."""

    arch = "D3DP"
    telling_tensor = "time_mlp.1.weight"
    aliases: ClassVar[Mapping[str, str]] = {
        "NUM_FRAME": "FRAMES",
        "EMBED_DIM_RATIO": "CHANNELS",
        "DEPTH": "LAYERS",
        "NUM_PROPOSALS": "PROPOSALS",
        "SAMPLING_TIMESTEPS": "SAMPLING_STEPS",
        "TIMESTEP": "DIFFUSION_STEPS",
    }

    def read(self, path: str | os.PathLike) -> Checkpoint:
        held = super().read(path)
        tensors = {name.removeprefix(_PREFIX): values for name, values in held.tensors.items()}
        return dataclasses.replace(held, tensors=tensors)

    def recognises(self, checkpoint: Checkpoint) -> bool:
        return {"Spatial_pos_embed", self.telling_tensor} <= checkpoint.tensors.keys()

    def config_values(self, checkpoint: Checkpoint) -> dict[str, Any]:
        values = mixste_sizes(checkpoint, self.arch, inputs=5)
        if "betas" in checkpoint.tensors:
            values["DIFFUSION_STEPS"] = len(checkpoint.tensors["betas"])
        return values

    def notes(self, checkpoint: Checkpoint, config: D3DPConfig, given: Collection[str]) -> list[str]:
        if "NUM_HEADS" in given:
            return []
        return [f"{config.NUM_HEADS} attention heads supposed, which no tensor tells (NUM_HEADS)"]

    def assignments(self, model: D3DP, config: D3DPConfig) -> Iterator[Assignment]:
        yield from mixste_assignments(model)
        for layer, name in ((model.time_expand, "time_mlp.1"), (model.time_contract, "time_mlp.3")):
            yield from dense_assignments(layer.kernel, layer.bias, name)

    def ignores(self, name: str) -> bool:
        schedule = ("betas", "alphas_", "sqrt_", "log_one_", "posterior_")
        return super().ignores(name) or name.startswith(schedule)
