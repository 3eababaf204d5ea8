"""The compiled operations as TensorFlow functions, with their gradients."""

from __future__ import annotations

import functools
import logging
import threading
from typing import Any

import keras

from tf_pose3d.errors import Pose3DError
from tf_pose3d.ops import loader
from tf_pose3d.ops.arguments import ConvOptions, PsRoiOptions

_log = logging.getLogger("tf_pose3d.ops")
_lock = threading.Lock()
_CONV_ATTRIBUTES = (
    "strides",
    "padding",
    "explicit_paddings",
    "dilations",
    "groups",
    "deformable_groups",
    "data_format",
)
_PSROI_ATTRIBUTES = (
    "spatial_scale",
    "trans_std",
    "group_size",
    "pooled_size",
    "part_size",
    "sample_per_part",
    "data_format",
)


def available() -> bool:
    """Whether the compiled operations serve here: under TensorFlow, outside XLA, with a library."""
    if keras.backend.backend() != "tensorflow":
        return False
    if _compiling_with_xla():
        _say_xla_once()
        return False
    return _library() is not None


def deform_conv2d(
    x: Any, offset: Any, weight: Any, mask: Any | None, bias: Any | None, options: ConvOptions
) -> Any:
    """The compiled counterpart of `reference.deform_conv2d`."""
    explicit = options.padding not in ("same", "valid")
    return _library().tf_pose3d_deform_conv2d(
        x=x,
        offset=offset,
        weight=weight,
        mask=[] if mask is None else [mask],
        bias=[] if bias is None else [bias],
        strides=options.strides,
        padding="EXPLICIT" if explicit else options.padding.upper(),
        explicit_paddings=[*options.padding[0], *options.padding[1]] if explicit else [],
        dilations=options.dilation,
        groups=options.groups,
        deformable_groups=options.deformable_groups,
        data_format=_format_name(options),
    )


def deform_psroi_pooling(x: Any, rois: Any, trans: Any | None, options: PsRoiOptions) -> Any:
    """The compiled counterpart of `reference.deform_psroi_pooling`."""
    return _library().tf_pose3d_deform_ps_roi_pooling(
        x=x,
        rois=rois,
        trans=[] if trans is None else [trans],
        spatial_scale=options.spatial_scale,
        trans_std=options.trans_std,
        group_size=options.group_size,
        pooled_size=options.pooled_size,
        part_size=options.part_size,
        sample_per_part=options.sample_per_part,
        data_format=_format_name(options),
    )


def _format_name(options: ConvOptions | PsRoiOptions) -> str:
    return "NCHW" if options.data_format == "channels_first" else "NHWC"


def _compiling_with_xla() -> bool:
    """Whether the function being traced was asked for with jit_compile=True."""
    import tensorflow as tf
    from tensorflow.python.ops import control_flow_util

    return control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


@functools.cache
def _say_xla_once() -> None:
    _log.warning(
        "tf_pose3d.ops: inside jit_compile=True deformable operations are computed with keras.ops, several "
        "times slower; use jit_compile=False for the compiled ones"
    )


def _library() -> Any | None:
    # Gradients may be registered once only, and strategies trace replicas in several threads.
    with _lock:
        return _load_with_gradients()


@functools.cache
def _load_with_gradients() -> Any | None:
    library = loader.load()
    if library is None:
        return None
    import tensorflow as tf

    @tf.RegisterGradient("TfPose3dDeformConv2d")
    def conv_gradient(op: Any, grad_y: Any) -> list[Any]:
        masks, biases = op.get_attr("num_masks"), op.get_attr("num_biases")
        grads = library.tf_pose3d_deform_conv2d_grad(
            x=op.inputs[0],
            offset=op.inputs[1],
            weight=op.inputs[2],
            mask=list(op.inputs[3 : 3 + masks]),
            grad_y=grad_y,
            num_biases=biases,
            **{name: op.get_attr(name) for name in _CONV_ATTRIBUTES},
        )
        return [grads.grad_x, grads.grad_offset, grads.grad_weight, *grads.grad_mask, *grads.grad_bias]

    @tf.RegisterGradient("TfPose3dDeformPsRoiPooling")
    def psroi_gradient(op: Any, grad_y: Any) -> list[Any]:
        grads = library.tf_pose3d_deform_ps_roi_pooling_grad(
            x=op.inputs[0],
            rois=op.inputs[1],
            trans=list(op.inputs[2:]),
            grad_y=grad_y,
            **{name: op.get_attr(name) for name in _PSROI_ATTRIBUTES},
        )
        return [grads.grad_x, None, *grads.grad_trans]

    for name in ("TfPose3dDeformConv2dGrad", "TfPose3dDeformPsRoiPoolingGrad"):
        tf.RegisterGradient(name)(_no_second_derivative)
    return library


def _no_second_derivative(op: Any, *_: Any) -> None:
    raise Pose3DError(
        f"{op.type}: the compiled operations have no second derivatives; TF_POSE3D_OPS=reference has them"
    )
