"""Filling, mapping and resampling of keypoints."""

import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.preparation import fill_gaps, frame_times, prepare_keypoints, resample
from tf_pose3d.skeleton import convert_joints, get_skeleton

COCO, H36M = get_skeleton("coco_17"), get_skeleton("h36m_17")


@pytest.fixture
def keypoints():
    """Twenty frames of joints that move evenly."""
    random = np.random.default_rng(0)
    start, speed = random.uniform(200, 800, (2, 1, 17, 2)) * [[[[1]]], [[[0.01]]]]
    places = start + speed * np.arange(20)[:, None, None]
    return np.concatenate([places, np.full((20, 17, 1), 0.9)], axis=2).astype(np.float32)


def test_gaps_of_even_motion_are_filled_exactly(keypoints):
    valid = np.ones((20, 17), bool)
    valid[4:9, 3] = valid[0:2, 5] = valid[18:, 6] = False
    spoiled = np.where(valid[..., None], keypoints, np.nan)
    filled = fill_gaps(spoiled, valid)
    np.testing.assert_allclose(filled[4:9, 3], keypoints[4:9, 3], atol=1e-3)
    np.testing.assert_array_equal(filled[:2, 5], keypoints[[2, 2], 5])
    np.testing.assert_array_equal(filled[18:, 6], keypoints[[17, 17], 6])
    np.testing.assert_array_equal(filled[valid], keypoints[valid])


def test_joints_with_low_confidence_are_filled(keypoints):
    spoiled = keypoints.copy()
    spoiled[6, 9] = [0, 0, 0.1]
    prepared = prepare_keypoints(spoiled, COCO, H36M)
    expected = convert_joints(keypoints, COCO, H36M, confidence=True)
    np.testing.assert_allclose(prepared.keypoints, expected, atol=1e-3)
    assert prepared.present.all()
    assert prepared.found == pytest.approx(1 - 1 / (20 * 17))


def test_frames_without_the_person(keypoints):
    spoiled = keypoints.copy()
    spoiled[3:6] = np.nan
    spoiled[10:15] = np.nan
    spoiled[18:] = np.nan
    prepared = prepare_keypoints(spoiled, COCO, H36M, max_gap=3)
    assert np.flatnonzero(~prepared.present).tolist() == [10, 11, 12, 13, 14, 18, 19]
    assert np.isfinite(prepared.keypoints).all()


def test_a_layout_without_ears_still_gives_a_head_top(keypoints):
    spoiled = keypoints.copy()
    spoiled[:, [COCO.index("l_ear"), COCO.index("r_eye")], 2] = 0
    prepared = prepare_keypoints(spoiled, COCO, H36M)
    place = {name: prepared.keypoints[..., H36M.index(name), :2] for name in ("neck", "head", "head_top")}
    np.testing.assert_allclose(place["head_top"], 2 * place["head"] - place["neck"], atol=1e-3)


def test_joints_that_nothing_gives(keypoints):
    spoiled = keypoints.copy()
    spoiled[:, COCO.index("l_ankle"), 2] = 0.2
    with pytest.raises(Pose3DError, match=r"clip: nothing gives l_ankle: .*confidence of 0.3 or more"):
        prepare_keypoints(spoiled, COCO, H36M, where="clip")
    assert prepare_keypoints(spoiled, COCO, H36M, min_confidence=0.1).present.all()
    with pytest.raises(Pose3DError, match=r"no joint in any of its 20 frames has a confidence of 0.95"):
        prepare_keypoints(spoiled, COCO, H36M, min_confidence=0.95)


@pytest.mark.parametrize("fps", [24, 25, 29.97, 30, 60, 120])
def test_even_motion_survives_resampling(fps):
    values = np.arange(90, dtype=np.float32)[:, None] * 2 + 1
    places = frame_times(90, fps, 50)
    assert places[0] == 0
    assert 89 - fps / 50 < places[-1] <= 89 + 1e-6
    there = resample(values, places)
    np.testing.assert_allclose(there[:, 0], 2 * places + 1, rtol=1e-5)
    back = resample(there, np.arange(90) * (50 / fps))
    inside = np.arange(90) * (50 / fps) <= len(there) - 1
    np.testing.assert_allclose(back[inside], values[inside], rtol=1e-5)


def test_a_single_frame_is_resampled():
    np.testing.assert_array_equal(resample(np.ones((1, 2)), frame_times(1, 30, 50)), np.ones((1, 2)))


def test_a_joint_that_was_found_once_is_said():
    """It would be held where it was in one of sixty frames, over the whole clip."""
    skeleton = get_skeleton("coco_17")
    points = np.random.default_rng(0).uniform(100, 900, (60, 17, 3))
    points[..., 2] = 0.9
    wrist = skeleton.index("l_wrist")
    points[:, wrist, 2] = 0
    points[20, wrist, 2] = 0.9
    prepared = prepare_keypoints(points.astype(np.float32), skeleton, get_skeleton("h36m_17"))
    assert prepared.warnings == (
        "found in few of the 60 frames with the person: l_wrist in 1; elsewhere the joint is held or "
        "interpolated, and the pose is a guess there",
    )
    points[::4, wrist, 2] = 0.9
    assert prepare_keypoints(points.astype(np.float32), skeleton, get_skeleton("h36m_17")).warnings == ()
