"""Weights with the normalisation behind them worked in."""

import numpy as np
import pytest

from tf_pose3d.layers.folding import foldable_layers, folded_weights
from tf_pose3d.layers.graph import GraphBlock, HighOrderGraphConvolution, SemanticGraphConvolution
from tf_pose3d.layers.normed_linear import NormedLinear
from tf_pose3d.models.martinez.model import LinearBlock

GRAPH, ROWS = (16, 5, 8), (5, 8)
BLOCKS = {
    "martinez": (lambda: LinearBlock(8, dropout=0.5), ROWS),
    "leaky": (lambda: NormedLinear(8, use_bias=True, slope=0.1), ROWS),
    "semantic": (lambda: GraphBlock(SemanticGraphConvolution(8, "h36m_16"), 0.5), GRAPH),
    "hops": (lambda: GraphBlock(HighOrderGraphConvolution(2, "h36m_16")), GRAPH),
    "sum of hops": (lambda: GraphBlock(HighOrderGraphConvolution(8, "h36m_16", combine="sum")), GRAPH),
    "initial": (
        lambda: GraphBlock(HighOrderGraphConvolution(2, "h36m_16", initial_share=0.2, kernel_scale=0.7)),
        GRAPH,
    ),
}


@pytest.fixture(params=BLOCKS)
def block_and_inputs(request):
    """A block whose weights are all unlike what they start with, and its inputs."""
    maker, shape = BLOCKS[request.param]
    block, random = maker(), np.random.default_rng(0)
    block.build((None, shape[-1]) if shape == ROWS else (shape[0], None, shape[-1]))
    for weight in block.weights:
        if "float" in weight.dtype:
            positive = weight.path.endswith("moving_variance")
            weight.assign(
                random.uniform(0.5, 2, weight.shape) if positive else random.normal(size=weight.shape)
            )
    inputs = [random.normal(size=shape).astype(np.float32)]
    if request.param == "initial":
        inputs.append(random.normal(size=shape).astype(np.float32))
    return block, inputs


def test_a_folded_block_gives_the_same(block_and_inputs):
    block, inputs = block_and_inputs
    assert foldable_layers(block) == [block]
    expected = np.asarray(block(*inputs, training=False))
    with folded_weights(block):
        np.testing.assert_allclose(block(*inputs, training=False), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(block(*inputs, training=False), expected)


def test_the_copies_are_of_their_moment(block_and_inputs):
    block, inputs = block_and_inputs
    with folded_weights(block):
        before = np.asarray(block(*inputs, training=False))
        block.norm.gamma.assign(block.norm.gamma * 2)
        np.testing.assert_array_equal(block(*inputs, training=False), before)
    assert np.abs(np.asarray(block(*inputs, training=False)) - before).max() > 1e-2


def test_training_is_refused_while_folded(block_and_inputs):
    block, inputs = block_and_inputs
    with folded_weights(block), pytest.raises(ValueError, match="outside of folded_weights"):
        block(*inputs, training=True)


def test_poses_side_by_side_give_what_rows_give():
    block, random = LinearBlock(8), np.random.default_rng(0)
    block.build((None, 4))
    block.norm.beta.assign(random.normal(size=8))
    rows = random.normal(size=(5, 4)).astype(np.float32)
    with folded_weights(block):
        assert block.has_columns
        expected = np.asarray(block(rows, training=False))
        np.testing.assert_allclose(np.asarray(block.columns(rows.T)).T, expected, rtol=1e-5, atol=1e-6)
    assert not block.has_columns


def test_half_precision_stays_with_rows():
    block = LinearBlock(8)
    block.build((None, 4))
    block.product_dtype = "bfloat16"
    with folded_weights(block):
        assert not block.has_columns
