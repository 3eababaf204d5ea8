"""Checkpoints are read as strictly as weights."""

import json
import shutil

import h5py
import keras
import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import run_checkpoints
from tf_pose3d.training.checkpoints import (
    DamagedCheckpoint,
    checkpoint_path,
    load_checkpoint,
    load_latest_checkpoint,
    save_checkpoint,
)

STATE = {
    "step": 7,
    "config": {"EPOCHS": 2},
    "history": {"MPJPE": [[1, 50.5]]},
    "best_weights": "best_weights_0001.h5",
    "last_weights": None,
}


@pytest.fixture
def groups():
    return {
        "model": [keras.Variable(np.ones((2, 3), np.float32)), keras.Variable(np.ones(3, np.float32))],
        "optimizer": [keras.Variable(5, dtype="int64", trainable=False)],
    }


@pytest.fixture
def path(groups, tmp_path):
    place = checkpoint_path(tmp_path, 1)
    save_checkpoint(place, groups, STATE)
    for variables in groups.values():
        for variable in variables:
            variable.assign(keras.ops.zeros_like(variable))
    return place


def values(groups):
    return [np.asarray(variable).copy() for variables in groups.values() for variable in variables]


def test_what_is_saved_is_restored(path, groups):
    assert load_checkpoint(path, groups) == STATE
    assert np.asarray(groups["optimizer"][0]) == 5
    assert all((value == 1).all() for value in values(groups)[:2])


def replace(path, name, value):
    with h5py.File(path, "a") as file:
        del file[name]
        file[name] = value


def refused(path, groups, kind, message):
    before = values(groups)
    with pytest.raises(kind, match=message) as caught:
        load_checkpoint(path, groups)
    assert type(caught.value) is not Pose3DError or kind is Pose3DError
    assert str(path) in str(caught.value)
    for one, other in zip(before, values(groups), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("model/0", np.full((2, 3), np.nan, np.float32), "holds NaN or infinity"),
        ("model/1", np.array([1, np.inf, 0], np.float32), "holds NaN or infinity"),
        ("model/1", np.ones(3, np.float64), "is stored as float64, this run's is float32"),
        ("model/1", np.array([b"a", b"b", b"c"]), "is no stored array"),
        ("optimizer/0", np.float32(5), "is stored as float32, this run's is int64"),
        ("optimizer/0", h5py.Empty("f4"), "is no stored array"),
        ("model/0", h5py.ExternalLink("other.h5", "/x"), "is no stored array"),
        ("model/0", h5py.SoftLink("/model/1"), "is no stored array"),
    ],
)
def test_damaged_values(path, groups, name, value, message):
    replace(path, name, value)
    refused(path, groups, DamagedCheckpoint, message)


def test_shapes_come_before_data(path, groups):
    # Announces 400 GB, of which nothing is stored.
    with h5py.File(path, "a") as file:
        del file["model/0"]
        file.create_dataset("model/0", (100_000, 1_000_000), np.float32, chunks=(1000, 1000))
    with pytest.raises(Pose3DError, match=r"has shape \(100000, 1000000\), this run's has \(2, 3\)"):
        load_checkpoint(path, groups)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("[]", "its state is no object"),
        ("{", "its state is cut off"),
        ("[" * 100_000, "nested too deeply"),
        (json.dumps(STATE | {"step": -1}), "the step of its state is -1"),
        (json.dumps(STATE | {"step": 1.5}), "the step of its state is 1.5"),
        (json.dumps(STATE | {"config": None}), "the config of its state is None"),
        (json.dumps(STATE | {"history": {"MPJPE": [[1]]}}), "the history of its state"),
        (json.dumps(STATE | {"history": {"MPJPE": [["1", 2]]}}), "the history of its state"),
        (json.dumps(STATE | {"best_weights": "../../x.h5"}), "the best_weights of its state"),
        (json.dumps(STATE | {"last_weights": 3}), "the last_weights of its state is 3"),
    ],
)
def test_damaged_states(path, groups, state, message):
    with h5py.File(path, "a") as file:
        # Too long for an attribute of its own header.
        file.attrs.create("state", state[:60_000])
    refused(path, groups, DamagedCheckpoint, message)


def test_no_state_and_no_file(path, groups, tmp_path):
    with h5py.File(path, "a") as file:
        file.attrs["state"] = 7
    refused(path, groups, DamagedCheckpoint, "has no text of the training state")
    path.write_bytes(path.read_bytes()[:-100])
    refused(path, groups, DamagedCheckpoint, "truncated or damaged")
    path.write_bytes(b"something else")
    refused(path, groups, DamagedCheckpoint, "is not an HDF5 file")


def test_a_damaged_last_one_falls_back_to_the_one_before(path, groups, tmp_path):
    later = checkpoint_path(tmp_path, 2, 12)
    shutil.copy(path, later)
    later.write_bytes(later.read_bytes()[:2000])
    assert run_checkpoints(tmp_path) == [later, path]
    said = []
    assert load_latest_checkpoint(tmp_path, groups, said.append) == (path, STATE)
    assert len(said) == 1
    assert str(later) in said[0]
    assert said[0].endswith("passed over, trying the one before, cp_0001.h5")
    path.write_bytes(b"")
    with pytest.raises(Pose3DError, match="none is whole: start anew"):
        load_latest_checkpoint(tmp_path, groups, said.append)


def test_a_whole_one_of_another_run_is_not_passed_over(path, groups, tmp_path):
    later = checkpoint_path(tmp_path, 3)
    save_checkpoint(later, {**groups, "model": groups["model"][:1]}, STATE)
    with pytest.raises(Pose3DError, match="holds 1 variables of the model, this run has 2"):
        load_latest_checkpoint(tmp_path, groups, lambda line: None)


def test_no_checkpoint(tmp_path, groups):
    (tmp_path / "cp_last.h5").touch()
    with pytest.raises(Pose3DError, match="no checkpoint"):
        load_latest_checkpoint(tmp_path, groups, lambda line: None)
