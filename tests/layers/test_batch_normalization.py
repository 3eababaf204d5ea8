import numpy as np
import pytest

from tf_pose3d.layers.batch_normalization import UnbiasedBatchNormalization
from tf_pose3d.layers.graph import GraphBlock, SemanticGraphConvolution
from tf_pose3d.models.martinez.model import LinearBlock


class Statistics:
    """Running statistics as PyTorch documents them: new = 0.9 old + 0.1 batch, the variance over n - 1."""

    def __init__(self, width):
        self.mean, self.variance = np.zeros(width), np.ones(width)

    def follow(self, rows):
        self.mean = 0.9 * self.mean + 0.1 * rows.mean(axis=0)
        self.variance = 0.9 * self.variance + 0.1 * rows.var(axis=0, ddof=1)


def rows_of(values):
    values = np.asarray(values, np.float64)
    return values.reshape(-1, values.shape[-1])


# Few rows, where biased and unbiased variance differ most, as many as a step has, and rows of joints.
@pytest.mark.parametrize("shape", [(3, 5), (64, 5), (4, 2, 5)])
def test_ten_steps_follow_pytorch(shape):
    generator = np.random.default_rng(0)
    layer, expected = UnbiasedBatchNormalization(), Statistics(5)
    layer.build((None, 5))
    gamma, beta = generator.normal(size=(2, 5))
    layer.gamma.assign(gamma)
    layer.beta.assign(beta)
    for step in range(10):
        inputs = generator.normal(loc=step, scale=1 + step, size=shape).astype(np.float32)
        rows = rows_of(inputs)
        expected.follow(rows)
        normal = (rows - rows.mean(axis=0)) / np.sqrt(rows.var(axis=0) + 1e-5)
        np.testing.assert_allclose(rows_of(layer(inputs, training=True)), normal * gamma + beta, atol=1e-4)
        np.testing.assert_allclose(np.asarray(layer.moving_mean), expected.mean, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(np.asarray(layer.moving_variance), expected.variance, rtol=1e-5)
    normal = (rows - expected.mean) / np.sqrt(expected.variance + 1e-5)
    np.testing.assert_allclose(rows_of(layer(inputs, training=False)), normal * gamma + beta, atol=1e-4)


def blocks():
    graph = GraphBlock(SemanticGraphConvolution(6, "h36m_16"))
    graph.build((16, None, 4))
    linear = LinearBlock(6, dropout=0.5)
    linear.build((None, 4))
    return [
        pytest.param(graph, graph.convolution, (16, 3, 4), id="graph"),
        pytest.param(linear, linear.dense, (3, 4), id="linear"),
    ]


def test_a_frozen_norm_keeps_its_statistics():
    block = LinearBlock(6, dropout=0.0)
    block.build((None, 4))
    block.norm.trainable = False
    inputs = np.random.default_rng(3).normal(size=(5, 4)).astype(np.float32)
    np.testing.assert_array_equal(block(inputs, training=True), block(inputs, training=False))
    assert not np.any(block.norm.moving_mean)


@pytest.mark.parametrize(("block", "product", "shape"), blocks())
def test_ten_steps_of_a_block_follow_pytorch(block, product, shape):
    generator = np.random.default_rng(1)
    expected = Statistics(6)
    for _ in range(10):
        inputs = generator.normal(size=shape).astype(np.float32)
        expected.follow(rows_of(product(inputs)))
        block(inputs, training=True)
    np.testing.assert_allclose(np.asarray(block.norm.moving_mean), expected.mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.asarray(block.norm.moving_variance), expected.variance, rtol=1e-5)
