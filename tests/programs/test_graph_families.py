"""The graph families' releases' commands: flags, files of a run, 2D files by name, bad input."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tf_pose3d.cli import eval as eval_program
from tf_pose3d.cli import train as train_program

CONFIGS = Path(__file__).resolve().parents[2] / "config"
SUBJECTS = ("S1", "S5", "S6", "S7", "S8", "S9", "S11")
ACTIONS = ("Walking", "Eating 1")
FRAMES = 8
# Neck/Nose is joint 9 of 17.
WITHOUT_NECK = [joint for joint in range(17) if joint != 9]
SMALL = ["--hid_dim", "4", "--num_layers", "1", "--batch", "16"]


def write_2d(folder, name, joints):
    generator = np.random.default_rng(1)
    pixels = {
        subject: {
            action: [generator.uniform(0, 999, (FRAMES, 17, 2)).astype("f4")[:, joints] for _ in range(4)]
            for action in ACTIONS
        }
        for subject in SUBJECTS
    }
    np.savez(folder / f"data_2d_h36m_{name}.npz", positions_2d=np.array(pixels, object))


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    generator = np.random.default_rng(0)
    poses = {
        subject: {action: generator.normal(size=(FRAMES, 32, 3)).astype("f4") for action in ACTIONS}
        for subject in SUBJECTS
    }
    np.savez(folder / "data_3d_h36m.npz", positions_3d=np.array(poses, object))
    write_2d(folder, "gt", list(range(17)))
    write_2d(folder, "sh_ft_h36m", WITHOUT_NECK)
    write_2d(folder, "my_detector", list(range(17)))
    return folder


@pytest.fixture
def place(sources, tmp_path, monkeypatch):
    """A folder whose `data` holds the files, as the programs expect it, and the current one."""
    shutil.copytree(sources, tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train(*flags, arch="semgcn"):
    return train_program.main(["--arch", arch, "--epochs", "1", "--out_dir", "run", *SMALL, *flags])


def failure(capsys):
    """The one line on stderr that says what is wrong."""
    lines = [line for line in capsys.readouterr().err.strip().splitlines() if "error: " in line]
    assert len(lines) == 1
    return lines[0]


def test_flags_of_the_release_and_files_of_a_run(place, capsys):
    flags = ["--keypoints", "my_detector", "--actions", "Walking", "--downsample", "2", "--epochs", "2"]
    flags += ["--lr", "0.01", "--lr_decay", "50", "--lr_gamma", "0.5", "--max_norm", "2", "--dropout", "0.1"]
    assert train(*flags, "--snapshot", "1", "--non_local") == 0
    (complete,) = (place / "run").glob("*_complete.json")
    config = json.loads(complete.read_text())
    expected = {
        "KEYPOINTS": "my_detector",
        "DOWNSAMPLE": 2,
        "EPOCHS": 2,
        "BATCH_SIZE": 16,
        "MAX_NORM": 2.0,
        "DROP_RATE": 0.1,
        "CHECKPOINT_INTERVAL": 1,
        "HID_DIM": 4,
        "NUM_LAYERS": 1,
        "NON_LOCAL": True,
    }
    assert {key: config[key] for key in expected} == expected
    schedule = {"initial_learning_rate": 0.01, "decay_steps": 50, "decay_rate": 0.5}
    assert config["SCHEDULE_PARAMS"] == schedule
    log = (place / "run" / "log.txt").read_text().split("\n")
    assert log[0].split("\t")[:5] == ["epoch", "lr", "loss_train", "error_eval_p1", "error_eval_p2"]
    assert [float(line.split("\t")[0]) for line in log[1:3]] == [1, 2]
    rows = list(csv.DictReader((place / "run" / "curves.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert (place / "run" / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert len(list((place / "run" / "checkpoints").glob("cp_*.h5"))) == 2
    capsys.readouterr()
    weights = str(place / "run" / "checkpoints" / "best_weights")
    # The weights know which 2D poses they were trained on.
    assert eval_program.main(["--weights", weights, "--json", "result.json"]) == 0
    printed = capsys.readouterr().out
    for word in ("MPJPE", "PAMPJPE", "Walking", "Eating", "Average"):
        assert word in printed
    results = json.loads((place / "result.json").read_text())["evaluation_mm"]["all"]["all_frames"]
    assert results["per_action"].keys() == {"Walking", "Eating"}


def test_16_joints_of_either_file_are_the_same(place):
    write_2d(place / "data", "sixteen", WITHOUT_NECK)
    results = []
    for name in ("gt", "sixteen"):
        assert train("--keypoints", name, "--out_dir", name) == 0
        results.append((place / name / "log.txt").read_text())
    assert results[0] == results[1]


def test_17_joints_refuse_a_file_of_16(place, capsys):
    assert train("--set", "NUM_KEYPOINTS=17", "--keypoints", "sh_ft_h36m") == 2
    line = failure(capsys)
    assert "data_2d_h36m_sh_ft_h36m.npz" in line
    assert "16" in line
    assert "17" in line


def test_unknown_keypoints_are_answered_with_those_that_exist(place, capsys):
    assert train("--keypoints", "cpn") == 2
    line = failure(capsys)
    for name in ("cpn", "gt", "sh_ft_h36m", "my_detector"):
        assert name in line


def test_actions_that_match_nothing(place, capsys):
    assert train("--keypoints", "gt", "--actions", "Flying") == 2
    line = failure(capsys)
    assert "Flying" in line
    assert "Walking" in line
    assert not (place / "run" / "checkpoints").exists()


def test_weights_of_another_family_or_size(place, capsys):
    assert train("--keypoints", "gt") == 0
    weights = str(place / "run" / "checkpoints" / "best_weights")
    capsys.readouterr()
    for flags, words in (
        (["--arch", "hoif"], ("weights of SemGCN, not of HOIFNet",)),
        (["--config", str(CONFIGS / "hgcn_gt.json")], ("weights of SemGCN, not of HGCN",)),
        (["--config", str(CONFIGS / "semgcn_gt.json")], ("does not fit the model",)),
        (["--set", "NUM_KEYPOINTS=17"], ("network of 16 joints (h36m_16), not of 17",)),
    ):
        assert eval_program.main(["--weights", weights, "--keypoints", "gt", *flags]) == 2
        line = failure(capsys)
        for word in words:
            assert word in line, line


@pytest.mark.parametrize("arch", ["hoif", "hgcn", "martinez"])
def test_every_family_trains(place, arch):
    assert train("--keypoints", "gt", arch=arch) == 0
    assert list((place / "run" / "checkpoints").glob("best_weights_*.h5"))
