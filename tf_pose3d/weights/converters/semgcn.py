"""Checkpoints of SemGCN's release."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tf_pose3d.weight_files.checkpoint import Checkpoint
from tf_pose3d.weights.converters.converter import Assignment, Converter
from tf_pose3d.weights.converters.graph_layers import (
    block_assignments,
    convolution_assignments,
    count_numbered,
    dense_assignments,
    joints_of_edges,
    norm_assignments,
)

if TYPE_CHECKING:
    from tf_pose3d.layers.non_local import GraphNonLocal
    from tf_pose3d.models.semgcn.family import SemGCNConfig
    from tf_pose3d.models.semgcn.model import SemGCN

__all__ = ["SemGCNConverter"]


def _non_local_assignments(layer: GraphNonLocal, prefix: str) -> Iterator[Assignment]:
    # Convolutions that pooling follows lie in a container, as its first part.
    yield from dense_assignments(layer.theta_kernel, layer.theta_bias, f"{prefix}.theta")
    yield from dense_assignments(layer.phi_kernel, layer.phi_bias, f"{prefix}.phi.0")
    yield from dense_assignments(layer.g_kernel, layer.g_bias, f"{prefix}.g.0")
    yield from dense_assignments(layer.output_kernel, layer.output_bias, f"{prefix}.W.0")
    yield Assignment(
        layer.pair_kernel, (f"{prefix}.concat_project.0.weight",), lambda array: array.reshape(-1, 1)
    )
    yield from norm_assignments(layer.norm, f"{prefix}.W.1")


class SemGCNConverter(Converter["SemGCNConfig"]):
    """Of SemGCN's release.

    With non-local blocks the release numbers them among the residual pairs, each behind its pair.
    """

    arch = "SemGCN"
    telling_tensor = "gconv_input.0.gconv.e"

    def recognises(self, checkpoint: Checkpoint) -> bool:
        return {self.telling_tensor, "gconv_input.0.gconv.W"} <= checkpoint.tensors.keys()

    def config_values(self, checkpoint: Checkpoint) -> dict[str, Any]:
        return {
            "NUM_KEYPOINTS": joints_of_edges(checkpoint, "gconv_input.0.gconv.e", self_loops=True),
            "HID_DIM": checkpoint.tensors["gconv_input.0.gconv.W"].shape[-1],
            "NUM_LAYERS": count_numbered(checkpoint, "gconv_layers.", ".gconv1.gconv.W"),
            "NON_LOCAL": any(name.startswith("gconv_input.1.nonlocal") for name in checkpoint.tensors),
        }

    def assignments(self, model: SemGCN, config: SemGCNConfig) -> Iterator[Assignment]:
        step = 2 if config.NON_LOCAL else 1
        yield from block_assignments(model.gconv_input, "gconv_input.0")
        for index, block in enumerate(model.gconv_layers):
            yield from block_assignments(block, f"gconv_layers.{index // 2 * step}.gconv{index % 2 + 1}")
        for index, layer in enumerate(model.non_local_layers):
            place = f"gconv_layers.{2 * index - 1}" if index else "gconv_input.1"
            yield from _non_local_assignments(layer, f"{place}.nonlocal")
        yield from convolution_assignments(model.gconv_output, "gconv_output")
