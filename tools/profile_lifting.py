"""Where the processor's seconds go while a network of windows lifts a clip.

    python tools/profile_lifting.py h36m_351 [--weights FILE] [--seconds 60]
        [--mixed_precision mixed_bfloat16 [--pairs 9]]

Lifts a made-up walk at 50 frames per second, as `inference.py` does, in one thread, once by itself, by the
processor's clock, and once under TensorFlow's profiler. Two tables: kinds of operations, and products by the
part of the network that they are of, with the rate that they reach beside that of one large matrix product
alone. The profiler's clock runs on while other programs have the processor: it gives shares, and the seconds
are those shares of the processor's time. Counted are products (`tools/count_flops.py`): for what is shared
between windows once. `--pairs` lifts in float32 and in half precision by turns instead, and prints the ratio.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

TOOLS = Path(__file__).resolve().parent
# Neighbours of this file; the package itself where it is run as a file of a clone.
sys.path[:0] = [str(TOOLS)] if __package__ else [str(TOOLS), str(TOOLS.parent)]

from tf_pose3d.cli.program import start_tensorflow

start_tensorflow()

import numpy as np
import tensorflow as tf
from benchmark_lifting import SIZE, walk
from benchmark_operations import processor
from count_flops import measured_peak, operations_in, operations_of
from prettytable import PrettyTable

import tf_pose3d
from tf_pose3d.layers.products import narrow_products
from tf_pose3d.models.loading import build_model, load_config, load_model

FPS = 50
# Kinds -> what the types of their operations have in their names; the first that fits.
ROWS, BATCHES = "products of rows with weights", "products of queries, keys, values"
KINDS = {
    BATCHES: r"BatchMatMul",
    ROWS: r"MatMul|Conv2D|Einsum",
    "norms": r"LayerNorm|Rsqrt|SquaredDifference|FusedBatchNorm",
    "attention, compiled": r"TokenAttention",
    "softmax": r"Softmax",
    "means": r"^Mean|^Sum",
    "casts": r"Cast",
    "copies (transpose, gather, split, concat, pad)": (
        r"Transpose|Gather|Split|Concat|Pad|Slice|Tile|Pack|Reshape|Identity|Fill|Where|Select"
    ),
    "sums, products of elements, activations": r"Add|Sub|Mul|Relu|Erf|Bias|Div|Neg|Tanh|Sigmoid|Gelu",
}
OTHER = "other"


def kind_of(type_name: str) -> str:
    return next((kind for kind, pattern in KINDS.items() if re.search(pattern, type_name)), OTHER)


def part_of(name: str) -> str:
    """Whose an operation is, layers of a kind together: `block_3_1/mha_1/BiasAdd` -> `block/mha`."""
    folders = [one for one in name.split("/")[:-1] if not one.endswith("Optimizer")]
    return "/".join(re.sub(r"(_\d+)+$", "", one) for one in folders) or "the rest"


def clocked(work) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def traced(work) -> dict[str, float]:
    """`name:type` of every operation that ran -> its seconds by the profiler."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    with tempfile.TemporaryDirectory() as folder:
        options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=2, python_tracer_level=0)
        with tf.profiler.experimental.Profile(folder, options):
            work()
        space = xplane_pb2.XSpace()
        space.ParseFromString(next(Path(folder).rglob("*.xplane.pb")).read_bytes())
    seconds: Counter[str] = Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                # Operations of graphs; those of Python's thread hold other ones.
                if re.fullmatch(r"[\w./\-]+:\w+", name):
                    seconds[name] += event.duration_ps / 1e12
    return dict(seconds)


class Counted:
    """A compiled function that counts the products of its calls."""

    def __init__(self, function: Any, flop: Counter) -> None:
        self.function, self.flop = function, flop
        self.by_shapes: dict[Any, Counter] = {}

    def __call__(self, *arguments: Any) -> Any:
        specs = tf.nest.map_structure(
            lambda one: tf.TensorSpec(np.shape(one), np.asarray(one).dtype), arguments
        )
        key = str(specs)
        if key not in self.by_shapes:
            graph = (
                tf.function(self.function.python_function, autograph=False)
                .get_concrete_function(*specs)
                .graph
            )
            found = self.by_shapes[key] = Counter()
            for operation in operations_in(graph):
                kind = BATCHES if "Batch" in operation.type else ROWS
                found[kind, part_of(operation.name)] += operations_of(operation)
        self.flop.update(self.by_shapes[key])
        return self.function(*arguments)


def counted(predictor, work) -> Counter:
    """Floating-point operations of products, by kind and part."""
    flop: Counter = Counter()
    kept = dict(predictor._compiled)
    for key, functions in kept.items():
        many = isinstance(functions, tuple)
        wrapped = tuple(Counted(one, flop) for one in (functions if many else (functions,)))
        predictor._compiled[key] = wrapped if many else wrapped[0]
    work()
    predictor._compiled.update(kept)
    return flop


def in_turns(name: str, weights: str | None, seconds: float, policy: str, pairs: int) -> None:
    """Prints how many times as fast half precision lifts, and by how much joints move."""
    lifts, poses = [], []
    keypoints, (width, height) = walk(round(seconds * FPS)), (int(SIZE[1]), int(SIZE[3]))
    for dtype in (None, policy.removeprefix("mixed_")):
        tf.keras.utils.set_random_seed(0)
        model = load_model(weights) if weights else build_model(load_config(name))
        if dtype:
            narrow_products(model, dtype)
        lifter = tf_pose3d.Lifter(model)
        lifts.append(lambda lifter=lifter: lifter.lift(keypoints, width, height, FPS, "h36m_17"))
        poses.append(lifts[-1]().pose_3d)
    ratios = []
    for number in range(pairs):
        order = (0, 1) if number % 2 else (1, 0)
        spent = {side: clocked(lifts[side]) for side in order}
        ratios.append(spent[0] / spent[1])
    low, middle, high = np.quantile(ratios, (0.25, 0.5, 0.75))
    moved = 1000 * np.linalg.norm(poses[0] - poses[1], axis=-1)
    print(
        f"{name}, {len(keypoints)} frames, {pairs} pairs: {policy} {middle:.2f} times as fast as float32 "
        f"({low:.2f} to {high:.2f}); joints move by {moved.mean():.2f} mm, "
        f"{np.quantile(moved, 0.99):.2f} at 99 %{'' if weights else ', with weights that are not trained'}"
    )


def report(name: str, weights: str | None, seconds: float, policy: str | None) -> None:
    config = load_config(name)
    model = load_model(weights) if weights else build_model(config)
    dtype = policy.removeprefix("mixed_") if policy else "float32"
    if policy:
        narrow_products(model, dtype)
    lifter = tf_pose3d.Lifter(model)
    keypoints, (width, height) = walk(round(seconds * FPS)), (int(SIZE[1]), int(SIZE[3]))

    def lift() -> None:
        lifter.lift(keypoints, width, height, FPS, "h36m_17")

    lift()
    if not lifter._predictor._compiled:
        raise SystemExit(f"profile_lifting.py: {name} does not lift by windows")
    whole = min(clocked(lift) for _ in range(2))
    events, flop = traced(lift), counted(lifter._predictor, lift)
    total = sum(events.values())
    types = dict.fromkeys(("float32", dtype))
    best = {one: measured_peak(one, time.process_time) / 1e9 for one in types}
    peaks = ", ".join(f"{one} {rate:.0f}" for one, rate in best.items())
    work = f"{whole:.2f} s of processor time, {sum(flop.values()) / 1e9:.0f} GFLOP"
    print(f"{name}, {len(keypoints)} frames, {dtype}: {work}")
    print(f"{processor()}, one thread; a product of 4,096 x 1,024 by 1,024 x 1,024 in GFLOP/s: {peaks}")

    kinds: Counter = Counter()
    parts: dict[tuple[str, str], float] = defaultdict(float)
    for operation, spent in events.items():
        path, type_name = operation.rsplit(":", 1)
        kind = kind_of(type_name)
        kinds[kind] += spent
        if kind in (ROWS, BATCHES):
            parts[kind, part_of(path)] += spent
    rows = [
        (kind, spent, sum(count for (of, _), count in flop.items() if of == kind))
        for kind, spent in kinds.most_common()
    ]
    show("operations", rows, whole, total)
    rows = [
        (f"{part}{' (queries, keys, values)' if kind == BATCHES else ''}", spent, flop[kind, part])
        for (kind, part), spent in sorted(parts.items(), key=lambda one: -one[1])
    ]
    show("products of", rows, whole, total)


def show(first: str, rows: list[tuple[str, float, int]], whole: float, total: float) -> None:
    table = PrettyTable([first, "s", "share", "GFLOP", "GFLOP/s"])
    table.align = "l"
    for name, spent, count in rows:
        share = spent / total
        if share < 0.0005:
            continue
        rate = f"{count / 1e9 / (share * whole):.0f}" if count else ""
        table.add_row(
            [name, f"{share * whole:.2f}", f"{share:.1%}", f"{count / 1e9:.1f}" if count else "", rate]
        )
    print(table)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", help="name of a shipped config whose network lifts by windows")
    parser.add_argument("--weights", metavar="FILE", help="default: random ones, which take the same time")
    parser.add_argument("--seconds", type=float, default=60.0, metavar="S", help="of the clip (60)")
    parser.add_argument("--mixed_precision", choices=("mixed_bfloat16", "mixed_float16"))
    parser.add_argument("--pairs", type=int, default=0, metavar="N", help="only the ratio of so many pairs")
    given = parser.parse_args()
    if given.pairs and not given.mixed_precision:
        parser.error("--pairs: needs --mixed_precision, which stands against float32")
    if not given.seconds > 0:
        parser.error(f"--seconds is {given.seconds:g}, expected a number above 0")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    if given.pairs:
        in_turns(given.config, given.weights, given.seconds, given.mixed_precision, given.pairs)
        return 0
    report(given.config, given.weights, given.seconds, given.mixed_precision)
    return 0


if __name__ == "__main__":
    sys.exit(main())
