"""Runs saved cases of models under one of Keras's backends; `test_other_backends.py` starts it as a program.

    KERAS_BACKEND=jax python backend_worker.py FOLDER [FORBIDDEN]

FOLDER holds, per case, `CASE.h5` (weights with their config) and `CASE.npz`: arrays `input/NAME`, and either
`target/OUTPUT` (the loss is the mean joint distance) or `batch/NAME` (the loss is the family's). It writes
`CASE.BACKEND.npz`: `output/NAME`, `loss`, and `gradient/PATH` of each trained weight; the same under
`training/` for the model in training, with `state/PATH` of the weights that a step changes by itself. Where
FORBIDDEN is given, importing the module of that name fails.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

if len(sys.argv) > 2:
    # As if it were not installed.
    sys.modules[sys.argv[2]] = None

import keras
import numpy as np
from keras import ops

import tf_pose3d
from tf_pose3d.layers.losses import mean_joint_distance
from tf_pose3d.models.family import get_family

Arrays = dict[str, np.ndarray]
# Outputs, loss, gradients by path, and what the step changed by path.
Step = tuple[dict[str, Any], Any, Arrays, Arrays]


def part(case: Arrays, name: str) -> dict[str, Any]:
    """The case's arrays `NAME/...` as tensors."""
    prefix = f"{name}/"
    return {
        key[len(prefix) :]: ops.convert_to_tensor(value)
        for key, value in case.items()
        if key.startswith(prefix)
    }


def run_case(model: keras.Model, case: Arrays) -> Arrays:
    inputs, targets, batch = (part(case, name) for name in ("input", "target", "batch"))
    if "own_heatmaps" in inputs:
        return released_densewarper(model, inputs)

    def loss(outputs: dict[str, Any]) -> Any:
        if batch:
            return get_family(model.config.ARCH).loss(model.config)(outputs, {**inputs, **batch})
        return sum(mean_joint_distance(outputs[name], target) for name, target in targets.items())

    results = {}
    for prefix, training in (("", False), ("training/", True)):
        outputs, value, gradients, state = STEPS[keras.backend.backend()](model, inputs, loss, training)
        results |= {f"{prefix}output/{name}": to_numpy(output) for name, output in outputs.items()}
        results[f"{prefix}loss"] = to_numpy(value)
        results |= {f"{prefix}gradient/{path}": gradient for path, gradient in gradients.items()}
        if training:
            results |= {f"{prefix}state/{path}": value for path, value in state.items()}
    return results


def released_densewarper(model: keras.Model, inputs: dict[str, Any]) -> Arrays:
    """DenseWarper from heat maps on, as its released case has it."""
    heatmaps = model.dense_heatmaps(inputs.pop("own_heatmaps"), inputs)
    outputs = {"heatmaps": heatmaps, **model.joints(heatmaps, inputs)}
    return {f"output/{name}": to_numpy(output) for name, output in outputs.items()}


def to_numpy(value: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(value))


def by_path(variables: list[keras.Variable], values: Sequence[Any]) -> Arrays:
    """Values of variables; None, of what nothing depends on, is zero."""
    return {
        variable.path: np.zeros(variable.shape, "float32") if value is None else to_numpy(value)
        for variable, value in zip(variables, values, strict=True)
        if "seed_generator" not in variable.path
    }


def tensorflow_step(model: keras.Model, inputs: dict, loss: Callable, training: bool) -> Step:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        outputs = model(inputs, training=training)
        value = loss(outputs)
    gradients = tape.gradient(value, [variable.value for variable in model.trainable_variables])
    state = [variable.value for variable in model.non_trainable_variables]
    return (
        outputs,
        value,
        by_path(model.trainable_variables, gradients),
        by_path(model.non_trainable_variables, state),
    )


def jax_step(model: keras.Model, inputs: dict, loss: Callable, training: bool) -> Step:
    import jax

    @jax.jit
    def step(trained: list, state: list, inputs: dict) -> Any:
        def forward(trained: list) -> Any:
            outputs, changed = model.stateless_call(trained, state, inputs, training=training)
            return loss(outputs), (outputs, changed)

        return jax.value_and_grad(forward, has_aux=True)(trained)

    trained = [variable.value for variable in model.trainable_variables]
    state = [variable.value for variable in model.non_trainable_variables]
    (value, (outputs, changed)), gradients = step(trained, state, inputs)
    return (
        outputs,
        value,
        by_path(model.trainable_variables, gradients),
        by_path(model.non_trainable_variables, changed),
    )


def torch_step(model: keras.Model, inputs: dict, loss: Callable, training: bool) -> Step:
    model.zero_grad()
    outputs = model(inputs, training=training)
    value = loss(outputs)
    value.backward()
    gradients = [variable.value.grad for variable in model.trainable_variables]
    state = [variable.value for variable in model.non_trainable_variables]
    return (
        outputs,
        value,
        by_path(model.trainable_variables, gradients),
        by_path(model.non_trainable_variables, state),
    )


STEPS = {"tensorflow": tensorflow_step, "jax": jax_step, "torch": torch_step}


def main(folder: Path) -> None:
    for weights in sorted(folder.glob("*.h5")):
        with np.load(weights.with_suffix(".npz")) as file:
            case = dict(file)
        results = run_case(tf_pose3d.load_model(weights), case)
        np.savez(folder / f"{weights.stem}.{keras.backend.backend()}.npz", **results)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
