"""Warnings for keypoints that are not what they are said to be."""

import numpy as np
import pytest

from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.sanity import check_image_range, check_keypoints, check_poses, check_sides
from tf_pose3d.skeleton import get_skeleton


@pytest.fixture(scope="module")
def recordings():
    """Every action of two people, from all sides."""
    return synthetic_sequences(["S9", "S5"], frames=60, skeleton="h36m_17")


def test_nothing_is_said_of_sound_recordings(recordings):
    for recording in recordings:
        camera = recording.camera
        assert check_image_range(recording.pose_2d, camera.width, camera.height, "x") == []
        assert check_poses(recording.pose_3d, recording.skeleton) == []
        found = check_keypoints(recording.pose_2d, recording.skeleton)
        assert found == [], recording.label


def test_upside_down(recordings):
    turned = recordings[0].pose_2d.copy()
    turned[..., 1] = 1000 - turned[..., 1]
    assert "upside down" in check_keypoints(turned, recordings[0].skeleton)[0]


@pytest.mark.parametrize("layout", ["uplift_17", "mpi_inf_3dhp_17", "coco_17"])
def test_another_joint_order_is_noticed(recordings, layout):
    """Keypoints in one layout, read as another."""
    target = get_skeleton(layout)
    for recording in recordings[::7]:
        names = recording.skeleton.joints
        # What faces have and motion capture lacks lies at the head.
        order = [names.index(joint if joint in names else "head") for joint in target.joints]
        assert check_keypoints(recording.pose_2d[:, order], recording.skeleton), recording.label


def test_swapped_sides_are_noticed_in_3d(recordings):
    for recording in recordings[::7]:
        swapped = recording.pose_3d[:, list(recording.skeleton.flip_order)]
        assert "knees bend backwards" in check_poses(swapped, recording.skeleton)[0]


def test_a_face_from_the_front_tells_the_sides():
    skeleton = get_skeleton("coco_17")
    frames = np.full((20, 17, 3), 0.9, np.float32)
    frames[..., :2] = np.random.default_rng(0).uniform(400, 420, (20, 17, 2))
    frames[:, skeleton.index("l_shoulder"), 0] = 500
    frames[:, skeleton.index("r_shoulder"), 0] = 300
    frames[:5, :, 2] = 0.4
    assert check_sides(frames, skeleton) == []
    frames[:, [5, 6]] = frames[:, [6, 5]]
    assert "left and right look swapped" in check_sides(frames, skeleton)[0]
    # Without real confidences a face says nothing: it is "found" from behind, too.
    frames[..., 2] = 1
    assert check_sides(frames, skeleton) == []


def test_image_range(recordings):
    points = recordings[0].pose_2d
    with pytest.raises(Pose3DError, match=r"clip: \d+% of the joints lie outside the image of 320x240"):
        check_image_range(points, 320, 240, "clip")
    with pytest.raises(Pose3DError, match="expected pixels of an image of 1000x1000; are they fractions"):
        check_image_range(points / 1000, 1000, 1000, "clip")
    (said,) = check_image_range(points, 20000, 20000, "clip")
    assert "covers only" in said
    some = points.copy()
    some[:8] += 5000
    (said,) = check_image_range(some, 1000, 1000, "clip")
    assert "13% of the joints lie outside" in said
    assert check_image_range(np.full((3, 2, 2), np.nan), 10, 10, "clip") == []


@pytest.mark.parametrize(("turn", "side"), [(1, "right"), (-1, "left")])
def test_a_telephone_s_video_that_was_not_rotated(turn, side):
    """The person lies on the side in every frame; somebody who lies down in some of them does not."""
    sequence = synthetic_sequences(["S9"], frames=60, actions=["Walking"], skeleton="h36m_17")[0]
    upright = sequence.pose_2d
    lying = np.stack([-turn * upright[..., 1], turn * upright[..., 0]], axis=-1) + 1000
    (said,) = [line for line in check_keypoints(lying, sequence.skeleton) if "lies on the side" in line]
    assert f"(head to the {side})" in said
    assert "not rotated by 90 degrees before detection" in said
    some = np.where(np.arange(60)[:, None, None] < 30, lying, upright)
    assert not any("lies on the side" in line for line in check_keypoints(some, sequence.skeleton))
    assert check_keypoints(upright, sequence.skeleton) == []
