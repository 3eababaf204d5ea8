from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

import tf_pose3d
from tests.data.test_image_pickles import make_parts
from tf_pose3d.camera import Camera
from tf_pose3d.cli.eval import main as evaluate
from tf_pose3d.cli.train import main as train
from tf_pose3d.data.lcn_pickles import LCNItems
from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.lcn_results import (
    denormalized,
    evaluate_result,
    joint_errors,
    mean_by_action,
    mean_by_joint,
    result_table,
    what_name,
)
from tf_pose3d.evaluation.protocols.lcn import predict_image_poses
from tf_pose3d.models.family import get_family
from tf_pose3d.models.lcn.config import LCNConfig
from tf_pose3d.models.lcn.family import LCNFamily
from tf_pose3d.models.lcn.folded import FoldedLCN
from tf_pose3d.skeleton import get_skeleton


@pytest.fixture
def items():
    rng = np.random.default_rng(0)
    cameras = tuple(
        Camera(name, 1000, height, [1145, 1143], [512, 515], np.zeros(3), np.zeros(2))
        for name, height in (("54138969", 1002), ("55011271", 1000))
    )
    pose = rng.uniform(-0.5, 0.5, (6, 17, 3)) + np.array([0, 0, 4.5])
    width = 2 / pose[:, 0, 2] * 1145
    camera = np.arange(6) % 2
    image = np.empty_like(pose)
    image[..., :2] = pose[..., :2] / pose[..., 2:] * [1145, 1143] + [512, 515]
    image[..., 2] = (pose[..., 2] - pose[:, :1, 2]) * (width[:, None] + 1) / 2
    box = np.stack([np.zeros(6), np.zeros(6), width, width], 1)
    numbers = np.arange(6)
    actions = np.array([2, 2, 3, 3, 3, 16])
    return LCNItems(
        "items", image, pose, box, pose[:, 0, 2], numbers, actions, numbers, numbers, camera, cameras, 0
    )


def test_a_perfect_result_has_no_error(items):
    assert joint_errors(items.image_pose, items).max() < 1e-6
    assert joint_errors(items.image_pose, items, protocol2=True).max() < 1e-6


def test_errors_are_absolute_and_in_millimetres(items):
    moved = items.image_pose.copy()
    moved[..., 0] += 1145 * 0.01  # 1 cm per metre of depth, the root included
    expected = 10 * items.camera_pose[..., 2]
    np.testing.assert_allclose(joint_errors(moved, items), expected, rtol=1e-6)
    assert (joint_errors(moved, items, protocol2=True) < expected).all()


def test_procrustes_may_reflect(items):
    mirrored = items.image_pose.copy()
    mirrored[..., 2] *= -1  # nearly a mirror image: only perspective is left
    assert joint_errors(mirrored, items, protocol2=True).mean() < 0.3 * joint_errors(mirrored, items).mean()


def test_means_give_every_action_the_same_weight(items):
    errors = np.repeat(np.arange(6.0)[:, None], 17, 1)
    means = mean_by_action(errors, items.action)
    assert list(means) == [*map(str, range(2, 17)), "avg"]
    assert means["2"] == 0.5
    assert means["3"] == 3
    assert means["16"] == 5
    assert np.isnan(means["4"])
    assert means["avg"] == pytest.approx((0.5 + 3 + 5) / 3)
    joints = mean_by_joint(errors + np.arange(17))
    assert joints["16"] == 18.5
    assert joints["avg"] == pytest.approx(10.5)


def test_tables_leave_out_what_is_not_there(items):
    row = evaluate_result(items.image_pose + 1, items)
    text = str(result_table({"test1": row, "test2": row}))
    assert text.count("test") == 3
    assert " - " in text
    assert f"{row['avg']:.2f}" in text


def test_names_are_the_release_s():
    assert what_name(False, False) == "scale_action"
    assert what_name(True, True) == "scale_joint_protocol2"


def test_denormalizing_is_the_inverse_of_normalizing(items):
    normalized = items.image_pose / 500
    normalized[..., 0] -= 1
    normalized[..., 1] -= np.array([1.002, 1.0])[items.camera][:, None]
    np.testing.assert_allclose(denormalized(normalized, items), items.image_pose)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (np.zeros((5, 17, 3)), "holds 5 poses, items 6 items"),
        (np.zeros((6, 17, 2)), r"poses of shape \(6, 17, 2\)"),
        (np.full((6, 17, 3), np.inf), "pose 0 holds numbers that are not finite"),
    ],
)
def test_results_that_do_not_fit_are_refused(items, result, message):
    with pytest.raises(Pose3DError, match=message):
        joint_errors(result, items)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"MASK_TYPE": "locally_connected_learnable", "KNN": 1},
        {"RESIDUAL": False, "WEIGHT_MAX_NORM": False},
    ],
)
def test_the_folded_network_equals_the_network(settings):
    model = get_family("lcn").build_model(LCNConfig(CHANNELS=6, LAYERS=2, IN_F=3, **settings))
    rng = np.random.default_rng(0)
    for block in model.linear_blocks:
        norm = block.norm
        for weight in (norm.gamma, norm.beta, norm.moving_mean):
            weight.assign(rng.normal(size=6))
        norm.moving_variance.assign(rng.uniform(0.5, 2, 6))
    keypoints = rng.uniform(-1, 1, (7, 17, 3)).astype(np.float32)
    expected = model({"keypoints_2d": keypoints}, training=False)["pose_image"]
    np.testing.assert_allclose(FoldedLCN(model)(keypoints), expected, rtol=1e-4, atol=1e-5)


def test_flipped_predictions_are_averaged_in_the_image_frame():
    model = get_family("lcn").build_model(LCNConfig(CHANNELS=6, LAYERS=1))
    order = list(get_skeleton("h36m_17").flip_order)
    keypoints = np.random.default_rng(0).uniform(-1, 1, (5, 17, 2)).astype(np.float32)
    mirror = keypoints[:, order] * np.float32([-1, 1])
    straight, mirrored = (predict_image_poses(model, poses, batch_size=2) for poses in (keypoints, mirror))
    found = predict_image_poses(model, keypoints, tuple(order), batch_size=3)
    expected = (straight + mirrored[:, order] * np.float32([-1, 1, 1])) / 2
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_lcn_trains_and_is_tested_on_motionberts_pickle(tmp_path, capsys):
    path = tmp_path / "h36m_sh_conf_cam_source_final.pkl"
    parts = make_parts(videos=2, frames=6)
    path.write_bytes(pickle.dumps(parts, protocol=4))
    keys = {"CHANNELS": 8, "LAYERS": 1, "BATCH_SIZE": 4, "EPOCHS": 1, "STEPS_PER_EPOCH": 3, "IN_F": 3}
    given = [part for name, value in keys.items() for part in ("--set", f"{name}={value}")]
    out, report = tmp_path / "out", tmp_path / "report.json"
    flags = ["--arch", "lcn", "--dataset", str(path), "--mode", "dt_ft", "--out_dir", str(out), *given]
    assert train(flags) == 0, capsys.readouterr().err
    weights = ["--weights", str(out / "checkpoints/last"), "--dataset", str(path)]
    assert evaluate([*weights, "--json", str(report)]) == 0, capsys.readouterr().err
    results = json.loads(report.read_text())["evaluation_mm"]["all"]["image_space"]
    assert results["frames"]["total"] == 12
    assert "by each frame's true scale" in capsys.readouterr().out
    # By hand: x, y and z of the image times the true scale, roots at 0.
    model = tf_pose3d.load_model(out / "checkpoints/last")
    windows = tf_pose3d.examples(model, str(path), "test", "test")
    image = np.asarray(model({"keypoints_2d": windows.store.arrays["keypoints_2d"][:, None]})["pose_image"])
    pose = (image - image[:, :1]) * windows.store.arrays["image_scale"][:, None, None]
    true = windows.store.arrays["pose_3d"]
    errors = 1000 * np.linalg.norm(pose - (true - true[:, :1]), axis=-1).mean()
    assert results["frame_wise"]["mpjpe"] == pytest.approx(errors, rel=1e-4)
    # Exact 2D poses, and labels that are the file's own.
    exact = tf_pose3d.examples(model, str(path), "train", "train", options={"mode": "gt"})
    batch = next(iter(exact.training_dataset(4)))
    labels = np.asarray(LCNFamily.labels(model.config, batch))
    np.testing.assert_allclose(labels[..., :2], batch["keypoints_2d"][:, 0, :, :2], atol=1e-6)
    assert (np.asarray(batch["keypoints_2d"])[..., 2] == 1).all()


def test_lcns_detections_are_refused_for_motionberts_pickle(tmp_path, capsys):
    parts = make_parts()
    for part in parts.values():
        del part["joint_2d"]
    path = tmp_path / "h36m_sh_dt_ft.pkl"
    path.write_bytes(pickle.dumps(parts, protocol=4))
    assert train(["--arch", "lcn", "--dataset", str(path), "--out_dir", str(tmp_path / "out")]) == 2
    assert "this is LCN's file of detections (h36m_sh_dt_ft.pkl)" in capsys.readouterr().err
