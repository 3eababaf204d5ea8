import io
import zlib

import h5py
import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.hdf5_values import hdf5_attribute, hdf5_values, opened_hdf5, require_stored_attributes
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


TEXTS = ["left knee", "", "right knee" * 30]


@pytest.fixture(params=["earliest", "latest"])
def texts(request):
    """Texts of any length in every place that HDF5 has for them, as older and newer files lay these out."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver=request.param, track_order=request.param == "latest") as file:
        kind = h5py.string_dtype()
        for number in range(20):  # more than a header holds: from some number on in a heap of their own
            file.attrs[f"state {number}"] = "text" * number
        file.attrs["names"] = np.array(TEXTS, object)
        file.attrs["none"] = h5py.Empty(kind)
        file.attrs["counts"] = np.arange(3)
        other = file.create_group("group")
        other.attrs["names"] = np.array([b"fixed", b"length"])
        file.create_dataset("whole", data=TEXTS, dtype=kind)
        file.create_dataset("pieces", data=TEXTS * 9, dtype=kind, chunks=(5,))
        packing = {"compression": "gzip", "shuffle": True}
        file.create_dataset("packed", data=TEXTS * 9, dtype=kind, chunks=(5,), **packing)
        file["lists"] = np.array([np.arange(3), np.arange(2)], h5py.vlen_dtype(np.int32))
        record = np.array([(1, "a")], [("number", "i4"), ("text", kind)])
        file["records"] = record
    return buffer.getvalue()


def test_texts_of_any_length(texts):
    with opened_hdf5(io.BytesIO(texts), "x.h5") as file:
        assert [hdf5_attribute(file, f"state {n}") for n in range(20)] == ["text" * n for n in range(20)]
        assert hdf5_attribute(file, "names").tolist() == TEXTS
        assert hdf5_attribute(file["group"], "names").tolist() == [b"fixed", b"length"]
        assert hdf5_attribute(file, "counts").tolist() == [0, 1, 2]
        assert hdf5_attribute(file, "gone", "default") == "default"
        require_stored_attributes(file)
        for name, times in (("whole", 1), ("pieces", 9), ("packed", 9)):
            assert [text.decode() for text in hdf5_values(file, name, "x.h5")] == TEXTS * times
        assert [part.tolist() for part in hdf5_values(file, "lists", "x.h5")] == [[0, 1, 2], [0, 1]]


def test_texts_within_records_are_not_read(texts):
    with (
        opened_hdf5(io.BytesIO(texts), "x.h5") as file,
        pytest.raises(
            Pose3DError, match=r"x\.h5: records cannot be read: it is of a type that is not read here"
        ),
    ):
        hdf5_values(file, "records", "x.h5")


@pytest.mark.parametrize("name", ["state 19", "names", "whole", "pieces"])
def test_lengths_beyond_the_file_are_refused_before_memory_is_taken(texts, name):
    """The HDF5 library takes what a length announces, and finds out after that."""
    lengths = {"state 19": 4 * 19, "names": 300, "whole": 300, "pieces": 300}
    description = lengths[name].to_bytes(4, "little")
    refused = 0
    place = texts.find(description)
    while place >= 0:
        damaged = texts[:place] + (1 << 31).to_bytes(4, "little") + texts[place + 4 :]
        try:
            with opened_hdf5(io.BytesIO(damaged), "x.h5") as file:
                in_dataset = name in ("whole", "pieces")
                hdf5_values(file, name, "x.h5") if in_dataset else hdf5_attribute(file, name)
        except Pose3DError as error:
            # Newer headers have checksums, too.
            refused += "announces 214748" in str(error) or "checksum" in str(error)
        place = texts.find(description, place + 1)
    assert refused


def test_a_packed_text_beyond_the_file():
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        kind = h5py.string_dtype()
        dataset = file.create_dataset("packed", (8,), kind, chunks=(8,), compression="gzip")
        described = (1 << 31).to_bytes(4, "little") + (2048).to_bytes(8, "little") + b"\1\0\0\0"
        dataset.id.write_direct_chunk((0,), zlib.compress(described * 8))
    with (
        opened_hdf5(io.BytesIO(buffer.getvalue()), "x.h5") as file,
        pytest.raises(
            Pose3DError, match=r"x\.h5: packed cannot be read: it announces 17179869184 bytes in a file"
        ),
    ):
        hdf5_values(file, "packed", "x.h5")


def test_a_piece_larger_than_the_file(tmp_path):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_dataset("wide", (4, 4), "f8", chunks=(1 << 14, 1 << 13), maxshape=(None, None))
        file["wide"].id.write_direct_chunk((0, 0), b"12345678")
    with (
        opened_hdf5(io.BytesIO(buffer.getvalue()), "x.h5") as file,
        pytest.raises(Pose3DError, match=r"x\.h5: wide announces pieces of 1073741824 bytes"),
    ):
        hdf5_values(file, "wide", "x.h5")
