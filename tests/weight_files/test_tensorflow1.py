"""Checkpoints of TensorFlow 1's saver, read without TensorFlow, as TensorFlow reads and writes them."""

import numpy as np
import pytest
import tensorflow as tf

from tf_pose3d.errors import Pose3DError
from tf_pose3d.weight_files.tensorflow1 import find_tensorflow1_checkpoint, read_tensorflow1_checkpoint


@pytest.mark.parametrize("case", ["knn3", "knn1_conf_flip", "laplacian", "learnable_knn2"])
def test_as_tensorflow_reads_it(golden, case):
    folder = golden / "lcn" / case / "checkpoints" / "best"
    reader = tf.train.load_checkpoint(str(folder / "model-7"))
    found = read_tensorflow1_checkpoint(folder).tensors
    assert found.keys() == reader.get_variable_to_shape_map().keys()
    for name, value in found.items():
        expected = reader.get_tensor(name)
        assert value.dtype == np.asarray(expected).dtype
        np.testing.assert_array_equal(value, expected)


@pytest.fixture
def written(tmp_path):
    """(prefix, arrays) of a checkpoint with many names, every type, and arrays without size or shape."""
    rng = np.random.default_rng(0)
    arrays = {
        f"scope_{number % 7}/layer_{number}/kernel": rng.normal(size=(number % 5, 3)).astype("float32")
        for number in range(300)
    }
    for dtype in ("float64", "float16", "int32", "int64", "uint8", "int16", "int8", "bool"):
        arrays[f"of_type/{dtype}"] = (100 * rng.normal(size=(2, 1, 4))).astype(dtype)
    arrays["step"] = np.array(12, "int64")
    prefix = tmp_path / "model-3"
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=[*arrays, "text"],
        shape_and_slices=[""] * (len(arrays) + 1),
        tensors=[*map(tf.constant, arrays.values()), tf.constant([b"words", b""])],
    )
    return prefix, arrays


def test_as_tensorflow_writes_it(written):
    prefix, arrays = written
    found = read_tensorflow1_checkpoint(prefix).tensors
    # Text is no weight.
    assert found.keys() == arrays.keys()
    for name, expected in arrays.items():
        assert found[name].dtype == expected.dtype
        np.testing.assert_array_equal(found[name], expected)


def read_or_refuse(prefix):
    """The arrays, or None where they are refused in one line."""
    try:
        return read_tensorflow1_checkpoint(prefix).tensors
    except Pose3DError as error:
        line = str(error)
    assert line.startswith(f"{prefix} is truncated or damaged")
    assert "\n" not in line
    return None


@pytest.mark.parametrize("suffix", [".index", ".data-00000-of-00001"])
def test_no_damage_goes_unnoticed(written, suffix):
    prefix, arrays = written
    path = prefix.with_name(prefix.name + suffix)
    whole = path.read_bytes()
    refused = 0
    for place in np.linspace(0, len(whole) - 1, 60).astype(int):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        found = read_or_refuse(prefix)
        refused += found is None
        # Bytes that nothing reads are padding and text.
        for name, expected in arrays.items() if found is not None else ():
            np.testing.assert_array_equal(found[name], expected)
        path.write_bytes(whole[:place])
        assert read_or_refuse(prefix) is None
    assert refused > 50


def test_a_missing_file_is_named(written):
    prefix, _ = written
    prefix.with_name("model-3.data-00000-of-00001").unlink()
    with pytest.raises(Pose3DError, match=r"model-3\.data-00000-of-00001"):
        read_tensorflow1_checkpoint(prefix)


def test_partitioned_arrays_are_refused(tmp_path):
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "model-1"),
        tensor_names=["kernel"],
        shape_and_slices=["4 3 0,2:0,3"],
        tensors=[tf.zeros((2, 3))],
    )
    with pytest.raises(Pose3DError, match="kernel is stored in several parts"):
        read_tensorflow1_checkpoint(tmp_path)


def test_the_folder_s_latest(tmp_path):
    for step in (2, 10):
        (tmp_path / f"model-{step}.index").write_bytes(b"")
    assert find_tensorflow1_checkpoint(tmp_path).name == "model-10"
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "/else where/model-2"\n')
    assert find_tensorflow1_checkpoint(tmp_path).name == "model-2"
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "model-5"\n')
    assert find_tensorflow1_checkpoint(tmp_path).name == "model-10"
    assert find_tensorflow1_checkpoint(tmp_path / "model-3") is None
