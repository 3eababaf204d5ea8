import json
import shutil

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_pose3d.errors import Pose3DError
from tf_pose3d.version import __version__
from tf_pose3d.weight_files import hdf5
from tf_pose3d.weight_files.checksums import CHECKSUM


@keras.saving.register_keras_serializable("tests")
class Block(keras.layers.Layer):
    """Batch norm between other layers: its moving averages must come after every trainable weight."""

    def __init__(self, width, **kwargs):
        super().__init__(**kwargs)
        self.norm = keras.layers.BatchNormalization()
        self.dense = [keras.layers.Dense(width), keras.layers.Dense(width)]
        self.drop = keras.layers.Dropout(0.5, seed=1)
        self.last = keras.layers.LayerNormalization()

    def build(self, shape):
        self.gain = self.add_weight(name="gain", shape=(shape[-1],))
        self.norm.build(shape)
        for layer in self.dense:
            layer.build(shape)
        self.last.build(shape)

    def call(self, x, training=False):
        x = self.norm(x * self.gain, training=training)
        for layer in self.dense:
            x = layer(x)
        return self.last(self.drop(x, training=training))


class Network(keras.Model):
    def __init__(self, width=4, blocks=2, outputs=3, **kwargs):
        super().__init__(**kwargs)
        self.embedding = keras.layers.Dense(width, name="embedding")
        self.dropout = keras.layers.Dropout(0.1, seed=3, name="token_dropout")
        self.blocks = [Block(width, name=f"block_{i + 1}") for i in range(blocks)]
        self.head = keras.layers.Dense(outputs, name="head")

    def call(self, x, training=False):
        x = self.dropout(self.embedding(x), training=training)
        for block in self.blocks:
            x = block(x, training=training)
        return self.head(x)


def network(seed=0, **kwargs):
    """A built network in which every weight has its own random value."""
    model = Network(**kwargs)
    model(np.zeros((1, 2), np.float32))
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    return model


def values(model):
    return [keras.ops.convert_to_numpy(weight) for weight in model.weights]


def assert_same(model, other):
    for a, b in zip(values(model), values(other), strict=True):
        np.testing.assert_array_equal(a, b)


def keras_2_weights(path):
    """Reads a file as Keras 2's loader does: names from (possibly split) attributes, values in order."""

    def names(group, attribute):
        if attribute in group.attrs:
            found = list(group.attrs[attribute])
        else:
            found, number = [], 0
            while f"{attribute}{number}" in group.attrs:
                found += list(group.attrs[f"{attribute}{number}"])
                number += 1
        return [name.decode("utf8") if hasattr(name, "decode") else name for name in found]

    with h5py.File(path, "r") as file:
        assert file.attrs["backend"] == "tensorflow"
        # Keras wrote bytes; the h5py of its time gives text where the character set is UTF-8, and its
        # reader calls `decode` of what it gets.
        for name in ("backend", "keras_version"):
            kind = h5py.h5a.open(file.id, name.encode()).get_type()
            assert kind.get_class() == h5py.h5t.STRING
            assert kind.get_cset() == h5py.h5t.CSET_ASCII
        return {
            layer: [(name, np.asarray(file[layer][name])) for name in names(file[layer], "weight_names")]
            for layer in names(file, "layer_names")
        }


BLOCK_ORDER = [
    "gain",
    "gamma",
    "beta",
    *["kernel", "bias"] * 2,
    "gamma",
    "beta",
    "moving_mean",
    "moving_variance",
]


class TestRoundTrip:
    def test_values_and_outputs(self, tmp_path):
        model, other = network(1), network(2)
        hdf5.save_weights(model, tmp_path / "w.h5")
        assert hdf5.load_weights(other, tmp_path / "w.h5") == []
        assert_same(model, other)
        x = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
        np.testing.assert_array_equal(model(x), other(x))

    def test_config_and_attributes(self, tmp_path):
        config = {"ARCH": "X", "PADDINGS": [[0, 0]], "RATE": 1e-3, "NAME": "Ü", "NONE": None}
        path = tmp_path / "w.h5"
        hdf5.save_weights(network(), path, config, epoch=3, metric="AW-MPJPE")
        assert hdf5.read_config(path) == config
        with h5py.File(path) as file:
            assert file.attrs["tf_pose3d_version"] == __version__
            assert (file.attrs["epoch"], file.attrs["metric"]) == (3, "AW-MPJPE")

    def test_config_above_the_attribute_limit(self, tmp_path):
        config = {"MASK": list(range(100_000))}
        hdf5.save_weights(network(), tmp_path / "w.h5", config)
        assert hdf5.read_config(tmp_path / "w.h5") == config

    def test_no_config(self, tmp_path):
        hdf5.save_weights(network(), tmp_path / "w.h5")
        assert hdf5.read_config(tmp_path / "w.h5") is None

    def test_same_weights_same_bytes(self, tmp_path):
        model = network(1)
        hdf5.save_weights(model, tmp_path / "a.h5", {"A": 1})
        hdf5.save_weights(model, tmp_path / "b.h5", {"A": 1})
        assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()

    def test_frozen_layers_change_nothing(self, tmp_path):
        model, other = network(1), network(2)
        hdf5.save_weights(model, tmp_path / "free.h5")
        model.blocks[0].trainable = False
        model.blocks[1].norm.trainable = False
        hdf5.save_weights(model, tmp_path / "frozen.h5")
        assert (tmp_path / "free.h5").read_bytes() == (tmp_path / "frozen.h5").read_bytes()
        other.trainable = False
        hdf5.load_weights(other, tmp_path / "free.h5")
        assert_same(model, other)
        assert not other.trainable

    @pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
    def test_half_precision_is_stored_in_float32(self, tmp_path, dtype):
        inputs = keras.Input((2,))
        model = keras.Model(inputs, keras.layers.Dense(3, name="dense", dtype=dtype)(inputs))
        hdf5.save_weights(model, tmp_path / "w.h5")
        with h5py.File(tmp_path / "w.h5") as file:
            assert file["dense"]["dense/kernel:0"].dtype == np.float32
        before = values(model)
        model.layers[1].kernel.assign(np.zeros((2, 3)))
        hdf5.load_weights(model, tmp_path / "w.h5")
        np.testing.assert_array_equal(values(model)[0], before[0])

    def test_double_precision_is_kept(self, tmp_path):
        inputs = keras.Input((2,))
        model = keras.Model(inputs, keras.layers.Dense(3, name="dense", dtype="float64")(inputs))
        before = values(model)
        hdf5.save_weights(model, tmp_path / "w.h5")
        model.layers[1].kernel.assign(np.zeros((2, 3)))
        hdf5.load_weights(model, tmp_path / "w.h5")
        np.testing.assert_array_equal(values(model)[0], before[0])

    def test_within_a_distribution_strategy(self, tmp_path):
        model = network(1)
        hdf5.save_weights(model, tmp_path / "w.h5")
        with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
            mirrored = network(2)
            hdf5.load_weights(mirrored, tmp_path / "w.h5")
        assert_same(model, mirrored)


class TestLayout:
    def test_as_keras_2_reads_it(self, tmp_path):
        model = network(1)
        hdf5.save_weights(model, tmp_path / "w.h5")
        layers = keras_2_weights(tmp_path / "w.h5")
        assert list(layers) == ["embedding", "token_dropout", "block_1", "block_2", "head"]
        assert layers["token_dropout"] == []
        for layer in model.layers:
            stored = layers[layer.name]
            assert [name.split("/")[0] for name, _ in stored] == [layer.name] * len(stored)
            expected = layer.trainable_weights + layer.non_trainable_weights
            for (name, value), weight in zip(stored, expected, strict=True):
                assert name.endswith(f"/{weight.name}:0")
                np.testing.assert_array_equal(value, weight)
        order = [name.split("/")[-1].removesuffix(":0") for name, _ in layers["block_1"]]
        assert order == BLOCK_ORDER

    def test_inner_names(self, tmp_path):
        hdf5.save_weights(network(), tmp_path / "w.h5")
        names = [name for name, _ in hdf5.read_layout(tmp_path / "w.h5")["block_1"]]
        assert len(set(names)) == len(names) == 11
        assert names[0] == "block_1/gain:0"
        assert names[3].startswith("block_1/dense")
        assert names[3].endswith("/kernel:0")

    def test_same_variable_names_are_made_unique(self, tmp_path):
        class Twice(keras.layers.Layer):
            def build(self, shape):
                self.parts = [self.add_weight(name="part", shape=(2,)) for _ in range(3)]

            def call(self, x):
                return x + sum(self.parts)

        inputs = keras.Input((2,))
        model = keras.Model(inputs, Twice(name="twice")(inputs))
        hdf5.save_weights(model, tmp_path / "w.h5")
        names = [name for name, _ in hdf5.read_layout(tmp_path / "w.h5")["twice"]]
        assert names == ["twice/part:0", "twice/part_1:0", "twice/part_2:0"]

    def test_long_lists_are_split(self, tmp_path):
        class Many(keras.layers.Layer):
            def build(self, shape):
                self.parts = [self.add_weight(name=f"{'x' * 1000}_{i}", shape=(1,)) for i in range(150)]

            def call(self, x):
                return x

        layer = Many(name="many")
        inputs = keras.Input((2,))
        model = keras.Model(inputs, layer(inputs))
        for number, part in enumerate(layer.parts):
            part.assign([number])
        path = tmp_path / "w.h5"
        hdf5.save_weights(model, path)
        with h5py.File(path) as file:
            attributes = set(file["many"].attrs)
            assert attributes == {"weight_names0", "weight_names1", "weight_names2", CHECKSUM}
        stored = keras_2_weights(path)["many"]
        assert [float(value[0]) for _, value in stored] == list(range(150))
        for part in layer.parts:
            part.assign([-1])
        hdf5.load_weights(model, path)
        assert [float(part[0]) for part in layer.parts] == list(range(150))

    def test_split_layer_names(self, tmp_path, monkeypatch):
        monkeypatch.setattr(hdf5, "_ATTRIBUTE_BYTES", 40)
        model, other = network(1, blocks=5), network(2, blocks=5)
        inner = [
            len(name) for layer in model.layers for name in hdf5._weight_names(layer.name, layer.weights)
        ]
        monkeypatch.setattr(hdf5, "_ATTRIBUTE_BYTES", max(inner))
        hdf5.save_weights(model, tmp_path / "w.h5")
        with h5py.File(tmp_path / "w.h5") as file:
            assert "layer_names" not in file.attrs
            assert "layer_names1" in file.attrs
        assert list(keras_2_weights(tmp_path / "w.h5")) == [layer.name for layer in model.layers]
        hdf5.load_weights(other, tmp_path / "w.h5")
        assert_same(model, other)

    def test_original_release(self, golden):
        path = golden / "uplift" / "h36m_351_small" / "weights.h5"
        layout = hdf5.read_layout(path)
        assert list(layout)[:4] == ["keypoint_embedding", "token_dropout", "spatial_pe", "temporal_pe"]
        assert list(layout)[-2:] == ["temporal_fc", "strided_temporal_fc"]
        assert layout["token_dropout"] == []
        assert "top_level_model_weights" not in layout
        assert layout["spatial_block_1"][4] == ("spatial_block_1/mha/dense_1/kernel:0", (8, 8))
        expected = json.loads((path.parent / "expected.json").read_text())
        assert sum(len(weights) for weights in layout.values()) == expected["variables"]
        assert hdf5.read_config(path) is None

    def test_original_batch_norms(self, golden):
        layout = hdf5.read_layout(golden / "uplift" / "no_stride_bn" / "weights.h5")
        norms = [weights for weights in layout.values() if any("moving_mean" in name for name, _ in weights)]
        assert norms
        for weights in norms:
            assert [name.split("/")[-1] for name, _ in weights][-2:] == ["moving_mean:0", "moving_variance:0"]


class TestOtherFiles:
    """Variants of the layout that Keras 2 releases wrote."""

    def rewritten(self, model, path, *, inside=None, text=str, rename=lambda name: name, dtype=None):
        """The weights of `model` as another writer would have stored them."""
        hdf5.save_weights(model, path)
        layers = keras_2_weights(path)
        string = h5py.string_dtype()
        with h5py.File(path, "w") as file:
            root = file.create_group(inside) if inside else file
            names = list(layers)
            root.attrs["layer_names"] = np.array(names, string) if text is str else np.array(names, "S")
            for layer, weights in layers.items():
                group = root.create_group(layer)
                names = [rename(name) for name, _ in weights]
                group.attrs["weight_names"] = np.array(names, string) if text is str else np.array(names, "S")
                for name, (_, value) in zip(names, weights, strict=True):
                    group[name] = value if dtype is None else value.astype(dtype)

    @pytest.mark.parametrize("text", [str, bytes])
    @pytest.mark.parametrize("inside", [None, "model_weights"])
    def test_text_and_full_models(self, tmp_path, text, inside):
        model, other = network(1), network(2)
        self.rewritten(model, tmp_path / "w.h5", text=text, inside=inside)
        hdf5.load_weights(other, tmp_path / "w.h5")
        assert_same(model, other)

    def test_inner_names_do_not_matter(self, tmp_path):
        model, other = network(1), network(2)
        numbers = iter(range(1000, 0, -1))
        self.rewritten(model, tmp_path / "w.h5", rename=lambda name: f"elsewhere_{next(numbers)}/{name}")
        hdf5.load_weights(other, tmp_path / "w.h5")
        assert_same(model, other)

    @pytest.mark.parametrize("dtype", [np.float64, np.float16])
    def test_other_precision(self, tmp_path, dtype):
        model, other = network(1), network(2)
        self.rewritten(model, tmp_path / "w.h5", dtype=dtype)
        hdf5.load_weights(other, tmp_path / "w.h5")
        for a, b in zip(values(model), values(other), strict=True):
            assert b.dtype == np.float32
            np.testing.assert_array_equal(a.astype(dtype).astype(np.float32), b)

    def test_files_with_fewer_or_more_layers_when_not_strict(self, tmp_path):
        small, large = network(1, blocks=1), network(2, blocks=2)
        before = values(large)
        hdf5.save_weights(small, tmp_path / "small.h5")
        assert hdf5.load_weights(large, tmp_path / "small.h5", strict=False) == ["block_2"]
        for layer in ("embedding", "head"):
            for a, b in zip(small.get_layer(layer).weights, large.get_layer(layer).weights, strict=True):
                np.testing.assert_array_equal(a, b)
        untouched = [id(weight) for weight in large.blocks[1].weights]
        for weight, value in zip(large.weights, before, strict=True):
            assert (id(weight) in untouched) == np.array_equal(weight, value)
        hdf5.save_weights(large, tmp_path / "large.h5")
        assert hdf5.load_weights(small, tmp_path / "large.h5", strict=False) == []


class TestBadFiles:
    """Each in one line that names the file, and without touching the model."""

    @pytest.fixture
    def path(self, tmp_path):
        path = tmp_path / "weights.h5"
        hdf5.save_weights(network(1), path, {"A": 1})
        return path

    def refused(self, path, message, model=None, **kwargs):
        model = model or network(7)
        before = values(model)
        with pytest.raises(Pose3DError, match=message) as caught:
            hdf5.load_weights(model, path, **kwargs)
        assert "\n" not in str(caught.value)
        assert path.name in str(caught.value)
        for a, b in zip(before, values(model), strict=True):
            np.testing.assert_array_equal(a, b)

    def test_missing(self, tmp_path):
        self.refused(tmp_path / "none.h5", "does not exist")
        with pytest.raises(Pose3DError, match="does not exist"):
            hdf5.read_config(tmp_path / "none.h5")

    def test_folder(self, tmp_path):
        self.refused(tmp_path, "cannot read")

    @pytest.mark.parametrize("content", [b"", b"version https://git-lfs.github.com/spec/v1\n", bytes(5000)])
    def test_not_hdf5(self, tmp_path, content):
        path = tmp_path / "weights.h5"
        path.write_bytes(content)
        self.refused(path, "is not an HDF5 file")
        with pytest.raises(Pose3DError, match="is not an HDF5 file"):
            hdf5.read_layout(path)

    @pytest.mark.parametrize("share", [0.01, 0.3, 0.9, 0.999])
    def test_truncated(self, path, share):
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])
        self.refused(path, "is truncated or damaged")
        with pytest.raises(Pose3DError, match="is truncated or damaged"):
            hdf5.read_config(path)

    @pytest.mark.parametrize("start", [8, 96, 800])
    def test_overwritten_with_zeros(self, path, start):
        content = bytearray(path.read_bytes())
        content[start : start + 700] = bytes(700)
        path.write_bytes(content)
        self.refused(path, "is truncated or damaged|not in the Keras 2 weight layout|is damaged")

    @pytest.mark.parametrize("error", [ValueError, TypeError, RuntimeError, KeyError])
    def test_whatever_h5py_raises(self, path, monkeypatch, error):
        def fails(*_):
            raise error("Insufficient precision\nin available types")

        monkeypatch.setattr(h5py.Dataset, "__getitem__", fails)
        self.refused(path, "is truncated or damaged: .*Insufficient precision")

    def test_keras_3_layout(self, tmp_path):
        path = tmp_path / "x.weights.h5"
        network().save_weights(path)
        self.refused(path, r"not in the Keras 2 weight layout.*\.weights\.h5")

    def test_layer_missing_in_the_file(self, path):
        self.refused(path, "file lacks layers block_3, block_4", network(7, blocks=4))

    def test_extra_layers_in_the_file(self, path):
        self.refused(path, "model has no layers block_2", network(7, blocks=1))

    def test_nothing_in_common(self, path):
        inputs = keras.Input((2,))
        model = keras.Model(inputs, keras.layers.Dense(3, name="other")(inputs))
        self.refused(path, "none of the model's layers: it has embedding, block_1", model, strict=False)

    def test_variables_of_the_model_itself_in_the_file(self, path):
        with h5py.File(path, "r+") as file:
            group = file["top_level_model_weights"]
            group["token:0"] = np.zeros(3)
            group.attrs["weight_names"] = [b"token:0"]
        self.refused(path, "model has no layers top_level_model_weights")

    @pytest.mark.parametrize("strict", [True, False])
    def test_another_shape(self, path, strict):
        model = network(7, outputs=5)
        self.refused(
            path,
            r"layer head, weight 1 \(head/kernel:0\): file has \(4, 3\), model needs \(4, 5\)",
            model,
            strict=strict,
        )

    def test_another_number_of_weights(self, path):
        model = network(7)
        with h5py.File(path, "r+") as file:
            file["head"].attrs["weight_names"] = file["head"].attrs["weight_names"][:1]
        self.refused(path, "layer head: file has 1 weights, model needs 2", model)

    @pytest.mark.parametrize(
        ("bad", "message"),
        [(np.nan, "NaN"), (np.inf, "NaN"), (1e300, "NaN"), (-1e13, r"a number beyond 1e\+12")],
    )
    def test_not_finite(self, path, bad, message):
        with h5py.File(path, "r+") as file:
            del file["head"]["head/bias:0"]
            file["head"]["head/bias:0"] = np.array([0.0, bad, 0.0])
        self.refused(path, f"layer head, weight head/bias:0 holds {message}")

    def test_listed_but_not_stored(self, path, tmp_path):
        other = tmp_path / "other_weights.h5"
        shutil.copy(path, other)
        with h5py.File(path, "r+") as file:
            del file["head"]["head/bias:0"]
        self.refused(path, "weight head/bias:0 of layer head is listed but not stored")
        with h5py.File(other, "r+") as file:
            del file["head"]
        self.refused(other, "layer head is listed but not stored")

    def test_text_instead_of_numbers(self, path):
        with h5py.File(path, "r+") as file:
            del file["head"]["head/bias:0"]
            file["head"]["head/bias:0"] = np.array([b"a", b"b", b"c"])
        self.refused(path, "weight head/bias:0 of layer head")

    @pytest.mark.parametrize("text", ["{", "[1]"])
    def test_config_that_is_no_json_object(self, path, text):
        with h5py.File(path, "r+") as file:
            file.attrs["tf_pose3d_config"] = text
        with pytest.raises(
            Pose3DError, match=r"tf_pose3d_config is (not a JSON object|not JSON: the text is cut off)"
        ):
            hdf5.read_config(path)


class TestSavingRefused:
    def test_unbuilt_model(self, tmp_path):
        with pytest.raises(Pose3DError, match="not built"):
            hdf5.save_weights(Network(), tmp_path / "w.h5")

    def test_variable_of_the_model_itself(self, tmp_path):
        class Direct(Network):
            def build(self, shape):
                self.token = self.add_weight(name="token", shape=(3,))
                self.built = True

        model = Direct()
        model(np.zeros((1, 2), np.float32))
        with pytest.raises(Pose3DError, match=r"outside any layer: .*token"):
            hdf5.save_weights(model, tmp_path / "w.h5")

    def test_two_layers_of_one_name(self, tmp_path):
        class Same(Network):
            def __init__(self):
                super().__init__()
                self.head = keras.layers.Dense(3, name="embedding")

            def build(self, shape):
                self.built = True

        model = Same()
        model(np.zeros((1, 2), np.float32))
        with pytest.raises(Pose3DError, match="two top-level layers named embedding"):
            hdf5.save_weights(model, tmp_path / "w.h5")

    def test_weights_that_are_not_finite(self, tmp_path):
        model = network()
        model.head.bias.assign([0, np.nan, 0])
        (tmp_path / "w.h5").write_bytes(b"old")
        with pytest.raises(Pose3DError, match=r"head/bias:0 of the model holds NaN"):
            hdf5.save_weights(model, tmp_path / "w.h5")
        assert (tmp_path / "w.h5").read_bytes() == b"old"

    def test_reserved_attribute(self, tmp_path):
        with pytest.raises(ValueError, match="layer_names"):
            hdf5.save_weights(network(), tmp_path / "w.h5", layer_names="x")

    def test_disk_full_leaves_the_old_file(self, tmp_path, small_file_limit):
        path = tmp_path / "w.h5"
        path.write_bytes(b"old")
        model = network()
        with (
            pytest.raises(Pose3DError, match=r"cannot write .*w\.h5: File too large"),
            small_file_limit(),
        ):
            hdf5.save_weights(model, path)
        assert path.read_bytes() == b"old"
        assert [file.name for file in tmp_path.iterdir()] == ["w.h5"]

    def test_missing_folder(self, tmp_path):
        with pytest.raises(Pose3DError, match="there is no folder"):
            hdf5.save_weights(network(), tmp_path / "nowhere" / "w.h5")


class Stranger(keras.Model):
    """A network whose author gave no layer a name."""

    def __init__(self, outputs=3):
        super().__init__()
        self.encoder = keras.layers.Dense(4)
        self.blocks = [keras.layers.Dense(4), keras.layers.Dense(4)]
        self.norm = keras.layers.LayerNormalization()
        self.head = keras.layers.Dense(outputs)

    def call(self, x):
        x = self.encoder(x)
        for block in self.blocks:
            x = x + block(x)
        return self.head(self.norm(x))


class Reordered(keras.Model):
    """The same network, whose layers are made in another order."""

    def __init__(self):
        super().__init__()
        self.head = keras.layers.Dense(3)
        self.blocks = [keras.layers.Dense(4), keras.layers.Dense(4)]
        self.norm = keras.layers.LayerNormalization()
        self.encoder = keras.layers.Dense(4)

    call = Stranger.call


def filled(model, seed=0):
    model(np.zeros((1, 4), np.float32))
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    return model


def sequential(seed):
    return filled(
        keras.Sequential(
            [keras.Input((4,)), keras.layers.Dense(4), keras.layers.Dense(4), keras.layers.Dense(4)]
        ),
        seed,
    )


def strip_paths(path):
    with h5py.File(path, "r+") as file:
        for group in file.values():
            group.attrs.pop("tf_pose3d_path", None)
            # Files of those versions have none either.
            group.attrs.pop(CHECKSUM, None)


class TestAutomaticNames:
    X = np.random.default_rng(5).normal(size=(6, 4)).astype(np.float32)

    @pytest.fixture
    def saved(self, tmp_path):
        """A file as a process wrote it that had made no layer before."""
        keras.backend.clear_session()
        model = filled(Stranger(), 1)
        assert model.encoder.name == "dense"
        hdf5.save_weights(model, tmp_path / "w.h5")
        return tmp_path / "w.h5", np.asarray(model(self.X))

    # With one layer made before, the file's dense_1 is the model's first block under the encoder's name.
    @pytest.mark.parametrize("before", [0, 1, 3, 9])
    @pytest.mark.parametrize("paths", [True, False])
    def test_other_layers_were_made_before(self, saved, before, paths):
        path, expected = saved
        if not paths:
            strip_paths(path)
        keras.backend.clear_session()
        for _ in range(before):
            keras.layers.Dense(1)
        model = filled(Stranger(), 2)
        assert model.encoder.name == ("dense" if before == 0 else f"dense_{before}")
        assert hdf5.load_weights(model, path) == []
        np.testing.assert_array_equal(model(self.X), expected)
        # Both ways: what is written now is read by the next one.
        hdf5.save_weights(model, path)
        other = filled(Stranger(), 3)
        hdf5.load_weights(other, path)
        np.testing.assert_array_equal(other(self.X), expected)

    def test_layers_in_another_order_go_by_their_attributes(self, saved):
        path, expected = saved
        model = filled(Reordered(), 2)
        hdf5.load_weights(model, path)
        np.testing.assert_array_equal(model(self.X), expected)

    def test_a_model_without_attributes(self, tmp_path):
        keras.backend.clear_session()
        model = sequential(1)
        hdf5.save_weights(model, tmp_path / "w.h5")
        keras.layers.Dense(1)
        other = sequential(2)
        hdf5.load_weights(other, tmp_path / "w.h5")
        np.testing.assert_array_equal(other(self.X), model(self.X))

    def test_one_layer_more_is_told_and_nothing_is_set(self, saved):
        path, _ = saved
        model = Stranger()
        model.extra = keras.layers.Dense(4)
        model.extra.build((None, 4))
        filled(model, 2)
        before = values(model)
        with pytest.raises(Pose3DError, match=r"the file lacks layers dense_\d+"):
            hdf5.load_weights(model, path)
        for a, b in zip(before, values(model), strict=True):
            np.testing.assert_array_equal(a, b)

    def test_numbers_that_overlap_are_not_taken_for_each_other(self, tmp_path):
        """Two layers in the file, three in the model: dense_1 of one is not dense_1 of the other."""
        keras.backend.clear_session()
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4), keras.layers.Dense(4)])
        hdf5.save_weights(model, tmp_path / "w.h5")
        keras.backend.clear_session()
        keras.layers.Dense(1)
        with pytest.raises(Pose3DError, match="does not fit the model"):
            hdf5.load_weights(sequential(2), tmp_path / "w.h5")
        with pytest.raises(Pose3DError, match="holds none of the model's layers"):
            hdf5.load_weights(sequential(2), tmp_path / "w.h5", strict=False)

    def test_other_shapes_are_told(self, saved):
        path, _ = saved
        with pytest.raises(Pose3DError, match=r"layer dense_\d+, weight 1 .*file has \(4, 3\), model needs"):
            hdf5.load_weights(filled(Stranger(outputs=5), 2), path)

    def test_given_names_are_not_touched(self, tmp_path):
        hdf5.save_weights(network(), tmp_path / "w.h5")
        with h5py.File(tmp_path / "w.h5") as file:
            held = {name: group.attrs.get("tf_pose3d_path") for name, group in file.items()}
        # A Block named block_1 could be one that Keras named.
        assert held.pop("block_1") == "blocks/0"
        assert held.pop("block_2") == "blocks/1"
        assert set(held.values()) == {None}
