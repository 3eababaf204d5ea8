"""Weights for inference alone: normalisations worked in, and what depends on nothing else computed once."""

from __future__ import annotations

import abc
import contextlib
from collections.abc import Iterator

import keras
import numpy as np
from keras import ops

from tf_pose3d.layers.batch_normalization import UnbiasedBatchNormalization
from tf_pose3d.types import Tensor

__all__ = ["Foldable", "foldable_layers", "folded_weights", "held", "scale_and_shift"]


class Foldable(abc.ABC):
    """A layer that keeps a copy of its weights with its normalisation worked in while it is folded."""

    @abc.abstractmethod
    def fold(self, constant: bool) -> None:
        """Makes the copy, until `unfold`.

        Args:
            constant: See `folded_weights`.
        """

    @abc.abstractmethod
    def unfold(self) -> None:
        """Returns to the weights themselves."""

    @staticmethod
    def _refuse(training: bool | None) -> None:
        if training:
            raise ValueError("folded weights are for inference: train outside of folded_weights")


def scale_and_shift(
    norm: UnbiasedBatchNormalization, bias: Tensor | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """`(C,)` each: `norm(rows + bias)` in inference is `rows * scale + shift`."""
    gamma, beta, mean, variance = (
        np.asarray(values) for values in (norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance)
    )
    scale = gamma / np.sqrt(variance + np.float32(norm.epsilon))
    return scale, beta + (np.float32(0) if bias is None else np.asarray(bias)) * scale - mean * scale


def held(values: np.ndarray, constant: bool) -> np.ndarray | Tensor:
    """A copy as graphs take it: arrays become constants of a graph, tensors are handed to it."""
    return values if constant else ops.convert_to_tensor(values)


def foldable_layers(model: keras.Layer) -> list[Foldable]:
    """The layers of a model that `folded_weights` folds."""
    return [layer for layer in model._flatten_layers() if isinstance(layer, Foldable)]


@contextlib.contextmanager
def folded_weights(model: keras.Layer, constant: bool = False) -> Iterator[None]:
    """A block in which inference multiplies with weights that hold the normalisations already.

    Graphs that are traced in the block keep these copies: trace them anew when the weights have changed.

    Args:
        model: What is traced.
        constant: Have the copies be constants of the graphs: oneDNN lays them out for its products once and
            not in every call, which gains up to a third with some hundred rows and loses with thousands.
    """
    layers = foldable_layers(model)
    for layer in layers:
        layer.fold(constant)
    try:
        yield
    finally:
        for layer in layers:
            layer.unfold()
