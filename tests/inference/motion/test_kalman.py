"""The Rauch-Tung-Striebel smoother against its own recursion, its cutoff, gaps and weights."""

import math

import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.chain import constant_velocity
from tf_pose3d.inference.motion.kalman import smooth_by_uncertainty


def recursion(values, fps, cutoff, variances):
    """Kalman filter forwards, Rauch, Tung and Striebel's pass backwards, of one coordinate."""
    step, inverse = constant_velocity(1 / fps, (2 * math.pi * cutoff) ** 4 / fps)
    noise = np.linalg.inv(inverse)
    state, covariance = np.zeros(2), np.eye(2) * 1e12
    held, predicted = [], []
    for number, value in enumerate(values):
        if number:
            state, covariance = step @ state, step @ covariance @ step.T + noise
        predicted.append((state, covariance))
        gain = covariance[:, 0] / (covariance[0, 0] + variances[number])
        state = state + gain * (value - state[0])
        covariance = covariance - np.outer(gain, covariance[0])
        held.append((state, covariance))
    smooth = [held[-1][0]]
    for (state, covariance), (ahead, spread) in zip(held[-2::-1], predicted[:0:-1], strict=True):
        gain = covariance @ step.T @ np.linalg.inv(spread)
        smooth.append(state + gain @ (smooth[-1] - ahead))
    return np.array(smooth[::-1])[:, 0]


def test_against_the_recursion():
    rng = np.random.default_rng(0)
    values = np.cumsum(rng.normal(size=40))
    uncertainty = rng.uniform(0.7, 1.4, 40)
    smooth, left = smooth_by_uncertainty(
        values[:, None, None], np.ones(40, bool), 30, 4, uncertainty[:, None]
    )
    assert left == 0
    variances = uncertainty**2 / np.median(uncertainty**2)
    np.testing.assert_allclose(smooth[:, 0, 0], recursion(values, 30, 4, variances), atol=1e-4)


def test_half_the_amplitude_at_the_cutoff():
    times = np.arange(900) / 90
    for hertz, share in ((1, 1.0), (6, 0.5), (12, 0.06)):
        wave = np.sin(2 * np.pi * hertz * times)[:, None, None]
        smooth, _ = smooth_by_uncertainty(wave, np.ones(900, bool), 90, 6)
        assert abs(np.abs(smooth[300:600]).max() - share) < 0.03


def test_unsure_frames_count_less():
    line = np.zeros((60, 1, 1))
    line[30] = 1
    even = np.ones((60, 1))
    unsure = even.copy()
    unsure[30] = 10
    present = np.ones(60, bool)
    plain, weighed = (
        smooth_by_uncertainty(line, present, 30, 6, held)[0][30, 0, 0] for held in (even, unsure)
    )
    assert weighed < 0.2 * plain


def test_gaps_are_never_smoothed_across():
    rng = np.random.default_rng(2)
    noise = rng.normal(size=(60, 2, 3)).astype(np.float32)
    present = np.ones(60, bool)
    present[[25, 26, 55]] = False
    noise[~present] = np.nan
    smooth, left = smooth_by_uncertainty(noise, present, 50, 6, np.ones((60, 2)))
    np.testing.assert_array_equal(np.isnan(smooth[:, 0, 0]), ~present)
    alone, _ = smooth_by_uncertainty(noise[:25], np.ones(25, bool), 50, 6, np.ones((25, 2)))
    np.testing.assert_allclose(smooth[:25], alone, atol=1e-6)
    np.testing.assert_array_equal(smooth[56:], noise[56:])
    assert left == 4
    assert smooth.dtype == np.float32


def test_cutoffs_that_the_rate_cannot_show():
    with pytest.raises(Pose3DError, match="25 Hz at 50 frames per second"):
        smooth_by_uncertainty(np.zeros((20, 1, 3)), np.ones(20, bool), 50, 25)
