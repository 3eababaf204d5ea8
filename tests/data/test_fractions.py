import numpy as np
import pytest

from tf_pose3d.data.fractions import take_fraction
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.skeleton import get_skeleton


def make_sequence(frames):
    pose = np.zeros((frames, 17, 3), np.float32)
    pose[:, 0, 0] = np.arange(frames)
    return Sequence("S1", "Walking", "Walking 1", get_skeleton("h36m_17"), pose_3d=pose)


@pytest.mark.parametrize(("frames", "fraction", "stride", "kept"), [(100, 0.1, 1, 10), (103, 0.5, 5, 50)])
def test_takes_one_run_of_frames(frames, fraction, stride, kept):
    short = take_fraction(make_sequence(frames), fraction, stride)
    numbers = short.pose_3d[:, 0, 0]
    assert len(numbers) == kept
    np.testing.assert_array_equal(np.diff(numbers), 1)
    # The same sequence gives the same frames again.
    np.testing.assert_array_equal(
        numbers, take_fraction(make_sequence(frames), fraction, stride).pose_3d[:, 0, 0]
    )


def test_place_follows_from_the_length_as_in_the_release():
    # sha256("1000") begins with 40510175: 0x75015140 / (2^32 - 1) of 901 places.
    assert take_fraction(make_sequence(1000), 0.1).pose_3d[0, 0, 0] == int(0x75015140 / (2**32 - 1) * 901)


def test_keeps_at_least_one_frame():
    assert take_fraction(make_sequence(3), 0.01).num_frames == 1
    assert take_fraction(make_sequence(3), 1.0).num_frames == 3
