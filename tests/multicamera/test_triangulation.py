import numpy as np

from tf_pose3d.multicamera.triangulation import (
    reprojection_errors,
    solve_symmetric,
    triangulate_linear,
    triangulate_robust,
)


def flat(rig, keypoints):
    views = len(rig)
    rays = rig.rays(keypoints).reshape(views, -1, 2)
    return rays, np.nan_to_num(keypoints[..., 2]).reshape(views, -1).astype(float)


def test_exact_rays_meet_in_their_point(scenes):
    rig, poses = scenes.rig(k1=-0.25), scenes.walker(4)
    rays, weights = flat(rig, scenes.seen(rig, poses, sigma=0, missed=0))
    points = triangulate_linear(rig, rays, weights)
    # What float32 pixels tell.
    np.testing.assert_allclose(points, poses.reshape(-1, 3), atol=2e-6)


def test_fewer_than_two_views_give_nothing(scenes):
    rig, poses = scenes.rig(), scenes.walker(2)
    keypoints = scenes.seen(rig, poses, sigma=0, missed=0)
    keypoints[1:, 0, 3] = np.nan
    keypoints[:, 1, 4] = np.nan
    points = triangulate_robust(rig, *flat(rig, keypoints), 10.0)
    found = np.isfinite(points.position).all(axis=1).reshape(poses.shape[:2])
    assert not found[0, 3]
    assert not found[1, 4]
    assert found.sum() == found.size - 2
    assert not points.used.reshape(4, *found.shape)[:, 0, 3].any()


def test_wrong_views_are_left_out_in_any_number(scenes):
    rig, poses = scenes.rig(8), scenes.walker(6)
    keypoints = scenes.seen(rig, poses, sigma=0.5, missed=0)
    rng = np.random.default_rng(1)
    wrong = np.zeros(keypoints.shape[:3], bool)
    for joint in range(26):
        wrong[rng.permutation(8)[: joint % 4], :, joint] = True
    keypoints[wrong, :2] += rng.choice([-90, 90], (int(wrong.sum()), 2))
    points = triangulate_robust(rig, *flat(rig, keypoints), 6.0)
    error = np.linalg.norm(points.position - poses.reshape(-1, 3), axis=1)
    assert np.nanmax(error) < 0.01
    assert np.isfinite(error).all()
    np.testing.assert_array_equal(points.used.reshape(wrong.shape), ~wrong)
    # Errors are told of all views, those left out as well.
    assert points.error.reshape(wrong.shape)[wrong].min() > 40


def test_two_views_that_disagree_are_no_point(scenes):
    rig, poses = scenes.rig(2), scenes.walker(2)[:1]
    keypoints = scenes.seen(rig, poses, sigma=0, missed=0)
    keypoints[0, 0, 5, 1] += 120
    points = triangulate_robust(rig, *flat(rig, keypoints), 6.0)
    assert np.flatnonzero(np.isnan(points.position[:, 0])).tolist() == [5]


def test_points_behind_a_camera_are_infinitely_wrong(scenes):
    rig = scenes.rig(2)
    behind = rig.centres[0] - rig.rotation[0, 2]
    errors = reprojection_errors(rig, behind[None], np.zeros((2, 1, 2)))
    assert np.isinf(errors[0, 0])
    assert np.isfinite(errors[1, 0])


def test_small_systems_are_solved_and_singular_ones_told():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(5, 3, 3))
    matrix = root @ root.transpose(0, 2, 1)
    matrix[4] = np.outer([1, 2, 3], [1, 2, 3])
    vector = rng.normal(size=(5, 3))
    packed = np.stack([matrix[:, i, j] for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))])
    found = solve_symmetric(packed, vector.T).T
    np.testing.assert_allclose(found[:4], np.linalg.solve(matrix[:4], vector[:4, :, None])[..., 0], rtol=1e-6)
    assert np.isnan(found[4]).all()
