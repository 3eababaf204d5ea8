import contextlib
import io
import os
import pickle
import struct
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn

from tf_pose3d.data.archive import load_archive, require_keys
from tf_pose3d.errors import Pose3DError


def assert_same(one, other):
    """Equal in type, dtype and value, all the way down."""
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    elif isinstance(one, np.ndarray):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        if one.dtype == object:
            assert_same(list(one.ravel()), list(other.ravel()))
        else:
            np.testing.assert_array_equal(one, other)
    else:
        np.testing.assert_array_equal(one, other)


def trusted(path):
    """What numpy makes of a file that may run code."""
    with np.load(path, allow_pickle=True) as file:
        arrays = dict(file)
    bare = {key for key, array in arrays.items() if array.shape == () and array.dtype == object}
    return {key: array.item() if key in bare else array for key, array in arrays.items()}


def write_pickle(path, value, protocol=4):
    path.write_bytes(pickle.dumps(value, protocol))
    return path


def as_numpy_1(content):
    """A pickle of protocol 2 or 3 as numpy 1 would have written it, which named its modules otherwise."""
    return content.replace(b"numpy._core.", b"numpy.core.")


class Run:
    """Pickles as the call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "name",
    ["data_2d_h36m_cpn_ft_h36m_dbb.npz", "data_2d_h36m_gt.npz", "data_3d_h36m.npz", "amass/CMU.npz"],
)
def test_reference_npz_files_load_as_numpy_loads_them(shared, name):
    path = shared / "golden/data" / name
    assert_same(load_archive(path), trusted(path))


@pytest.mark.parametrize("name", ["h36m_test.pkl", "h36m_sh_dt_ft.pkl"])
def test_reference_pickles_load_as_pickle_loads_them(shared, name):
    path = shared / "golden/lcn/dataset" / name
    assert_same(load_archive(path), pickle.loads(path.read_bytes(), encoding="latin1"))


def test_plain_npz(golden):
    path = golden / "sequences.npz"
    assert_same(load_archive(path), trusted(path))


ARRAYS = stn.arrays(
    st.sampled_from(["<f4", ">f4", "f8", "f2", "i8", "u1", "?", "<U3", "S4", "c8"]),
    stn.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False),
    st.text(max_size=5),
    st.binary(max_size=5),
    ARRAYS,
    ARRAYS.filter(lambda array: array.size).map(lambda array: array.ravel()[0]),
    ARRAYS.map(np.asfortranarray),
)
TREES = st.recursive(
    LEAVES,
    lambda parts: (
        st.lists(parts, max_size=3)
        | st.lists(parts, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3), parts, max_size=3)
        | st.dictionaries(st.text(max_size=3), parts, max_size=3).map(OrderedDict)
    ),
    max_leaves=12,
)


@given(TREES, st.integers(2, 5))
def test_plain_data_survives_every_protocol(tmp_path_factory, tree, protocol):
    content = pickle.dumps(tree, protocol)
    path = tmp_path_factory.mktemp("trees") / "tree.pkl"
    for written in {content, as_numpy_1(content) if protocol < 4 else content}:
        path.write_bytes(written)
        assert_same(load_archive(path), pickle.loads(content))


@given(TREES)
def test_plain_data_survives_npz(tmp_path_factory, tree):
    path = tmp_path_factory.mktemp("trees") / "tree.npz"
    several = np.empty((2, 1), object)
    several[0, 0], several[1, 0] = [tree], {"inner": tree}
    np.savez(path, tree=np.array({"inner": tree}, dtype=object), several=several, plain=np.arange(3))
    assert_same(load_archive(path), trusted(path))


def test_arrays_from_pickles_can_be_written_to(tmp_path):
    array = load_archive(write_pickle(tmp_path / "x.pkl", [np.zeros(3, np.float32)]))[0]
    array[0] = 1
    assert array.tolist() == [1, 0, 0]


def test_sets_and_shared_and_cyclic_containers(tmp_path):
    shared_list = [np.arange(2)]
    value = {
        "a": shared_list,
        "b": shared_list,
        "set": {1, 2},
        "frozen": frozenset("x"),
        "dtype": np.dtype("f4"),
    }
    value["self"] = value
    for protocol in (2, 4):
        result = load_archive(write_pickle(tmp_path / "x.pkl", value, protocol))
        assert result["self"] is result
        assert result["a"] is result["b"]
        assert_same(result["a"], [np.arange(2)])
        assert (result["set"], result["frozen"], result["dtype"]) == ({1, 2}, frozenset("x"), np.dtype("f4"))


def python_2_array(content, dtype=b"f4", state=b"K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t"):
    """What Python 2 and numpy 1 wrote for a one-dimensional array: contents and names are byte strings."""
    size = len(content) // int(dtype[1:])
    return (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87Rq\x03"
        b"(K\x01" + b"K" + bytes([size]) + b"\x85cnumpy\ndtype\nq\x04U\x02" + dtype + b"K\x00K\x01\x87R("
        + state + b"b\x89U" + bytes([len(content)]) + content + b"tb."
    )  # fmt: skip


def test_python_2_pickle(tmp_path):
    path = tmp_path / "x.pkl"
    expected = np.array([1.5, -2.0, 3e7], np.float32)
    path.write_bytes(python_2_array(expected.tobytes()))
    assert_same(load_archive(path), expected)
    path.write_bytes(python_2_array(struct.pack("<q", 7), b"i8"))
    assert_same(load_archive(path), np.array([7]))


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (Run(os.system, "touch owned"), "system"),
        (Run(eval, "1"), "eval"),
        (Run(getattr, "", "join"), "getattr"),
        (Run(np.load, "x"), "load"),
        (os.path.join, "join"),
        (np.random.default_rng(0), "__generator_ctor"),
        (np.ma.masked_array([1]), "_mareconstruct"),
        (ValueError("x"), "ValueError"),
    ],
)
@pytest.mark.parametrize("kind", ["npz", "pickle"])
def test_a_file_that_would_run_code_is_refused(tmp_path, monkeypatch, value, named, kind):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "data_3d.npz"
    if kind == "npz":
        np.savez(path, positions_3d=np.array({"S1": value}, dtype=object))
    else:
        write_pickle(path, {"S1": value})
    with pytest.raises(Pose3DError) as raised:
        load_archive(path)
    message = str(raised.value)
    assert message.startswith(f"{path} holds ")
    assert f".{named}, which would run code" in message
    assert "\n" not in message
    assert not (tmp_path / "owned").exists()


def test_an_object_array_cannot_be_made_of_addresses(tmp_path):
    # With the dtype's own flags cleared by its pickled state, numpy would take the bytes for pointers.
    state = b"K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t"
    path = tmp_path / "x.pkl"
    path.write_bytes(python_2_array(b"\x41" * 8, b"O8", state))
    with pytest.raises(Pose3DError, match=r"x.pkl is truncated or damaged"):
        load_archive(path)


def test_structured_arrays_are_refused(tmp_path):
    value = np.zeros(2, [("x", "f4"), ("y", "O")])
    with pytest.raises(Pose3DError, match=r"holds arrays of type V\d+; only plain numbers"):
        load_archive(write_pickle(tmp_path / "x.pkl", value))


def npz_bytes(**arrays):
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


POSITIONS = np.array({"S1": {"Walking": np.random.default_rng(0).normal(size=(50, 3))}}, dtype=object)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty, expected an npz file"),
        (b"\x93NUMPY\x01\x00", "is a single npy array, expected an npz file"),
        (b"\x89HDF\r\n\x1a\n", "is an HDF5 file, expected"),
        (b"<!DOCTYPE html><html>", "is a web page or XML, expected"),
        (b'{"S1": 1}', "is JSON or other text, expected"),
        (b"version https://git-lfs.github.com/spec/v1", "is a Git LFS pointer, not the data"),
        (b"what is this", "is of an unknown kind, expected"),
        (npz_bytes(positions_3d=POSITIONS)[:-200], "is truncated or damaged"),
        (npz_bytes(positions_3d=POSITIONS)[:300], "is truncated or damaged"),
        (pickle.dumps(POSITIONS)[:-100], "is truncated or damaged"),
        (b"\x80\x04nonsense", "is truncated or damaged"),
    ],
)
def test_files_that_are_no_archive(tmp_path, content, message):
    path = tmp_path / "data_3d_h36m.npz"
    path.write_bytes(content)
    with pytest.raises(Pose3DError) as raised:
        load_archive(path)
    assert str(raised.value).startswith(f"{path} {message}")
    assert "\n" not in str(raised.value)


@given(st.integers(0, 10**6), st.integers(0, 255), st.booleans())
def test_damage_is_an_error_or_harmless(tmp_path_factory, position, byte, compressed):
    content = bytearray(npz_bytes(positions_3d=POSITIONS) if compressed else pickle.dumps(POSITIONS))
    content[position % len(content)] = byte
    path = tmp_path_factory.mktemp("damage") / "x.npz"
    path.write_bytes(bytes(content))
    # Any other exception fails the test.
    with contextlib.suppress(Pose3DError):
        load_archive(path)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(Pose3DError, match=r"nowhere.npz does not exist, expected an npz file"):
        load_archive(tmp_path / "nowhere.npz")
    with pytest.raises(Pose3DError, match=r"cannot be read: Is a directory"):
        load_archive(tmp_path)


def test_zip_without_arrays(tmp_path):
    path = tmp_path / "h36m.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(Pose3DError, match=r"h36m.zip is a zip file without npy arrays"):
        load_archive(path)


def test_require_keys():
    require_keys({"a": 1, "b": 2}, "x.npz", "a", "b")
    with pytest.raises(Pose3DError, match=r"^x.npz has no positions_3d; it holds a, b$"):
        require_keys({"a": 1, "b": 2}, "x.npz", "positions_3d", "a")
    with pytest.raises(Pose3DError, match=r"^x.npz holds a list, expected a dict with positions_3d$"):
        require_keys([], "x.npz", "positions_3d")
