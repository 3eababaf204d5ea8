"""Motion metrics on motions of which every figure is known."""

import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.motion_metrics import (
    acceleration_error,
    bone_variation,
    floor_penetration,
    foot_skate,
    jitter,
    metrics_table,
    motion_metrics,
    pck_and_auc,
    root_drift,
)
from tf_pose3d.skeleton import get_skeleton

SKELETON = get_skeleton("h36m_17")


@pytest.fixture
def still():
    """Someone who stands still, ankles at 0."""
    rng = np.random.default_rng(0)
    pose = rng.normal(0, 0.3, (17, 3)) + np.array([0, 0, 2])
    pose[[SKELETON.index("l_ankle"), SKELETON.index("r_ankle")], 2] = 0
    return np.tile(pose, (40, 1, 1))


def test_acceleration_and_jitter(still):
    times = np.arange(40) / 30
    moving = still + (0.5 * 2.0 * times**2)[:, None, None] * np.array([1, 0, 0])
    # 2 m/s2 are 2 / 900 m a frame squared.
    assert acceleration_error(moving, still) == pytest.approx(2000 / 900)
    assert acceleration_error(moving, still, fps=30) == pytest.approx(2.0)
    assert jitter(moving, 30) == pytest.approx(0, abs=1e-6)
    swung = still + (times**3)[:, None, None] * np.array([0, 1, 0])
    assert jitter(swung, 30) == pytest.approx(0.06)
    gap = moving.copy()
    gap[20] = np.nan
    assert acceleration_error(gap, still) == pytest.approx(2000 / 900)
    with pytest.raises(Pose3DError, match="no three frames in a row have poses"):
        acceleration_error(still[:2], still[:2])


def test_bones(still):
    breathing = still * (1 + 0.1 * np.where(np.arange(40) % 2, 1, -1))[:, None, None]
    np.testing.assert_allclose(bone_variation(breathing, SKELETON), 0.1, rtol=1e-6)
    assert bone_variation(still, SKELETON).max() == pytest.approx(0, abs=1e-9)


def test_feet_and_floor(still):
    sliding = still + (0.004 * np.arange(40))[:, None, None] * np.array([0, 1, 0])
    assert foot_skate(sliding, SKELETON) == pytest.approx(4)
    none = np.zeros((40, 2), bool)
    assert np.isnan(foot_skate(sliding, SKELETON, none))
    assert np.isnan(
        foot_skate(sliding[:, :5], get_skeleton("h36m_17").__class__("x", ("a",), (-1,), (), (), 0))
    )
    assert floor_penetration(still - np.array([0, 0, 0.03])) == pytest.approx(30)
    assert floor_penetration(still + 0.2) == 0


def test_the_roots_way(still):
    truth = still + (0.05 * np.arange(40))[:, None, None] * np.array([1, 0, 0])
    turn = np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1.0]])
    assert root_drift(truth @ turn.T + 3, truth, 0) == pytest.approx((0, 0), abs=1e-6)
    far = truth.copy()
    far[:, :, 0] *= 1.1
    drift, share = root_drift(far, truth, 0)
    assert drift == pytest.approx(0.1 * 500, rel=0.02)
    assert share == pytest.approx(0.05 / 1.95, rel=0.02)
    assert np.isnan(root_drift(still, still, 0)[1])


def test_pck_and_auc():
    assert pck_and_auc(np.array([0.0, 75, 149, 151])) == pytest.approx((0.75, (31 + 16 + 1) / 31 / 4))
    with pytest.raises(Pose3DError, match="no joint error"):
        pck_and_auc(np.array([np.nan]))


def test_all_of_them(still):
    found = motion_metrics(still + 0.01, SKELETON, 30, 0, still, in_world=True)
    assert found["mpjpe_mm"] == pytest.approx(0, abs=1e-6)
    assert found["pck_150_percent"] == 100
    assert {"foot_skate_mm_frame", "root_drift_mm"} <= set(found)
    assert len(metrics_table(found).splitlines()) == len(found)
    assert "foot_skate_mm_frame" not in motion_metrics(still, SKELETON, 30, 0)
    with pytest.raises(Pose3DError, match="against true ones of shape"):
        motion_metrics(still, SKELETON, 30, 0, still[1:])
    with pytest.raises(Pose3DError, match="no frame has a pose"):
        motion_metrics(still * np.nan, SKELETON, 30, 0)


def test_steps_at_the_joins_of_clips_are_apart_from_the_others():
    truth = np.cumsum(np.random.default_rng(0).normal(0, 0.01, (8, SKELETON.num_joints, 3)), axis=0)
    poses = truth.copy()
    poses[4:, 1:, 0] += 0.1  # a jump of every joint but the root
    found = motion_metrics(poses, SKELETON, 30, 0, truth, joins=np.array([4]))
    joints = SKELETON.num_joints
    assert found["step_error_at_joins_mm_frame"] == pytest.approx(100 * (joints - 1) / joints)
    assert found["step_error_elsewhere_mm_frame"] == pytest.approx(0, abs=1e-9)
    none = motion_metrics(poses, SKELETON, 30, 0, truth, joins=np.array([], int))
    assert np.isnan(none["step_error_at_joins_mm_frame"])
