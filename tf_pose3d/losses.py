"""Losses of 3D poses for `model.compile(loss=...)`, on any backend of Keras.

Each takes true and predicted poses `(B, J, 3)` or `(B, N, J, 3)` in one unit and gives a number in that unit.
Sample weights are `(B,)`, `(B, N)` or one for each joint, `(B, J)` or `(B, N, J)`; joints of weight 0 do not
count, whatever their coordinates. With the default `reduction="sum_over_batch_size"` the sum is divided by
the number of all joints, as Keras does it; `"mean_with_sample_weight"` gives the mean over those that count.

There is no loss of PA-MPJPE: Procrustes' rotation has no gradient where singular values are equal. It is
among the metrics.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from tf_pose3d.errors import Pose3DError
from tf_pose3d.geometry.pose_errors import (
    check_poses,
    joint_weights,
    known_poses,
    position_errors,
    scaled_errors,
    velocity_errors,
)
from tf_pose3d.types import Tensor

__all__ = ["MPJPE", "MPJVE", "NMPJPE"]


class _PoseLoss(keras.losses.Loss):
    """A loss with one value for each joint."""

    _video = False

    def __init__(self, root: int | None, name: str | None, reduction: str | None, dtype: object) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.root = root

    def errors(self, y_true: Tensor, y_pred: Tensor, counted: Tensor | None) -> Tensor:
        """`(..., J)` of each joint."""
        raise NotImplementedError

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return self.errors(y_true, y_pred, None)

    def __call__(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> Tensor:
        y_true, y_pred = (ops.convert_to_tensor(poses, dtype=self.dtype) for poses in (y_true, y_pred))
        check_poses(y_true, y_pred, self.root, self._video)
        if sample_weight is None:
            return self._reduced(self.errors(y_true, y_pred, None), None)
        weights = joint_weights(ops.convert_to_tensor(sample_weight, dtype=self.dtype), y_pred)
        counted = weights > 0
        values = self.errors(known_poses(y_true, y_pred, counted), y_pred, counted)
        if self._video:
            weights = weights[..., 1:, :] * weights[..., :-1, :]
        return self._reduced(ops.where(weights > 0, values, ops.zeros_like(values)) * weights, weights)

    def _reduced(self, values: Tensor, weights: Tensor | None) -> Tensor:
        if self.reduction in (None, "none"):
            return values
        if self.reduction == "sum":
            return ops.sum(values)
        if self.reduction == "mean_with_sample_weight" and weights is not None:
            total = ops.sum(weights)
            return ops.sum(values) / ops.where(total == 0, ops.ones_like(total), total)
        return ops.mean(values)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "root": self.root}


@keras.saving.register_keras_serializable(package="tf_pose3d.losses")
class MPJPE(_PoseLoss):
    """Mean distance between predicted and true joints (mean per-joint position error).

    Args:
        root: Joint that is moved to the origin in both poses first; None compares them as they are.
        name, reduction, dtype: As in `keras.losses.Loss`.

    Raises:
        Pose3DError: On a call with shapes that differ, or without joint `root`.

    Example:
        >>> import numpy as np
        >>> loss = MPJPE(root=0)
        >>> float(loss(np.zeros((2, 17, 3)), np.ones((2, 17, 3))))  # both at the root: no difference
        0.0
    """

    def __init__(
        self,
        root: int | None = None,
        name: str | None = "mpjpe",
        reduction: str | None = "sum_over_batch_size",
        dtype: object = None,
    ) -> None:
        super().__init__(root, name, reduction, dtype)

    def errors(self, y_true: Tensor, y_pred: Tensor, counted: Tensor | None) -> Tensor:
        return position_errors(y_true, y_pred, self.root)


@keras.saving.register_keras_serializable(package="tf_pose3d.losses")
class NMPJPE(_PoseLoss):
    """Mean joint distance after the prediction is moved and scaled, not rotated, onto the truth (N-MPJPE).

    The scale is the least-squares one (Rhodin et al., ECCV 2018), and gradients flow through it.

    Args:
        root: Joint that is moved to the origin in both poses first; None scales about the origin, as
            VideoPose3D's protocol 3 does with poses that are root-centred already.
        alignment: `"root"`, or `"mean"` to move the mean of the joints to the origin instead.
        name, reduction, dtype: As in `keras.losses.Loss`.

    Raises:
        Pose3DError: Unknown alignment; on a call shapes that differ, or no joint `root`.
    """

    def __init__(
        self,
        root: int | None = None,
        alignment: str = "root",
        name: str | None = "n_mpjpe",
        reduction: str | None = "sum_over_batch_size",
        dtype: object = None,
    ) -> None:
        super().__init__(root, name, reduction, dtype)
        if alignment not in ("root", "mean"):
            raise Pose3DError(f'alignment is {alignment!r}, expected "root" or "mean"')
        self.alignment = alignment

    def errors(self, y_true: Tensor, y_pred: Tensor, counted: Tensor | None) -> Tensor:
        return scaled_errors(y_true, y_pred, self.alignment, self.root, counted)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alignment": self.alignment}


@keras.saving.register_keras_serializable(package="tf_pose3d.losses")
class MPJVE(_PoseLoss):
    """Mean distance between the movements from frame to frame (mean per-joint velocity error).

    Poses are `(B, N, J, 3)` of N >= 2 consecutive frames; the unit is that of the poses per frame interval.
    An interval counts where both of its frames do.

    Args:
        root: Joint that is moved to the origin in every frame first; None takes movements as they are.
        name, reduction, dtype: As in `keras.losses.Loss`.

    Raises:
        Pose3DError: On a call with shapes that differ, or fewer than two frames.
    """

    _video = True

    def __init__(
        self,
        root: int | None = None,
        name: str | None = "mpjve",
        reduction: str | None = "sum_over_batch_size",
        dtype: object = None,
    ) -> None:
        super().__init__(root, name, reduction, dtype)

    def errors(self, y_true: Tensor, y_pred: Tensor, counted: Tensor | None) -> Tensor:
        if self.root is not None:
            y_true, y_pred = (poses - poses[..., self.root : self.root + 1, :] for poses in (y_true, y_pred))
        return velocity_errors(y_true, y_pred)
