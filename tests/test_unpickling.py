"""Pickles that attack: nothing runs, nothing is changed after its check, memory follows the file's size."""

import io
import pickle
import resource
import struct
import time
import zipfile

import numpy as np
import pytest

from tf_pose3d.data.archive import load_archive
from tf_pose3d.errors import Pose3DError
from tf_pose3d.unpickling import PlainUnpickler, plain_data, unpickling_explained
from tf_pose3d.weight_files.pytorch import read_pytorch_checkpoint


def opened(content):
    """What a pickle holds, as the readers of archives open it, with time and memory watched."""
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    try:
        with unpickling_explained("x.pkl"):
            return plain_data(PlainUnpickler(io.BytesIO(content)).load(), len(content))
    finally:
        assert time.process_time() - start < 5
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


def refused(content, message):
    with pytest.raises(Pose3DError, match=message) as caught:
        opened(content)
    assert "\n" not in str(caught.value)


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value


ANNOUNCED = {
    "a number to remember": b"\x80\x02Nr\xff\xff\xff?.",
    "the same in text": b"(p999999999999\n.",
    "a string": b"\x80\x02X\xff\xff\xff\x7fa.",
    "bytes of eight": b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b".",
    "a bytearray": b"\x80\x05\x96" + struct.pack("<Q", 2**34) + b".",
    "a long": b"\x80\x02\x8b\xff\xff\xff\x7f\0.",
    "a frame": b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"N.",
}


@pytest.mark.parametrize("content", ANNOUNCED.values(), ids=ANNOUNCED)
def test_more_is_announced_than_there_is(content):
    refused(content, r"^x\.pkl is truncated or damaged")


@pytest.mark.parametrize("from_disk", [False, True])
@pytest.mark.parametrize("place", ["cut", "alk", "beyond"])
def test_frames_end_where_values_do(tmp_path, place, from_disk):
    sound = pickle.dumps({"points": [1.5, 2.5, 3.5], "cut": "walk"}, 4)
    path = tmp_path / "x.pkl"

    def read(content):
        if not from_disk:
            return opened(content)
        path.write_bytes(content)
        with path.open("rb") as stream, unpickling_explained("x.pkl"):
            return plain_data(PlainUnpickler(stream).load(), len(content))

    assert read(sound) == {"points": [1.5, 2.5, 3.5], "cut": "walk"}
    # Python reads those that end within a value from a file of the disk, and fails at them elsewhere.
    end = len(sound) + 30 if place == "beyond" else sound.index(place.encode())
    changed = sound[:3] + struct.pack("<Q", end - 11) + sound[11:]
    with pytest.raises(Pose3DError, match=r"damaged \((a frame that ends within|it announces a frame)"):
        read(changed)


def test_a_frame_within_a_frame():
    inner = b"\x95" + struct.pack("<Q", 2) + b"N."
    refused(b"\x80\x04\x95" + struct.pack("<Q", len(inner) + 1) + inner + b".", "a frame within a frame")


@pytest.mark.parametrize("pickler", [pickle._Pickler, pickle.Pickler])
@pytest.mark.parametrize("protocol", [4, 5])
def test_frames_of_both_picklers(pickler, protocol):
    """Several frames, and contents of 64 kB and more, which are written beside them."""
    value = [list(range(40_000)), b"a" * 70_000, "b" * 200_000, np.arange(90_000.0), [0.5] * 20_000]
    stream = io.BytesIO()
    pickler(stream, protocol).dump(value)
    assert stream.getvalue().count(b"\x95") >= 3
    held = opened(stream.getvalue())
    assert (held[:3], held[4]) == (value[:3], value[4])
    np.testing.assert_array_equal(held[3], value[3])


@pytest.mark.parametrize("kind", [b"bytearray", b"bytes"])
def test_bytes_of_a_size(kind):
    refused(b"\x80\x02cbuiltins\n" + kind + b"\n(\x8a\x05\0\0\0\0\ntR.", "is truncated or damaged")


def laughs(container, depth):
    """Nested twos of the one before: a value of 2 ** depth parts."""
    content = b"\x80\x02(K\x01K\x02tq\x00"
    for _ in range(depth):
        content += {"tuple": b"h\x00h\x00\x86q\x00", "list": b"](h\x00h\x00eq\x00"}[container]
    return content + b"h\x00."


@pytest.mark.parametrize("container", ["tuple", "list"])
def test_parts_that_are_shared_over_and_over(container):
    refused(laughs(container, 40), "unfolds to .* values, many more than its .* bytes warrant")
    # A few shared parts are what every pickle has.
    assert opened(laughs(container, 3)) is not None


def test_a_shared_tuple_stays_one():
    inner = (np.arange(3), [1])
    result = opened(pickle.dumps([inner, inner, (inner,)], 4))
    assert result[0] is result[1] is result[2][0]


def test_nested_deeply():
    refused(b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b".", "nested too deeply")
    refused(b"\x80\x02" + b")" + b"\x85" * 200_000 + b".", "nested too deeply")


def test_a_dict_within_itself():
    value = {}
    value["self"] = value
    assert opened(pickle.dumps(value, 4))["self"] is not None


@pytest.mark.parametrize(
    "state",
    [
        b"}(" + text(b"dtype") + b"K\x01u",
        b"(K\x03" + text(b"|") + b"N(" + text(b"a") + b"t}J\xff\xff\xff\xffK\x08K\x3ft",
    ],
)
def test_a_type_cannot_be_given_fields_or_flags(state):
    base = b"\x80\x02cnumpy\ndtype\n(" + text(b"f8") + b"K\x00K\x01tR"
    with pytest.raises(Pose3DError):
        opened(base + state + b"b.")


def test_a_function_cannot_be_changed():
    state = b"}(" + text(b"_function") + b"cbuiltins\nset\nu"
    refused(b"\x80\x02cbuiltins\nfrozenset\n" + state + b"b.", "changes a function instead of calling it")
    refused(b"\x80\x02cbuiltins\nset\n.", "holds a function instead of data")


@pytest.mark.parametrize(
    "name", ["os\nsystem", "builtins\neval", "numpy\nload", "builtins\ngetattr", "_io\nopen"]
)
def test_other_names(name):
    refused(b"\x80\x02c" + name.encode() + b"\n(" + text(b"x") + b"tR.", "which would run code")


def test_arrays_of_more_than_there_is():
    sound = pickle.dumps(np.arange(4, dtype="u1"), 2)
    place = sound.index(b"K\x04\x85")
    for shape in (b"K\xff\x85", b"J\xff\xff\xff\xff\x85", b"\x8a\x08" + b"\xff" * 7 + b"\x0f\x85"):
        refused(sound[:place] + shape + sound[place + 3 :], "is truncated or damaged")


@pytest.mark.parametrize("shape", [(250,), (2,), (10**7, 10**7), (-1, -6), (3, -2), ()])
def test_arrays_of_objects_hold_as_many_as_they_say(tmp_path, shape):
    """numpy itself reads on behind the end of the list, which may end the process."""
    array = np.empty(6, object)
    array[:] = [None, "a", 2, [3], {"b": 4}, 5.5]
    sound = pickle.dumps(array, 2)
    np.testing.assert_array_equal(opened(sound), array)
    lengths = b"".join(pickle.dumps(length, 2)[2:-1] for length in shape)
    assert sound.count(b"K\x06\x85") == 1
    refused(sound.replace(b"K\x06\x85", b"(" + lengths + b"t"), r"damaged \(an array of shape")


@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_objects_of_both_orders(order):
    array = np.empty((2, 3), object, order=order)
    array[:] = [[None, "a", 2], [[3], {"b": np.arange(2)}, 5.5]]
    held = opened(pickle.dumps(array, 4))
    assert held.shape == (2, 3)
    np.testing.assert_array_equal(held[1, 1].pop("b"), np.arange(2))
    array[1, 1].pop("b")
    assert held.tolist() == array.tolist()


def test_texts_of_characters_that_there_are_not(tmp_path):
    array = np.array(["ab", "c"])
    bad = array.tobytes().replace(b"c\0\0\0", b"c\0\0\x7f")
    refused(pickle.dumps(array, 2).replace(array.tobytes(), bad), "texts of characters that there are not")
    np.save(tmp_path / "x.npy", array)
    content = (tmp_path / "x.npy").read_bytes()
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("names.npy", content.replace(array.tobytes(), bad))
    with pytest.raises(Pose3DError, match="texts of characters that there are not"):
        load_archive(tmp_path / "x.npz")


def checkpoint(path, shape, strides, offset, state=b""):
    """A checkpoint of one tensor over a storage of four numbers, and what BUILD is to make of it."""

    def whole(values):
        return b"(" + b"".join(b"\x8a\x08" + struct.pack("<q", value) for value in values) + b"t"

    tensor = (
        b"ctorch._utils\n_rebuild_tensor_v2\n(("
        + text(b"storage")
        + b"ctorch\nFloatStorage\n"
        + text(b"0")
        + text(b"cpu")
        + b"K\x04tQ\x8a\x08"
        + struct.pack("<q", offset)
        + whole(shape)
        + whole(strides)
        + b"\x89ccollections\nOrderedDict\n)RtR"
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02}(" + text(b"w") + tensor + state + b"u.")
        archive.writestr("a/data/0", np.arange(4, dtype="<f4").tobytes())
    return path


def test_a_sound_tensor(tmp_path):
    found = read_pytorch_checkpoint(checkpoint(tmp_path / "x.pth", (2, 2), (1, 2), 0)).tensors["w"]
    assert found.tolist() == [[0, 2], [1, 3]]


@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [
        ((64,), (1,), 0),
        ((4,), (2,), 0),
        ((2,), (-1,), 1),
        ((-4,), (1,), 0),
        ((4,), (1,), 1),
        ((2,), (2**61,), 0),
    ],
)
def test_tensors_beyond_their_storage(tmp_path, shape, strides, offset):
    with pytest.raises(Pose3DError, match=r"x\.pth is truncated or damaged"):
        read_pytorch_checkpoint(checkpoint(tmp_path / "x.pth", shape, strides, offset))


@pytest.mark.parametrize("key", [b"strides", b"shape", b"offset", b"storage"])
def test_a_tensor_cannot_be_changed_after_its_check(tmp_path, key):
    """BUILD would set what was checked already, so that memory beyond the storage became weights."""
    state = b"}(" + text(key) + b"(\x8a\x01\xfftu" + b"b"
    with pytest.raises(Pose3DError, match=r"x\.pth changes a tensor after it was checked"):
        read_pytorch_checkpoint(checkpoint(tmp_path / "x.pth", (4,), (1,), 0, state))


def test_a_zip_file_that_unpacks_to_gigabytes(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("a.npy", bytes(100 << 20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Pose3DError, match=r"a\.npy unpacks to 104857600 bytes from"):
        load_archive(tmp_path / "x.npz")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150_000
