"""Matrix products of rows, in half precision where a network is told so.

Under Keras's own mixed policies every layer computes in half precision, which costs poses millimetres on the
way through norms and residual sums. Here a network stays in float32, and the operands and results of its
large products alone are rounded.
"""

from __future__ import annotations

import types
from collections.abc import Callable

import keras
from keras import ops

from tf_pose3d.types import Tensor

__all__ = ["SMALLEST", "narrow_products", "product"]

# Features on both sides of a product that may be narrowed. Smaller ones read coordinates or give poses, whose
# rounding would be seen, and take little of the time.
SMALLEST = 128


def product(rows: Tensor, kernel: Tensor, dtype: str | None = None) -> Tensor:
    """`rows @ kernel` in the rows' type.

    Args:
        rows: `(R, C)`.
        kernel: `(C, D)`.
        dtype: Of operands and result inside, where both C and D are `SMALLEST` or more; None: the rows'.
    """
    if dtype is None or min(kernel.shape) < SMALLEST:
        return ops.matmul(rows, ops.cast(kernel, rows.dtype))
    return ops.cast(ops.matmul(ops.cast(rows, dtype), ops.cast(kernel, dtype)), rows.dtype)


def narrow_products(model: keras.Layer, dtype: str) -> float:
    """Has a float32 network compute its large matrix products in half precision, in inference and training.

    Norms, residual sums, softmax, activations, what reads coordinates and what gives poses stay in float32.

    Args:
        model: Built. Graphs that were traced before are not changed.
        dtype: `"bfloat16"` or `"float16"`.

    Returns:
        The share of the network's weights that are in such products; 0: nothing has changed.
    """
    narrowed = 0
    for layer in model._flatten_layers():
        is_dense = isinstance(layer, keras.layers.Dense)
        if is_dense:
            # An instance's own method: families hold Keras's layers, whose names and files stay as they are.
            vars(layer)["call"] = types.MethodType(_dense(dtype), layer)
        elif hasattr(layer, "product_dtype"):
            layer.product_dtype = dtype
        else:
            continue
        own = [weight.shape for weight in layer._trainable_variables if len(weight.shape) > 1]
        narrowed += sum(_size(shape) for shape in own if min(shape[-2:]) >= SMALLEST)
    return narrowed / max(model.count_params(), 1)


def _size(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


def _dense(dtype: str) -> Callable[..., Tensor]:
    def call(self: keras.layers.Dense, inputs: Tensor, training: bool | None = None) -> Tensor:
        outputs = product(inputs, ops.convert_to_tensor(self.kernel), dtype)
        if self.bias is not None:
            outputs = ops.add(outputs, self.bias)
        return outputs if self.activation is None else self.activation(outputs)

    return call
