from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.lcn.graphs import knn_matrix
from tf_pose3d.ops import dispatch
from tf_pose3d.ops.block_matmul import BlockPattern, block_matmul


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
        loss = tf.reduce_sum(tf.sin(y) * tf.cast(tf.range(1, y.shape[1] + 1), y.dtype))
    return [y, *tape.gradient(loss, [x, kernel])]


REPOSITORY = Path(__file__).resolve().parents[3]

PATTERNS = {
    "knn1": knn_matrix(1) != 0,
    "knn3": knn_matrix(3) != 0,
    "dense": np.ones((3, 4), bool),
    "asymmetric": np.array([[1, 0, 0, 1, 0], [0, 0, 1, 1, 0], [1, 1, 0, 0, 1]], bool),
}


@pytest.fixture(params=["compiled", "reference"])
def _implementation(request):
    """Runs a test once with the compiled operation and once with keras.ops."""
    if request.param == "compiled":
        request.getfixturevalue("compiled")
        yield
    else:
        with dispatch.without_compiled("block_matmul"):
            yield


def _masked_product(mask, max_norm):
    def product(x, kernel):
        scaled = tf.clip_by_norm(kernel, 1.0) if max_norm else kernel
        return tf.matmul(x, scaled * tf.cast(mask, kernel.dtype))

    return product


@pytest.mark.usefixtures("_implementation")
@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.parametrize("max_norm", [False, True])
@pytest.mark.parametrize(
    ("rows", "columns", "batch"), [(1, 1, 5), (4, 3, 1), (2, 8, 50), (7, 20, 13), (16, 16, 49)]
)
def test_product_and_gradients_equal_the_masked_dense_product(name, max_norm, rows, columns, batch):
    pattern = BlockPattern(PATTERNS[name])
    x, kernel, mask = _case(pattern.present, rows, columns, batch)
    expected = _with_gradients(
        _masked_product(mask, max_norm), tf.cast(x, "float64"), tf.cast(kernel, "float64")
    )
    found = _with_gradients(tf.function(lambda x, k: block_matmul(x, k, pattern, max_norm)), x, kernel)
    for value, reference in zip(found, expected, strict=True):
        np.testing.assert_allclose(value, reference, rtol=0, atol=1e-5 * max(1, np.abs(reference).max()))


@pytest.mark.usefixtures("_implementation")
def test_a_kernel_below_norm_1_is_not_scaled():
    pattern = BlockPattern(PATTERNS["knn1"])
    x, kernel, mask = _case(pattern.present, 2, 2)
    kernel = kernel / tf.norm(kernel) / 2
    expected = _with_gradients(_masked_product(mask, False), x, kernel)
    found = _with_gradients(lambda x, k: block_matmul(x, k, pattern, max_norm=True), x, kernel)
    for value, reference in zip(found, expected, strict=True):
        np.testing.assert_allclose(value, reference, rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures("_implementation")
def test_an_empty_batch():
    pattern = BlockPattern(PATTERNS["asymmetric"])
    x, kernel, _ = _case(pattern.present, 2, 2, batch=0)
    y, grad_x, grad_kernel = _with_gradients(lambda x, k: block_matmul(x, k, pattern), x, kernel)
    assert y.shape == (0, 10)
    assert grad_x.shape == (0, 6)
    assert not np.any(grad_kernel)


def test_results_do_not_depend_on_threads(compiled):
    import subprocess
    import sys

    program = """
import sys, numpy as np, tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[1]))
from tf_pose3d.ops.block_matmul import BlockPattern, block_matmul
rng = np.random.default_rng(0)
pattern = BlockPattern(rng.uniform(size=(6, 6)) < 0.6)
x, k = (tf.constant(rng.normal(size=s).astype("float32")) for s in ((120, 96), (96, 96)))
with tf.GradientTape() as tape:
    tape.watch([x, k])
    y = block_matmul(x, k, pattern, True)
    loss = tf.reduce_sum(y * y * y)
import hashlib
print(hashlib.sha256(b"".join(v.numpy().tobytes() for v in (y, *tape.gradient(loss, [x, k])))).hexdigest())
"""
    digests = {
        subprocess.run(
            [sys.executable, "-c", program, threads],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "3")
    }
    assert len(digests) == 1


def test_shapes_that_do_not_fit_are_refused(compiled):
    pattern = BlockPattern(PATTERNS["knn1"])
    with pytest.raises((tf.errors.InvalidArgumentError, ValueError), match="is not 17 x 17 blocks"):
        block_matmul(tf.zeros((2, 34)), tf.zeros((34, 35)), pattern)
    with pytest.raises((tf.errors.InvalidArgumentError, ValueError), match="expected 34 columns"):
        block_matmul(tf.zeros((2, 33)), tf.zeros((34, 34)), pattern)


def test_second_derivatives_are_refused(compiled):
    pattern = BlockPattern(PATTERNS["knn1"])
    x, kernel, _ = _case(pattern.present, 2, 2)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            loss = tf.reduce_sum(tf.square(block_matmul(x, kernel, pattern)))
        gradient = tf.reduce_sum(inner.gradient(loss, x))
    with pytest.raises((Pose3DError, LookupError), match="second derivatives"):
        outer.gradient(gradient, x)


@pytest.mark.usefixtures("_implementation")
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
