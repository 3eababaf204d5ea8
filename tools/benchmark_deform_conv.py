"""Time the compiled deformable convolution on the CPU against its `keras.ops` reference.

    python tools/benchmark_deform_conv.py [--repeats 7] [--only speed|memory]

Both run as tf.functions, in turn, in one process; printed are medians, their ratios, and the rate beside
that of `tf.nn.conv2d` of the same size. Then the peak memory of the passes is compared with the size of
their inputs and outputs, each in a process of its own (Linux).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_POSE3D_OPS", "require")
if not __package__:  # run as a file of a clone
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import tensorflow as tf

from tf_pose3d.ops.deform_conv import compiled, reference
from tf_pose3d.ops.deform_conv.options import ConvOptions

# name: batch, size, channels = filters, dilation, deformable groups
SHAPES = {
    "DenseWarper, dilation 3": (12, 96, 20, 3, 20),
    "DenseWarper, dilation 24": (12, 96, 20, 24, 20),
    "ResNet stage": (4, 48, 256, 1, 1),
}


class Case:
    """Inputs of one convolution and its passes as functions without arguments."""

    def __init__(self, name: str, data_format: str):
        batch, size, channels, dilation, deformable_groups = SHAPES[name]
        rng = np.random.default_rng(0)

        def tensor(*shape):
            array = rng.standard_normal(shape, dtype="float32")
            first = data_format == "channels_first" and len(shape) == 4
            return tf.constant(array.transpose(0, 3, 1, 2) if first else array)

        self.options = ConvOptions.make(1, dilation, dilation, 1, deformable_groups, data_format)
        self.x = tensor(batch, size, size, channels)
        self.offset = 2 * tensor(batch, size, size, 18 * deformable_groups)
        self.grad_y = tensor(batch, size, size, channels)
        self.weight = tf.constant(rng.standard_normal((3, 3, channels, channels), dtype="float32"))
        self.operations = 2 * batch * size * size * 9 * channels * channels

    def passes(self, module):
        """The forward pass, and the forward and backward passes together."""

        @tf.function
        def forward(x, offset, weight):
            return module.deform_conv2d(x, offset, weight, None, None, self.options)

        @tf.function
        def both(x, offset, weight, grad_y):
            with tf.GradientTape() as tape:
                tape.watch((x, offset, weight))
                y = module.deform_conv2d(x, offset, weight, None, None, self.options)
            return y, tape.gradient(y, (x, offset, weight), grad_y)

        inputs = (self.x, self.offset, self.weight)
        return lambda: forward(*inputs), lambda: both(*inputs, self.grad_y)

    @property
    def grad_y_bytes(self) -> int:
        return 4 * int(np.prod(self.grad_y.shape))

    def bytes(self, backward: bool) -> int:
        """Size of all inputs and outputs of the forward pass, or of both passes."""
        inputs = sum(4 * int(np.prod(t.shape)) for t in (self.x, self.offset, self.weight))
        forward = inputs + self.grad_y_bytes
        return 2 * forward if backward else forward


def seconds(run) -> float:
    begin = time.perf_counter()
    run()  # returns when the work is done: eager calls on CPUs are synchronous
    return time.perf_counter() - begin


def medians(runs: list, repeats: int) -> list[float]:
    """Median time of each; all are timed in turn, so that a busy machine is as busy for each."""
    for run in runs:
        seconds(run)
    times = [[seconds(run) for run in runs] for _ in range(repeats)]
    return [statistics.median(column) for column in zip(*times, strict=True)]


def compare(name: str, data_format: str, repeats: int) -> None:
    case = Case(name, data_format)
    forward, both = case.passes(compiled)
    reference_forward, reference_both = case.passes(reference)
    batch, size, channels, _, _ = SHAPES[name]
    plain_x = tf.random.normal((batch, size, size, channels))
    plain = tf.function(lambda x, weight: tf.nn.conv2d(x, weight, 1, "SAME"))
    times = medians(
        [forward, both, reference_forward, reference_both, lambda: plain(plain_x, case.weight)], repeats
    )
    ours, ours_both, theirs, theirs_both, conv = times
    # Each module's backward pass is the time of both passes less that of its forward pass.
    backward, their_backward = ours_both - ours, theirs_both - theirs
    print(
        f"{name:25s} {data_format:14s} forward {ours * 1e3:6.1f} ms, reference {theirs * 1e3:7.1f} ms: "
        f"{theirs / ours:5.1f} x | backward {backward * 1e3:6.1f} ms, "
        f"reference {their_backward * 1e3:7.1f} ms: {their_backward / backward:5.1f} x | "
        f"{case.operations / ours / 1e9:5.1f} GFLOP/s, "
        f"tf.nn.conv2d {case.operations / conv / 1e9:5.1f}",
        flush=True,
    )


def resident(field: str) -> int:
    """This process's resident memory in bytes: `VmRSS` now, `VmHWM` at its peak."""
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith(field))
    return int(line.split()[1]) * 1024


def measure_memory(name: str, data_format: str, which: str) -> None:
    """Print the peak of one pass over its inputs and outputs; for a process of its own."""
    case = Case(name, data_format)
    # A pass over one image loads code and starts threads, which is not what is measured.
    tiny = Case(name, data_format)
    tiny.x, tiny.offset, tiny.grad_y = (t[:1] for t in (case.x, case.offset, case.grad_y))
    index = ("forward", "both").index(which)
    seconds(tiny.passes(compiled)[index])
    del tiny
    inputs_and_outputs = case.bytes(backward=which == "both")
    given = case.bytes(backward=False) if which == "both" else case.bytes(backward=False) - case.grad_y_bytes
    Path("/proc/self/clear_refs").write_text("5")  # starts the peak anew
    before = resident("VmRSS")
    seconds(case.passes(compiled)[index])
    peak = given + resident("VmHWM") - before
    print(
        f"{name:25s} {data_format:14s} {which:8s} inputs and outputs {inputs_and_outputs / 1e6:6.1f} MB, "
        f"peak {peak / 1e6:6.1f} MB: {peak / inputs_and_outputs:.2f} x"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--only", choices=("speed", "memory"), help="measure only this")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure_memory(*arguments.measure)
        return
    formats = ("channels_last", "channels_first")
    if arguments.only != "memory":
        for data_format in formats:
            for name in SHAPES:
                compare(name, data_format, arguments.repeats)
    if arguments.only != "speed":
        for data_format in formats:
            for name in SHAPES:
                for which in ("forward", "both"):
                    command = [sys.executable, __file__, "--measure", name, data_format, which]
                    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
