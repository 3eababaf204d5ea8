"""The protocols of DenseWarper and its backbone."""

from __future__ import annotations

import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.multiview_metrics import (
    DETECTION_THRESHOLDS,
    detection_rates,
    detection_table,
    heatmap_accuracy,
    heatmap_peaks,
    multiview_errors,
)
from tf_pose3d.evaluation.protocols.multiview import format_multiview

JOINTS = ("pelvis", "l_wrist", "r_wrist")


@pytest.fixture
def poses():
    """True poses of 3 groups of 2 frames, and predictions 10, 20 and 40 mm off after alignment."""
    rng = np.random.default_rng(0)
    targets = rng.normal(0, 400, (3, 2, 3, 3))
    predicted = targets.copy()
    predicted[:, :, 1, 0] += 20
    predicted[2, :, 1, 0] += 20
    predicted[:, :, 2, 2] -= 10
    # A shift of the whole pose does not count.
    return predicted + rng.normal(0, 100, (3, 2, 1, 3)), targets


def test_errors_are_those_after_the_pelvis_is_moved(poses):
    predicted, targets = poses
    result = multiview_errors(
        predicted, targets, np.full((3, 3), 4), ["Walking", "Walking", "Sitting"], JOINTS
    )
    assert result["mpjpe"] == pytest.approx((0 + 80 / 3 + 10) / 3)
    assert result["per_joint"] == pytest.approx({"pelvis": 0, "l_wrist": 80 / 3, "r_wrist": 10})
    assert result["per_action"] == pytest.approx({"Walking": 10, "Sitting": 50 / 3})
    assert result["action_wise_average"] == pytest.approx((10 + 50 / 3) / 2)
    assert result["not_seen"] == 0
    assert result["not_triangulated"] == 0
    assert result["mpjpe_world"] == pytest.approx(np.linalg.norm(predicted - targets, axis=-1).mean())


def test_joints_that_one_view_sees_count_as_zero_as_released(poses):
    predicted, targets = poses
    seen = np.full((3, 3), 2)
    seen[2, 1] = 1
    result = multiview_errors(predicted, targets, seen, ["Walking"] * 3, JOINTS)
    assert result["mpjpe"] == pytest.approx((2 * 30 + 10) / 9)
    assert result["mpjpe_seen"] == pytest.approx((2 * 30 + 10) / 8)
    assert result["not_seen"] == pytest.approx(1 / 9)
    text = format_multiview({"j3d_DenseWarper": result, **two_dimensions()}, action_wise=False)
    assert text.startswith(f"MPJPE summary: j3d_DenseWarper {70 / 9:.2f}\n")
    assert "11.1% of the joints are seen by fewer than two views and count as 0; without them 8.75" in text


def test_joints_without_a_position_are_told_and_not_counted(poses):
    predicted, targets = poses
    predicted = predicted.copy()
    predicted[0, 0, 2] = np.nan
    result = multiview_errors(predicted, targets, np.full((3, 3), 4), ["Walking"] * 3, JOINTS)
    assert result["not_triangulated"] == 1
    assert result["per_joint"]["r_wrist"] == pytest.approx(10)
    text = format_multiview({"j3d_DenseWarper": result, **two_dimensions()}, action_wise=False)
    assert "1 joints could not be triangulated and are left out" in text
    with pytest.raises(Pose3DError, match="no joint could be triangulated"):
        multiview_errors(np.full_like(targets, np.nan), targets, np.full((3, 3), 4), ["Walking"] * 3, JOINTS)


def two_dimensions():
    shares = dict.fromkeys((*JOINTS, "mean"), 0.5)
    return {"detection_rates": {f"{t:g}": shares for t in DETECTION_THRESHOLDS}, "accuracy": {"mean": 0.9}}


def test_tables_have_actions_joints_and_five_thresholds(poses):
    predicted, targets = poses
    result = multiview_errors(
        predicted, targets, np.full((3, 3), 4), ["Walking", "Walking", "Sitting"], JOINTS
    )
    text = format_multiview({"j3d_DenseWarper": result, "j3d_unwarped": result, **two_dimensions()})
    assert "MPJPE summary: j3d_unwarped 12.22" in text
    for word in ("Sitting", "l_wrist", "0.00625 (12.5 mm)", "50.00", "2D accuracy: 0.900"):
        assert word in text
    assert detection_table(two_dimensions()["detection_rates"]).count("50.00") == 20


def test_peaks_and_their_shift():
    maps = np.zeros((2, 8, 10, 1), np.float32)
    maps[0, 3, 4] = 1
    maps[0, 3, 5] = 0.5
    maps[0, 2, 4] = 0.4
    peaks = heatmap_peaks(maps)
    np.testing.assert_array_equal(peaks.positions[:, 0], [[4, 3], [0, 0]])
    np.testing.assert_array_equal(peaks.values[:, 0], [1, 0])
    np.testing.assert_allclose(heatmap_peaks(maps, shift=True).positions[0, 0], [4.25, 2.75])
    # At the border nothing is moved.
    edge = np.roll(maps, -4, axis=2)
    np.testing.assert_array_equal(heatmap_peaks(edge, shift=True).positions[0, 0], [0, 3])


def test_accuracy_leaves_out_joints_without_target():
    target = np.array([[[40.0, 40], [0, 0], [50, 50]], [[40, 40], [0, 0], [50, 50]]])
    found = target + np.array([[[0.5, 0.5], [9, 9], [0, 0]], [[0, 0], [9, 9], [2, 0]]])
    shares, mean = heatmap_accuracy(found, target, (96, 96))
    assert shares[0] == 1
    assert np.isnan(shares[1])
    assert shares[2] == 0.5
    assert mean == pytest.approx(0.75)


def test_detection_rates_are_shares_of_the_box():
    target = np.zeros((4, 1, 2))
    found = np.array([0, 4.9, 9.9, 30]).reshape(4, 1, 1) * [[1.0, 0.0]]
    rates = detection_rates(found, target, np.full((4, 2), 400.0), (0.075, 0.025, 0.0125))
    np.testing.assert_allclose(rates[:, 0], [1, 0.75, 0.5])
