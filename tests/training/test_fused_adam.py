from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_pose3d.training.optimizers import FusedAdam

SETTINGS = {"learning_rate": keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.9), "epsilon": 1e-6}


def _trained(kind, steps=5, strategy=None, jit_compile=False, **settings):
    with (strategy or tf.distribute.get_strategy()).scope():
        optimizer = kind(**SETTINGS, **settings)
        weights = [keras.Variable(np.full(shape, 0.5, np.float32)) for shape in ((3, 4), (5,))]
        optimizer.build(weights)

    def update():
        with tf.GradientTape() as tape:
            loss = sum(tf.reduce_sum(tf.sin(3.0 * weight.value)) for weight in weights)
        optimizer.apply(tape.gradient(loss, [weight.value for weight in weights]), weights)

    step = tf.function(
        update if strategy is None else lambda: strategy.run(update), jit_compile=jit_compile or None
    )
    for _ in range(steps):
        step()
    return [np.asarray(v) for v in (*weights, *optimizer.variables)]


@pytest.mark.parametrize("amsgrad", [False, True])
def test_steps_and_state_equal_keras_s_adam(amsgrad):
    expected = _trained(keras.optimizers.Adam, amsgrad=amsgrad)
    found = _trained(FusedAdam, amsgrad=amsgrad)
    for value, reference in zip(found, expected, strict=True):
        # TensorFlow rounds 1 - beta in float32, Keras in float64.
        np.testing.assert_allclose(value, reference, rtol=2e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("amsgrad", "operation"), [(False, "ResourceApplyAdam"), (True, "ResourceApplyAdamWithAmsgrad")]
)
def test_one_operation_serves_each_weight(amsgrad, operation):
    optimizer = FusedAdam(0.1, amsgrad=amsgrad)
    weight = keras.Variable(np.ones((2, 2), np.float32))
    optimizer.build([weight])
    graph = tf.function(lambda: optimizer.apply([tf.ones((2, 2))], [weight])).get_concrete_function().graph

    def operations(graph):
        for one in graph.get_operations():
            yield one.type
        for function in getattr(graph, "_functions", {}).values():
            yield from operations(getattr(function, "graph", tf.Graph()))

    assert operation in set(operations(graph))


@pytest.mark.parametrize("amsgrad", [False, True])
def test_inside_xla(amsgrad):
    expected = _trained(FusedAdam, amsgrad=amsgrad)
    found = _trained(FusedAdam, amsgrad=amsgrad, jit_compile=True)
    for value, reference in zip(found, expected, strict=True):
        np.testing.assert_allclose(value, reference, rtol=2e-4, atol=1e-6)


def test_mirrored_variables_are_updated_alike():
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    found = _trained(FusedAdam, strategy=strategy)
    expected = _trained(keras.optimizers.Adam)
    np.testing.assert_allclose(found[0], expected[0], rtol=2e-4)


@pytest.mark.parametrize("norm", [0.5, 100.0])
def test_clipping_equals_keras_s(norm):
    expected = _trained(keras.optimizers.Adam, global_clipnorm=norm)
    for strategy in (None, tf.distribute.MirroredStrategy(["CPU:0"])):
        found = _trained(FusedAdam, strategy=strategy, global_clipnorm=norm)
        np.testing.assert_allclose(found[0], expected[0], rtol=2e-4)
