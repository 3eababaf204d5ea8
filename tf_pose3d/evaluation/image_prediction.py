"""Runs models over batches of images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_pose3d.data.multiview.batches import ImageBatches

__all__ = ["Loss", "original_pixels", "run_batches"]

Loss = Callable[[dict[str, Any], dict[str, Any]], Any]


def run_batches(
    model: keras.Model,
    data: ImageBatches,
    batch_size: int,
    outputs: tuple[str, ...],
    inputs: tuple[str, ...],
    loss: Loss | None = None,
    count: int | None = None,
    progress: Callable[[int], None] | None = None,
    jit_compile: bool = False,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], float]:
    """Runs a model over data in order.

    Args:
        model: With its weights.
        data: What to run over.
        batch_size: Entries at once.
        outputs: Which of the model's outputs to keep.
        inputs: Which of the batch's values to keep.
        loss: Also give its mean over batches.
        count: Stop after so many entries.
        progress: Told how many entries each batch held.
        jit_compile: Compile with XLA.

    Returns:
        Outputs and inputs by name, entry axis first, and the loss (NaN without one).

    Raises:
        Pose3DError: An image cannot be read; the message names it.
    """
    batches = data.ordered_batches(batch_size, count)

    @tf.function(input_signature=[batches.element_spec], jit_compile=jit_compile, autograph=False)
    def run(batch: dict[str, tf.Tensor]) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        given = model(batch, training=False)
        value = tf.constant(float("nan")) if loss is None else tf.cast(loss(given, batch), tf.float32)
        return {name: given[name] for name in outputs}, value

    kept: list[dict[str, np.ndarray]] = []
    held: list[dict[str, np.ndarray]] = []
    losses = []
    try:
        for batch in batches:
            given, value = run(batch)
            kept.append({name: values.numpy() for name, values in given.items()})
            held.append({name: batch[name].numpy() for name in inputs})
            losses.append(float(value))
            if progress is not None:
                progress(len(next(iter(held[-1].values()))))
    except tf.errors.OpError:
        if data.failure is None:
            raise
        raise data.failure from None
    return _joined(kept), _joined(held), float(np.mean(losses))


def _joined(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def original_pixels(positions: np.ndarray, crops: np.ndarray, stride: np.ndarray) -> np.ndarray:
    """Heat-map pixels `(N, J, 2)` in the original images, through the inverse of crops `(N, 2, 3)`."""
    shifted = positions * stride - crops[:, None, :, 2]
    return np.einsum("nij,nkj->nki", np.linalg.inv(crops[..., :2]), shifted)
