"""Keras's files from strangers: they name no modules of their own, and no more memory than they hold."""

import io
import json
import zipfile

import h5py
import numpy as np
import pytest

import tf_pose3d
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.keras_file import load_keras_file


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    path = tmp_path_factory.mktemp("keras") / "network.keras"
    tf_pose3d.build_model(tf_pose3d.load_config(arch="martinez").replace(HID_DIM=8)).save(path)
    return path


def changed(sound, path, member, change):
    """A copy with one member changed, every checksum right."""
    with zipfile.ZipFile(sound) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            content = source.read(name)
            target.writestr(name, change(content) if name == member else content)
    return path


def test_a_sound_file(sound):
    assert load_keras_file(sound).config.HID_DIM == 8


@pytest.mark.parametrize("module", ["os", "tf_pose3d_of_mine", "kerasx.layers", 3])
def test_a_module_of_its_own(sound, tmp_path, module):
    def change(content):
        held = json.loads(content)
        held["config"]["more"] = [{"module": module, "class_name": "system", "config": {}}]
        return json.dumps(held).encode()

    path = changed(sound, tmp_path / "x.keras", "config.json", change)
    with pytest.raises(Pose3DError, match=r"x\.keras names an object of"):
        load_keras_file(path)


def test_weights_that_are_announced_and_not_stored(sound, tmp_path):
    def change(content):
        buffer = io.BytesIO(content)
        with h5py.File(buffer, "r+") as file:
            found = []
            file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
            del file[found[0]]
            file.create_dataset(found[0], (1 << 20, 1 << 10), "f8", chunks=(1, 1 << 10))
        return buffer.getvalue()

    path = changed(sound, tmp_path / "x.keras", "model.weights.h5", change)
    with pytest.raises(Pose3DError, match="announces 1073741824 values, more than the file stores"):
        load_keras_file(path)


@pytest.mark.parametrize("bad", [np.nan, 1e30])
def test_weights_that_are_none(sound, tmp_path, bad):
    def change(content):
        buffer = io.BytesIO(content)
        with h5py.File(buffer, "r+") as file:
            names = []
            file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
            file[names[0]][...] = bad
        return buffer.getvalue()

    path = changed(sound, tmp_path / "x.keras", "model.weights.h5", change)
    with pytest.raises(Pose3DError, match=r"x\.keras: weight \S+ holds (NaN|a number beyond 1e\+12)"):
        load_keras_file(path)


def test_a_member_that_unpacks_to_gigabytes(sound, tmp_path):
    path = changed(sound, tmp_path / "x.keras", "model.weights.h5", lambda content: bytes(100 << 20))
    with pytest.raises(Pose3DError, match="unpacks to 104857600 bytes"):
        load_keras_file(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "not a Keras model file"), (b"[" * 200000, "is nested too deeply"), (b"[1]", "no JSON object")],
)
def test_other_descriptions(sound, tmp_path, content, message):
    path = changed(sound, tmp_path / "x.keras", "config.json", lambda _: content)
    if not content:
        path.write_bytes(np.arange(99, dtype="u1").tobytes())
    with pytest.raises(Pose3DError, match=message):
        load_keras_file(path)
