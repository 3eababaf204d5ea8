"""How the weights of linear layers are drawn at first, by the name of the release's way."""

from __future__ import annotations

from typing import Any

import keras

from tf_pose3d.layers.normed_linear import uniform_initializer

__all__ = ["INITIAL_WEIGHTS", "linear", "linear_initializers"]

# keras: Glorot's uniform, biases 0. torch: weights and biases uniform within 1 / sqrt(inputs), as
# torch.nn.Linear and torch.nn.Conv1d draw them. normal: deviation 0.02, biases 0, as vision transformers'.
INITIAL_WEIGHTS = ("keras", "torch", "normal")
_DEVIATION = 0.02


def linear_initializers(inputs: int, initial: str) -> dict[str, Any]:
    """`kernel_initializer` and `bias_initializer` of a layer, each with a seed of its own.

    Args:
        inputs: Numbers that one output is made of.
        initial: One of `INITIAL_WEIGHTS`.
    """
    if initial == "torch":
        return {
            "kernel_initializer": uniform_initializer(inputs),
            "bias_initializer": uniform_initializer(inputs),
        }
    if initial == "normal":
        return {
            "kernel_initializer": keras.initializers.RandomNormal(stddev=_DEVIATION),
            "bias_initializer": "zeros",
        }
    if initial != "keras":
        raise ValueError(f"initial weights are {initial!r}, expected {', '.join(INITIAL_WEIGHTS)}")
    return {"kernel_initializer": "glorot_uniform", "bias_initializer": "zeros"}


def linear(units: int, inputs: int, initial: str = "keras", **kwargs: Any) -> keras.layers.Dense:
    """A linear layer whose weights are drawn so.

    Args:
        units: Outputs.
        inputs: Inputs.
        initial: One of `INITIAL_WEIGHTS`.
        **kwargs: Of `keras.layers.Dense`.
    """
    return keras.layers.Dense(units, **linear_initializers(inputs, initial), **kwargs)
