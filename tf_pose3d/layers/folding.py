"""Weights for inference alone: normalisations worked in, and what depends on nothing else computed once."""

from __future__ import annotations

import abc
import contextlib
from collections.abc import Iterator

import keras
from keras import ops

from tf_pose3d.layers.batch_normalization import UnbiasedBatchNormalization
from tf_pose3d.types import Tensor

__all__ = ["Foldable", "foldable_layers", "folded_weights", "scale_and_shift"]


class Foldable(abc.ABC):
    """A layer that keeps a copy of its weights with its normalisation worked in while it is folded."""

    @abc.abstractmethod
    def fold(self) -> None:
        """Makes the copy, until `unfold`."""

    @abc.abstractmethod
    def unfold(self) -> None:
        """Returns to the weights themselves."""

    @staticmethod
    def _refuse(training: bool | None) -> None:
        if training:
            raise ValueError("folded weights are for inference: train outside of folded_weights")


def scale_and_shift(norm: UnbiasedBatchNormalization, bias: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """`(C,)` each: `norm(rows + bias)` in inference is `rows * scale + shift`."""
    scale = ops.convert_to_tensor(norm.gamma) * ops.rsqrt(norm.moving_variance.value + norm.epsilon)
    shift = ops.convert_to_tensor(norm.beta) - norm.moving_mean.value * scale
    return scale, shift if bias is None else shift + ops.convert_to_tensor(bias) * scale


def foldable_layers(model: keras.Layer) -> list[Foldable]:
    """The layers of a model that `folded_weights` folds."""
    return [layer for layer in model._flatten_layers() if isinstance(layer, Foldable)]


@contextlib.contextmanager
def folded_weights(model: keras.Layer) -> Iterator[None]:
    """A block in which inference multiplies with weights that hold the normalisations already.

    Graphs that are traced in the block keep these copies: trace them anew when the weights have changed.
    They are no constants of the graphs: oneDNN lays those out once and not in every call, which gains a tenth
    with a hundred rows, loses with thousands, and takes fifteen times the memory of the weights.
    """
    layers = foldable_layers(model)
    for layer in layers:
        layer.fold()
    try:
        yield
    finally:
        for layer in layers:
            layer.unfold()
