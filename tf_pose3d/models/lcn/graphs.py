"""Which joints feed which: the `(J, J)` neighbour matrices of LCN.

Row i, column j of a neighbour matrix says how joint j enters joint i. The network's mask is its transpose.
Source: Ci et al., "Optimizing Network Structure for 3D Human Pose Estimation", ICCV 2019, and its release.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

import numpy as np

from tf_pose3d.errors import Pose3DError

__all__ = ["GRAPHS", "knn_matrix", "laplacian_matrix", "neighbours", "random_graph_matrix"]

# Links of the h36m_17 joints, each once. Hips and shoulders are tied to the spine (7), too.
_LINKS_17 = (
    *((0, 1), (0, 4), (0, 7), (1, 7), (4, 7), (7, 8), (7, 11), (7, 14)),
    *((1, 2), (2, 3), (4, 5), (5, 6)),
    *((8, 9), (9, 10), (8, 11), (8, 14)),
    *((11, 12), (12, 13), (14, 15), (15, 16)),
)

# Neighbour graphs by the number that --graph takes, as links of the h36m_17 joints.
GRAPHS = (_LINKS_17,)

_HEAD = 9


def _links(graph: int, joints: int) -> tuple[tuple[int, int], ...]:
    """Links of a graph in the h36m_17 or h36m_16 layout."""
    if not 0 <= graph < len(GRAPHS):
        raise Pose3DError(f"GRAPH is {graph}, there are graphs 0 to {len(GRAPHS) - 1}")
    links = GRAPHS[graph]
    if joints == 17:
        return links
    if joints != 16:
        raise Pose3DError(f"the neighbour graphs are of 16 or 17 joints, not of {joints}")
    # Without the joint between neck and head top these two are linked.
    closed = {(8 if a == _HEAD else a, 8 if b == _HEAD else b) for a, b in links} - {(8, 8)}
    return tuple(sorted((a - (a > _HEAD), b - (b > _HEAD)) for a, b in closed))


def neighbours(graph: int = 0, joints: int = 17) -> Mapping[int, list[int]]:
    """Each joint's linked joints, in rising order."""
    table: dict[int, list[int]] = {joint: [] for joint in range(joints)}
    for first, second in _links(graph, joints):
        table[first].append(second)
        table[second].append(first)
    return {joint: sorted(linked) for joint, linked in table.items()}


def _reach(adjacency: np.ndarray, knn: int) -> np.ndarray:
    """1 where `knn` steps or fewer lead, 0 elsewhere."""
    steps = np.eye(len(adjacency), dtype=bool) | (adjacency != 0)
    return np.linalg.matrix_power(steps.astype(np.float64), max(knn, 1)).astype(bool).astype(np.float32)


def knn_matrix(knn: int, graph: int = 0, joints: int = 17) -> np.ndarray:
    """`(J, J)` float32: 1 between joints that are at most `knn` links apart.

    Raises:
        Pose3DError: No such graph, or a joint count that it has no form for.
    """
    adjacency = np.zeros((joints, joints))
    for first, second in _links(graph, joints):
        adjacency[first, second] = adjacency[second, first] = 1
    return _reach(adjacency, knn)


def laplacian_matrix(poses: np.ndarray, graph: int = 0) -> np.ndarray:
    """The normalised Laplacian of the links, rescaled to [-1, 1].

    A link's weight is `exp(-(l / (mean + std))^2)` with l its mean length over the poses, mean and standard
    deviation over all links; `L = I - D^-1/2 A D^-1/2`, of which I is taken off again.

    Args:
        poses: `(N, J, 3)` training labels on the scale of the network's output.
        graph: Which links.

    Returns:
        `(J, J)` float32.

    Raises:
        Pose3DError: As `knn_matrix`, or no pose.
    """
    poses = np.asarray(poses)
    if poses.ndim != 3 or len(poses) == 0:
        raise Pose3DError(f"a Laplacian mask needs poses (N, J, 3), got shape {poses.shape}")
    joints = poses.shape[1]
    links = np.array(_links(graph, joints))
    lengths = np.empty(len(links), np.float32)
    for number, (first, second) in enumerate(links):
        difference = poses[:, first].astype(np.float64) - poses[:, second]
        lengths[number] = np.sqrt(np.square(difference).sum(1)).mean()
    weights = np.exp(-np.square(lengths / (lengths.mean() + lengths.std())))
    adjacency = np.zeros((joints, joints), np.float32)
    adjacency[links[:, 0], links[:, 1]] = weights
    adjacency += adjacency.T
    degree = 1 / np.sqrt(adjacency.sum(0))
    return (-degree[:, None] * adjacency * degree).astype(np.float32)


def random_graph_matrix(joints: int, edges: int, seed: int, knn: int = 1) -> np.ndarray:
    """`(J, J)` float32: as `knn_matrix`, for a random connected graph.

    A random walk over the complete graph gives a spanning tree, random edges are added until there are
    `edges`. The same seed gives the graph that the release draws with it.

    Raises:
        Pose3DError: Fewer edges than a tree has, or more than there are pairs.
    """
    most = joints * (joints - 1) // 2
    if not joints - 1 <= edges <= most:
        raise Pose3DError(
            f"a connected random graph of {joints} joints has {joints - 1} to {most} edges, not {edges}"
        )
    draw = random.Random(seed)
    nodes = list(range(joints))
    current = draw.sample(nodes, 1)[0]
    unvisited = set(nodes) - {current}
    drawn: set[frozenset[int]] = set()
    while unvisited:
        following = draw.sample(nodes, 1)[0]
        if following in unvisited:
            unvisited.remove(following)
            drawn.add(frozenset((current, following)))
        current = following
    while len(drawn) < edges:
        drawn.add(frozenset(draw.sample(nodes, 2)))
    adjacency = np.zeros((joints, joints))
    for first, second in drawn:
        adjacency[first, second] = adjacency[second, first] = 1
    return _reach(adjacency, knn)
