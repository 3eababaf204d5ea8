import numpy as np
import pytest

from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.inference.motion.constant_bones import (
    bone_lengths,
    complete_joints,
    find_pelvis,
    fit_skeleton,
)
from tf_pose3d.skeleton import get_skeleton, joint_indices


@pytest.fixture(scope="module")
def walk():
    sequence = synthetic_sequences(["S9"], frames=60, actions=["Walking"], skeleton="h36m_17")[0]
    return (sequence.pose_3d - sequence.pose_3d[:, :1]).astype(np.float64)


def lengths_of(poses, skeleton):
    return np.stack([np.linalg.norm(poses[:, a] - poses[:, b], axis=-1) for a, b in skeleton.bones], axis=1)


@pytest.mark.parametrize("layout", ["h36m_17", "h36m_16", "uplift_17"])
def test_lengths_are_constant_and_the_root_stays(walk, layout):
    skeleton = get_skeleton(layout)
    poses = walk[:, joint_indices("h36m_17", layout)]
    noisy = (poses + np.random.default_rng(0).normal(0, 0.02, poses.shape)).astype(np.float32)
    fitted = fit_skeleton(noisy, skeleton)
    assert fitted.dtype == np.float32
    np.testing.assert_array_equal(fitted[:, skeleton.root], noisy[:, skeleton.root])
    expected = bone_lengths(noisy, skeleton)
    for (_, child), length in zip(skeleton.bones, lengths_of(fitted, skeleton).T, strict=True):
        np.testing.assert_allclose(length, expected[child], rtol=1e-4)
    for left, right in zip(skeleton.left, skeleton.right, strict=True):
        assert expected[left] == expected[right]
    # Knowing that there is one skeleton brings the joints nearer to the truth.
    error = [np.linalg.norm(held - poses, axis=-1).mean() for held in (noisy, fitted)]
    assert error[1] < 0.96 * error[0]


def test_a_skeleton_that_is_one_already_stays(walk):
    skeleton = get_skeleton("h36m_17")
    once = fit_skeleton(walk, skeleton)
    np.testing.assert_allclose(fit_skeleton(once, skeleton), once, atol=1e-6)


def test_nearest_joints_not_directions(walk):
    """A forearm that is found too long moves the hand, not the elbow alone."""
    skeleton = get_skeleton("h36m_17")
    exact = fit_skeleton(walk, skeleton)
    elbow, wrist = skeleton.index("l_elbow"), skeleton.index("l_wrist")
    wrong = exact.copy()
    wrong[30, elbow] += [0.06, 0, 0]
    fitted = fit_skeleton(wrong, skeleton)
    # Directions kept: the wrist would follow the elbow's whole error.
    assert np.linalg.norm(fitted[30, wrist] - exact[30, wrist]) < 0.03
    np.testing.assert_allclose(fitted[:30], exact[:30], atol=1e-3)


def test_joints_that_fall_together(walk):
    skeleton = get_skeleton("h36m_17")
    collapsed = walk.copy()
    collapsed[3] = 0
    assert np.isfinite(fit_skeleton(collapsed, skeleton)).all()


def test_hips_and_spine_turn_as_one_body(walk):
    skeleton = get_skeleton("h36m_17")
    noisy = walk + np.random.default_rng(1).normal(0, 0.01, walk.shape)
    fitted = fit_skeleton(noisy, skeleton)
    hips = [skeleton.index(name) for name in ("l_hip", "r_hip", "spine")]
    across = np.linalg.norm(fitted[:, hips] - fitted[:, np.roll(hips, 1)], axis=-1)
    np.testing.assert_allclose(across, across[:1].repeat(len(across), axis=0), atol=1e-9)
    # A walk that is a skeleton's but for the twist of its waist hardly moves.
    assert np.linalg.norm(fit_skeleton(walk, skeleton) - walk, axis=-1).mean() < 0.001


def test_layouts_without_a_pelvis_keep_single_bones():
    assert find_pelvis(get_skeleton("coco_17")) is None
    assert find_pelvis(get_skeleton("humaneva_15")) == (8, 11, 1)


def with_holes(walk, skeleton):
    """Noisy poses that lack a wrist for ten frames, the pelvis for five, a knee at first; and the truth."""
    exact = fit_skeleton(walk, skeleton)
    noisy = exact + np.random.default_rng(2).normal(0, 0.005, exact.shape)
    noisy[20:30, skeleton.index("l_wrist")] = np.nan
    noisy[40:45, skeleton.root] = np.nan
    noisy[:3, skeleton.index("r_knee")] = np.nan
    return noisy, exact


def test_joints_that_were_not_seen_follow_the_rest(walk):
    skeleton = get_skeleton("h36m_17")
    noisy, exact = with_holes(walk, skeleton)
    fitted = fit_skeleton(noisy, skeleton)
    assert np.isfinite(fitted).all()
    lengths = lengths_of(fitted, skeleton)
    np.testing.assert_allclose(lengths, lengths[:1].repeat(len(lengths), axis=0), rtol=1e-6)
    off = np.linalg.norm(fitted - exact, axis=-1)
    assert off.mean() < 0.008
    # Between the frames in which they are seen, and where the joints beyond them say.
    assert off[20:30, skeleton.index("l_wrist")].max() < 0.06
    assert off[40:45, skeleton.root].max() < 0.03
    assert off[:3, skeleton.index("r_knee")].max() < 0.06


def test_a_joint_that_is_missing_pulls_at_nothing(walk):
    skeleton = get_skeleton("h36m_17")
    exact = fit_skeleton(walk, skeleton)
    holed = exact.copy()
    holed[::2, skeleton.index("l_elbow")] = np.nan
    seen = np.isfinite(holed).all(axis=-1)
    fitted = fit_skeleton(holed, skeleton)
    assert np.linalg.norm(fitted - exact, axis=-1)[seen].max() < 0.002


def test_bones_go_on_turning_evenly():
    skeleton = get_skeleton("h36m_17")
    knee, ankle = skeleton.index("l_knee"), skeleton.index("l_ankle")
    poses = np.zeros((5, 17, 3))
    poses[:, ankle] = [0, 0, -0.4]
    poses[4, ankle] = [0.4, 0, 0]
    poses[:, [knee, ankle], 1] = np.arange(5)[:, None]
    poses[2:4, ankle] = np.nan
    filled = complete_joints(poses, skeleton)
    # Two thirds and one third of the old bone, carried on by the knee.
    np.testing.assert_allclose(filled[2, ankle], [0.4 / 3, 2, -0.8 / 3], atol=1e-12)
    np.testing.assert_allclose(filled[3, ankle], [0.8 / 3, 3, -0.4 / 3], atol=1e-12)
    np.testing.assert_array_equal(filled[np.isfinite(poses)], poses[np.isfinite(poses)])
