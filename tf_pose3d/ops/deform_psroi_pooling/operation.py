"""`deform_psroi_pooling`: deformable (position-sensitive) RoI pooling."""

from __future__ import annotations

import keras

from tf_pose3d.errors import Pose3DError
from tf_pose3d.ops.arguments import check_dtypes, static_shape
from tf_pose3d.ops.deform_psroi_pooling import compiled, reference
from tf_pose3d.ops.deform_psroi_pooling.options import PsRoiOptions, check_psroi_shapes
from tf_pose3d.types import Tensor


def deform_psroi_pooling(
    x: Tensor,
    rois: Tensor,
    trans: Tensor | None = None,
    spatial_scale: float = 1.0,
    output_dim: int | None = None,
    group_size: int = 1,
    pooled_size: int = 7,
    part_size: int | None = None,
    sample_per_part: int = 4,
    trans_std: float = 0.0,
    data_format: str | None = None,
) -> Tensor:
    """Average x over the bins of each region, the bins moved by learned offsets.

    A region is cut into pooled_size x pooled_size bins; each bin is sampled bilinearly at
    sample_per_part x sample_per_part points, and the result is the mean over the points with
    -0.5 <= y <= H - 0.5 and -0.5 <= x <= W - 0.5, moved onto the nearest pixel centre where they lie
    outside the outermost ones; 0 where no point is inside. With group_size above 1 a bin reads channels of
    its own ("position sensitive"): output channel c of a bin in group (i, j) reads channel
    `(c * group_size + i) * group_size + j`. Differentiable in x and trans.

    Deformable RoI pooling: Dai et al., ICCV 2017; the conventions are those of its released operator.

    Args:
        x: (B, H, W, output_dim * group_size^2), or channels first; float32, float64, float16 or bfloat16.
            Half types are computed in float32.
        rois: (N, 5): image index, then x1, y1, x2, y2 in pixels of the image that x was made from, both
            corners included. Any floating type; used as float64 where x is and as float32 otherwise.
        trans: (N, part_size, part_size, 2 * classes), or channels first: per class the pair (dx, dy), in
            units of trans_std times the region's size. None leaves the bins where they are ("no_trans").
        spatial_scale: size of x over size of the original image.
        output_dim: output channels; None for what x and group_size give.
        group_size: position-sensitive groups per axis.
        pooled_size: bins per axis.
        part_size: cells of `trans` per axis; None for pooled_size.
        sample_per_part: samples per axis of a bin.
        trans_std: factor on `trans`.
        data_format: "channels_last" ("NHWC") or "channels_first" ("NCHW"); None for Keras's default.

    Returns:
        (N, pooled_size, pooled_size, output_dim), or (N, output_dim, pooled_size, pooled_size).

    Raises:
        Pose3DError: an argument or a shape is wrong; the message names it. An image index outside the
            batch raises `tf.errors.InvalidArgumentError` when the compiled operation runs on the CPU.
    """
    options = PsRoiOptions.make(
        spatial_scale,
        group_size,
        pooled_size,
        part_size,
        sample_per_part,
        trans_std,
        data_format or keras.config.image_data_format(),
    )
    x, rois = keras.ops.convert_to_tensor(x), keras.ops.convert_to_tensor(rois)
    trans = None if trans is None else keras.ops.convert_to_tensor(trans)
    dtype = check_dtypes(x=x, trans=trans)
    check_dtypes(rois=rois)
    rois = keras.ops.cast(rois, "float64" if dtype == "float64" else "float32")
    x_shape = static_shape("x", x, 4)
    check_psroi_shapes(
        options,
        x_shape,
        static_shape("rois", rois, 2),
        None if trans is None else static_shape("trans", trans, 4),
    )
    channels = x_shape[1 if options.data_format == "channels_first" else 3]
    if output_dim is not None and channels is not None and output_dim != channels // options.group_size**2:
        raise Pose3DError(
            f"output_dim: expected {channels // options.group_size**2} "
            f"({channels} channels of x over group_size squared), got {output_dim}"
        )
    if compiled.OPERATION.serves(x):
        return compiled.deform_psroi_pooling(x, rois, trans, options)
    return reference.deform_psroi_pooling(x, rois, trans, options)
