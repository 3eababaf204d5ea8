"""The one-euro filter: its recursion, its delay, and its names."""

import math

import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.one_euro import OneEuroFilter, parse_one_euro


def test_against_the_paper():
    """Algorithm 1 of Casiez, Roussel and Vogel, on one coordinate."""
    rng = np.random.default_rng(0)
    values, fps, rest, slope = np.cumsum(rng.normal(0, 0.01, 50)), 30.0, 1.5, 2.0
    held, speed, expected = values[0], 0.0, [values[0]]

    def share(cutoff):
        return 1 / (1 + (1 / (2 * math.pi * cutoff)) * fps)

    for value in values[1:]:
        speed += share(1.0) * ((value - held) * fps - speed)
        held += share(rest + slope * abs(speed)) * (value - held)
        expected.append(held)
    smoother = OneEuroFilter(fps, rest, slope)
    found = [smoother(np.array([[value, 0.0, 0.0]]))[0, 0] for value in values]
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("fps", [30.0, 50.0])
def test_less_than_two_frames_late_on_a_swing(fps):
    times = np.arange(600) / fps
    smoother = OneEuroFilter(fps, *parse_one_euro("one_euro"))
    found = np.array([smoother(np.array([[0.3 * math.sin(2 * math.pi * t), 0, 0]]))[0, 0] for t in times])
    delays = np.linspace(0, 5, 251)
    match = [np.corrcoef(found[100:], np.sin(2 * np.pi * (times[100:] - d / fps)))[0, 1] for d in delays]
    assert delays[int(np.argmax(match))] < 2
    rough = found + np.random.default_rng(0).normal(0, 0.01, 600)
    smoother.reset()
    calm = np.array([smoother(np.array([[value, 0, 0]]))[0, 0] for value in rough])
    assert np.abs(np.diff(calm, 2)).mean() < 0.7 * np.abs(np.diff(rough, 2)).mean()


def test_nothing_is_smoothed_across_a_gap():
    smoother = OneEuroFilter(30.0)
    smoother(np.zeros((2, 3)))
    smoother.reset()
    far = np.full((2, 3), 5.0)
    np.testing.assert_array_equal(smoother(far), far)


def test_names():
    assert parse_one_euro("one_euro:1.5:3") == (1.5, 3.0)
    assert parse_one_euro("one_euro:1.5")[0] == 1.5
    for wrong in ("butterworth", "one_euro:x", "one_euro:0", "one_euro:1:-1", "one_euro:1:2:3", "one_euro:"):
        with pytest.raises(Pose3DError, match="expected one_euro, one_euro:HZ"):
            parse_one_euro(wrong)
