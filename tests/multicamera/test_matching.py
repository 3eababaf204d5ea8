import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.multicamera.matching import match_names


@pytest.mark.parametrize(
    ("labels", "names", "expected"),
    [
        (["cam02_json", "cam01_json"], ["cam01", "cam02"], [1, 0]),
        (["cam_10", "cam_2"], ["cam_2", "cam_10"], [1, 0]),
        (["Cam1-keypoints", "Cam2-keypoints"], ["cam01", "cam02"], [0, 1]),
        (["trial_3_left_view", "trial_3_right_view"], ["right", "left"], [1, 0]),
        (["2", "1"], ["01", "02"], [1, 0]),
        (["view_1", "view_2"], ["Miqus 2", "Miqus 1"], [1, 0]),
        (["A9", "A10"], ["A10", "A9"], [1, 0]),
        # Never by position: other numbers say nothing.
        (["view_1", "view_2"], ["dev0", "dev1"], [None, None]),
        (["left", "right"], ["cam01", "cam02"], [None, None]),
        (["cam01", "cam02", "cam03", "cam04"], ["cam01", "cam02", "cam04"], [0, 1, None, 2]),
    ],
)
def test_cameras_are_matched_by_name(labels, names, expected):
    assert match_names(labels, names) == expected


def test_what_the_user_says_goes_first():
    assert match_names(["left", "right"], ["a", "b"], {"left": "b", "right": "a"}) == [1, 0]
    with pytest.raises(Pose3DError, match="no view top; there are left, right"):
        match_names(["left", "right"], ["a", "b"], {"top": "a"})
    with pytest.raises(Pose3DError, match="no camera c; there are a, b"):
        match_names(["left", "right"], ["a", "b"], {"left": "c"})


def test_two_views_of_one_camera_are_refused():
    with pytest.raises(Pose3DError, match="cam1 and cam01 both match camera cam01"):
        match_names(["cam1", "cam01"], ["cam01", "cam02"])
