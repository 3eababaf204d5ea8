"""The compiled deformable convolution as a TensorFlow function, with its gradient."""

from __future__ import annotations

from typing import Any

from tf_pose3d.ops.arguments import FLOAT_TYPES
from tf_pose3d.ops.deform_conv.options import ConvOptions
from tf_pose3d.ops.dispatch import CompiledOperation
from tf_pose3d.ops.loader import Library, Op
from tf_pose3d.types import Tensor

_ATTRIBUTES = (
    "strides",
    "padding",
    "explicit_paddings",
    "dilations",
    "groups",
    "deformable_groups",
    "data_format",
)


def deform_conv2d(
    x: Tensor, offset: Tensor, weight: Tensor, mask: Tensor | None, bias: Tensor | None, options: ConvOptions
) -> Tensor:
    """The compiled counterpart of `reference.deform_conv2d`."""
    padding = options.padding
    return OPERATION.library.tf_pose3d_deform_conv2d(
        x=x,
        offset=offset,
        weight=weight,
        mask=[] if mask is None else [mask],
        bias=[] if bias is None else [bias],
        strides=options.strides,
        padding=padding.upper() if isinstance(padding, str) else "EXPLICIT",
        explicit_paddings=[] if isinstance(padding, str) else [*padding[0], *padding[1]],
        dilations=options.dilation,
        groups=options.groups,
        deformable_groups=options.deformable_groups,
        data_format="NCHW" if options.data_format == "channels_first" else "NHWC",
    )


def _gradient(library: Library, op: Op, grad_y: Tensor) -> list[Any]:
    masks, biases = op.get_attr("num_masks"), op.get_attr("num_biases")
    grads = library.tf_pose3d_deform_conv2d_grad(
        x=op.inputs[0],
        offset=op.inputs[1],
        weight=op.inputs[2],
        mask=list(op.inputs[3 : 3 + masks]),
        grad_y=grad_y,
        num_biases=biases,
        **{name: op.get_attr(name) for name in _ATTRIBUTES},
    )
    return [grads.grad_x, grads.grad_offset, grads.grad_weight, *grads.grad_mask, *grads.grad_bias]


OPERATION = CompiledOperation(
    "deform_conv", {"TfPose3dDeformConv2d": _gradient}, dtypes=FLOAT_TYPES, on_gpus=True, slow_in_xla=True
)
