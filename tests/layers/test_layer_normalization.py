import keras
import numpy as np

from tf_pose3d.layers.layer_normalization import UnbiasedLayerNormalization
from tf_pose3d.layers.learned_tokens import LearnedPosition


def test_rows_are_divided_by_their_unbiased_deviation():
    x = np.random.default_rng(0).normal(2, 3, size=(4, 5, 8)).astype("float32")
    layer = UnbiasedLayerNormalization()
    layer.build((None, None, 8))
    gain, shift = np.linspace(0.5, 2, 8), np.linspace(-1, 1, 8)
    layer.gamma.assign(gain)
    layer.beta.assign(shift)
    centred = x - x.mean(-1, keepdims=True)
    expected = gain * centred / (x.std(-1, ddof=1, keepdims=True) + 1e-6) + shift
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)
    # A constant row has no deviation.
    np.testing.assert_allclose(layer(np.full((1, 8), 3.0, "float32"))[0], shift, atol=1e-6)
    again = UnbiasedLayerNormalization.from_config(layer.get_config())
    assert again.epsilon == layer.epsilon


def test_shorter_inputs_take_the_first_positions():
    layer = LearnedPosition(5, 3, keras.initializers.RandomNormal(stddev=1.0, seed=0))
    layer.build()
    table = np.asarray(layer.embedding)
    np.testing.assert_allclose(layer(np.zeros((2, 2, 3), "float32"))[1], table[:2])
    np.testing.assert_allclose(layer(np.zeros((2, 5, 3), "float32"))[0], table)
    again = LearnedPosition.from_config(layer.get_config())
    again.build()
    np.testing.assert_array_equal(again.embedding, table)
