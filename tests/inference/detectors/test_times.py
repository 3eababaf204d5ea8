"""Uneven frames on even times."""

import numpy as np

from tf_pose3d.inference.detectors.times import even_times, spread
from tf_pose3d.inference.keypoints import Person


def test_even_frames_stay():
    for stamps in (np.arange(90) / 30, 5 + np.round(np.arange(90) / 29.97, 3)):
        times = even_times(list(stamps), 29.97)
        assert times.places is None
        assert abs(times.fps - 29.97) < 0.05
    # What the file says of its rate is wrong: the stamps count.
    assert abs(even_times(list(np.arange(90) / 60), 25).fps - 60) < 1e-9


def test_stamps_that_say_nothing():
    for stamps in ([0.0, None, 0.2, 0.3], [0.0, 0.1], [0.0, 0.2, 0.1, 0.3], [0.0, np.nan, 0.1]):
        times = even_times(stamps, 25)
        assert (times.fps, times.places) == (25, None)


def test_a_point_that_moves_evenly_does_so_whatever_the_frames():
    rng = np.random.default_rng(3)
    steps = rng.choice([1 / 30, 2 / 30, 1.5 / 30], size=200, p=[0.7, 0.2, 0.1])
    stamps = np.cumsum(steps)
    times = even_times(list(stamps), 24)
    assert times.fps == 30
    assert "timed by their stamps" in times.note
    assert len(times.places) == int((stamps[-1] - stamps[0]) * 30 + 1e-6) + 1
    keypoints = np.ones((200, 1, 3), np.float32)
    keypoints[:, 0, 0] = 100 * stamps
    (person,) = spread(Person("7", np.arange(200), keypoints), times)
    assert person.id == "7"
    np.testing.assert_array_equal(person.frames, np.arange(len(times.places)))
    np.testing.assert_allclose(person.keypoints[:, 0, 0], 100 * times.places, atol=1e-3)
    # For pictures: the frame next to each.
    assert np.abs(stamps[times.nearest] - times.places).max() <= 1 / 30 + 1e-9


def test_nothing_is_supposed_where_the_person_was_away():
    stamps = np.concatenate([np.arange(0, 1, 0.1), np.arange(3, 4, 0.1), [4.05]])
    times = even_times(list(stamps), 10)
    away = np.delete(np.arange(21), [3, 4])
    keypoints = np.ones((19, 2, 3), np.float32)
    (person,) = spread(Person("0", away, keypoints), times)
    missing = np.setdiff1d(np.arange(len(times.places)), person.frames)
    seconds = times.places[missing]
    assert ((seconds > 0.25) & (seconds < 0.45)).sum() == 2
    assert ((seconds > 0.95) & (seconds < 2.95)).sum() == 20
    assert len(missing) == 22
