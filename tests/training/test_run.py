"""Training from Python is the road of `train.py`; runs and weights of earlier versions go on."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

import tf_pose3d
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.loading import load_config

TINY = {"HID_DIM": 8, "EPOCHS": 2, "STEPS_PER_EPOCH": 2, "BATCH_SIZE": 8, "DATASET_VAL_3D_SUBSAMPLE_STEP": 50}
# Two epochs of three steps each, made before families lost their command line.
RUNS = ("martinez", "semgcn", "videopose3d", "uplift")


def weights_of(path):
    model = tf_pose3d.load_model(path)
    return [np.asarray(variable) for variable in model.weights]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    lines = []
    result = tf_pose3d.train(
        "martinez",
        folder,
        dataset="synthetic",
        train_subset="S1",
        val_subset="S7",
        test_subset="S9",
        log=lines.append,
        DATASET_TEST_3D_SUBSAMPLE_STEP=50,
        **TINY,
    )
    return folder, result, lines


def test_python_leaves_what_the_program_leaves(trained):
    folder, result, lines = trained
    assert result.best_weights.parent == folder / "checkpoints"
    assert result.last_weights.name == "last_weights_0002.h5"
    assert json.loads((folder / "martinez_complete.json").read_text())["HID_DIM"] == 8
    assert (folder / "curves.csv").is_file()
    assert result.history.best("MPJPE")[0] in (1, 2)
    assert any("testing" in line for line in lines)
    saved = json.loads((folder / "test_S9.json").read_text())
    assert saved["evaluation_mm"] == result.test


def test_evaluation_from_python_gives_the_test_s_numbers(trained):
    folder, result, _ = trained
    numbers = tf_pose3d.evaluate(folder / "checkpoints" / "best", "synthetic", "S9")
    assert numbers == result.test
    model = tf_pose3d.load_model(result.best_weights)
    few = tf_pose3d.evaluate(model, "synthetic", "S9", DATASET_TEST_3D_SUBSAMPLE_STEP=100)
    frames = few["all"]["all_frames"]["frames"]["total"]
    assert frames < numbers["all"]["all_frames"]["frames"]["total"]


def test_what_python_refuses(tmp_path):
    with pytest.raises(Pose3DError, match="'h37m', expected"):
        tf_pose3d.train("martinez", tmp_path, dataset="h37m")
    with pytest.raises(Pose3DError, match="no option 'keypoint'"):
        tf_pose3d.train("martinez", tmp_path, dataset="synthetic", options={"keypoint": "gt"})
    with pytest.raises(Pose3DError, match=r"stage 2 needs stage 1's weights, stage_1_best_model\.h5"):
        tf_pose3d.train("rie", tmp_path, dataset="synthetic", STAGE=2)
    with pytest.raises(Pose3DError, match="unknown key HIDDIM"):
        tf_pose3d.train("martinez", tmp_path, dataset="synthetic", HIDDIM=3)


@pytest.mark.parametrize("name", RUNS)
def test_weights_of_earlier_versions_evaluate_to_the_same_numbers(golden, name):
    folder = golden / "runs" / name
    numbers = tf_pose3d.evaluate(
        folder / "last_weights_0002.h5", "synthetic", "S9", DATASET_TEST_3D_SUBSAMPLE_STEP=20
    )
    expected = json.loads((folder / "evaluation_mm.json").read_text())
    assert numbers.keys() == expected.keys()
    for setting, parts in expected.items():
        for part, results in parts.items():
            got = numbers[setting][part]["frame_wise"]
            assert got == pytest.approx(results["frame_wise"], rel=1e-5)


@pytest.mark.parametrize("name", RUNS)
def test_runs_of_earlier_versions_go_on(golden, tmp_path, name):
    folder = golden / "runs" / name
    (tmp_path / "checkpoints").mkdir()
    shutil.copy(folder / "cp_0001.h5", tmp_path / "checkpoints")
    config = load_config(weights=folder / "last_weights_0002.h5")
    result = tf_pose3d.train(
        config,
        tmp_path,
        dataset="synthetic",
        train_subset="S1",
        val_subset="none",
        resume=True,
        log=lambda line: None,
    )
    # Processors and matrix products round differently, which three steps of Adam blow up where a gradient is
    # next to nothing: some weights may be a step off. Without the optimizer's state nearly all of them are.
    rate = 3 * 1e-3
    pairs = list(
        zip(weights_of(result.last_weights), weights_of(folder / "last_weights_0002.h5"), strict=True)
    )
    moved = np.concatenate([np.abs(again - before).ravel() for again, before in pairs])
    size = np.concatenate([np.abs(before).ravel() for _, before in pairs])
    assert (moved > 1e-4 * size + 0.02 * rate).mean() < 0.05
    assert moved.max() < rate


def test_a_folder_that_another_run_holds(tmp_path):
    from tf_pose3d.folder_lock import hold_folder

    tmp_path.joinpath("run").mkdir()
    with (
        hold_folder(tmp_path / "run", log=lambda line: None),
        pytest.raises(Pose3DError, match=r"run is in use by process \d+ on"),
    ):
        tf_pose3d.train("martinez", tmp_path / "run", dataset="synthetic", log=lambda line: None)
    assert list((tmp_path / "run").iterdir()) == []
