import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_pose3d.layers.batch_normalization import SharedMomentum
from tf_pose3d.layers.folding import folded_weights
from tf_pose3d.layers.fully_connected import FullyConnectedBlock
from tf_pose3d.layers.normed_linear import NormedLinear
from tf_pose3d.layers.temporal_convolution import TemporalNetwork, cut, receptive_field
from tf_pose3d.ops.exporting import exporting

rng = np.random.default_rng(0)


def make_network(**settings):
    network = TemporalNetwork(6, channels=8, **settings)
    network.build((None, None, 4))
    for weight in network.weights:
        positive = "variance" in weight.path or "gamma" in weight.path
        scale = weight.shape[0] ** -0.5
        weight.assign(rng.uniform(0.5, 1.5, weight.shape) if positive else rng.normal(0, scale, weight.shape))
    return network


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("filter_widths", [[3], [3, 3, 3], [5, 1, 3], [1, 7]])
def test_both_forms_agree_on_every_frame(filter_widths, causal):
    network = make_network(filter_widths=filter_widths, causal=causal)
    length = receptive_field(filter_widths)
    frames = rng.normal(size=(2, length + 9, 4)).astype(np.float32)
    sequence = network(frames, training=False).numpy()
    assert sequence.shape == (2, 10, 6)
    windows = [network(frames[:, begin : begin + length], training=False).numpy() for begin in range(10)]
    np.testing.assert_allclose(sequence, np.concatenate(windows, axis=1), rtol=1e-5, atol=1e-5)
    assert np.abs(network.sequence_results(frames[:, :length]).numpy() - windows[0]).max() < 1e-5


def test_causal_results_do_not_see_later_frames():
    network = make_network(filter_widths=[3, 3], causal=True)
    frames = rng.normal(size=(1, 12, 4)).astype(np.float32)
    other = frames.copy()
    other[:, 9:] += 1
    # Result k belongs to frame k + 8.
    before, after = (network(values, training=False).numpy() for values in (frames, other))
    np.testing.assert_array_equal(before[:, 0], after[:, 0])
    assert np.abs(before[:, 1] - after[:, 1]).max() > 0
    # The residual path carries the last frame: with all else at zero the result is that frame's.
    for layer in [part for block in network.blocks for part in block]:
        layer.norm.gamma.assign(layer.norm.gamma * 0)
        layer.norm.beta.assign(layer.norm.beta * 0 - 1)
    frames = np.zeros((1, 9, 4), np.float32)
    changed = frames.copy()
    changed[0, 8] = 1
    assert np.abs(network(changed).numpy() - network(frames).numpy()).max() > 0


def test_dense_kernels_are_those_that_reach_as_far():
    network = make_network(filter_widths=[3, 3, 3], dense=True)
    assert [wide.kernel.shape[0] // 8 for wide, _ in network.blocks] == [7, 19]
    frames = rng.normal(size=(1, 30, 4)).astype(np.float32)
    # With taps between the dilated ones at zero, it is the dilated network.
    plain = make_network(filter_widths=[3, 3, 3])
    for ours, theirs in zip(network.weights, plain.weights, strict=True):
        if ours.shape == theirs.shape:
            ours.assign(theirs)
    for step, ((wide, _), (other, _)) in zip(
        (3, 9), zip(network.blocks, plain.blocks, strict=True), strict=True
    ):
        kernel = np.zeros((2 * step + 1, 8, 8), np.float32)
        kernel[::step] = other.kernel.numpy().reshape(3, 8, 8)
        wide.kernel.assign(kernel.reshape(-1, 8))
    np.testing.assert_allclose(network(frames), plain(frames), rtol=1e-5, atol=1e-5)


def test_even_widths_are_refused():
    with pytest.raises(ValueError, match="odd"):
        TemporalNetwork(6, [3, 2])


@pytest.mark.parametrize("bias", [False, True])
def test_training_normalises_by_the_batch_and_moves_the_statistics(bias):
    momentum = SharedMomentum(0.9)
    layer = NormedLinear(5, use_bias=bias, slope=0.2, momentum=momentum)
    layer.build((None, 3))
    rows = rng.normal(size=(40, 3)).astype(np.float32)

    @tf.function
    def train():
        return layer(rows, training=True)

    product = rows @ layer.kernel.numpy() + (layer.bias.numpy() if bias else 0)
    expected = (product - product.mean(0)) / np.sqrt(product.var(0) + 1e-5)
    np.testing.assert_allclose(train(), np.where(expected > 0, expected, 0.2 * expected), atol=1e-4)
    np.testing.assert_allclose(layer.norm.moving_mean, 0.1 * product.mean(0), atol=1e-5)
    variance = layer.norm.moving_variance.numpy()
    np.testing.assert_allclose(variance, 0.9 + 0.1 * product.var(0, ddof=1), rtol=1e-4)
    # The same graph follows a momentum that has changed.
    momentum.assign(1.0)
    train()
    np.testing.assert_array_equal(layer.norm.moving_variance, variance)


def test_dropout_in_training_only():
    layer = NormedLinear(64, dropout=0.5)
    layer.build((None, 3))
    layer.norm.beta.assign(np.full(64, 9.0))
    rows = rng.normal(size=(100, 3)).astype(np.float32)
    assert np.mean(np.asarray(layer(rows, training=True)) == 0) == pytest.approx(0.5, abs=0.05)
    assert np.all(np.asarray(layer(rows, training=False)) > 0)


def test_folded_weights_change_nothing_and_leave_nothing():
    network = make_network(filter_widths=[3, 3])
    frames = rng.normal(size=(2, 9, 4)).astype(np.float32)
    plain = network(frames, training=False)
    with folded_weights(network):
        np.testing.assert_allclose(network(frames, training=False), plain, rtol=1e-5, atol=1e-5)
    network.expand.norm.gamma.assign(network.expand.norm.gamma * 2)
    assert np.abs(network(frames, training=False) - plain).max() > 1e-3


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (TemporalNetwork(6, [3, 3], channels=8, causal=True, slope=0.2), (2, 9, 4)),
        (FullyConnectedBlock(6, hidden=8, pairs=2), (2, 4)),
        (NormedLinear(6, use_bias=True, slope=0.01, dropout=0.1), (2, 4)),
    ],
)
def test_rebuilt_from_its_config_and_compiled(layer, shape):
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    again.build((None, *shape[1:]))
    inputs = keras.ops.convert_to_tensor(rng.normal(size=shape).astype(np.float32))
    plain = again(inputs, training=False)
    compiled = tf.function(lambda x: again(x, training=False), jit_compile=True)(inputs)
    np.testing.assert_allclose(compiled, plain, rtol=1e-4, atol=1e-5)
    assert tuple(again.compute_output_shape(shape)) == tuple(plain.shape)


@pytest.mark.bfloat16
def test_half_precision():
    momentum = SharedMomentum()
    network = TemporalNetwork(6, [3, 3], channels=8, momentum=momentum, dtype="mixed_bfloat16")
    network.build((None, None, 4))
    frames = rng.normal(size=(4, 9, 4)).astype(np.float32)
    for training in (True, False):
        outputs = network(frames, training=training)
        assert outputs.dtype == "bfloat16"
        assert np.isfinite(np.asarray(outputs, np.float32)).all()
    assert network.expand.norm.moving_mean.dtype == "float32"
    assert np.abs(network.expand.norm.moving_mean.numpy()).max() > 0


@pytest.mark.parametrize(("axis", "begin", "count"), [(1, 2, 4), (-1, 0, 3), (-1, 5, 2), (0, 1, 1)])
def test_cutting_equals_indexing_with_its_gradient(axis, begin, count):
    x = tf.random.stateless_normal((2, 6, 7), (1, 2))
    index = [slice(None)] * 3
    index[axis] = slice(begin, begin + count)
    found = []
    with exporting():
        plain = tf.function(lambda x: cut(x, axis, begin, count)).get_concrete_function(x)
    for function in (lambda x: cut(x, axis, begin, count), plain, lambda x: x[tuple(index)]):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        found.append((y, tape.gradient(y, x, tf.sin(y))))
    for values in zip(*found, strict=True):
        np.testing.assert_array_equal(values[0], values[2])
        np.testing.assert_array_equal(values[1], values[2])
