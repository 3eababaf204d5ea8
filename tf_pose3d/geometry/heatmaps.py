"""Gaussian heat maps of 2D joints."""

from __future__ import annotations

from keras import ops

from tf_pose3d.types import Tensor

__all__ = ["gaussian_heatmaps", "heatmap_targets"]


# Gaussians end at so many standard deviations along x and y.
_REACH = 3


def _nearest_pixel(keypoints: Tensor) -> Tensor:
    # The release truncates towards zero.
    return ops.trunc(ops.cast(keypoints, "float32") + 0.5)


def gaussian_heatmaps(keypoints: Tensor, size: tuple[int, int], sigma: float) -> Tensor:
    """Heat maps with a Gaussian of height 1 round the pixel nearest to each joint, as PoseResNet has them.

    Args:
        keypoints: `(..., J, 2)` heat-map pixels.
        size: Width and height of the maps.
        sigma: Standard deviation, heat-map pixels.

    Returns:
        `(..., height, width, J)` float32, 0 from three standard deviations on along x and y; zero for joints
        that are NaN.
    """
    width, height = size
    middle = _nearest_pixel(keypoints)

    def bell(count: int, position: Tensor) -> Tensor:
        distance = ops.arange(count, dtype="float32")[:, None] - position[..., None, :]
        value = ops.exp(-ops.square(distance) / (2 * sigma**2))
        return ops.where(ops.abs(distance) <= _REACH * sigma, value, 0.0)

    # A Gaussian is the product of one along y and one along x.
    down, across = bell(height, middle[..., 1]), bell(width, middle[..., 0])
    return down[..., :, None, :] * across[..., None, :, :]


def heatmap_targets(
    keypoints: Tensor, visible: Tensor, size: tuple[int, int], sigma: float
) -> tuple[Tensor, Tensor]:
    """Targets as in PoseResNet's release: joints that are hidden or whose Gaussian lies outside have none.

    Args:
        keypoints: `(..., J, 2)` heat-map pixels.
        visible: `(..., J)` bool.
        size: Width and height of the maps.
        sigma: Standard deviation, heat-map pixels.

    Returns:
        `(..., height, width, J)` float32 heat maps, `(..., J)` float32 weights, 1 or 0.
    """
    middle, reach = _nearest_pixel(keypoints), _REACH * sigma
    limits = ops.convert_to_tensor(size, dtype="float32")
    inside = (middle - reach < limits) & (middle + reach + 1 >= 0)
    weights = ops.cast(visible & ops.all(inside, axis=-1), "float32")
    return gaussian_heatmaps(keypoints, size, sigma) * weights[..., None, None, :], weights
