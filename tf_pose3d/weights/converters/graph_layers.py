"""Assignments for the layers that the graph families' checkpoints have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.layers.skeleton_graph import hop_edges, skeleton_adjacency
from tf_pose3d.types import Tensor
from tf_pose3d.weight_files.checkpoint import Checkpoint
from tf_pose3d.weights.converters.converter import Assignment

if TYPE_CHECKING:
    from tf_pose3d.layers.batch_normalization import UnbiasedBatchNormalization
    from tf_pose3d.layers.graph import GraphBlock, HighOrderGraphConvolution, SemanticGraphConvolution

__all__ = [
    "block_assignments",
    "convolution_assignments",
    "count_numbered",
    "dense_assignments",
    "joints_of_edges",
    "norm_assignments",
]


def joints_of_edges(checkpoint: Checkpoint, name: str, self_loops: bool, hop: int = 1) -> int:
    """Joint count of the layout whose edges a tensor holds.

    Raises:
        Pose3DError: No layout has that number of edges.
    """
    edges = checkpoint.tensors[name].size
    counts = {}
    for layout in ("h36m_16", "h36m_17"):
        adjacency = skeleton_adjacency(layout, self_loops)
        counts[len(adjacency)] = int(np.count_nonzero(hop_edges(adjacency, hop)))
    for joints, count in counts.items():
        if count == edges:
            return joints
    expected = " or ".join(f"{count} ({joints} joints)" for joints, count in counts.items())
    raise Pose3DError(f"{checkpoint.source}: {name} has {edges} edges, expected {expected} of Human3.6M")


def count_numbered(checkpoint: Checkpoint, prefix: str, suffix: str) -> int:
    """How many tensors are called `prefix<number>suffix`."""
    names = [name for name in checkpoint.tensors if name.startswith(prefix) and name.endswith(suffix)]
    return sum(name[len(prefix) : -len(suffix)].isdecimal() for name in names)


def norm_assignments(norm: UnbiasedBatchNormalization, prefix: str) -> Iterator[Assignment]:
    """Of `torch.nn.BatchNorm1d`."""
    yield Assignment(norm.gamma, (f"{prefix}.weight",))
    yield Assignment(norm.beta, (f"{prefix}.bias",))
    yield Assignment(norm.moving_mean, (f"{prefix}.running_mean",))
    yield Assignment(norm.moving_variance, (f"{prefix}.running_var",))


def dense_assignments(kernel: Tensor, bias: Tensor, prefix: str) -> Iterator[Assignment]:
    """Of `torch.nn.Linear` or a convolution of size 1: `(D, C)` or `(D, C, 1)` into `(C, D)`."""
    yield Assignment(kernel, (f"{prefix}.weight",), lambda array: array.reshape(array.shape[:2]).T)
    yield Assignment(bias, (f"{prefix}.bias",))


def convolution_assignments(
    layer: HighOrderGraphConvolution | SemanticGraphConvolution, prefix: str
) -> Iterator[Assignment]:
    """Of a graph convolution."""
    yield Assignment(layer.kernel, (f"{prefix}.W",))
    if isinstance(layer.edges, list):
        for hop, edges in enumerate(layer.edges):
            yield Assignment(edges, (f"{prefix}.e_{hop}",))
        yield Assignment(layer.bias_of_concatenation, (f"{prefix}.bias",))
        yield Assignment(layer.bias_of_sum, (f"{prefix}.bias_2",))
    else:
        yield Assignment(layer.edges, (f"{prefix}.e",))
        yield Assignment(layer.bias, (f"{prefix}.bias",))


def block_assignments(block: GraphBlock, prefix: str) -> Iterator[Assignment]:
    """Of a graph convolution with its normalisation."""
    yield from convolution_assignments(block.convolution, f"{prefix}.gconv")
    yield from norm_assignments(block.norm, f"{prefix}.bn")
