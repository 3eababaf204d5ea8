"""Every wrong shape is an error that names its argument: in Python, while tracing, and when running."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tf_pose3d.errors import Pose3DError
from tf_pose3d.ops import deform_conv2d, loader

SHAPES = {
    "x": (2, 7, 6, 8),
    "offset": (2, 5, 4, 36),
    "weight": (3, 3, 4, 6),
    "mask": (2, 5, 4, 18),
    "bias": (6,),
}
OPTIONS = {"groups": 2, "deformable_groups": 2}

# What is wrong, the shapes or options that make it so, and what the message must say.
WRONG = {
    "x of rank 3": ({"x": (7, 6, 8)}, {}, "x"),
    "offset of rank 3": ({"offset": (5, 4, 36)}, {}, "offset"),
    "offset channels": ({"offset": (2, 5, 4, 18)}, {}, "offset"),
    "offset height": ({"offset": (2, 6, 4, 36)}, {}, "offset"),
    "offset width": ({"offset": (2, 5, 3, 36)}, {}, "offset"),
    "offset batch": ({"offset": (3, 5, 4, 36)}, {}, "offset"),
    "mask channels": ({"mask": (2, 5, 4, 36)}, {}, "mask"),
    "mask height": ({"mask": (2, 4, 4, 18)}, {}, "mask"),
    "mask batch": ({"mask": (1, 5, 4, 18)}, {}, "mask"),
    "bias length": ({"bias": (5,)}, {}, "bias"),
    "bias of rank 2": ({"bias": (1, 6)}, {}, "bias"),
    "weight channels": ({"weight": (3, 3, 3, 6)}, {}, "weight"),
    "empty weight": ({"weight": (3, 3, 4, 0)}, {}, "weight"),
    "groups of filters": ({"weight": (3, 3, 4, 7), "bias": (7,)}, {}, "groups"),
    "groups of channels": ({"weight": (3, 3, 4, 6)}, {"groups": 3}, "groups"),
    "deformable groups": ({}, {"deformable_groups": 3}, "deformable_groups"),
    "kernel larger than x": ({"x": (2, 2, 6, 8)}, {}, "x: height 2 is too small"),
    "dilated kernel larger than x": ({}, {"dilation": (1, 5)}, "x: width 6 is too small"),
    "empty image": ({"x": (2, 0, 6, 8)}, {"padding": 3}, "x: height 0"),
}


def tensors(shapes):
    return {name: tf.zeros(shape) for name, shape in shapes.items()}


def raw_op(
    library, x, offset, weight, mask, bias, strides=1, padding=0, dilation=1, groups=1, deformable_groups=1
):
    """The operation itself, without the checks of deform_conv2d."""
    pair = (dilation, dilation) if isinstance(dilation, int) else dilation
    return library.tf_pose3d_deform_conv2d(
        x=x,
        offset=offset,
        weight=weight,
        mask=[mask],
        bias=[bias],
        strides=[strides, strides],
        padding="EXPLICIT",
        explicit_paddings=[padding] * 4,
        dilations=pair,
        groups=groups,
        deformable_groups=deformable_groups,
        data_format="NHWC",
    )


def test_right_shapes_pass(compiled):
    assert deform_conv2d(**tensors(SHAPES), **OPTIONS).shape == (2, 5, 4, 6)
    assert raw_op(loader.load(), **tensors(SHAPES), **OPTIONS).shape == (2, 5, 4, 6)


@pytest.mark.parametrize("what", WRONG)
def test_python_raises(what):
    shapes, options, message = WRONG[what]
    with pytest.raises(Pose3DError, match=message):
        deform_conv2d(**tensors(SHAPES | shapes), **OPTIONS | options)


@pytest.mark.parametrize("what", WRONG)
def test_operation_raises_when_running(compiled, what):
    shapes, options, message = WRONG[what]
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        raw_op(loader.load(), **tensors(SHAPES | shapes), **OPTIONS | options)


@pytest.mark.parametrize("what", WRONG)
def test_operation_raises_when_tracing(compiled, what):
    shapes, options, message = WRONG[what]
    signature = {name: tf.TensorSpec(shape) for name, shape in (SHAPES | shapes).items()}
    function = tf.function(lambda **inputs: raw_op(loader.load(), **inputs, **OPTIONS | options))
    with pytest.raises(ValueError, match=message):
        function.get_concrete_function(**signature)


@pytest.mark.parametrize("what", WRONG)
def test_operation_raises_when_running_a_function_traced_without_sizes(compiled, what):
    shapes, options, message = WRONG[what]
    shapes = SHAPES | shapes
    function = tf.function(lambda **inputs: raw_op(loader.load(), **inputs, **OPTIONS | options))
    signature = {name: tf.TensorSpec(None) for name in shapes}
    # Where the options alone are wrong, tracing fails already.
    with pytest.raises((tf.errors.InvalidArgumentError, ValueError), match=message):
        function.get_concrete_function(**signature)(**tensors(shapes))


def test_shape_inference_with_partly_known_sizes(compiled):
    function = tf.function(lambda **inputs: raw_op(loader.load(), **inputs, **OPTIONS))
    signature = {name: tf.TensorSpec(shape) for name, shape in SHAPES.items()}
    signature["x"] = tf.TensorSpec((None, None, None, None))
    signature["offset"] = tf.TensorSpec((None, 5, None, None))
    signature["mask"] = tf.TensorSpec((2, None, None, None))
    assert function.get_concrete_function(**signature).output_shapes == (2, 5, None, 6)


def test_gradient_operation_checks_grad_y(compiled):
    inputs = tensors(SHAPES)
    for shape in ((2, 5, 4, 5), (2, 4, 4, 6), (1, 5, 4, 6), (2, 5, 6)):
        with pytest.raises(tf.errors.InvalidArgumentError, match="grad_y"):
            loader.load().tf_pose3d_deform_conv2d_grad(
                x=inputs["x"],
                offset=inputs["offset"],
                weight=inputs["weight"],
                mask=[inputs["mask"]],
                grad_y=tf.zeros(shape),
                num_biases=1,
                strides=[1, 1],
                padding="VALID",
                dilations=[1, 1],
                groups=2,
                deformable_groups=2,
                data_format="NHWC",
            )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strides": 0}, "strides"),
        ({"strides": (1, 2, 3)}, "strides"),
        ({"dilation": -1}, "dilation"),
        ({"dilation": 1.5}, "dilation"),
        ({"padding": "full"}, "padding"),
        ({"padding": -1}, "padding"),
        ({"padding": ((1, 2), (3,))}, "padding"),
        ({"padding": (1, 2, 3)}, "padding"),
        ({"groups": 0}, "groups"),
        ({"groups": True}, "groups"),
        ({"data_format": "NWHC"}, "data_format"),
    ],
    ids=str,
)
def test_options_are_checked(options, message):
    with pytest.raises(Pose3DError, match=f"^{message}: "):
        deform_conv2d(**tensors(SHAPES), **OPTIONS | options)


def test_dtypes_are_checked():
    inputs = tensors(SHAPES)
    with pytest.raises(Pose3DError, match=r"^offset: expected dtype float32 as x has, got float64"):
        deform_conv2d(**inputs | {"offset": tf.cast(inputs["offset"], "float64")}, **OPTIONS)
    with pytest.raises(Pose3DError, match=r"^x: expected dtype .*, got int32"):
        deform_conv2d(**{name: tf.cast(t, "int32") for name, t in inputs.items()}, **OPTIONS)


def test_errors_are_one_line(compiled):
    for shapes, options, _ in WRONG.values():
        with pytest.raises(Pose3DError) as error:
            deform_conv2d(**tensors(SHAPES | shapes), **OPTIONS | options)
        assert "\n" not in str(error.value)


def test_unknown_rank_is_refused_by_name():
    offset, weight = np.zeros((2, 5, 4, 36), "f4"), np.zeros((3, 3, 4, 6), "f4")
    function = tf.function(lambda x: deform_conv2d(x, offset, weight), autograph=False)
    with pytest.raises(Pose3DError, match="x: expected 4 axes"):
        function.get_concrete_function(tf.TensorSpec(None))
