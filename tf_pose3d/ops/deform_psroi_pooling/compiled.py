"""The compiled deformable RoI pooling as a TensorFlow function, with its gradient."""

from __future__ import annotations

from typing import Any

from tf_pose3d.ops.arguments import FLOAT_TYPES
from tf_pose3d.ops.deform_psroi_pooling.options import PsRoiOptions
from tf_pose3d.ops.dispatch import CompiledOperation
from tf_pose3d.ops.loader import Library, Op
from tf_pose3d.types import Tensor

_ATTRIBUTES = (
    "spatial_scale",
    "trans_std",
    "group_size",
    "pooled_size",
    "part_size",
    "sample_per_part",
    "data_format",
)


def deform_psroi_pooling(x: Tensor, rois: Tensor, trans: Tensor | None, options: PsRoiOptions) -> Tensor:
    """The compiled counterpart of `reference.deform_psroi_pooling`."""
    return OPERATION.library.tf_pose3d_deform_ps_roi_pooling(
        x=x,
        rois=rois,
        trans=[] if trans is None else [trans],
        spatial_scale=options.spatial_scale,
        trans_std=options.trans_std,
        group_size=options.group_size,
        pooled_size=options.pooled_size,
        part_size=options.part_size,
        sample_per_part=options.sample_per_part,
        data_format="NCHW" if options.data_format == "channels_first" else "NHWC",
    )


def _gradient(library: Library, op: Op, grad_y: Tensor) -> list[Any]:
    grads = library.tf_pose3d_deform_ps_roi_pooling_grad(
        x=op.inputs[0],
        rois=op.inputs[1],
        trans=list(op.inputs[2:]),
        grad_y=grad_y,
        **{name: op.get_attr(name) for name in _ATTRIBUTES},
    )
    return [grads.grad_x, None, *grads.grad_trans]


OPERATION = CompiledOperation(
    "deform_psroi_pooling",
    {"TfPose3dDeformPsRoiPooling": _gradient},
    dtypes=FLOAT_TYPES,
    on_gpus=True,
    slow_in_xla=True,
    library="deform_psroi_pooling",
)
