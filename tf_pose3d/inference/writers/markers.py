"""Joints as the markers of a laboratory: the unit and axes that marker files share."""

from __future__ import annotations

import numpy as np

from tf_pose3d.inference.motion.record import Motion

__all__ = ["marker_positions"]

# Camera frame (y down, z away) in metres to y up and z towards the camera, in millimetres.
_MILLIMETRES = np.array([1000.0, -1000.0, -1000.0])


def marker_positions(motion: Motion) -> np.ndarray:
    """`(F, J, 3)` float64 millimetres, y up and z towards the camera; NaN in frames without a pose."""
    return motion.poses * _MILLIMETRES
