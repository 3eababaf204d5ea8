"""Non-local block over the joints of a skeleton."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import ops

from tf_pose3d.layers.batch_normalization import UnbiasedBatchNormalization

__all__ = ["GraphNonLocal"]

# PyTorch's kaiming_normal_.
_HE_NORMAL = keras.initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal")


@keras.saving.register_keras_serializable(package="tf_pose3d")
class GraphNonLocal(keras.layers.Layer):
    """Every joint attends to groups of joints, and the result is added to the input.

    The weight of joint i and group n is `relu(w . [theta_i, phi_n]) / N`; phi and g are the maximum over a
    group's joints. The normalisation's scale starts at 0, so that the block starts as the identity. Source:
    Wang et al., "Non-local neural networks", 2018, in the concatenating form that SemGCN uses.

    Args:
        groups: N groups of joint indices, all of one size, covering every joint once.

    Input and output: `(J, B, C)`.
    """

    def __init__(self, groups: Sequence[Sequence[int]], **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.groups = [list(group) for group in groups]
        self.norm = UnbiasedBatchNormalization(gamma_initializer="zeros", name="norm")

    def build(self, input_shape: tuple) -> None:
        width = input_shape[-1]
        inner = width // 2
        for name, shape in (
            ("theta", (width, inner)),
            ("phi", (width, inner)),
            ("g", (width, inner)),
            ("output", (inner, width)),
        ):
            kernel = self.add_weight(shape=shape, initializer=_HE_NORMAL.clone(), name=f"{name}_kernel")
            bias = self.add_weight(shape=shape[1:], initializer="zeros", name=f"{name}_bias")
            setattr(self, f"{name}_kernel", kernel)
            setattr(self, f"{name}_bias", bias)
        self.pair_kernel = self.add_weight(
            shape=(2 * inner, 1), initializer=_HE_NORMAL.clone(), name="pair_kernel"
        )
        self.norm.build(input_shape)

    def call(self, inputs: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        joints, _, width = inputs.shape
        inner, members = width // 2, len(self.groups[0])
        rows = ops.reshape(inputs, (-1, width))

        def project(name: str) -> keras.KerasTensor:
            kernel, bias = getattr(self, f"{name}_kernel"), getattr(self, f"{name}_bias")
            return ops.matmul(rows, kernel) + bias

        def grouped(features: keras.KerasTensor) -> keras.KerasTensor:
            features = ops.reshape(features, (joints, -1, inner))
            members_of = [
                ops.stack([features[group[member]] for group in self.groups]) for member in range(members)
            ]
            result = members_of[0]
            for other in members_of[1:]:
                result = ops.maximum(result, other)
            return result

        phi, g = grouped(project("phi")), grouped(project("g"))
        of_joint = ops.reshape(ops.matmul(project("theta"), self.pair_kernel[:inner]), (joints, 1, -1))
        of_group = ops.matmul(ops.reshape(phi, (-1, inner)), self.pair_kernel[inner:])
        of_group = ops.reshape(of_group, (1, len(self.groups), -1))
        weights = ops.relu(of_joint + of_group) / len(self.groups)
        attended = ops.einsum("jnb,nbc->jbc", weights, g)
        output = ops.matmul(ops.reshape(attended, (-1, inner)), self.output_kernel) + self.output_bias
        return inputs + self.norm(ops.reshape(output, ops.shape(inputs)), training=training)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict:
        return {**super().get_config(), "groups": self.groups}
