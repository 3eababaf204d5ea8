"""Metrics of 3D poses for `model.compile(metrics=[...])`, on any backend of Keras.

Each takes true and predicted poses `(B, J, 3)` or `(B, N, J, 3)` in one unit, and its result is the mean
over all joints that it has seen, in that unit times `scale`: poses in metres and `scale=1000` give
millimetres. The numbers are those of `tf_pose3d.evaluation.metrics`, in float32 unless `dtype="float64"`.

Sample weights are `(B,)`, `(B, N)` or one for each joint, `(B, J)` or `(B, N, J)`: the result is the weighted
mean, and joints of weight 0 do not count, whatever their coordinates.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from tf_pose3d.errors import Pose3DError
from tf_pose3d.geometry.pose_errors import (
    aligned_errors,
    check_poses,
    joint_weights,
    known_poses,
    position_errors,
    scaled_errors,
    velocity_errors,
)
from tf_pose3d.types import Tensor

__all__ = ["MPJPE", "MPJVE", "NMPJPE", "PAMPJPE"]


class _PoseMetric(keras.metrics.Mean):
    """A mean over joints."""

    _video = False

    def __init__(self, root: int | None, scale: float, name: str | None, dtype: object) -> None:
        super().__init__(name=name, dtype=dtype)
        self.root = root
        self.scale = float(scale)
        self._direction = "down"

    def errors(self, y_true: Tensor, y_pred: Tensor, counted: Tensor | None) -> Tensor:
        """`(..., J)` of each joint."""
        raise NotImplementedError

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> None:
        """Takes in a batch of true and predicted poses.

        Raises:
            Pose3DError: Shapes that do not fit.
        """
        y_true, y_pred = (ops.convert_to_tensor(poses, dtype=self.dtype) for poses in (y_true, y_pred))
        check_poses(y_true, y_pred, self.root, self._video)
        if sample_weight is None:
            values, weights = self.errors(y_true, y_pred, None), None
        else:
            weights = joint_weights(ops.convert_to_tensor(sample_weight, dtype=self.dtype), y_pred)
            counted = weights > 0
            values = self.errors(known_poses(y_true, y_pred, counted), y_pred, counted)
            if self._video:
                weights = weights[..., 1:, :] * weights[..., :-1, :]
            values = ops.where(weights > 0, values, ops.zeros_like(values))
            weights = ops.reshape(weights, (-1,))
        super().update_state(ops.reshape(values, (-1,)) * self.scale, weights)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "root": self.root, "scale": self.scale}


@keras.saving.register_keras_serializable(package="tf_pose3d.metrics")
class MPJPE(_PoseMetric):
    """Mean distance between predicted and true joints (mean per-joint position error).

    Args:
        root: Joint that is moved to the origin in both poses first; None compares them as they are.
        scale: Factor of the result.
        name, dtype: As in `keras.metrics.Metric`.

    Example:
        >>> import numpy as np
        >>> metric = MPJPE(scale=1000)
        >>> metric.update_state(np.zeros((2, 17, 3)), np.full((2, 17, 3), [0.03, 0.04, 0]))
        >>> round(float(metric.result()), 3)  # millimetres of poses in metres
        50.0
    """

    def __init__(
        self, root: int | None = None, scale: float = 1.0, name: str | None = "mpjpe", dtype: object = None
    ) -> None:
        super().__init__(root, scale, name, dtype)

    def errors(self, y_true: Tensor, y_pred: Tensor, counted: Tensor | None) -> Tensor:
        return position_errors(y_true, y_pred, self.root)


@keras.saving.register_keras_serializable(package="tf_pose3d.metrics")
class NMPJPE(_PoseMetric):
    """Mean joint distance after the prediction is moved and scaled, not rotated, onto the truth (N-MPJPE).

    The scale is the least-squares one over the joints that count (Rhodin et al., ECCV 2018).

    Args:
        root: Joint that is moved to the origin in both poses first; None scales about the origin, as
            VideoPose3D's protocol 3 does with poses that are root-centred already.
        alignment: `"root"`, or `"mean"` to move the mean of the joints to the origin instead.
        scale: Factor of the result.
        name, dtype: As in `keras.metrics.Metric`.
    """

    def __init__(
        self,
        root: int | None = None,
        alignment: str = "root",
        scale: float = 1.0,
        name: str | None = "n_mpjpe",
        dtype: object = None,
    ) -> None:
        super().__init__(root, scale, name, dtype)
        if alignment not in ("root", "mean"):
            raise Pose3DError(f'alignment is {alignment!r}, expected "root" or "mean"')
        self.alignment = alignment

    def errors(self, y_true: Tensor, y_pred: Tensor, counted: Tensor | None) -> Tensor:
        return scaled_errors(y_true, y_pred, self.alignment, self.root, counted)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alignment": self.alignment}


@keras.saving.register_keras_serializable(package="tf_pose3d.metrics")
class PAMPJPE(_PoseMetric):
    """Mean joint distance after the best similarity transform of the prediction onto the truth (PA-MPJPE).

    Umeyama's closed form, without reflection unless asked for. As in the releases, the transform is fitted to
    all joints; weights only say whose distance is reported. A pose that is not finite makes the result NaN.

    Args:
        reflection: Whether the transform may mirror the pose.
        scale: Factor of the result.
        name, dtype: As in `keras.metrics.Metric`.
    """

    def __init__(
        self,
        reflection: bool = False,
        scale: float = 1.0,
        name: str | None = "pa_mpjpe",
        dtype: object = None,
    ) -> None:
        super().__init__(None, scale, name, dtype)
        self.reflection = reflection

    def errors(self, y_true: Tensor, y_pred: Tensor, counted: Tensor | None) -> Tensor:
        return aligned_errors(y_true, y_pred, self.reflection)

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "reflection": self.reflection}
        del config["root"]
        return config


@keras.saving.register_keras_serializable(package="tf_pose3d.metrics")
class MPJVE(_PoseMetric):
    """Mean distance between the movements from frame to frame (mean per-joint velocity error).

    Poses are `(B, N, J, 3)` of N >= 2 consecutive frames; the unit is that of the poses per frame interval.
    An interval counts where both of its frames do.

    Args:
        root: Joint that is moved to the origin in every frame first; None takes movements as they are.
        scale: Factor of the result.
        name, dtype: As in `keras.metrics.Metric`.
    """

    _video = True

    def __init__(
        self, root: int | None = None, scale: float = 1.0, name: str | None = "mpjve", dtype: object = None
    ) -> None:
        super().__init__(root, scale, name, dtype)

    def errors(self, y_true: Tensor, y_pred: Tensor, counted: Tensor | None) -> Tensor:
        if self.root is not None:
            y_true, y_pred = (poses - poses[..., self.root : self.root + 1, :] for poses in (y_true, y_pred))
        return velocity_errors(y_true, y_pred)
