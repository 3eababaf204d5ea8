"""Parameters and floating-point operations of the shipped configs' networks.

    python tools/count_flops.py                     # all of them
    python tools/count_flops.py hgcn_gt poseformer_81

Counted are the products of one forward pass of one example, read off the traced program: a multiplication and
an addition are two operations. Matrix products, convolutions and einsums count, nothing else does: no
activations, norms, softmaxes or samplings. `per frame` divides by the frames that the pass gives poses for.
The passes are as the networks are written; that evaluation shares work between windows is not in it.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

if not __package__:  # run as a file of a clone
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tf_pose3d.cli.program import start_tensorflow

start_tensorflow()

import keras
import tensorflow as tf
from prettytable import PrettyTable

from tf_pose3d.config import shipped_configs
from tf_pose3d.models.loading import build_model, load_config
from tf_pose3d.ops.exporting import exporting

_MATRIX_PRODUCTS = ("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3")
# Families that give every frame of a clip.
_CLIPS = ("General", "MotionBERT", "MotionAGFormer", "MixSTE", "D3DP")
# Frames of a clip where a network takes any length, and gives all of them.
_CLIP = 27


def _shape(tensor: tf.Tensor) -> list[int]:
    if tensor.shape.rank is None or None in tensor.shape.as_list():
        raise ValueError(f"{tensor.name} has no fixed shape: {tensor.shape}")
    return tensor.shape.as_list()


def _einsum(equation: str, shapes: list[list[int]]) -> int:
    """2 x the product of the sizes of all letters."""
    sizes: dict[str, int] = {}
    left = equation.split("->")[0].split(",")
    batch: list[int] = []
    for letters, shape in zip(left, shapes, strict=True):
        if "..." in letters:
            before, after = letters.split("...")
            batch = max(batch, shape[len(before) : len(shape) - len(after)], key=math.prod)
            shape = shape[: len(before)] + shape[len(shape) - len(after) :]
            letters = before + after
        sizes.update({letter: size for letter, size in zip(letters, shape, strict=True) if size > 1})
    return 2 * math.prod(sizes.values()) * math.prod(batch)


def operations_of(operation: tf.Operation) -> int:
    """Floating-point operations of one node of a graph: of products alone."""
    kind = operation.type
    if kind == "Einsum":
        return _einsum(operation.get_attr("equation").decode(), [_shape(one) for one in operation.inputs])
    if kind not in (*_MATRIX_PRODUCTS, "Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter"):
        return 0
    result = _shape(operation.outputs[0])
    if kind == "Conv2D":
        kernel = _shape(operation.inputs[1])
        return 2 * math.prod(result) * math.prod(kernel[:3])
    if kind == "Conv2DBackpropFilter":
        return 2 * math.prod(_shape(operation.inputs[2])) * math.prod(result[:3])
    if kind == "Conv2DBackpropInput":
        # A transposed convolution: every input is multiplied by the whole kernel.
        kernel, read = _shape(operation.inputs[1]), _shape(operation.inputs[2])
        return 2 * math.prod(read) * math.prod(kernel[:3])
    first = _shape(operation.inputs[0])
    transposed = operation.get_attr("transpose_a" if kind == "MatMul" else "adj_x")
    return 2 * math.prod(result) * first[-2 if transposed else -1]


def operations_in(graph: tf.Graph) -> Iterator[tf.Operation]:
    for operation in graph.get_operations():
        if operation.type in ("While", "StatelessWhile", "If", "StatelessIf"):
            raise ValueError(f"{operation.name}: a loop or branch, whose passes are not counted")
        if operation.type in ("PartitionedCall", "StatefulPartitionedCall"):
            yield from operations_in(graph._get_function(operation.get_attr("f").name).graph)
        else:
            yield operation


def products_in(function: Callable[..., Any], *arguments: Any) -> int:
    """Floating-point operations of the products of one call, compiled operations by their `keras.ops` forms.

    Args:
        function: Of tensors; traced anew.
        arguments: Of the call.
    """
    with exporting():
        traced = tf.function(function, autograph=False).get_concrete_function(*arguments)
    return sum(operations_of(operation) for operation in operations_in(traced.graph))


def measured_peak(dtype: str = "float32", clock: Callable[[], float] = time.perf_counter) -> float:
    """Floating-point operations per second of a large product, the best of eight.

    Where an operation has one thread and several are done at a time, of as many products.

    Args:
        dtype: Of its operands.
        clock: `time.process_time` for the rate of one thread on a busy machine.
    """
    shapes = ((4096, 1024), (1024, 1024))
    threads = tf.config.threading
    alone = threads.get_intra_op_parallelism_threads() == 1
    count = max(threads.get_inter_op_parallelism_threads(), 1) if alone else 1
    factors = [
        [tf.cast(tf.random.stateless_normal(shape, (index, 1)), dtype) for shape in shapes]
        for index in range(count)
    ]
    products = tf.function(lambda: [tf.linalg.matmul(*pair) for pair in factors], autograph=False)
    times = []
    for _ in range(9):
        start = clock()
        products()
        times.append(clock() - start)
    return count * 2 * math.prod(shapes[0]) * shapes[1][1] / min(times[1:])


def _example_shape(key: str, shape: tuple[int | None, ...], model: keras.Model) -> list[int]:
    """The shape of an input of one example, in the size at which the config uses the network."""
    if key == "image":
        width, height = model.config.IMAGE_SIZE
        return [1, *(size for size in shape[1:-3]), height, width, 3]
    if key == "keypoints_2d" and model.config.ARCH == "General":
        # It reads clips of any length, this one in training.
        return [1, _CLIP if model.config.DILATIONS else 1, *shape[2:]]
    return [1, *(1 if size is None else size for size in shape[1:])]


def _frames(model: keras.Model, outputs: dict[str, tf.Tensor]) -> int:
    """For how many frames a pass gives the poses that are used."""
    if model.config.ARCH in _CLIPS:
        return next(pose.shape[1] for key, pose in outputs.items() if key.endswith("_sequence"))
    pose = outputs.get("pose_3d")
    return 1 if pose is None or pose.shape.rank < 4 else pose.shape[1]


def _statistics(model: keras.Model) -> int:
    """How many numbers are statistics of batch normalisation or states of draws: no parameters."""
    return sum(math.prod(one.shape) for one in model.weights if "moving" in one.path or "seed" in one.path)


def count(name: str) -> dict[str, Any]:
    """Parameters and operations of the network of a shipped config.

    Args:
        name: Of the config.

    Returns:
        `arch`, `parameters`, `inputs` (name -> shape without the batch), `frames` that a pass gives,
        `gflop` a pass and `gflop_per_frame`.
    """
    config = load_config(name)
    if getattr(config, "in_stages", False):
        # The whole network; stage 1 has no fusion.
        config = config.replace(STAGE=3)
    model = build_model(config)
    shapes = {key: _example_shape(key, shape, model) for key, shape in model.input_shapes.items()}
    specs = {key: tf.TensorSpec(shape, tf.float32) for key, shape in shapes.items()}

    @tf.function(autograph=False)
    def forward(batch: dict[str, tf.Tensor]) -> Any:
        return model(batch, training=False)

    with exporting():
        traced = forward.get_concrete_function(specs)
    operations = sum(operations_of(operation) for operation in operations_in(traced.graph))
    frames = _frames(model, traced.structured_outputs)
    gflop = operations / 1e9
    return {
        "arch": model.config.ARCH,
        "parameters": model.count_params() - _statistics(model),
        "inputs": {key: shape[1:] for key, shape in shapes.items()},
        "frames": frames,
        "gflop": gflop,
        "gflop_per_frame": gflop / frames,
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("configs", nargs="*", help="names of shipped configs (default: all)")
    parser.add_argument("--json", metavar="FILE", help="also write the numbers")
    arguments = parser.parse_args()
    table = PrettyTable(
        ["config", "ARCH", "parameters", "inputs", "frames", "GFLOP a pass", "GFLOP per frame"]
    )
    table.align = "l"
    counted = {}
    for name in arguments.configs or shipped_configs():
        counted[name] = one = count(name)
        inputs = ", ".join(f"{key} {'x'.join(map(str, shape))}" for key, shape in one["inputs"].items())
        row = [
            f"{one['parameters']:,}",
            inputs,
            one["frames"],
            f"{one['gflop']:.4g}",
            f"{one['gflop_per_frame']:.4g}",
        ]
        table.add_row([name, one["arch"], *row])
    print(table)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(counted, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
