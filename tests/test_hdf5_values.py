import io

import h5py
import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.hdf5_values import hdf5_values, opened_hdf5
from tf_pose3d.weight_files.hdf5 import read_config


@pytest.fixture
def content():
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["sound"] = np.arange(6.0).reshape(2, 3)
        file["zeros"] = np.zeros(0)
        file.create_dataset("packed", data=np.zeros((1000, 100)), compression="gzip")
        file.create_dataset("announced", (1 << 20, 1 << 10), "f8", chunks=(1, 1 << 10))
        file["empty"] = h5py.Empty("f4")
        file.create_group("group")
    return buffer.getvalue()


def test_values(content):
    with opened_hdf5(io.BytesIO(content), "x.h5") as file:
        assert hdf5_values(file, "sound", "x.h5").tolist() == [[0, 1, 2], [3, 4, 5]]
        assert hdf5_values(file, "zeros", "x.h5").shape == (0,)
        assert hdf5_values(file, "packed", "x.h5").shape == (1000, 100)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("announced", "x.h5: announced announces 1073741824 values, more than the file stores"),
        ("group", "x.h5 has no group; it holds announced, empty"),
        ("gone", "x.h5 has no gone; it holds announced, empty"),
    ],
)
def test_what_is_no_stored_array(content, name, message):
    with opened_hdf5(io.BytesIO(content), "x.h5") as file, pytest.raises(Pose3DError, match=message):
        hdf5_values(file, name, "x.h5")


def read_all(content):
    with opened_hdf5(io.BytesIO(content), "x.h5", "; expected cameras") as file:
        return {name: hdf5_values(file, name, "x.h5") for name in ("sound", "packed")}


def test_every_cut_and_flip_is_told_in_one_line_or_harmless(content):
    for place in range(0, len(content), 97):
        flipped = content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]
        for damaged in (content[:place], flipped):
            said = ""
            try:
                read_all(damaged)
            except Pose3DError as error:
                said = str(error)
            assert "\n" not in said
            assert said.startswith("x.h5") or not said


def test_a_heap_whose_object_has_no_size(tmp_path):
    """The HDF5 library would never come back."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["state"] = "text" * 40
    sound = buffer.getvalue()
    with opened_hdf5(io.BytesIO(sound), "x.h5") as file:
        assert file.attrs["state"] == "text" * 40
    free = sound.index(b"GCOL") + 16 + 16 + 160
    assert sound[free : free + 2] == b"\0\0"
    for length in (0, 2**63, 2**64 - 8):
        damaged = sound[: free + 8] + length.to_bytes(8, "little") + sound[free + 16 :]
        with pytest.raises(Pose3DError, match=r"x\.h5 is truncated or damaged \(an object of"):
            read_all(damaged)
    path = tmp_path / "x.h5"
    path.write_bytes(damaged)
    with pytest.raises(Pose3DError, match=r"x\.h5 is truncated or damaged: an object of"):
        read_config(path)


def test_missing(tmp_path):
    path = tmp_path / "x.h5"
    with (
        pytest.raises(Pose3DError, match=r"x\.h5 does not exist; expected cameras"),
        opened_hdf5(path, path, "; expected cameras"),
    ):
        pass
