"""What this package writes to HDF5 is told from other numbers that look like it."""

import h5py
import keras
import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.training.checkpoints import DamagedCheckpoint, load_checkpoint, save_checkpoint
from tf_pose3d.weight_files import hdf5
from tf_pose3d.weight_files.checksums import CHECKSUM, checksum_of

CONFIG = {"ARCH": "Martinez", "BATCH_SIZE": 64}


def network(seed=0):
    """Two layers of the same shapes, so that the numbers of one look like the other's."""
    layers = [keras.layers.Dense(3, name="first"), keras.layers.Dense(3, name="second")]
    model = keras.Sequential([keras.Input((3,)), *layers])
    draw = np.random.default_rng(seed)
    model.set_weights([draw.normal(size=weight.shape) for weight in model.weights])
    return model


@pytest.fixture
def path(tmp_path):
    hdf5.save_weights(network(), tmp_path / "w.h5", CONFIG)
    return tmp_path / "w.h5"


def exchange(file):
    file["first"]["first/kernel:0"][...] = file["second"]["second/kernel:0"][()]


def one_digit(file):
    file["second"]["second/bias:0"][1] *= np.float32(1 + 1e-6)


def rows_moved(file):
    held = file["first"]["first/kernel:0"]
    held[...] = np.roll(held[()], 1, axis=0)


def pointers(file):
    """Two arrays of one layer are found under each other's name."""
    for layer in ("first", "second"):
        file[layer].move(f"{layer}/kernel:0", f"{layer}/moved")
    file["first"]["first/kernel:0"] = file["second"]["second/moved"]
    file["second"]["second/kernel:0"] = file["first"]["first/moved"]


CHANGES = [exchange, one_digit, rows_moved, pointers]


@pytest.mark.parametrize("change", CHANGES)
def test_other_numbers_that_look_like_weights(path, change):
    with h5py.File(path, "r+") as file:
        change(file)
    model = network(7)
    before = model.get_weights()
    shapes = {layer: [(3, 3), (3,)] for layer in ("first", "second")}
    for read in (lambda: hdf5.load_weights(model, path), lambda: hdf5.read_weights(path, shapes)):
        with pytest.raises(Pose3DError, match=r"layer (first|second) is not what was written") as caught:
            read()
        assert str(caught.value).startswith(str(path))
        assert "\n" not in str(caught.value)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    # Whoever meant it says so.
    with h5py.File(path, "r+") as file:
        for group in file.values():
            group.attrs.pop(CHECKSUM, None)
    assert hdf5.load_weights(model, path) == []


def test_the_config(path):
    assert hdf5.read_config(path) == CONFIG
    with h5py.File(path, "r+") as file:
        file.attrs["tf_pose3d_config"] = file.attrs["tf_pose3d_config"].replace("64", "46")
    with pytest.raises(Pose3DError, match=r"w\.h5: attribute tf_pose3d_config is not what was written"):
        hdf5.read_config(path)


@pytest.mark.parametrize("value", [7, "", b"x", np.zeros(3)])
def test_checksums_that_are_none(path, value):
    with h5py.File(path, "r+") as file:
        file["first"].attrs[CHECKSUM] = value
    with pytest.raises(Pose3DError, match="layer first is not what was written"):
        hdf5.load_weights(network(7), path)


def test_files_without_checksums_are_read(path):
    """As this package's earlier versions wrote them."""
    with h5py.File(path, "r+") as file:
        for held in (file, *file.values()):
            held.attrs.pop(CHECKSUM, None)
    model = network(7)
    hdf5.load_weights(model, path)
    for one, other in zip(network().get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert hdf5.read_config(path) == CONFIG


def test_keras_reads_the_file(path):
    model = network(7)
    model.load_weights(path)
    for one, other in zip(network().get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_changed_on_purpose_and_sealed_again(path, tmp_path):
    halved = tmp_path / "half.h5"
    with hdf5.opened_hdf5(path) as source, h5py.File(halved, "w") as target:
        for name in source:
            source.copy(name, target)
        target.attrs.update(source.attrs)
        for layer in ("first", "second"):
            kernel = target[layer].pop(f"{layer}/kernel:0")[()]
            target[layer][f"{layer}/kernel:0"] = kernel.astype(np.float16)
        hdf5.seal_weights(target, source, path)
    model = network(7)
    hdf5.load_weights(model, halved)
    np.testing.assert_allclose(model.get_weights()[0], network().get_weights()[0], atol=2e-3)


def test_every_part_counts():
    array = np.arange(6, dtype=np.float32)
    several = {
        checksum_of(""),
        checksum_of("x"),
        checksum_of("", [("a", array)]),
        checksum_of("", [("b", array)]),
        checksum_of("", [("a", array.reshape(2, 3))]),
        checksum_of("", [("a", array.reshape(3, 2))]),
        checksum_of("", [("a", array[:3]), ("b", array[3:])]),
        checksum_of("", [("b", array[3:]), ("a", array[:3])]),
        checksum_of("", [("a", array.astype(">f4"))]),
        checksum_of("", [("a", np.zeros((0, 3)))]),
        checksum_of("", [("a", np.float32(1))]),
    }
    assert len(several) == 11
    assert checksum_of("", [("a", array[::-1])]) == checksum_of("", [("a", array[::-1].copy())])


@pytest.mark.parametrize("changed", ["values", "state"])
def test_checkpoints(tmp_path, changed):
    variables = [keras.Variable(np.arange(3, dtype=np.float32) + number) for number in range(12)]
    groups = {"model": variables, "optimizer": [keras.Variable(5, dtype="int64")]}
    state = {"step": 7, "config": {}, "history": {}, "best_weights": None, "last_weights": None}
    path = tmp_path / "cp_0001.h5"
    save_checkpoint(path, groups, state)
    assert load_checkpoint(path, groups) == state
    with h5py.File(path, "r+") as file:
        if changed == "values":
            file["model/10"][...] = file["model/2"][()]
        else:
            file.attrs["state"] = file.attrs["state"].replace("7", "8")
    told = {"values": "the group model", "state": "the training state"}[changed]
    with pytest.raises(DamagedCheckpoint, match=f"{told} is not what was written"):
        load_checkpoint(path, groups)
    with h5py.File(path, "r+") as file:
        for held in (file, *file.values()):
            held.attrs.pop(CHECKSUM, None)
    load_checkpoint(path, groups)
