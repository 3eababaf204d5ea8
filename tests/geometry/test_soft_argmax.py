import numpy as np
import pytest
import tensorflow as tf

from tf_pose3d.geometry.soft_argmax import heatmap_maxima, soft_argmax


def straightforward(heatmap, diameter, temperature=0.05):
    """The definition for one map, in float64."""
    heatmap = heatmap.astype(np.float64)
    y, x = np.unravel_index(heatmap.argmax(), heatmap.shape)
    rows, columns = np.mgrid[: heatmap.shape[0], : heatmap.shape[1]]
    weights = np.exp((heatmap - heatmap.max()) / temperature)
    weights = weights * (np.hypot(rows - y, columns - x) <= diameter / 2)
    return np.array([np.sum(weights * columns), np.sum(weights * rows)]) / weights.sum()


def test_equal_to_the_release(views_case, close):
    places, values = soft_argmax(views_case["maps"], diameter=10.0)
    close(places, views_case["softargmax_xy"][:, :2].transpose(0, 2, 1))
    close(values, views_case["softargmax_max"])


@pytest.mark.parametrize(
    "shape", [(3, 9, 12, 2), (2, 3, 4, 8, 8, 5), (1, 1, 20, 1), (2, 9, 7, 8), (1, 12, 12, 20), (1, 6, 5, 45)]
)
@pytest.mark.parametrize("diameter", [1.0, 4.0, 15.0])
def test_equal_to_the_definition(shape, diameter):
    maps = np.random.default_rng(0).normal(size=shape).astype("float32") * 0.2 + 0.5
    places, values = (np.asarray(value) for value in soft_argmax(maps, diameter))
    flat = np.moveaxis(maps, -1, -3).reshape(-1, *shape[-3:-1])
    expected = np.stack([straightforward(one, diameter) for one in flat])
    np.testing.assert_allclose(places.reshape(-1, 2), expected, atol=1e-4)
    np.testing.assert_array_equal(values.ravel(), flat.max((1, 2)))


def test_of_equal_maxima_the_first_counts():
    maps = np.zeros((1, 6, 7, 2), "float32")
    maps[0, 2, 5, 0] = maps[0, 2, 3, 0] = maps[0, 4, 1, 0] = 1
    places, values = (np.asarray(value) for value in heatmap_maxima(maps))
    np.testing.assert_array_equal(places, [[[3, 2], [0, 0]]])
    np.testing.assert_array_equal(values, [[1, 0]])


def test_maps_without_a_joint_give_the_origin():
    maps = np.full((1, 8, 8, 2), 0.01, "float32")
    maps[0, 5, 6, 1] = 0.011
    places, _ = soft_argmax(maps, 3.0)
    np.testing.assert_array_equal(places[0, 0], [0, 0])
    assert np.all(np.asarray(places)[0, 1] > 4)


def test_large_values_stay_finite():
    maps = np.zeros((1, 8, 8, 3), "float32")
    maps[0, 3, 3] = [1e4, 3e4, 1e-30]
    places, _ = soft_argmax(maps, 5.0)
    np.testing.assert_allclose(places, [[[3, 3], [3, 3], [0, 0]]])


def test_gradients_equal_differences():
    rng = np.random.default_rng(3)
    maps = tf.constant(rng.uniform(0.2, 0.8, (1, 6, 7, 2)), tf.float64)
    weights = rng.normal(size=(1, 2, 2))

    def loss(value):
        return tf.reduce_sum(soft_argmax(value, 5.0)[0] * weights)

    with tf.GradientTape() as tape:
        tape.watch(maps)
        value = loss(maps)
    gradient = tape.gradient(value, maps).numpy()
    assert np.isfinite(gradient).all()
    for place in [(0, 2, 3, 0), (0, 5, 6, 1), *np.argwhere(np.abs(gradient) > 0.05)[:5]]:
        step = np.zeros(maps.shape)
        step[tuple(place)] = 1e-6
        slope = (loss(maps + step) - loss(maps - step)) / 2e-6
        assert gradient[tuple(place)] == pytest.approx(float(slope), abs=1e-5)


def test_gradients_are_those_in_float64():
    maps = tf.constant(np.random.default_rng(4).uniform(0.2, 0.8, (2, 3, 9, 9, 12)), tf.float32)

    def gradient(maps):
        with tf.GradientTape() as tape:
            tape.watch(maps)
            places, values = soft_argmax(maps, 5.0)
            total = tf.reduce_sum(tf.sin(3 * places)) + tf.reduce_sum(values**2)
        return tape.gradient(total, maps)

    expected = gradient(tf.cast(maps, tf.float64))
    np.testing.assert_allclose(gradient(maps), expected, atol=1e-4)
    np.testing.assert_allclose(tf.function(gradient)(maps), expected, atol=1e-4)


def test_nothing_in_nothing_out():
    # Outside a graph Keras has no maximum of nothing.
    places, values = tf.function(lambda maps: soft_argmax(maps, 3.0))(np.zeros((0, 4, 4, 3), "float32"))
    assert (places.shape, values.shape) == ((0, 3, 2), (0, 3))
