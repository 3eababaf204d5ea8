"""Graph convolutions over the joints of a skeleton, with learned edge weights.

Tensors are `(J, B, C)`, joints first: mixing joints is then one product with a `(J, J)` matrix, and mixing
features one product of `(J * B, C)`, where `(B, J, C)` would need B small ones.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from tf_pose3d.layers.batch_normalization import UnbiasedBatchNormalization
from tf_pose3d.layers.folding import Foldable, scale_and_shift
from tf_pose3d.layers.normed_relu import normed_relu
from tf_pose3d.layers.skeleton_graph import hop_edges, skeleton_adjacency
from tf_pose3d.types import Tensor

__all__ = [
    "GraphBlock",
    "HighOrderGraphConvolution",
    "SemanticGraphConvolution",
    "joint_major",
    "pose_major",
]

# The logit of joints that share no edge, as in the releases.
_NO_EDGE = -9e15


class _EdgeSoftmax:
    """Turns a vector of edge logits into a `(J, J)` matrix whose rows sum to 1.

    Logits lie on the edges in row-major order; joints without an edge get weight 0.
    """

    def __init__(self, edges: np.ndarray) -> None:
        self.joints = len(edges)
        places = np.flatnonzero(edges)
        self.count = len(places)
        # Spreading the logits is a product with this matrix, which is cheaper to compile than a scatter.
        self._spread = np.zeros((self.count, edges.size), np.float32)
        self._spread[np.arange(self.count), places] = 1
        self._absent = np.where(edges.reshape(-1), 0, _NO_EDGE).astype(np.float32)

    def __call__(self, logits: keras.KerasTensor) -> keras.KerasTensor:
        spread = ops.matmul(ops.cast(logits, "float32"), self._spread) + ops.convert_to_tensor(self._absent)
        return ops.softmax(ops.reshape(spread, (self.joints, self.joints)), axis=-1)


def _mix_features(
    inputs: keras.KerasTensor, kernel: keras.KerasTensor, bias: keras.KerasTensor | None = None
) -> keras.KerasTensor:
    """`(J, B, C) x (C, D) + (D,) -> (J, B, D)`."""
    joints, _, width = inputs.shape
    product = ops.matmul(ops.reshape(inputs, (-1, width)), ops.cast(kernel, inputs.dtype))
    if bias is not None:
        product = ops.add(product, ops.cast(bias, inputs.dtype))
    return ops.reshape(product, (joints, -1, kernel.shape[-1]))


def _mix_joints(adjacency: keras.KerasTensor, inputs: keras.KerasTensor) -> keras.KerasTensor:
    """`(K, J) x (J, B, C) -> (K, B, C)`."""
    joints, _, width = inputs.shape
    product = ops.matmul(ops.cast(adjacency, inputs.dtype), ops.reshape(inputs, (joints, -1)))
    return ops.reshape(product, (adjacency.shape[0], -1, width))


def _kernel_initializer(hops: int, width: int, units: int) -> keras.initializers.Initializer:
    # The releases give the three-dimensional kernel to PyTorch's xavier_uniform_, which takes the first
    # axis for outputs, the second for inputs and the third for a receptive field.
    limit = 1.414 * math.sqrt(6 / (units * (hops + width)))
    return keras.initializers.RandomUniform(-limit, limit)


def _bias_initializer(units: int) -> keras.initializers.Initializer:
    limit = 1 / math.sqrt(units)
    return keras.initializers.RandomUniform(-limit, limit)


class _Weights(NamedTuple):
    """What a graph convolution computes with.

    Attributes:
        kernels: `(C, D)` of each hop.
        biases: `(D,)` of each hop, or None: 0.
        joints: What mixes joints.
    """

    kernels: list[Tensor]
    biases: list[Tensor | None]
    joints: list[Tensor]


class _GraphConvolution(keras.layers.Layer):
    """Computes with its weights, or with copies that hold the normalisation behind it."""

    _folded: _Weights | None = None

    def _weights(self) -> _Weights:
        raise NotImplementedError

    def _of_hops(self, scale: Tensor, shift: Tensor) -> list[tuple[Tensor, Tensor]]:
        """What each hop's features are scaled and shifted by."""
        raise NotImplementedError

    def fold(self, scale: Tensor, shift: Tensor) -> None:
        """Has `product` give `product * scale + shift` by copies of the weights, until `unfold`.

        A bias comes through the mixing of joints as it is, since the shares of every joint sum to 1. So it is
        added where features are mixed, as the scale is worked into their kernels.

        Args:
            scale, shift: `(D,)` of the output's features.
        """
        kernels, _, joints = self._weights()
        parts = self._of_hops(scale, shift)
        self._folded = _Weights(
            [kernel * scale for kernel, (scale, _) in zip(kernels, parts, strict=True)],
            [shift for _, shift in parts],
            joints,
        )

    def unfold(self) -> None:
        """Returns to the weights themselves."""
        self._folded = None


@keras.saving.register_keras_serializable(package="tf_pose3d")
class SemanticGraphConvolution(_GraphConvolution):
    """Graph convolution with one kernel for a joint itself, one for its neighbours, and learned edges.

    Zhao et al., "Semantic graph convolutional networks for 3D human pose regression", CVPR 2019.

    Args:
        units: Output features.
        skeleton: Name of the joint layout.

    Input: `(J, B, C)`. Output: `(J, B, units)`.
    """

    def __init__(self, units: int, skeleton: str, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.skeleton = skeleton
        adjacency = skeleton_adjacency(skeleton, self_loops=True)
        self._edge_softmax = _EdgeSoftmax(adjacency > 0)
        self._self = np.eye(len(adjacency), dtype=np.float32)

    def build(self, input_shape: tuple) -> None:
        width = input_shape[-1]
        self.kernel = self.add_weight(
            shape=(2, width, self.units),
            initializer=_kernel_initializer(2, width, self.units),
            name="kernel",
        )
        self.edges = self.add_weight(shape=(1, self._edge_softmax.count), initializer="ones", name="edges")
        self.bias = self.add_weight(
            shape=(self.units,), initializer=_bias_initializer(self.units), name="bias"
        )

    def _weights(self) -> _Weights:
        edges = self._edge_softmax(self.edges)
        # The neighbours' matrix has a zero diagonal; a joint's own share is a mere scaling.
        diagonal = ops.convert_to_tensor(self._self)
        joints = [ops.sum(edges * diagonal, axis=-1), edges * (1 - diagonal)]
        return _Weights([self.kernel[0], self.kernel[1]], [None, None], joints)

    def _of_hops(self, scale: Tensor, shift: Tensor) -> list[tuple[Tensor, Tensor]]:
        return [(scale, shift), (scale, shift)]

    def product(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """The layer's output without its bias."""
        kernels, biases, (own_share, neighbours) = self._folded or self._weights()
        own = _mix_features(inputs, kernels[0], biases[0])
        mixed = _mix_joints(neighbours, _mix_features(inputs, kernels[1], biases[1]))
        return own * ops.cast(own_share, own.dtype)[:, None, None] + mixed

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        product = self.product(inputs)
        return product + ops.cast(self.bias, product.dtype)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict:
        return {**super().get_config(), "units": self.units, "skeleton": self.skeleton}


@keras.saving.register_keras_serializable(package="tf_pose3d")
class HighOrderGraphConvolution(_GraphConvolution):
    """Graph convolution over neighbours at several distances, each hop with a kernel and edges of its own.

    With `initial_share` a = 0 and `kernel_scale` b = 1 it is HGCN's layer: hop k gives `A_k x W_k` (Zou et
    al., "High-order graph convolutional networks for 3D human pose estimation", BMVC 2020). HOIF-Net's is
    `((1 - a) A_k x + a x0) (b W_k)`.

    Hop 0 is each joint alone: its softmax over one edge is the identity whatever its weights are, so that
    `edges_0` never learns. Releases also hold two biases a layer and use one. Both are kept, as weights that
    are not trained, because the published checkpoints and parameter counts hold them.

    Args:
        units: Output features of a hop.
        skeleton: Name of the joint layout.
        hops: Number of hops, hop 0 included.
        combine: `"concatenate"` the hops' outputs or `"sum"` them up (the releases' output layer).
        initial_share: a; above 0 the call needs `initial`, which must be as wide as the input.
        kernel_scale: b.

    Input: `(J, B, C)`. Output: `(J, B, hops * units)`, or `(J, B, units)` of sums.
    """

    def __init__(
        self,
        units: int,
        skeleton: str,
        hops: int = 4,
        combine: str = "concatenate",
        initial_share: float = 0.0,
        kernel_scale: float = 1.0,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        if combine not in ("concatenate", "sum"):
            raise ValueError(f"combine is {combine!r}, expected concatenate or sum")
        self.units = units
        self.skeleton = skeleton
        self.hops = hops
        self.combine = combine
        self.initial_share = initial_share
        self.kernel_scale = kernel_scale
        adjacency = skeleton_adjacency(skeleton, self_loops=False)
        self._edge_softmax = [_EdgeSoftmax(hop_edges(adjacency, hop)) for hop in range(hops)]

    def build(self, input_shape: tuple) -> None:
        width, concatenates = input_shape[-1], self.combine == "concatenate"
        self.kernel = self.add_weight(
            shape=(self.hops, width, self.units),
            initializer=_kernel_initializer(self.hops, width, self.units),
            name="kernel",
        )
        self.edges = [
            self.add_weight(
                shape=(1, softmax.count), initializer="ones", trainable=hop > 0, name=f"edges_{hop}"
            )
            for hop, softmax in enumerate(self._edge_softmax)
        ]
        self.bias_of_concatenation = self.add_weight(
            shape=(self.hops * self.units,),
            initializer=_bias_initializer(self.units),
            trainable=concatenates,
            name="bias_of_concatenation",
        )
        self.bias_of_sum = self.add_weight(
            shape=(self.units,),
            initializer=_bias_initializer(self.units),
            trainable=not concatenates,
            name="bias_of_sum",
        )

    @property
    def bias(self) -> keras.Variable:
        """The one of the two biases that is used."""
        return self.bias_of_concatenation if self.combine == "concatenate" else self.bias_of_sum

    def _weights(self) -> _Weights:
        scale = self.kernel_scale
        kernels = [self.kernel[hop] * scale if scale != 1 else self.kernel[hop] for hop in range(self.hops)]
        joints = [softmax(self.edges[hop]) for hop, softmax in enumerate(self._edge_softmax) if hop]
        return _Weights(kernels, [None] * self.hops, joints)

    def _of_hops(self, scale: Tensor, shift: Tensor) -> list[tuple[Tensor, Tensor]]:
        if self.combine == "sum":
            return [(scale, shift / self.hops)] * self.hops
        return list(zip(ops.split(scale, self.hops), ops.split(shift, self.hops), strict=True))

    def product(
        self, inputs: keras.KerasTensor, initial: keras.KerasTensor | None = None
    ) -> keras.KerasTensor:
        """The layer's output without its bias."""
        share, weights = self.initial_share, self._folded or self._weights()
        outputs = []
        for hop, (kernel, bias) in enumerate(zip(weights.kernels, weights.biases, strict=True)):
            if share and initial is not None:
                neighbours = _mix_joints(weights.joints[hop - 1], inputs) if hop else inputs
                mixed = (1 - share) * neighbours + share * initial
                outputs.append(_mix_features(mixed, kernel, bias))
            else:
                features = _mix_features(inputs, kernel, bias)
                outputs.append(_mix_joints(weights.joints[hop - 1], features) if hop else features)
        if self.combine == "concatenate":
            return ops.concatenate(outputs, axis=-1)
        return sum(outputs[1:], outputs[0])

    def call(self, inputs: keras.KerasTensor, initial: keras.KerasTensor | None = None) -> keras.KerasTensor:
        product = self.product(inputs, initial)
        return product + ops.cast(self.bias, product.dtype)

    def compute_output_shape(self, input_shape: tuple, initial_shape: tuple | None = None) -> tuple:
        width = self.units * (self.hops if self.combine == "concatenate" else 1)
        return (*input_shape[:-1], width)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "units": self.units,
            "skeleton": self.skeleton,
            "hops": self.hops,
            "combine": self.combine,
            "initial_share": self.initial_share,
            "kernel_scale": self.kernel_scale,
        }


@keras.saving.register_keras_serializable(package="tf_pose3d")
class GraphBlock(Foldable, keras.layers.Layer):
    """A graph convolution, batch normalisation over features, ReLU and dropout.

    Args:
        convolution: One of this module's graph convolutions.
        dropout: Rate.

    Input: `(J, B, C)`; further arguments go to the convolution. Output: `(J, B, D)`.
    """

    def __init__(self, convolution: keras.layers.Layer, dropout: float = 0.0, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.convolution = convolution
        self.norm = UnbiasedBatchNormalization(name="norm")
        self.dropout = float(dropout)
        self.seed_generator = keras.random.SeedGenerator()
        self._is_folded = False

    def fold(self) -> None:
        self.convolution.fold(*scale_and_shift(self.norm, self.convolution.bias))
        self._is_folded = True

    def unfold(self) -> None:
        self.convolution.unfold()
        self._is_folded = False

    def build(self, input_shape: tuple, initial_shape: tuple | None = None) -> None:
        self.convolution.build(input_shape)
        self.norm.build(self.convolution.compute_output_shape(input_shape))

    def call(
        self,
        inputs: keras.KerasTensor,
        initial: keras.KerasTensor | None = None,
        training: bool | None = None,
    ) -> keras.KerasTensor:
        further = {} if initial is None else {"initial": initial}
        product = self.convolution.product(inputs, **further)
        if self._is_folded:
            self._refuse(training)
            return ops.relu(product)
        joints, _, width = product.shape
        rows = ops.reshape(product, (-1, width))
        features = normed_relu(
            rows, self.convolution.bias, self.norm, self.dropout, self.seed_generator, training
        )
        return ops.reshape(features, (joints, -1, width))

    def compute_output_shape(self, input_shape: tuple, initial_shape: tuple | None = None) -> tuple:
        return self.convolution.compute_output_shape(input_shape)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "convolution": keras.saving.serialize_keras_object(self.convolution),
            "dropout": self.dropout,
        }

    @classmethod
    def from_config(cls, config: dict) -> GraphBlock:
        convolution = keras.saving.deserialize_keras_object(config["convolution"])
        return cls(**{**config, "convolution": convolution})


def joint_major(inputs: dict[str, keras.KerasTensor], joints: int) -> keras.KerasTensor:
    """`(J, B, 2)` of the batch's `keypoints_2d`, `(B, J, 2)` or `(B, 1, J, 2)`."""
    return ops.transpose(ops.reshape(inputs["keypoints_2d"], (-1, joints, 2)), (1, 0, 2))


def pose_major(features: keras.KerasTensor) -> keras.KerasTensor:
    """`(B, J, C)` of `(J, B, C)`."""
    return ops.transpose(features, (1, 0, 2))
