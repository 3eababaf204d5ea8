from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tf_pose3d.layers.block_sparse import BlockPattern, block_matmul
from tf_pose3d.models.lcn.graphs import knn_matrix


def _case(present, rows, columns, batch=5, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((batch, present.shape[0] * rows)).astype(np.float32)
    kernel = rng.standard_normal((present.shape[0] * rows, present.shape[1] * columns)).astype(np.float32)
    mask = np.kron(present, np.ones((rows, columns))).astype(np.float32)
    return tf.constant(x), tf.constant(kernel), tf.constant(mask)


def _with_gradients(product, x, kernel):
    with tf.GradientTape() as tape:
        tape.watch([x, kernel])
        y = product(x, kernel)
        loss = tf.reduce_sum(tf.square(y) * tf.range(1.0, y.shape[1] + 1))
    return [y, *tape.gradient(loss, [x, kernel])]


PATTERNS = {
    "knn1": knn_matrix(1) != 0,
    "knn3": knn_matrix(3) != 0,
    "dense": np.ones((3, 4), bool),
    "asymmetric": np.array([[1, 0, 0, 1, 0], [0, 0, 1, 1, 0], [1, 1, 0, 0, 1]], bool),
}


@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (4, 3), (2, 8)])
def test_product_and_gradients_equal_the_masked_dense_product(name, rows, columns):
    pattern = BlockPattern(PATTERNS[name])
    x, kernel, mask = _case(pattern.present, rows, columns)
    expected = _with_gradients(lambda x, k: tf.matmul(x, k * mask), x, kernel)
    found = _with_gradients(tf.function(lambda x, k: block_matmul(x, k, pattern)), x, kernel)
    for value, reference in zip(found, expected, strict=True):
        np.testing.assert_allclose(value, reference, rtol=1e-4, atol=1e-3)


def test_absent_blocks_are_not_read():
    pattern = BlockPattern(PATTERNS["knn1"])
    x, kernel, mask = _case(pattern.present, 2, 2)
    spoiled = tf.where(mask > 0, kernel, 1e30)
    np.testing.assert_allclose(
        block_matmul(x, spoiled, pattern), block_matmul(x, kernel, pattern), rtol=1e-6, atol=1e-6
    )


def test_sparser_graphs_are_computed_from_fewer_blocks():
    def blocks(pattern):
        return sum((g.last - g.first) * sum(b - a for a, b in g.runs) for g in pattern.by_output)

    assert blocks(BlockPattern(PATTERNS["knn1"])) < 0.45 * 17 * 17
    assert blocks(BlockPattern(PATTERNS["dense"])) == 12


def test_an_output_without_inputs_is_refused():
    with pytest.raises(ValueError, match="block column 1"):
        BlockPattern(np.array([[1, 0], [1, 0]], bool))
