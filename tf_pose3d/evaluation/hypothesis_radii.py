"""Radii that hold the true joint nine times of ten, of how far hypotheses lie apart."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import numpy.typing as npt

from tf_pose3d.data.windows import Windows
from tf_pose3d.evaluation.metrics import mpjpe
from tf_pose3d.evaluation.radius_calibration import fit_radius
from tf_pose3d.evaluation.sequence_prediction import FrameSequencePredictor
from tf_pose3d.models.d3dp.config import D3DPConfig

__all__ = ["calibrate_hypotheses", "hypothesis_radius", "observe_hypotheses", "radii_hold"]

Floats = npt.NDArray[np.floating]

# Metres: hypotheses that lie nearer together say no more.
_LEAST = 1e-5


def hypothesis_radius(spread: Floats, radii: Sequence[Sequence[float]]) -> Floats:
    """`(N, J)` metres.

    Args:
        spread: `(N, J)` metres, see `tf_pose3d.geometry.hypotheses.spread`.
        radii: `(J, 2)` factor and power of each joint.
    """
    factor, power = np.asarray(radii, np.float64).T
    return factor * np.maximum(spread, _LEAST) ** power


def calibrate_hypotheses(
    spread: Floats, error: Floats, person: npt.NDArray[np.str_], root: int = 0, share: float = 0.9
) -> list[list[float]]:
    """Factor and power of each joint's radius, each person with one vote.

    Args:
        spread: `(N, J)` metres, of frames that the network was not trained on.
        error: `(N, J)` metres, roots at 0.
        person: `(N,)` who is seen.
        root: Joint that is where it is.
        share: Of the joints to hold.

    Returns:
        As `hypothesis_radius` takes it.
    """
    people, of = np.unique(person, return_inverse=True)
    weights = 1 / (len(people) * np.bincount(of)[of])
    held = np.maximum(spread.astype(np.float64), _LEAST)
    fitted = [fit_radius(held[:, joint], error[:, joint], weights, share) for joint in range(spread.shape[1])]
    return [[0.0, 1.0] if joint == root else list(pair) for joint, pair in enumerate(fitted)]


def observe_hypotheses(
    model: keras.Model, config: D3DPConfig, data: Windows
) -> tuple[Floats, Floats, npt.NDArray[np.str_]]:
    """How far hypotheses lie apart, and how far the pose made of them is off.

    Args:
        model: A `D3DP`.
        config: How it samples and aggregates.
        data: Windows for testing, with 3D poses.

    Returns:
        Spread and error `(N, J)` in metres, roots at 0, and `(N,)` who is seen.
    """
    model.follow(config)
    predictor = FrameSequencePredictor(model, flip=False, output=model.spread_output)
    numbers = np.arange(data.num_centres)
    found = predictor(data, config.BATCH_SIZE, numbers)
    sequence, frame = data.centre_frames(numbers)
    targets = data.store.arrays["pose_3d"][data.store.offsets[sequence] + frame]
    errors = mpjpe(found[..., :3], targets - targets[:, :1])
    return found[..., 3], errors, np.array(data.store.subjects)[data.store.subject_ids[sequence]]


def radii_hold(
    spread: Floats, error: Floats, radii: Sequence[Sequence[float]], root: int = 0
) -> tuple[float, float]:
    """Share in percent of the joints, the root aside, that lie within their radii, and these' mean in mm."""
    radius = np.delete(hypothesis_radius(spread, radii), root, axis=1)
    inside = np.delete(error, root, axis=1) <= radius
    return 100 * float(inside.mean()), 1000 * float(radius.mean())
