"""Adam in one pass, AdamW as TensorFlow Addons had it, and the release's schedules."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_pose3d.config import TrainingConfig
from tf_pose3d.errors import Pose3DError
from tf_pose3d.training.optimizers import AddonsAdamW, FusedAdam, current_rates, make_optimizer
from tf_pose3d.training.schedules import EpochDecay, EpochSteps, ExponentialDecayWithSteps, make_schedule

STAIRS = {"initial_learning_rate": 4e-5, "decay_steps": 3, "decay_rate": 0.5, "staircase": True}


def adam_by_hand(weight, gradients, rates, decays, amsgrad, epsilon=1e-8):
    """Decoupled decay first, then Adam with TensorFlow's placement of epsilon, in float64."""
    first = second = largest = 0.0
    for step, gradient in enumerate(gradients, start=1):
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        largest = np.maximum(largest, second)
        scale = rates[step - 1] * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        root = np.sqrt(largest if amsgrad else second)
        weight = weight - decays[step - 1] * weight - scale * first / (root + epsilon)
    return weight


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("name", ["Adam", "AdamW"])
def test_steps_are_those_by_hand(name, amsgrad):
    random = np.random.default_rng(0)
    start = random.normal(size=(3, 4))
    gradients = random.normal(size=(7, 3, 4))
    config = TrainingConfig(
        OPTIMIZER=name,
        OPTIMIZER_PARAMS={"amsgrad": amsgrad, "epsilon": 1e-8},
        SCHEDULE_PARAMS={**STAIRS, "initial_learning_rate": 0.1},
        WEIGHT_DECAY=0.05,
    )
    optimizer = make_optimizer(config)
    variable = keras.Variable(start.astype("float32"))
    optimizer.build([variable])
    for gradient in gradients:
        optimizer.apply([tf.constant(gradient, tf.float32)], [variable])
    stairs = 0.5 ** (np.arange(7) // 3)
    decays = (0.05 if name == "AdamW" else 0) * stairs
    expected = adam_by_hand(start, gradients, 0.1 * stairs, decays, amsgrad)
    np.testing.assert_allclose(np.asarray(variable), expected, atol=1e-5)


def test_the_published_decay_is_not_multiplied_by_the_rate():
    optimizer = make_optimizer(TrainingConfig(OPTIMIZER="AdamW", SCHEDULE_PARAMS=STAIRS, WEIGHT_DECAY=4e-6))
    variable = keras.Variable(np.ones(1, "float32"))
    optimizer.build([variable])
    optimizer.apply([tf.zeros(1)], [variable])
    assert float(1 - np.asarray(variable, np.float64)[0]) == pytest.approx(4e-6, rel=0.02)
    rates = current_rates(optimizer)
    assert rates["LR"] == pytest.approx(4e-5)
    assert rates["WD"] == pytest.approx(4e-6)


def test_pytorch_decay_is_multiplied_by_the_rate():
    config = TrainingConfig(
        OPTIMIZER="TorchAdamW",
        SCHEDULE="EpochDecay",
        SCHEDULE_PARAMS={"initial_learning_rate": 1e-2, "decay_rate": 0.5},
        WEIGHT_DECAY=0.1,
    )
    optimizer = make_optimizer(config, steps_per_epoch=2)
    variable = keras.Variable(np.ones(1, "float32"))
    optimizer.build([variable])
    for _ in range(3):
        optimizer.apply([tf.zeros(1)], [variable])
    assert float(np.asarray(variable)[0]) == pytest.approx((1 - 1e-3) ** 2 * (1 - 5e-4), rel=1e-6)
    assert current_rates(optimizer) == pytest.approx({"LR": 5e-3, "WD": 5e-4})


@pytest.mark.parametrize("name", ["AdamW", "TorchAdamW"])
def test_decay_needs_a_schedule_with_an_initial_rate(name):
    stairs = {"boundaries": [1], "values": [1.0, 0.1]}
    config = TrainingConfig(
        OPTIMIZER=name, SCHEDULE="PiecewiseConstantDecay", SCHEDULE_PARAMS=stairs, WEIGHT_DECAY=0.1
    )
    with pytest.raises(Pose3DError, match="which PiecewiseConstantDecay has not"):
        make_optimizer(config)


def test_adamw_is_rebuilt_from_its_config():
    optimizer = AddonsAdamW(1e-3, make_schedule("ExponentialDecay", STAIRS), epsilon=1e-8)
    again = AddonsAdamW.from_config(optimizer.get_config())
    assert float(again.current_decay()) == pytest.approx(4e-5)
    assert again.epsilon == 1e-8


def test_decay_with_large_stairs():
    schedule = ExponentialDecayWithSteps(1.0, 10, 0.9, 50, 0.5)
    # The large stair replaces the small one that falls on the same step.
    expected = {0: 1.0, 9: 1.0, 10: 0.9, 49: 0.9**4, 50: 0.9**4 * 0.5, 60: 0.9**5 * 0.5, 100: 0.9**8 * 0.25}
    for step, rate in expected.items():
        assert float(schedule(step)) == pytest.approx(rate, rel=1e-6)
    assert ExponentialDecayWithSteps.from_config(schedule.get_config()).settings == schedule.settings


def test_decay_by_epochs():
    schedule = EpochDecay(1.0, 0.95, 10, large_decay_epochs=5, large_decay_rate=0.5)
    expected = {0: 1.0, 9: 1.0, 10: 0.95, 49: 0.95**4, 50: 0.95**4 * 0.5, 60: 0.95**5 * 0.5}
    for step, rate in expected.items():
        assert float(schedule(step)) == pytest.approx(rate, rel=1e-6)
    assert EpochDecay.from_config(schedule.get_config()).settings == schedule.settings
    assert float(EpochDecay(1.0, 0.5, 3)(7)) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("Exponential", STAIRS, "did you mean"),
        ("ExponentialDecay", {**STAIRS, "decay_step": 1}, "did you mean decay_steps"),
        ("ExponentialDecay", {"decay_steps": 1}, "missing a required argument"),
        (
            "EpochDecay",
            {"initial_learning_rate": 1, "decay_rate": 1, "steps_per_epoch": 1, "large_decay_epochs": 5},
            "large_decay_epochs and large_decay_rate, or neither",
        ),
    ],
)
def test_schedules_say_what_is_wrong(name, params, words):
    with pytest.raises(Pose3DError, match=words):
        make_schedule(name, params)


def test_unknown_optimizer_arguments_are_named():
    config = TrainingConfig(OPTIMIZER_PARAMS={"epsilom": 1}, SCHEDULE_PARAMS=STAIRS)
    with pytest.raises(Pose3DError, match="did you mean epsilon"):
        make_optimizer(config)


def test_epoch_steps_multiply_at_the_start_of_their_epochs():
    schedule = EpochSteps(1e-4, [10, 10], 0.2, steps_per_epoch=7)
    rates = [float(schedule(step)) for step in (0, 62, 63, 400)]
    assert rates == pytest.approx([1e-4, 1e-4, 4e-6, 4e-6])
    assert EpochSteps.from_config(schedule.get_config()).settings == schedule.settings


ADAM = {"learning_rate": keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.9), "epsilon": 1e-6}


def trained_by(kind, steps=5, strategy=None, jit_compile=False, **settings):
    with (strategy or tf.distribute.get_strategy()).scope():
        optimizer = kind(**ADAM, **settings)
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
    expected = trained_by(keras.optimizers.Adam, amsgrad=amsgrad)
    found = trained_by(FusedAdam, amsgrad=amsgrad)
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
    expected = trained_by(FusedAdam, amsgrad=amsgrad)
    found = trained_by(FusedAdam, amsgrad=amsgrad, jit_compile=True)
    for value, reference in zip(found, expected, strict=True):
        np.testing.assert_allclose(value, reference, rtol=2e-4, atol=1e-6)


def test_mirrored_variables_are_updated_alike():
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    found = trained_by(FusedAdam, strategy=strategy)
    expected = trained_by(keras.optimizers.Adam)
    np.testing.assert_allclose(found[0], expected[0], rtol=2e-4)


@pytest.mark.parametrize("norm", [0.5, 100.0])
def test_clipping_equals_keras_s(norm):
    expected = trained_by(keras.optimizers.Adam, global_clipnorm=norm)
    for strategy in (None, tf.distribute.MirroredStrategy(["CPU:0"])):
        found = trained_by(FusedAdam, strategy=strategy, global_clipnorm=norm)
        np.testing.assert_allclose(found[0], expected[0], rtol=2e-4)


@pytest.mark.parametrize("amsgrad", [False, True])
def test_epsilon_may_come_after_the_correction_as_in_pytorch(amsgrad):
    gradients = np.array([[1e-8, 3e-8], [-2e-8, 1e-8], [4e-8, -1e-9]])
    optimizer = FusedAdam(0.1, epsilon=1e-8, amsgrad=amsgrad, epsilon_after_correction=True)
    plain = FusedAdam(0.1, epsilon=1e-8, amsgrad=amsgrad, epsilon_after_correction=True)
    weight, other = (keras.Variable(np.zeros(2, np.float32)) for _ in range(2))
    mean, square, largest, expected = np.zeros(2), np.zeros(2), np.zeros(2), np.zeros(2)
    for step, gradient in enumerate(gradients, start=1):
        optimizer.apply([tf.constant(gradient, tf.float32)], [weight])
        plain.build([other])
        slots = [plain._momentums[0], plain._velocities[0]]
        if amsgrad:
            slots.append(plain._velocity_hats[0])
        plain.iterations.assign(step - 1)
        plain._plain_step(tf.constant(gradient, tf.float32), other, slots, plain._scalars("float32", 0.1))
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        largest = np.maximum(largest, square) if amsgrad else square
        root = np.sqrt(largest / (1 - 0.999**step))
        expected -= 0.1 * mean / (1 - 0.9**step) / (root + 1e-8)
    np.testing.assert_allclose(weight, expected, rtol=1e-4)
    np.testing.assert_allclose(other, expected, rtol=1e-4)
    assert FusedAdam.from_config(optimizer.get_config()).epsilon_after_correction
