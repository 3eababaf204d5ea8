import numpy as np
import pytest

from tf_pose3d.data.clips import clip_frames, clip_joins, clip_notes, covering_clips, resampled_frames
from tf_pose3d.errors import Pose3DError


def test_whole_clips_at_a_stride_and_the_rest_dropped():
    frames, video = clip_frames(np.array([11, 8]), 5, 3, "drop")
    assert frames[:, 0].tolist() == [0, 3, 6, 0, 3]
    assert video.tolist() == [0, 0, 0, 1, 1]
    assert (np.diff(frames) == 1).all()


def test_short_videos_are_resampled_but_the_last_of_all():
    frames, video = clip_frames(np.array([3, 5, 4]), 5, 5, "drop")
    assert video.tolist() == [0, 1]
    assert frames.tolist() == [[0, 0, 1, 1, 2], [0, 1, 2, 3, 4]]
    assert clip_notes(np.array([3, 5, 4]), 5, "drop") == [
        "2 of 3 videos are shorter than the clip of 5 frames: resampled to one clip, each frame the whole "
        "one before its time, the last of all left out"
    ]
    assert not clip_notes(np.array([5, 9]), 5, "drop")
    np.testing.assert_array_equal(resampled_frames(4, 8), [0, 0, 1, 1, 2, 2, 3, 3])


def test_the_last_clip_is_shifted_back():
    frames, _ = clip_frames(np.array([7, 2]), 4, 4, "shift")
    assert frames.tolist() == [[0, 1, 2, 3], [3, 4, 5, 6], [0, 1, 1, 1]]


def test_padding_lies_on_both_sides():
    frames, _ = clip_frames(np.array([9, 2]), 4, 4, "pad")
    assert frames.tolist() == [[0, 0, 1, 2], [3, 4, 5, 6], [7, 8, 8, 8], [0, 0, 1, 1]]


def test_tails_are_resampled():
    frames, video = clip_frames(np.array([6]), 4, 3, "resample")
    assert frames.tolist() == [[0, 1, 2, 3], [3, 3, 4, 5]]
    assert video.tolist() == [0, 0]


def test_clips_cover_a_video():
    frames = covering_clips(10, 4, overlap=0.5)
    assert frames[:, 0].tolist() == [0, 2, 4, 6]
    assert set(covering_clips(11, 4).ravel()) == set(range(11))


def test_no_clip_is_an_error():
    with pytest.raises(Pose3DError, match="no video gives a clip of 9 frames"):
        clip_frames(np.array([3]), 9, 9, "drop")


def test_joins_are_where_another_clip_begins_or_ends():
    np.testing.assert_array_equal(clip_joins(12, 4), [4, 8])
    # The last clip is shifted back to frame 6, and the one before it ends with frame 7.
    np.testing.assert_array_equal(clip_joins(10, 4), [4, 6, 8])
    assert not len(clip_joins(4, 4))
    assert not len(clip_joins(3, 4))
