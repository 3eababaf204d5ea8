"""Matrix products of rows, in half precision where a network is told so.

Under Keras's own mixed policies every layer computes in half precision, which costs poses millimetres on the
way through norms and residual sums. Here a network stays in float32, and the operands and results of its
large products alone are rounded.

Tokens of a transformer have much in common, and their differences are what a pose is made of: rounded
whole, each loses a part of the common that is as large as a difference. So the mean of the tokens of an
example is multiplied in float32, and what they differ from it by in half precision. That is the same product,
and every rounding is of the smaller number.
"""

from __future__ import annotations

import types
from collections.abc import Callable

import keras
from keras import ops

from tf_pose3d.types import Tensor

__all__ = ["SMALLEST", "dense_rows", "narrow_products", "product", "rows_of_one"]

# Features on both sides of a product that may be narrowed. Smaller ones read coordinates or give poses, whose
# rounding would be seen, and take little of the time.
SMALLEST = 128


# Rows that share a mean: for fewer, its product in float32 would take what narrowing the rest gains.
_FEWEST = 8


def product(
    rows: Tensor,
    kernel: Tensor,
    dtype: str | None = None,
    group: int | None = None,
    bias: Tensor | None = None,
) -> Tensor:
    """`rows @ kernel + bias` in the rows' type.

    Args:
        rows: `(R, C)`.
        kernel: `(C, D)`.
        dtype: Of operands and result of the product inside, where both C and D are `SMALLEST` or more; None:
            the rows'.
        group: How many rows, one after the other, are of one example: their mean is multiplied in the rows'
            type, and with fewer than 8 all of it. It divides R. None: rows are rounded as they are.
        bias: `(D,)`; None: 0.
    """
    if dtype is None or min(kernel.shape) < SMALLEST or (group is not None and group < _FEWEST):
        outputs = ops.matmul(rows, ops.cast(kernel, rows.dtype))
    elif group is None:
        outputs = _narrow(rows, kernel, dtype)
    else:
        return _apart(rows, kernel, dtype, group, bias)
    return outputs if bias is None else ops.add(outputs, bias)


def _narrow(rows: Tensor, kernel: Tensor, dtype: str) -> Tensor:
    return ops.cast(ops.matmul(ops.cast(rows, dtype), ops.cast(kernel, dtype)), rows.dtype)


def _apart(rows: Tensor, kernel: Tensor, dtype: str, group: int, bias: Tensor | None) -> Tensor:
    width, units = kernel.shape
    grouped = ops.reshape(rows, (-1, group, width))
    mean = ops.mean(grouped, axis=1)
    common = ops.matmul(mean, ops.cast(kernel, rows.dtype))
    if bias is not None:
        common = ops.add(common, bias)
    apart = ops.subtract(grouped, ops.expand_dims(mean, 1))
    apart = ops.reshape(_narrow(ops.reshape(apart, (-1, width)), kernel, dtype), (-1, group, units))
    return ops.reshape(ops.add(apart, ops.expand_dims(common, 1)), (-1, units))


def dense_rows(
    layer: keras.layers.Dense,
    rows: Tensor,
    dtype: str | None,
    group: int | None,
    scale: Tensor | None = None,
) -> Tensor:
    """A Dense layer without activation for rows `(R, C)`.

    Args:
        layer: Built.
        rows: `(R, C)`.
        dtype, group: As in `product`.
        scale: `(D,)`, what the outputs are multiplied with: the weights are, which takes far fewer products
            and no memory of the outputs' size for the gradient. None: 1.
    """
    if dtype is None and scale is None:
        return layer(rows)
    kernel = ops.convert_to_tensor(layer.kernel)
    bias = None if layer.bias is None else ops.convert_to_tensor(layer.bias)
    if scale is not None:
        kernel = kernel * scale
        bias = None if bias is None else bias * scale
    return product(rows, kernel, dtype, group, bias)


def rows_of_one(shape: tuple[int | None, ...], training: bool | None) -> int | None:
    """`group` of `product` for the rows of tokens `(B, ..., C)`.

    None in training, whose steps average over roundings and would pay for the means in their gradients, too.
    """
    count = 1
    for size in shape[1:-1]:
        if size is None:
            return None
        count *= size
    return None if training else count


def narrow_products(model: keras.Layer, dtype: str) -> float:
    """Has a float32 network compute its large matrix products in half precision, in inference and training.

    Norms, residual sums, softmax, activations, what reads coordinates and what gives poses stay in float32,
    like products of queries with keys, of weights with values, and Dense layers with `reads_coordinates`.

    Args:
        model: Built. Graphs that were traced before are not changed.
        dtype: `"bfloat16"` or `"float16"`.

    Returns:
        The share of the network's weights that are in such products; 0: nothing has changed.
    """
    narrowed = 0
    for layer in model._flatten_layers():
        if getattr(layer, "reads_coordinates", False):
            continue
        if isinstance(layer, keras.layers.Dense):
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
