"""Alignment to first order against Procrustes."""

from __future__ import annotations

import numpy as np
import pytest

from tf_pose3d.evaluation.metrics import pampjpe
from tf_pose3d.geometry.small_alignment import aligned_residual


def turn(vector: np.ndarray) -> np.ndarray:
    angle = float(np.linalg.norm(vector))
    x, y, z = vector / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


@pytest.mark.parametrize(("noise", "close"), [(0.0, 0.002), (0.04, 0.05)])
def test_shift_turn_and_size_do_not_count(noise, close):
    rng = np.random.default_rng(0)
    targets = rng.normal(0, 0.3, (20, 17, 3))
    poses = np.stack([1.05 * pose @ turn(rng.normal(0, 0.07, 3)).T for pose in targets]) + 0.2
    poses = poses + rng.normal(0, noise, poses.shape)
    rest = np.linalg.norm(np.asarray(aligned_residual(poses, targets)), axis=-1).mean()
    exact = float(pampjpe(poses.astype(np.float32), targets.astype(np.float32)).mean())
    plain = np.linalg.norm(poses - targets, axis=-1).mean()
    assert plain > 4 * close
    assert abs(rest - exact) < (close if not noise else close * exact)
