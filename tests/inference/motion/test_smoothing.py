import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.smoothing import (
    SHORTEST,
    parse_smoothing,
    present_runs,
    smooth_positions,
)


def everywhere(values):
    return np.ones(len(values), bool)


@pytest.mark.parametrize(("frames", "cutoff"), [(200, 6.0), (200, 1.5), (SHORTEST, 6.0), (11, 20.0)])
def test_as_the_textbook_filter(frames, cutoff):
    signal = pytest.importorskip("scipy.signal")
    noise = np.random.default_rng(0).normal(size=(frames, 17, 3))
    smooth, left = smooth_positions(noise, everywhere(noise), 50, cutoff)
    expected = signal.filtfilt(*signal.butter(2, cutoff / 25), noise, axis=0, padlen=9)
    np.testing.assert_allclose(smooth, expected, atol=1e-12)
    assert left == 0


def test_no_delay_and_half_the_amplitude_at_the_cutoff():
    seconds = np.arange(500) / 50
    for hertz, share in ((1, 1), (6, 0.5)):
        swing = np.sin(2 * np.pi * hertz * seconds)[:, None]
        smooth, _ = smooth_positions(swing, everywhere(swing), 50, 6)
        # The best fit of sine and cosine: no cosine means no delay. The ends are left out.
        wave = np.stack([swing[:, 0], np.cos(2 * np.pi * hertz * seconds)], axis=1)[100:400]
        sine, cosine = np.linalg.lstsq(wave, smooth[100:400, 0], rcond=None)[0]
        assert sine == pytest.approx(share, abs=2e-3)
        assert cosine == pytest.approx(0, abs=1e-6)


def test_still_and_straight_motion_stay():
    line = np.linspace(0, 1, 40)[:, None] * [1.0, -2.0, 0.0] + 5
    smooth, _ = smooth_positions(line, everywhere(line), 30, 3)
    np.testing.assert_allclose(smooth[:, 2], 5, atol=1e-12)
    np.testing.assert_allclose(smooth, line, atol=2e-3)


def test_gaps_are_never_smoothed_across():
    noise = np.random.default_rng(1).normal(size=(60, 2, 3)).astype(np.float32)
    present = everywhere(noise)
    present[[20, 21, 50]] = False
    noise[~present] = np.nan
    smooth, left = smooth_positions(noise, present, 50, 6)
    np.testing.assert_array_equal(np.isnan(smooth[:, 0, 0]), ~present)
    for first, end in ((0, 20), (22, 50)):
        part = noise[first:end]
        np.testing.assert_array_equal(smooth[first:end], smooth_positions(part, everywhere(part), 50, 6)[0])
    # The last run is too short.
    np.testing.assert_array_equal(smooth[51:], noise[51:])
    assert left == 9
    assert smooth.dtype == np.float32


def test_runs():
    present = np.array([0, 1, 1, 0, 1, 0, 0, 1], bool)
    assert present_runs(present) == [(1, 3), (4, 5), (7, 8)]
    assert present_runs(np.zeros(3, bool)) == []
    assert present_runs(np.ones(3, bool)) == [(0, 3)]


@pytest.mark.parametrize("cutoff", [0, -1, 25, 100, np.nan])
def test_cutoffs_that_the_rate_cannot_show(cutoff):
    with pytest.raises(Pose3DError, match="at 50 frames per second, expected above 0 and below 25"):
        smooth_positions(np.zeros((20, 3)), np.ones(20, bool), 50, cutoff)


def test_names():
    assert parse_smoothing("butterworth") == ("butterworth", 6)
    assert parse_smoothing("butterworth:4.5") == ("butterworth", 4.5)
    assert parse_smoothing("rts") == ("rts", 4)
    with pytest.raises(Pose3DError, match="one_euro' is for streams; a clip takes butterworth or rts"):
        parse_smoothing("one_euro")
    with pytest.raises(Pose3DError, match="'kalman': expected butterworth"):
        parse_smoothing("kalman")
    for wrong in ("butterworth:", "butterworth:x", "butterworth:0", "butterworth:inf", "butterworth:-1"):
        with pytest.raises(Pose3DError, match="is no cutoff, expected a number of Hz above 0"):
            parse_smoothing(wrong)
