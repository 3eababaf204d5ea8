"""Training steps with and without XLA (`--jit_compile`), and where the difference comes from.

    python tools/benchmark_xla.py [--works martinez-training ...] [--rounds 5] [--clock processor]

A work is a training step of `tools/benchmark_operations.py`. It is done as it is, with what is compiled for
it computed by `keras.ops` (which XLA does, as it has no kernels for it), and with XLA, in turns within one
process; each work has a process of its own. Shown are medians over the rounds, the median and quartiles of
XLA's time over the plain one, and the seconds of the first step, in which XLA compiles. The last rows are
products alone, with both gradients.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
# Neighbours of this file; the package itself where it is run as a file of a clone.
sys.path[:0] = [str(TOOLS)] if __package__ else [str(TOOLS), str(TOOLS.parent)]

from tf_pose3d.cli.program import start_tensorflow

start_tensorflow()

import keras
import tensorflow as tf
from benchmark_operations import CLOCKS, CONFIGS, WORKS, processor, seconds, training
from prettytable import PrettyTable

from tf_pose3d.models.family import get_family
from tf_pose3d.models.loading import load_config
from tf_pose3d.ops.dispatch import without_compiled

# What WORKS has not: networks without compiled operations of their own.
TRAININGS = {name: work for name, work in WORKS.items() if name.endswith("training")}
TRAININGS |= {
    "semgcn-training": ("semgcn_gt", 64, ("normed_activation",)),
    "hgcn-training": ("hgcn_gt", 256, ("normed_activation",)),
    "hoif-training": ("hoif_gt", 256, ("normed_activation",)),
}
# Name -> shapes of the two factors; convolutions are over frames.
PRODUCTS = {
    "product": ((4096, 1024), (1024, 1024)),
    "small-product": ((1024, 64), (64, 64)),
    "convolution": ((64, 81, 1024), (3, 1024, 1024)),
    "strided-convolution": ((64, 81, 1024), (3, 1024, 1024)),
}
EXAMPLES = ("martinez-training", "semgcn-training", "hgcn-training", "lcn-training", "videopose3d-training")


def make_product(name: str, jit_compile: bool) -> Callable[[], object]:
    """A function that multiplies, and gives both gradients."""
    first, second = (tf.random.stateless_normal(shape, (0, 1)) for shape in PRODUCTS[name])

    @tf.function(autograph=False, jit_compile=jit_compile)
    def step(first: tf.Tensor, second: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch([first, second])
            if name.endswith("convolution"):
                stride = 3 if name.startswith("strided") else 1
                found = tf.nn.conv1d(first, second, stride, "VALID")
            else:
                found = first @ second
            loss = tf.reduce_sum(found * found)
        return tape.gradient(loss, [first, second])

    return lambda: [tensor.numpy() for tensor in step(first, second)]


def measure(name: str, rounds: int, clock: Callable[[], float]) -> dict[str, object]:
    """Times of a row in its own process."""
    if name in PRODUCTS:
        sides = {"plain": make_product(name, False), "xla": make_product(name, True)}
    else:
        config_name, examples, operations = TRAININGS[name]
        config = load_config(CONFIGS / f"{config_name}.json")
        family = get_family(config.ARCH)
        make = training(family, config.replace(JIT_COMPILE=False), examples)
        compiled = training(family, config.replace(JIT_COMPILE=True), examples)
        sides = {"plain": make(), "keras.ops": make(), "xla": compiled()}
    compiling = 0.0
    for side, function in sides.items():
        begin = clock()
        if side == "keras.ops":
            with without_compiled(*operations):  # traces
                function()
        else:
            function()
        compiling = clock() - begin
        function()
    times: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(rounds):
        for side in list(sides) if number % 2 == 0 else reversed(list(sides)):
            times[side].append(seconds(sides[side], clock))
    quotients = [slow / fast for slow, fast in zip(times["xla"], times["plain"], strict=True)]
    low, _, high = statistics.quantiles(quotients, n=4, method="inclusive")
    medians = {side: statistics.median(values) for side, values in times.items()}
    return {
        **medians,
        "quotient": statistics.median(quotients),
        "quartiles": (low, high),
        "compiling": compiling,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [*TRAININGS, *PRODUCTS]
    parser.add_argument(
        "--works",
        nargs="+",
        choices=names,
        default=[*EXAMPLES, *PRODUCTS],
        metavar="WORK",
        help=", ".join(names),
    )
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--threads", type=int, default=1, metavar="N")
    parser.add_argument(
        "--clock",
        choices=list(CLOCKS),
        default="wall",
        help="processor: where the machine has other work too",
    )
    parser.add_argument("--one", choices=names, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
        tf.config.threading.set_inter_op_parallelism_threads(arguments.threads)
        print(json.dumps(measure(arguments.one, arguments.rounds, CLOCKS[arguments.clock])))
        return
    print(
        f"{processor()}, {arguments.threads} threads, {arguments.rounds} rounds, {arguments.clock} time, "
        f"TensorFlow {tf.__version__}, Keras {keras.__version__}, {datetime.date.today()}"
    )
    table = PrettyTable(
        ["work", "plain, ms", "keras.ops, ms", "XLA, ms", "XLA / plain", "quartiles", "compiling, s"],
        align="r",
    )
    options = ["--rounds", str(arguments.rounds), "--threads", str(arguments.threads)]
    options += ["--clock", arguments.clock]
    for name in arguments.works:
        begin = time.monotonic()
        # XLA's own threads are counted by the environment, not by TensorFlow's setting.
        environment = {**os.environ, "OMP_NUM_THREADS": str(arguments.threads)}
        done = subprocess.run(
            [sys.executable, __file__, "--one", name, *options],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env=environment,
        )
        row = json.loads(done.stdout.splitlines()[-1])
        low, high = row["quartiles"]
        times = [f"{1e3 * row[side]:.1f}" if side in row else "" for side in ("plain", "keras.ops", "xla")]
        table.add_row(
            [name, *times, f"{row['quotient']:.2f}", f"{low:.2f} to {high:.2f}", f"{row['compiling']:.1f}"]
        )
        print(" ".join(map(str, table.rows[-1])), f"({time.monotonic() - begin:.0f} s)", flush=True)
    print(table)


if __name__ == "__main__":
    main()
