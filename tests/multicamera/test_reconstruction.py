import numpy as np

from tf_pose3d.multicamera import reconstruction
from tf_pose3d.multicamera.reconstruction import Options, reconstruct
from tf_pose3d.multicamera.swaps import exchange


def test_stretches_meet_without_a_seam(scenes, monkeypatch):
    rig, poses = scenes.rig(3), scenes.walker(90)
    keypoints = scenes.seen(rig, poses)
    swapped = np.zeros((3, 90), bool)
    swapped[2, 25:45] = True
    given = exchange(keypoints, scenes.skeleton, swapped)
    whole = reconstruct(rig, given.copy(), scenes.skeleton)
    monkeypatch.setattr(reconstruction, "_STRETCH", 35)
    parts = reconstruct(rig, given.copy(), scenes.skeleton)
    np.testing.assert_array_equal(parts.swapped, swapped)
    np.testing.assert_array_equal(whole.swapped, swapped)
    np.testing.assert_allclose(parts.keypoints, keypoints)
    difference = 1000 * np.linalg.norm(parts.pose_3d - whole.pose_3d, axis=-1)
    assert np.nanmax(difference) < 1.5
    np.testing.assert_array_equal(np.isnan(parts.pose_3d), np.isnan(whole.pose_3d))


def test_two_wrong_views_that_agree_are_no_joint(scenes):
    rig, poses = scenes.rig(4), scenes.walker(40)
    keypoints = scenes.seen(rig, poses, sigma=1, missed=0)
    # Two views see another's wrist three metres away, the others none.
    keypoints[2:, 20, 9] = np.nan
    keypoints[:2, 20, 9, :2] = rig.images(poses[20, 9] + [1.5, 1.5, 0])[:2]
    found = reconstruct(rig, keypoints, scenes.skeleton)
    assert np.isnan(found.pose_3d[20, 9]).all()
    assert np.isfinite(found.pose_3d[19, 9]).all()


def test_a_slower_camera_is_filled_between_its_frames(scenes):
    rig, poses = scenes.rig(3), scenes.walker(61)
    keypoints = scenes.seen(rig, poses, sigma=0, missed=0)
    truth = keypoints.copy()
    keypoints[1, 1::2] = np.nan
    found = reconstruct(rig, keypoints, scenes.skeleton, Options(refine=False), np.array([1.0, 2, 1]))
    off = np.linalg.norm(found.keypoints[1, 1:-1, :, :2] - truth[1, 1:-1, :, :2], axis=-1)
    assert off.max() < 1.0
    assert found.used[1, 1:-1].all()


def test_low_confidence_counts_as_missing(scenes):
    rig, poses = scenes.rig(3), scenes.walker(10)
    keypoints = scenes.seen(rig, poses, missed=0)
    keypoints[1:, :, 4, 2] = 0.2
    assert np.isnan(reconstruct(rig, keypoints.copy(), scenes.skeleton).pose_3d[:, 4]).all()
    loose = reconstruct(rig, keypoints.copy(), scenes.skeleton, Options(min_confidence=0.1))
    assert np.isfinite(loose.pose_3d[:, 4]).all()


def test_joints_may_need_three_views(scenes):
    rig, poses = scenes.rig(3), scenes.walker(12)
    keypoints = scenes.seen(rig, poses, missed=0)
    keypoints[0, :, 6] = np.nan
    found = reconstruct(rig, keypoints, scenes.skeleton, Options(least_views=3))
    assert np.isnan(found.pose_3d[:, 6]).all()
    assert np.isfinite(np.delete(found.pose_3d, 6, axis=1)).all()
