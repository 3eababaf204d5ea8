"""`--mixed_precision` and `--jit_compile` of `eval.py` and `inference.py`: done, and said in a line each."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from tf_pose3d.cli.flags import parse_overrides
from tf_pose3d.process import XLA_ON_CPU, cores_apart, half_precision_on_cpu

if TYPE_CHECKING:
    import keras

    from tf_pose3d.config import TrainingConfig

__all__ = ["apply_precision"]


def apply_precision(model: keras.Model, arguments: Namespace, config: TrainingConfig, program: str) -> None:
    """Narrows a loaded float32 network where the flags ask for it.

    Networks with attention stay in float32 unless they are known to keep their poses (`lifts_narrowed`):
    rounding what tokens differ by can move joints by centimetres. What the weights were trained in does not
    count: without the flag they run in float32.

    Args:
        model: With its weights.
        arguments: Of the program.
        config: With what the flags overwrite.
        program: Its name, for the lines.
    """
    import tensorflow as tf

    from tf_pose3d.layers.attention import MultiHeadAttention
    from tf_pose3d.layers.products import SMALLEST, narrow_products
    from tf_pose3d.models.family import get_family

    def say(line: str) -> None:
        # Not among the results: they may be piped into another program.
        print(f"{program}.py: {line}", file=sys.stderr, flush=True)

    on_cpu = not tf.config.list_physical_devices("GPU")
    asked = arguments.mixed_precision or parse_overrides(arguments.set).get("MIXED_PRECISION")
    if asked is not None:
        dtype = str(asked).removeprefix("mixed_")
        attends = any(isinstance(layer, MultiHeadAttention) for layer in model._flatten_layers())
        stays = attends and not getattr(model, "lifts_narrowed", False)
        share = 0.0 if stays else narrow_products(model, dtype)
        speed = half_precision_on_cpu(dtype) if on_cpu else "on the GPU"
        if share:
            say(
                f"--mixed_precision: matrix products over {SMALLEST} features and more, {share:.0%} of the "
                f"weights, in {dtype}, {speed}; all else"
                f"{', as what the tokens of a window have in common,' if attends else ''} in float32"
            )
        elif stays:
            say(
                f"--mixed_precision: without effect, as {dtype} may move joints of {config.ARCH}, which "
                "attends, by more than 1 mm (docs/training.md)"
            )
        else:
            say(f"--mixed_precision: without effect, {config.ARCH} has no large matrix products here")
    if on_cpu and config.JIT_COMPILE:
        if get_family(config.ARCH).splits_batches and cores_apart() > 1:
            say("JIT_COMPILE: not here, as each core lifts a part of the frames, which is faster")
        else:
            say(f"--jit_compile: {XLA_ON_CPU}")
