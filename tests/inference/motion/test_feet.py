"""Locked feet."""

import numpy as np

from tf_pose3d.inference.motion.constant_bones import fit_skeleton
from tf_pose3d.inference.motion.contact import feet_joints
from tf_pose3d.inference.motion.feet import lock_feet
from tf_pose3d.skeleton import get_skeleton


def sliding(walk):
    """The walk of one skeleton, its feet a little off, and when they rest."""
    skeleton = walk.motion.skeleton
    feet = feet_joints(skeleton)
    resting = np.linalg.norm(np.gradient(walk.world[:, feet], axis=0), axis=-1) * 50 < 0.2
    poses = fit_skeleton(walk.world - [0, 0, walk.world[:, feet, 2].min()], skeleton)
    drift = 0.03 * np.sin(np.arange(len(poses)) / 20)
    return poses + np.stack([drift, 0 * drift, -np.abs(drift)], axis=-1)[:, None], resting, feet, skeleton


def test_feet_at_rest_stay_and_bones_keep_their_lengths(walk):
    poses, resting, feet, skeleton = sliding(walk)
    locked = lock_feet(poses, resting, feet, skeleton, 50)
    both = resting[1:] & resting[:-1]
    assert np.linalg.norm(np.diff(locked[:, feet], axis=0), axis=-1)[both].max() < 0.003
    assert np.abs(locked[:, feet, 2][resting]).max() < 0.005
    assert locked[:, feet, 2].min() > -0.005
    for parent, child in skeleton.bones:
        lengths = [np.linalg.norm(held[:, child] - held[:, parent], axis=-1) for held in (poses, locked)]
        np.testing.assert_allclose(lengths[1], lengths[0], atol=1e-6)
    # The rest of the body hardly moves, and nothing jumps.
    assert np.linalg.norm(locked - poses, axis=-1).mean() < 0.03
    jumps = [np.abs(np.diff(held, 2, axis=0)).max() for held in (poses, locked)]
    assert jumps[1] < jumps[0] + 0.03


def test_nothing_to_lock(walk):
    poses, resting, feet, skeleton = sliding(walk)
    high = poses + np.array([0, 0, 1])
    np.testing.assert_allclose(lock_feet(high, np.zeros_like(resting), feet, skeleton, 50), high, atol=2e-3)
    coco = get_skeleton("openpose_15")
    assert lock_feet(poses[:0], resting[:0], feet, coco, 50).shape == (0, 17, 3)
