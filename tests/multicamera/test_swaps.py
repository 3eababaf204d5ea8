import numpy as np
import pytest

from tf_pose3d.multicamera.reconstruction import confident
from tf_pose3d.multicamera.rig import make_rig
from tf_pose3d.multicamera.swaps import epipolar_distances, exchange, find_swaps, view_pairs


@pytest.mark.parametrize("views", [2, 3, 4, 9])
def test_exchanged_sides_are_found_in_the_view_that_has_them(scenes, views):
    rig, poses = scenes.rig(views), scenes.walker(50)
    keypoints = scenes.seen(rig, poses, seed=views)
    truth = np.zeros((views, 50), bool)
    truth[1, 11] = truth[1, 20:33] = True
    given = exchange(keypoints, scenes.skeleton, truth)
    found = find_swaps(rig, rig.rays(given), scenes.skeleton)
    np.testing.assert_array_equal(found, truth)
    np.testing.assert_array_equal(exchange(given, scenes.skeleton, found), keypoints)


def test_nothing_is_found_where_nothing_is_exchanged(scenes):
    rig = scenes.rig(4)
    keypoints = scenes.seen(rig, scenes.walker(60), seed=5, sigma=6)
    assert not find_swaps(rig, rig.rays(keypoints), scenes.skeleton).any()


def test_two_views_of_five_at_once(scenes):
    rig = scenes.rig(5)
    keypoints = scenes.seen(rig, scenes.walker(20), seed=6)
    truth = np.zeros((5, 20), bool)
    truth[0, 4:9] = truth[3, 6:12] = True
    given = exchange(keypoints, scenes.skeleton, truth)
    np.testing.assert_array_equal(find_swaps(rig, rig.rays(given), scenes.skeleton), truth)


def test_the_demo_has_them_where_they_were_seen(demo, tmp_path, scenes):
    from tf_pose3d.data.calibration import read_cameras

    (tmp_path / "Calib.toml").write_text(demo.calibration)
    rig = make_rig(read_cameras(tmp_path / "Calib.toml"))
    weights = confident(demo.keypoints, 0.3)
    rays = np.where(weights[..., None] > 0, rig.rays(demo.keypoints), np.nan)
    found = find_swaps(rig, rays, scenes.skeleton)
    assert (np.flatnonzero(found[1]) + demo.first).tolist() == [36, *range(41, 50)]
    assert not found[[0, 2, 3]].any()


def test_pairs_grow_with_the_views():
    assert len(view_pairs(4)) == 6
    assert len(view_pairs(16)) == 48
    assert view_pairs(2) == [(0, 1)]


def test_distances_are_pixels(scenes):
    rig, poses = scenes.rig(2, k1=0), scenes.walker(3)
    keypoints = scenes.seen(rig, poses, sigma=0, missed=0)
    rays = rig.rays(keypoints)
    assert epipolar_distances(rig, 0, 1, rays[0], rays[1]).max() < 1e-2
    moved = keypoints.copy()
    moved[1, ..., :2] += np.random.default_rng(0).normal(size=moved[1, ..., :2].shape) * 5
    # One of the two numbers of an error is seen, and views share it.
    usual = np.median(epipolar_distances(rig, 0, 1, rays[0], rig.rays(moved)[1]))
    assert 1 < usual < 5
