import numpy as np
import pytest

from tf_pose3d.data.checks import check_coordinates, check_finite, real_numbers, single_precision
from tf_pose3d.errors import Pose3DError


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_first_bad_frame_is_named(value):
    values = np.zeros((5, 2, 3), np.float32)
    values[2:4, 1, 1] = value
    with pytest.raises(
        Pose3DError, match=r"^x.npz: S1, Eating, frame 2 has NaN or infinite .*\(2 such frames\)"
    ):
        check_finite(values, "x.npz", "S1, Eating")


def test_infinities_of_opposite_signs_do_not_cancel():
    with pytest.raises(Pose3DError, match="frame 0"):
        check_finite(np.array([[np.inf], [-np.inf]]), "x.npz", "S1")


def test_what_no_camera_sees():
    values = np.zeros((10, 2))
    values[7, 1] = -1e300
    with pytest.raises(Pose3DError, match=r"S1, frame 7 has a coordinate of -1e\+300"):
        check_finite(values, "x.npz", "S1")


def test_numbers_beyond_single_precision_become_infinite():
    with pytest.raises(Pose3DError, match="frame 0 has NaN or infinite"):
        check_finite(single_precision(np.full((1, 1), 1e39)), "x.npz", "S1")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([1, 2.5], [1, 2.5]),
        (np.array([True]), None),
        ([[1], [2, 3]], None),
        (["1"], None),
        (1j, None),
        (10**400, None),
    ],
)
def test_real_numbers(value, expected):
    found = real_numbers(value)
    assert (found if expected is None else found.tolist()) == expected


@pytest.mark.parametrize("dtype", [np.float16, np.int8, np.uint64, np.longdouble])
def test_other_types_of_numbers(dtype):
    check_finite(np.ones((2, 3), dtype), "x.npz", "S1")


def test_no_frames():
    check_finite(np.zeros((0, 17, 3), np.float32), "x.npz", "S1")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[[0, 0]]], r"^x.npz: S1 holds a list, expected an array of coordinates"),
        (
            np.zeros((4, 17)),
            r"has shape \(4, 17\) of float64, expected numbers \(frames, joints, 2 or 3\)",
        ),
        (np.zeros((4, 17, 4)), r"has shape \(4, 17, 4\)"),
        (np.full((4, 17, 2), "x"), r"of <U1"),
    ],
)
def test_what_is_no_array_of_coordinates(values, message):
    with pytest.raises(Pose3DError, match=message):
        check_coordinates(values, (2, 3), "x.npz: S1")


def test_coordinates_pass():
    check_coordinates(np.zeros((0, 17, 3), np.float16), (3,), "x.npz")


def test_masks_are_numbers_where_they_may_be():
    assert real_numbers(np.array([True, False]), mask=True).tolist() == [1, 0]
