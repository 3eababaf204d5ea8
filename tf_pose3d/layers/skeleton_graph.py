"""A skeleton as a graph (NumPy), which checkpoints are compared with before there is a network."""

from __future__ import annotations

import numpy as np

from tf_pose3d.skeleton import Skeleton, get_skeleton

__all__ = ["hop_edges", "skeleton_adjacency"]


def skeleton_adjacency(skeleton: str | Skeleton, self_loops: bool) -> np.ndarray:
    """`(J, J)` adjacency of a skeleton's bones, each row scaled to sum 1.

    Args:
        skeleton: Joint layout.
        self_loops: Whether every joint is its own neighbour (SemGCN), or not (HGCN, HOIF-Net).
    """
    layout = get_skeleton(skeleton)
    adjacency = np.eye(layout.num_joints) if self_loops else np.zeros((layout.num_joints,) * 2)
    for joint, parent in enumerate(layout.parents):
        if parent >= 0:
            adjacency[joint, parent] = adjacency[parent, joint] = 1
    return adjacency / adjacency.sum(axis=1, keepdims=True)


def hop_edges(adjacency: np.ndarray, hop: int) -> np.ndarray:
    """`(J, J)` bool: pairs of joints that a walk of exactly `hop` steps connects; hop 0 is a joint itself."""
    return np.linalg.matrix_power(adjacency, hop) > 0
