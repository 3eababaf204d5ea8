"""PCK, AUC and MPJPE by P-STMO's protocol."""

import json

import numpy as np
import pytest

import tf_pose3d
from tests.data.test_mpi_inf_3dhp import write_files
from tf_pose3d.cli.eval import main as evaluate
from tf_pose3d.cli.train import main as train
from tf_pose3d.evaluation.protocols.mpi_inf_3dhp import MpiInf3dhpProtocol, scene_results
from tf_pose3d.models.family import get_family
from tf_pose3d.models.loading import as_config
from tf_pose3d.skeleton import get_skeleton

JOINTS = get_skeleton("h36m_17").joints


def test_metrics_by_hand():
    target = np.zeros((2, 17, 3))
    pred = target.copy()
    pred[0, 1:, 0] = 0.15  # not below 150 mm
    pred[1, 1:, 0] = 0.0501
    pred[:, [JOINTS.index("spine"), JOINTS.index("head")], 0] = 9.0  # in MPJPE only
    results = scene_results(pred, target, np.array(["TS1", "TS5"]), np.array(["a", "b"]), JOINTS)
    assert results["per_sequence"]["TS1"]["pck"] == 0
    assert results["per_scene"]["b"]["pck"] == 100
    # 0.0501 m lies below 55, 60, ... 150 mm: 20 of 31 thresholds.
    assert results["per_scene"]["b"]["auc"] == pytest.approx(100 * 20 / 31)
    assert results["all"]["auc"] == pytest.approx(100 * 20 / 62)
    assert results["all"]["mpjpe"] == pytest.approx(((14 * 150 + 18000) / 17 + (14 * 50.1 + 18000) / 17) / 2)
    assert results["all"]["frames"] == 2


def test_motionagformer_is_tested_on_a_window_round_each_frame(tmp_path):
    write_files(tmp_path, frames=12)
    settings = {
        "FRAMES": 5,
        "CHANNELS": 8,
        "LAYERS": 1,
        "NUM_HEADS": 2,
        "SPACE": "metric",
        "EVAL_FLIP": False,
    }
    keys = {"DATASET": "mpi_inf_3dhp", "REPRESENTATION": 8, **settings}
    config = as_config("motionagformer").replace(**keys)
    own, released = (
        tf_pose3d.build_model(config.replace(JOINT_ORDER=order)) for order in ("h36m", "mpi_inf_3dhp")
    )
    released.set_weights(own.get_weights())
    windows = tf_pose3d.examples(own, subset="test", split="test", options={"path_3dhp": tmp_path})
    protocol = MpiInf3dhpProtocol(get_family("motionagformer"))
    (evaluation,) = protocol.evaluate(own, own.config, windows)
    # The first valid frame, with the video's first frames repeated before it.
    sequence, frame = evaluation.sequence[0], evaluation.frame[0]
    clip = windows.store.arrays["keypoints_2d"][_rows(windows, sequence, frame)][None]
    expected = np.asarray(own(clip)["pose_3d"])[0]
    np.testing.assert_allclose(evaluation.poses[0], expected, atol=1e-6)
    (other,) = protocol.evaluate(released, released.config, windows)
    outdoor = np.isin(np.array(windows.store.names)[other.sequence], ["TS5", "TS6"])
    scale = np.where(outdoor, 1920 / 2048, 1.0)[:, None, None]
    places = zip(other.sequence[::7], other.frame[::7], strict=True)
    clips = [windows.store.arrays["keypoints_2d"][_rows(windows, *place)] for place in places]
    poses = np.asarray(released(np.stack(clips))["pose_3d"])
    np.testing.assert_allclose(other.poses[::7], poses * scale[::7], atol=1e-6)


def _rows(windows, sequence, frame):
    return windows.store.offsets[sequence] + np.clip(np.arange(frame - 2, frame + 3), 0, 11)


@pytest.mark.parametrize("arch", ["martinez", pytest.param("mixste", marks=pytest.mark.slow)])
def test_any_lifter_trains_and_is_tested_there(arch, tmp_path, capsys):
    write_files(tmp_path, frames=12)
    data = ["--dataset", "mpi_inf_3dhp", "--path_3dhp", str(tmp_path)]
    run, report = tmp_path / "run", tmp_path / "report.json"
    keys = {"EPOCHS": 1, "BATCH_SIZE": 4, "STEPS_PER_EPOCH": 2}
    if arch == "mixste":
        keys.update(FRAMES=5, CLIP_STRIDE=5, CHANNELS=8, LAYERS=1, NUM_HEADS=2)
    given = [part for name, value in keys.items() for part in ("--set", f"{name}={value}")]
    subsets = ["--train_subset", "train", "--val_subset", "test"]
    assert train(["--arch", arch, *data, *subsets, "--out_dir", str(run), *given]) == 0, (
        capsys.readouterr().err
    )
    assert evaluate(["--weights", str(run / "checkpoints/last"), *data, "--json", str(report)]) == 0
    results = json.loads(report.read_text())["evaluation_mm"]["all"]["mpi_inf_3dhp"]
    # Two frames of three are valid.
    assert results["all"]["frames"] == 24
    assert set(results["per_scene"]) == {"Green screen", "No green screen", "Outdoor"}
    assert "PCK (%)" in capsys.readouterr().out
    assert evaluate(["--weights", str(run / "checkpoints/last"), *data, "--test_subset", "S1"]) == 2
    assert "no mask of valid frames" in capsys.readouterr().err
