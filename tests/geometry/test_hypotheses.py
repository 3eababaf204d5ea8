"""Roots and joints by how they are seen."""

import numpy as np

from tf_pose3d.geometry.hypotheses import TYPICAL_FOCAL, best_seen_joints, estimate_root, spread


def seen(places, focal):
    return focal * places[..., :2] / places[..., 2:]


def test_the_root_is_where_the_pose_is_seen():
    random = np.random.default_rng(0)
    poses = random.normal(0, 0.4, (3, 2, 17, 3)).astype("f4")
    roots = random.normal(0, 0.5, (3, 2, 3)).astype("f4") + np.float32([0, 0, 4])
    keypoints = seen(poses + roots[..., None, :], TYPICAL_FOCAL).astype("f4")
    np.testing.assert_allclose(estimate_root(poses, keypoints), roots, atol=2e-3)


def test_each_joint_comes_from_the_hypothesis_that_is_seen_where_it_should():
    random = np.random.default_rng(1)
    true = random.normal(0, 0.4, (1, 4, 17, 3)).astype("f4")
    true[:, :, 0] = 0
    keypoints = seen(true + np.float32([0.2, 0, 4]), TYPICAL_FOCAL).astype("f4")
    hypotheses = np.repeat(true[:, None], 3, axis=1)
    # Each hypothesis is right but for a few joints of its own, so that the others still tell the root.
    wrong = {0: (3, 6), 1: (10, 13), 2: (16,)}
    for number, joints in wrong.items():
        for joint in joints:
            hypotheses[:, number, :, joint, :2] += 0.3
    chosen = np.asarray(best_seen_joints(hypotheses, keypoints))
    np.testing.assert_allclose(chosen, true, atol=1e-6)
    assert np.abs(hypotheses.mean(axis=1) - true).max() > 0.05


def test_spread_by_hand():
    hypotheses = np.zeros((1, 2, 1, 2, 3), "f4")
    hypotheses[0, 0, 0, 1] = [0.3, 0, 0.4]
    np.testing.assert_allclose(spread(hypotheses), [[[0, 0.25]]])
