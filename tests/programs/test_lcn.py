"""LCN's commands, from flags to files: against the release's numbers, and on what is wrong."""

from __future__ import annotations

import json
import os
import pickle
import shutil

import numpy as np
import pytest

from tf_pose3d.cli import eval as eval_program
from tf_pose3d.cli import inference as inference_program
from tf_pose3d.cli import train as train_program
from tf_pose3d.data.human36m import CAMERAS
from tf_pose3d.weight_files.hdf5 import read_config

PROGRAMS = {"train": train_program, "inference": inference_program, "eval": eval_program}

# The flags that the release was run with for each case, and its test number here.
CASES = {
    "knn3": ("gt", "--mask-type locally_connected --knn 3 --layers 3 --in-F 2 --channels 8"),
    "knn1_conf_flip": (
        "dt_ft",
        "--mask-type locally_connected --knn 1 --layers 2 --in-F 3 --channels 8 --flip-data",
    ),
    "learnable_knn2": (
        "gt",
        "--mask-type locally_connected_learnable --knn 2 --layers 3 --in-F 2 --channels 8",
    ),
}


def made_up_items(subjects, frames=10, seed=0):
    """Items of two actions in two cameras of each subject, as LCN's gendb makes them."""
    rng = np.random.default_rng(seed)
    items = []
    for subject in subjects:
        for action in (2, 14):
            for camera in CAMERAS[f"S{subject}"][:2]:
                (fx, fy), (cx, cy) = camera.focal_length, camera.center
                facts = {"name": camera.id, "fx": fx, "fy": fy, "cx": cx, "cy": cy}
                for frame in range(frames):
                    pose = rng.uniform(-500, 500, (17, 3)) + np.array([0, 0, 4500])
                    width = 2000 / pose[0, 2] * fx
                    image = pose.copy()
                    image[:, :2] = pose[:, :2] / pose[:, 2:] * [fx, fy] + [cx, cy]
                    image[:, 2] = (pose[:, 2] - pose[0, 2]) * (width + 1) / 2000
                    items.append(
                        {
                            "joint_3d_image": image,
                            "joint_3d_camera": pose,
                            "box": np.array([100.0, 100, 100 + width, 300]),
                            "root_depth": pose[0, 2],
                            "camera_param": facts,
                            "subject": subject,
                            "action": action,
                            "subaction": 1,
                            "imageid": frame,
                        }
                    )
    return items


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder to work in, with a small made-up `dataset`."""
    folder = tmp_path / "dataset"
    folder.mkdir()
    detections = {}
    for split, subjects in (("train", (1, 5)), ("test", (9, 11))):
        items = made_up_items(subjects)
        (folder / f"h36m_{split}.pkl").write_bytes(pickle.dumps(items))
        poses = np.array([item["joint_3d_image"] for item in items], np.float32)
        confidence = np.full((len(items), 17, 1), 0.5, np.float32)
        detections[split] = {"joint3d_image": poses, "confidence": confidence}
    (folder / "h36m_sh_dt_ft.pkl").write_bytes(pickle.dumps(detections))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capfd):
    """Runs a program; returns (exit code, last line on stderr, all of stdout)."""

    def run(program, flags):
        capfd.readouterr()
        code = PROGRAMS[program].main(flags.split() if isinstance(flags, str) else flags)
        captured = capfd.readouterr()
        return code, (captured.err.strip().splitlines() or [""])[-1], captured.out

    return run


def refused(outcome, *parts):
    code, error, _ = outcome
    assert code == 2
    assert ": error: " in error
    for part in parts:
        assert part in error, error


def with_checkpoint(golden, case, number=1, which="best"):
    source = golden / "lcn" / case / "checkpoints" / "best"
    shutil.copytree(source, f"experiment/test{number}/checkpoints/{which}")


@pytest.mark.parametrize("case", CASES)
def test_inference_and_tables_equal_the_release(golden, shared, place, run, case):
    mode, flags = CASES[case]
    shutil.rmtree("dataset")
    shutil.copytree(shared / "golden" / "lcn" / "dataset", "dataset")
    os.chmod("dataset", 0o755)
    with_checkpoint(golden, case)
    common = f"--data-type scale --mode {mode} --test-indices 1"
    code, error, _ = run("inference", f"{common} {flags} --checkpoint best")
    assert code == 0, error
    with open(f"experiment/test1/result_{mode}.pkl", "rb") as file:
        result = pickle.load(file)["result"]
    np.testing.assert_array_equal(result, np.load(f"experiment/test1/result_{mode}.npz")["result"])
    folder = golden / "lcn" / case
    np.testing.assert_allclose(result[:32], np.load(folder / "forward.npz")["result_pixels"], rtol=1e-4)
    expected = json.loads((folder / "expected.json").read_text())["evaluation_mm"]
    for what, flag in (
        ("scale_action", ""),
        ("scale_joint", "--per-joint"),
        ("scale_action_protocol2", "--protocol2"),
    ):
        code, error, out = run("eval", f"{common} --json errors.json {flag}")
        assert code == 0, error
        with open("errors.json") as file:
            row = json.load(file)["evaluation_mm"]["test1"][what]
        np.testing.assert_allclose(list(row.values()), expected[what], atol=0.01)
        (log,) = (place / "experiment" / "test1").glob(f"err_{what}_{mode}_*.log")
        assert f"{expected[what][-1]:.2f}" in log.read_text()
        assert f"{expected[what][-1]:.2f}" in out


def test_test_loss_equals_the_release(golden, shared, tmp_path):
    from tf_pose3d.data.windows import open_windows
    from tf_pose3d.evaluation.protocols import get_protocol
    from tf_pose3d.models.family import get_family
    from tf_pose3d.weights.convert import convert

    folder = shutil.copytree(shared / "golden" / "lcn" / "dataset", tmp_path / "dataset")
    folder.chmod(0o755)
    expected = json.loads((golden / "lcn" / "knn3" / "expected.json").read_text())["test_loss"]
    model = convert(golden / "lcn" / "knn3" / "checkpoints" / "best", "lcn", knn=3)
    family, config = get_family("lcn"), model.config
    spec = family.data_spec(config, "test")
    windows = open_windows("lcn", "test", {"folder": folder}, spec)
    metrics = get_protocol(family).validate(model, config, windows)
    assert metrics["loss"] == pytest.approx(expected, rel=1e-5)


def test_train_infer_and_evaluate_several_tests(place, run):
    small = "--channels 4 --layers 1 --epochs 2 --batch_size 20"
    flags = "--data-type scale --mode dt_ft --test-indices 3 --mask-type locally_connected --knn 2 --in-F 3"
    code, error, out = run("train", f"{flags} {small} --flip-data")
    assert code == 0, error
    assert "160 training windows" in out  # 80 poses and their mirror images
    assert "best so far by loss" in out
    folder = place / "experiment" / "test3"
    assert (folder / "checkpoints" / "best_weights_0002.h5").is_file() or list(
        (folder / "checkpoints").glob("best_weights_*.h5")
    )
    assert list(folder.glob("tb_*/events.*"))
    learned = "--mode gt --test-indices 4 --mask-type locally_connected_learnable --init_type same --knn 1"
    code, error, _ = run("train", f"{learned} --data-type scale {small} --in-joints 16 --out-joints 16")
    assert code == 0, error
    for number, mode in ((3, "dt_ft"), (4, "gt")):
        for which in ("best", "final"):
            code, error, _ = run("inference", f"--test-indices {number} --checkpoints {which} --flip-data")
            assert code == 0, error
        assert (place / "experiment" / f"test{number}" / f"result_{mode}.pkl").is_file()
    for number in (3, 4):
        code, error, _ = run("inference", f"--test-indices {number} --mode gt")
        assert code == 0, error
    code, error, out = run("eval", "--data-type scale --mode gt --test-indices 4,3 --json both.json")
    assert code == 0, error
    with open("both.json") as file:
        rows = json.load(file)["evaluation_mm"]
    assert list(rows) == ["test3", "test4"]
    assert list(rows["test3"]["scale_action"]) == [*map(str, range(2, 17)), "avg"]
    assert rows["test3"]["scale_action"]["5"] is None  # no item of that action
    assert "test3" in out
    assert "test4" in out


def test_the_newest_fitting_weights_serve_without_a_test_index(golden, place, run):
    with_checkpoint(golden, "knn3", number=1, which="final")
    with_checkpoint(golden, "knn1_conf_flip", number=2)
    os.utime("experiment/test1/checkpoints/final/model-7.index", (1, 1))
    code, error, out = run("inference", "--mask-type locally_connected --knn 3 --layers 3")
    assert code == 0, error
    assert "experiment/test1/checkpoints/final" in out
    assert (place / "experiment" / "test1" / "result_gt.npz").is_file()
    code, _, out = run("inference", "--mask-type locally_connected --in-F 3 --layers 2")
    assert code == 0
    assert "experiment/test2/checkpoints/best" in out
    outcome = run("inference", "--mask-type locally_connected_learnable --knn 3")
    refused(outcome, "no LCN weights with MASK_TYPE locally_connected_learnable, KNN 3", "looked in", "Train")


def test_converted_weights_in_models_serve_too(golden, place, run):
    from tf_pose3d.weights.convert import convert

    os.mkdir("models")
    convert(golden / "lcn" / "laplacian" / "checkpoints" / "best", "lcn", out="models/lcn_gt.h5", knn=2)
    code, error, out = run("inference", "--mask-type locally_connected --knn 2")
    assert code == 0, error
    assert "models/lcn_gt.h5" in out
    assert (place / "experiment" / "lcn_gt" / "result_gt.pkl").is_file()
    code, error, out = run("eval", "--weights models/lcn_gt.h5 --json whole.json")
    assert code == 0, error
    assert "LCN's protocol, mm by action" in out
    with open("whole.json") as file:
        tables = json.load(file)["evaluation_mm"]["all"]["lcn"]
    code, error, _ = run("eval", f"--arch lcn --test-indices 1 --experiment_dir {place / 'other'}")
    os.rename("experiment/lcn_gt", "experiment/test1")
    code, error, _ = run("eval", "--data-type scale --test-indices 1 --json result.json --protocol2")
    assert code == 0, error
    with open("result.json") as file:
        row = json.load(file)["evaluation_mm"]["test1"]["scale_action_protocol2"]
    assert row["avg"] == pytest.approx(tables["action_protocol2"]["avg"], rel=1e-5)


def test_flipping_averages_in_the_image_frame(golden, place, run):
    with_checkpoint(golden, "knn3", which="final")
    results = {}
    for flag in ("", "--flip-data"):
        assert run("inference", f"--test-indices 1 --knn 3 {flag}")[0] == 0
        results[flag] = np.load("experiment/test1/result_gt.npz")["result"]
    assert np.abs(results[""] - results["--flip-data"]).max() > 1


def test_a_laplacian_mask_comes_from_the_training_data(place, run):
    flags = "--mode gt --test-indices 1 --mask-source laplacian --layers 1 --channels 4 --epochs 1"
    code, error, _ = run("train", f"{flags} --data-type scale --batch_size 20")
    assert code == 0, error
    (weights,) = (place / "experiment" / "test1" / "checkpoints").glob("best_weights_*.h5")
    mask = np.array(read_config(weights)["MASK"])
    assert mask.shape == (17, 17)
    assert (np.diag(mask) == 0).all()
    assert mask.min() < -0.1
    assert run("inference", "--test-indices 1")[0] == 0


def test_the_videopose3d_layout_works_too(place, run):
    code, error, _ = run(
        "train",
        "--arch lcn --dataset synthetic --out_dir out --train_subset S1 --val_subset S9 --epochs 1 "
        "--set STEPS_PER_EPOCH=3 --channels 4 --layers 1 --set DATASET_VAL_3D_SUBSAMPLE_STEP=100 "
        "--set DATASET_TEST_3D_SUBSAMPLE_STEP=100",
    )
    assert code == 0, error
    # The weights say what they were trained on, for eval.py and for LCN's own command.
    assert read_config("out/checkpoints/last_weights_0001.h5")["DATASET"] == "synthetic"
    code, error, out = run("eval", "--weights out/checkpoints/best --test_subset S9")
    assert code == 0, error
    assert "LCN's protocol" in out
    shutil.rmtree("dataset")
    shutil.copytree("out", "experiment/test1")
    code, error, out = run("inference", "--mask-type locally_connected --knn 3 --channels 4 --layers 1")
    assert code == 0, error
    assert "LCN's protocol" in out
    assert np.load("experiment/test1/predictions_synthetic.npz").files
    lifted = "--mask-type locally_connected --knn 3 --viz_subject S9 --viz_action Walking --output walk.npz"
    code, error, out = run("inference", lifted)
    assert code == 0, error
    assert np.load("walk.npz")["pose_3d"].shape[1:] == (17, 3)


@pytest.mark.parametrize("name", ["lcn_gt", "lcn_dt"])
def test_published_configs(name, place, run, golden):
    from tf_pose3d.models.lcn.config import LCNConfig

    path = golden.parents[1] / "config" / f"{name}.json"
    config = LCNConfig.load(path)
    assert config.to_dict() == json.loads(path.read_text())
    assert {"lcn_gt": "gt", "lcn_dt": "dt_ft"}[name] == config.MODE
    smaller = "--set EPOCHS=1 --set CHANNELS=4 --set LAYERS=1 --set BATCH_SIZE=20"
    code, error, _ = run("train", f"--config {path} --out_dir out {smaller}")
    assert code == 0, error


BAD = [
    (
        "eval",
        "--test-indices 1",
        ("holds no result_gt.npz or .pkl", "inference.py --mode gt --test-indices 1"),
    ),
    ("eval", "--test-indices one", ("--test-indices one", "whole numbers")),
    ("eval", "--arch lcn", ("give --weights",)),
    ("train", "--mode gt --data-type scale", ("--out_dir is missing",)),
    ("train", "--test-indices 1,2", ("give one number",)),
    ("train", "--test-indices 1 --mode dt", ("MODE", "dt_ft")),
    ("train", "--test-indices 1 --mask-type sparse", ("MASK_TYPE", "locally_connected")),
    ("train", "--test-indices 1 --init_type zeros", ("INIT_TYPE",)),
    ("train", "--test-indices 1 --in-F 4", ("IN_F is 4",)),
    ("train", "--test-indices 1 --in-joints 16", ("OUT_JOINTS is 17, expected 16",)),
    ("train", "--test-indices 1 --graph 3", ("GRAPH is 3",)),
    ("train", "--test-indices 1 --knn 0", ("KNN is 0",)),
    (
        "train",
        "--test-indices 1 --dataset_dir nowhere",
        ("nowhere/h36m_train.pkl does not exist", "--dataset_dir"),
    ),
    ("inference", "--test-indices 7", ("no final weights of test 7", "last_weights_*.h5", "--checkpoints")),
    ("inference", "--test-indices 7 --checkpoints worst", ("--checkpoints is 'worst'",)),
    ("inference", "--mask-type locally_connected", ("no LCN weights", "looked in", "docs/lcn.md")),
    (
        "train",
        "--arch lcn --dataset synthetic --train_subset S1 --in-F 3 --out_dir out",
        ("hold 2 numbers a joint", "the model reads 3"),
    ),
]


@pytest.mark.parametrize(("program", "flags", "parts"), BAD)
def test_bad_input_is_one_line(place, run, program, flags, parts):
    outcome = run(program, flags)
    refused(outcome, *parts)


def test_weights_of_another_network_say_in_what(golden, place, run):
    with_checkpoint(golden, "knn3", which="final")
    refused(run("inference", "--test-indices 1 --layers 2"), "LAYERS 3, not 2")
    refused(run("inference", "--test-indices 1 --channels 64"), "CHANNELS 8, not 64")
    small = "--data-type scale --mode gt --channels 4 --layers 1 --epochs 1 --batch_size 20"
    assert run("train", f"--test-indices 2 --knn 2 {small}")[0] == 0
    refused(run("inference", "--test-indices 2 --knn 3"), "trained with KNN 2, not 3")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"result": np.zeros((5, 17, 3))}, "holds 5 poses, dataset/h36m_test.pkl 80 items"),
        ({"result": np.zeros((80, 15, 3))}, "poses of shape (80, 15, 3)"),
        ({"result": np.full((80, 17, 3), np.nan)}, "pose 0 holds numbers that are not finite"),
        ({"outcome": 1}, "holds no array under the key result"),
        ([1], "holds no array under the key result"),
    ],
)
def test_result_files_that_do_not_fit(place, run, content, message):
    folder = place / "experiment" / "test1"
    folder.mkdir(parents=True)
    (folder / "result_gt.pkl").write_bytes(pickle.dumps(content))
    refused(run("eval", "--test-indices 1"), "result_gt.pkl", message)
    assert not list(folder.glob("err_*"))


def test_help_names_the_family_s_flags(capsys):
    with pytest.raises(SystemExit):
        inference_program.main(["--arch", "lcn", "--help"])
    out = capsys.readouterr().out
    for flag in ("--test_indices", "--knn", "--checkpoints", "--flip_data", "RANDOM_GRAPH_SEED"):
        assert flag in out
