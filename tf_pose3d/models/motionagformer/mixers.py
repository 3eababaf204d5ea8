"""What MotionAGFormer's graph branch mixes tokens with: graph convolutions and temporal convolutions."""

from __future__ import annotations

from typing import Any, TypeAlias

import keras
import numpy as np
from keras import ops

from tf_pose3d.layers.batch_normalization import UnbiasedBatchNormalization
from tf_pose3d.layers.initial_weights import linear, linear_initializers

__all__ = [
    "GraphMixer",
    "NodeBatchNormalization",
    "TemporalConvolutions",
    "chain_adjacency",
    "joint_adjacency",
]

Tensor: TypeAlias = keras.KerasTensor

# Neighbours of each joint of h36m_17 as in the release, asymmetries included: 8 does not hold 11 and 14,
# which hold it, nor 0 joint 4.
_NEIGHBOURS = {
    0: (1, 7),
    1: (2, 0),
    2: (3, 1),
    3: (2,),
    4: (5, 0),
    5: (6, 4),
    6: (5,),
    7: (0, 8),
    8: (7, 9),
    9: (8, 10),
    10: (9,),
    11: (12, 8),
    12: (13, 11),
    13: (12,),
    14: (15, 8),
    15: (16, 14),
    16: (15,),
}


def _normalised(adjacency: np.ndarray) -> np.ndarray:
    """D^-1/2 A D^-1/2 with D the sums of the rows."""
    scale = adjacency.sum(axis=1) ** -0.5
    return (scale[:, None] * adjacency * scale[None]).astype(np.float32)


def joint_adjacency() -> np.ndarray:
    """`(17, 17)` float32, normalised, of h36m_17's joints."""
    adjacency = np.zeros((len(_NEIGHBOURS), len(_NEIGHBOURS)))
    for joint, others in _NEIGHBOURS.items():
        adjacency[joint, list(others)] = 1
    return _normalised(adjacency)


def chain_adjacency(frames: int, reach: int) -> np.ndarray:
    """`(frames, frames)` float32, normalised: each frame with itself and the `reach` frames after it."""
    distance = np.arange(frames)[None] - np.arange(frames)[:, None]
    return _normalised(((distance >= 0) & (distance <= reach)).astype(np.float64))


@keras.saving.register_keras_serializable(package="tf_pose3d")
class NodeBatchNormalization(keras.layers.Layer):
    """Normalises each node (axis 1) over samples and features, as `torch.nn.BatchNorm1d` does `(M, N, C)`.

    Args:
        nodes: Nodes N.
        momentum: Share of a running statistic that one training step keeps: 1 minus PyTorch's momentum.
        epsilon: Added to the variance.

    Input and output: `(M, N, C)`.
    """

    def __init__(self, nodes: int, momentum: float = 0.9, epsilon: float = 1e-5, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.nodes, self.momentum, self.epsilon = nodes, float(momentum), float(epsilon)

    def build(self, input_shape: object = None) -> None:
        shape = (self.nodes,)
        self.gamma = self.add_weight(shape=shape, initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=shape, initializer="zeros", name="beta")
        statistics: dict[str, Any] = {
            "shape": shape,
            "trainable": False,
            "autocast": False,
            "aggregation": "mean",
        }
        self.moving_mean = self.add_weight(initializer="zeros", name="moving_mean", **statistics)
        self.moving_variance = self.add_weight(initializer="ones", name="moving_variance", **statistics)
        self.built = True

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        mean, variance = self.moving_mean.value, self.moving_variance.value
        if training and self.trainable:
            values = ops.cast(inputs, self.variable_dtype)
            mean, variance = ops.moments(values, [0, 2])
            count = ops.cast(ops.shape(inputs)[0] * inputs.shape[2], variance.dtype)
            unbiased = variance * (count / ops.maximum(count - 1, 1))
            for running, new in ((self.moving_mean, mean), (self.moving_variance, unbiased)):
                running.assign(self.momentum * running.value + (1 - self.momentum) * new)
        scale = ops.cast(self.gamma, variance.dtype) * ops.rsqrt(variance + self.epsilon)
        shift = ops.cast(self.beta, variance.dtype) - mean * scale
        return inputs * ops.cast(scale, inputs.dtype)[:, None] + ops.cast(shift, inputs.dtype)[:, None]

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "nodes": self.nodes,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
        }


@keras.saving.register_keras_serializable(package="tf_pose3d")
class GraphMixer(keras.layers.Layer):
    """relu(x + norm(A V(x) + U(x))) with A the joints' graph, the frames' chain, or the most alike frames'.

    Frames are alike by the product of their tokens; those that reach a row's `neighbours`-th largest are
    connected, ties included. No gradient goes through that choice. Where two products are nearly the same,
    another implementation, or another order of adding, may choose another frame.

    Args:
        dim: Width C.
        nodes: Joints or frames N.
        graph: `"joints"`, `"similar"` or `"chain"`.
        neighbours: For `"similar"`.
        reach: For `"chain"`: frames after a frame that it is connected with.

    Input and output: `(M, N, C)`.
    """

    def __init__(
        self,
        dim: int,
        nodes: int,
        graph: str = "joints",
        neighbours: int = 2,
        reach: int = 1,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.settings = {
            "dim": dim,
            "nodes": nodes,
            "graph": graph,
            "neighbours": neighbours,
            "reach": reach,
        }
        self.dim, self.nodes, self.graph = dim, nodes, graph
        self.neighbours = min(neighbours, nodes)
        self.own = linear(dim, dim, "torch", dtype=self.dtype_policy, name="own")
        self.others = linear(dim, dim, "torch", dtype=self.dtype_policy, name="others")
        for layer in (self.own, self.others):
            layer.kernel_initializer = keras.initializers.RandomNormal(stddev=(2 / dim) ** 0.5)
        self.norm = NodeBatchNormalization(nodes, dtype=self.dtype_policy, name="norm")
        self._adjacency = {"joints": joint_adjacency, "chain": lambda: chain_adjacency(nodes, reach)}.get(
            graph, lambda: None
        )()

    def build(self, input_shape: object = None) -> None:
        self.own.build((None, self.dim))
        self.others.build((None, self.dim))
        self.norm.build()
        self.built = True

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        rows = ops.reshape(inputs, (-1, self.dim))
        shape = (-1, self.nodes, self.dim)
        others = ops.reshape(self.others(rows), shape)
        own = ops.reshape(self.own(rows), shape)
        if self._adjacency is None:
            mixed = self._mix_similar(ops.stop_gradient(inputs), others)
        else:
            mixed = ops.matmul(ops.cast(self._adjacency, others.dtype), others)
        return ops.relu(inputs + self.norm(mixed + own, training=training))

    def _mix_similar(self, tokens: Tensor, values: Tensor) -> Tensor:
        similarity = ops.matmul(tokens, ops.transpose(tokens, (0, 2, 1)))
        threshold = ops.top_k(similarity, self.neighbours)[0][..., -1:]
        adjacency = ops.cast(similarity >= threshold, values.dtype)
        scale = ops.rsqrt(ops.sum(adjacency, axis=-1, keepdims=True))
        return ops.matmul(adjacency, values * scale) * scale

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict:
        return {**super().get_config(), **self.settings}


_TAPS = 5
_DILATIONS = (1, 2)
_POOLED = 3


@keras.saving.register_keras_serializable(package="tf_pose3d")
class TemporalConvolutions(keras.layers.Layer):
    """Dilated convolutions over frames, a maximum over three of them and a copy, side by side, added to x.

    Args:
        dim: Width C, a multiple of 4.

    Input and output: `(M, F, C)`.
    """

    def __init__(self, dim: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.dim = dim
        self.part = dim // (len(_DILATIONS) + 2)
        policy = self.dtype_policy

        def norm(name: str) -> UnbiasedBatchNormalization:
            return UnbiasedBatchNormalization(dtype=policy, name=name)

        names = [*(f"dilated_{dilation}" for dilation in _DILATIONS), "pooled", "plain"]
        self.entries = [linear(self.part, dim, "torch", dtype=policy, name=f"{name}_entry") for name in names]
        self.entry_norms = [norm(f"{name}_entry_norm") for name in names]
        self.convolutions = [
            keras.layers.Conv1D(
                self.part,
                _TAPS,
                padding="same",
                dilation_rate=dilation,
                dtype=policy,
                name=f"{name}_convolution",
                **linear_initializers(_TAPS * self.part, "torch"),
            )
            for name, dilation in zip(names, _DILATIONS, strict=False)
        ]
        self.last_norms = [norm(f"{name}_norm") for name in names[:-1]]

    def build(self, input_shape: object = None) -> None:
        for layer in self.entries:
            layer.build((None, self.dim))
        for layer in self.convolutions:
            layer.build((None, None, self.part))
        for layer in (*self.entry_norms, *self.last_norms):
            layer.build((None, self.part))
        self.built = True

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        frames = inputs.shape[1]
        rows = ops.reshape(inputs, (-1, self.dim))
        parts = []
        for index, (entry, norm) in enumerate(zip(self.entries, self.entry_norms, strict=True)):
            features = norm(entry(rows), training=training)
            features = ops.reshape(features, (-1, frames, self.part))
            if index < len(self.last_norms):
                features = ops.relu(features)
                if index < len(self.convolutions):
                    features = self.convolutions[index](features)
                else:
                    features = ops.max_pool(features, _POOLED, 1, "same")
                features = self.last_norms[index](features, training=training)
            parts.append(features)
        return inputs + ops.concatenate(parts, axis=-1)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict:
        return {**super().get_config(), "dim": self.dim}
