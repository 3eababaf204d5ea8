import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.multicamera.inputs import ViewClip
from tf_pose3d.multicamera.timeline import fill_between, make_timeline, on_timeline, view_rates


def clip(scenes, label, numbers, fps=None):
    numbers = np.asarray(numbers, np.int64)
    points = np.zeros((len(numbers), 26, 3), np.float32)
    points[..., 0], points[..., 1], points[..., 2] = numbers[:, None], 2 * numbers[:, None], 1
    return ViewClip(label, label, scenes.skeleton, numbers, 0 * numbers, points, numbers, fps=fps)


def test_frame_numbers_count_and_gaps_stay(scenes):
    clips = [clip(scenes, "a", range(10, 20)), clip(scenes, "b", [12, 13, 18, 25])]
    timeline = make_timeline(clips, np.array([60.0, 60]), np.zeros(2))
    assert timeline.numbers.tolist() == list(range(10, 26))
    assert on_timeline(clips[1], 1, timeline).frame.tolist() == [2, 3, 8, 15]


def test_offsets_move_a_view(scenes):
    clips = [clip(scenes, "a", range(5)), clip(scenes, "b", range(5))]
    timeline = make_timeline(clips, np.array([60.0, 60]), np.array([0.0, 7]))
    assert (timeline.first, timeline.count) == (0, 12)
    assert on_timeline(clips[1], 1, timeline).frame.tolist() == [7, 8, 9, 10, 11]


def test_half_the_rate_leaves_every_second_frame(scenes):
    clips = [clip(scenes, "a", range(10)), clip(scenes, "b", range(5))]
    timeline = make_timeline(clips, np.array([60.0, 30]), np.zeros(2))
    assert timeline.fps == 60
    assert on_timeline(clips[1], 1, timeline).frame.tolist() == [0, 2, 4, 6, 8]


def test_other_rates_are_interpolated(scenes):
    clips = [clip(scenes, "a", range(13)), clip(scenes, "b", range(11))]
    timeline = make_timeline(clips, np.array([60.0, 50]), np.zeros(2))
    view = on_timeline(clips[1], 1, timeline)
    assert view.frame.tolist() == list(range(13))
    # At common frame 6 five of its own have gone by.
    np.testing.assert_allclose(view.keypoints[:, 0, 0], view.frame / 1.2, atol=1e-5)


def test_frames_between_are_cubics_where_neighbours_are_there(scenes):
    numbers = [*range(8), *range(9, 16)]
    bent = clip(scenes, "b", numbers)
    bent.keypoints[..., 0] = (np.array(numbers) ** 2 * 0.1)[:, None]
    timeline = make_timeline([clip(scenes, "a", range(16)), bent], np.array([60.0, 60]), np.array([0, 0.5]))
    view = on_timeline(bent, 1, timeline)
    assert view.frame.tolist() == list(range(1, 16))
    off = np.abs(view.keypoints[:, 0, 0] - 0.1 * (view.frame - 0.5) ** 2)
    # A parabola is a cubic; where a neighbour is missing, the line between two frames is off by more.
    inner = (view.frame > 1) & (view.frame < 7)
    assert off[inner].max() < 1e-4
    assert 0.02 < off[view.frame == 7] < 0.03
    # Nothing is between frames 7 and 9 but the frame that is missing.
    assert off[(view.frame == 8) | (view.frame == 9)].max() < 0.11


def test_cubics_between_the_frames_of_a_slow_camera():
    time = np.arange(21.0)
    values = np.ones((2, 21, 1, 3), np.float32)
    values[..., 0, 0], values[..., 0, 1] = 0.01 * time**2, 5 * time
    truth = values.copy()
    values[1, np.arange(21) % 4 != 0] = np.nan
    values[1, 8] = np.nan
    fill_between(values, np.array([1.0, 4]))
    np.testing.assert_array_equal(values[0], truth[0])
    known = np.isfinite(values[1, :, 0, 0])
    # A frame that is missing is not bridged: neither side of it is.
    assert np.flatnonzero(~known).tolist() == [5, 6, 7, 8, 9, 10, 11]
    np.testing.assert_allclose(values[1, known], truth[1, known], atol=0.06)


def test_rates(scenes):
    clips = [clip(scenes, "a", range(3), fps=60), clip(scenes, "b", range(3))]
    rates, notes = view_rates(clips)
    assert rates.tolist() == [60, 60]
    assert "b tell no frame rate" in notes[0]
    assert view_rates(clips, 50.0, {"b": 25.0})[0].tolist() == [50, 25]
    assert view_rates(clips[1:])[0].tolist() == [30]
    with pytest.raises(Pose3DError, match="no view c; there are a, b"):
        view_rates(clips, rates={"c": 30.0})
    with pytest.raises(Pose3DError, match="above 0"):
        view_rates(clips, -1.0)


def test_damaged_numbers_are_told(scenes):
    clips = [clip(scenes, "a", range(3)), clip(scenes, "b", [0, 10**9])]
    with pytest.raises(Pose3DError, match="too far apart"):
        make_timeline(clips, np.array([60.0, 60]), np.zeros(2))
