"""Clips per second of MotionBERT, MotionAGFormer and MixSTE beside plain PyTorch forms of them.

    python tools/benchmark_sequence_families.py [--cases motionagformer_xs] [--rounds 5] [--compile]

Inference is a forward pass, training one step on a batch. Beside each figure stand the FLOPs of the matrix
products and what share they are of the processor's peak, which is measured by a large product in the same
run. Needs PyTorch for the comparison only; `--compile` also measures `torch.compile`. Both sides run in
turns within one process with as
many threads, so that what else the machine does falls on both: median, least and greatest of the rounds are
shown.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import sys
import time
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
# Neighbours of this file; the package itself where it is run as a file of a clone.
sys.path[:0] = [str(TOOLS)] if __package__ else [str(TOOLS), str(TOOLS.parent)]

from tf_pose3d.cli.program import start_tensorflow

start_tensorflow()

import numpy as np
import tensorflow as tf
from prettytable import PrettyTable

from tf_pose3d.models.family import get_family
from tf_pose3d.models.loading import build_model
from tf_pose3d.training.optimizers import make_optimizer

# Name -> shipped config, clips in a batch of inference and of training, the baseline's class and its sizes.
CASES = {
    "motionagformer_xs": (
        "motionagformer_xs",
        16,
        8,
        "MotionAGFormer",
        {"frames": 27, "width": 64, "depth": 12},
    ),
    "motionagformer_b": (
        "motionagformer_b",
        1,
        1,
        "MotionAGFormer",
        {"frames": 243, "width": 128, "depth": 16},
    ),
    "motionbert_lite": (
        "motionbert_global_lite",
        1,
        1,
        "MotionBERT",
        {"frames": 243, "width": 256, "depth": 5, "ratio": 4},
    ),
    "motionbert": ("motionbert", 1, 1, "MotionBERT", {"frames": 243, "width": 512, "depth": 5, "ratio": 2}),
    "mixste": ("mixste_243", 1, 1, "MixSTE", {"frames": 243, "width": 512, "depth": 8}),
}


def made_batch(frames, channels, count):
    """(keypoints, poses) of made-up clips."""
    random = np.random.default_rng(0)
    keypoints = random.uniform(-1, 1, (count, frames, 17, channels)).astype(np.float32)
    poses = random.normal(0, 0.3, (count, frames, 17, 3)).astype(np.float32)
    return keypoints, poses - poses[:, :, :1]


def ours(name, inference, training):
    """(forward pass, training step, model) of this package."""
    model = build_model(name)
    config = model.config
    family = get_family(config.ARCH)
    loss_of, optimizer = family.loss(config), make_optimizer(config, 1000)
    optimizer.build(model.trainable_variables)
    keypoints, _ = made_batch(model.frames, model.channels, inference)
    inputs = tf.constant(keypoints)
    keypoints, poses = made_batch(model.frames, model.channels, training)
    key = "pose_image" if model.sequence_output == "pose_image_sequence" else "pose_3d"
    batch = {"keypoints_2d": tf.constant(keypoints), key: tf.constant(poses)}

    @tf.function(autograph=False)
    def forward():
        return model({"keypoints_2d": inputs}, training=False)[model.sequence_output]

    @tf.function(autograph=False)
    def step():
        with tf.GradientTape() as tape:
            loss = loss_of(model(batch, training=True), batch)
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    return forward, step, model


def theirs(case, inference, training, compiled):
    """(forward pass, training step) of the baseline."""
    import sequence_families_baseline as baseline
    import torch

    _, _, _, kind, sizes = CASES[case]
    network = getattr(baseline, kind)(**sizes)
    channels = 2 if kind == "MixSTE" else 3
    run = torch.compile(network) if compiled else network
    optimizer = torch.optim.AdamW(network.parameters(), 1e-4)
    inputs = torch.from_numpy(made_batch(sizes["frames"], channels, inference)[0])
    keypoints, poses = map(torch.from_numpy, made_batch(sizes["frames"], channels, training))

    def forward():
        network.eval()
        with torch.inference_mode():
            return run(inputs)

    def step():
        network.train()
        optimizer.zero_grad()
        loss = baseline.image_loss(run(keypoints), poses)
        loss.backward()
        optimizer.step()
        return loss

    return forward, step


def product_flops(model, count):
    """FLOPs of the matrix products of a forward pass: weights times tokens, and attention."""
    tokens = count * model.frames * model.joints
    weights = sum(int(np.prod(v.shape)) for v in model.trainable_variables if len(v.shape) == 2)
    blocks = 2 * len(model.branches) if hasattr(model, "branches") else len(model.spatial_blocks)
    mixing = 4 * blocks * tokens * (model.frames + model.joints) * model.width
    return 2 * tokens * weights + mixing


def measured_peak(size=2048):
    """FLOPs per second of a large product."""
    matrix = tf.random.normal((size, size))
    product = tf.function(lambda: tf.matmul(matrix, matrix), autograph=False)
    product()
    times = []
    for _ in range(5):
        start = time.perf_counter()
        product().numpy()
        times.append(time.perf_counter() - start)
    return 2 * size**3 / min(times)


def timed(work, repeats):
    start = time.perf_counter()
    for _ in range(repeats):
        result = work()
    if hasattr(result, "numpy"):
        result.detach().numpy() if hasattr(result, "detach") else result.numpy()
    return (time.perf_counter() - start) / repeats


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3, help="passes a round")
    parser.add_argument("--compile", action="store_true", help="also torch.compile")
    parser.add_argument("--inference_only", action="store_true")
    arguments = parser.parse_args()
    has_torch = importlib.util.find_spec("torch") is not None
    if has_torch:
        import torch

        torch.set_num_threads(os.cpu_count() or 1)
    peak = measured_peak()
    print(f"measured peak of a matrix product: {peak / 1e9:.0f} GFLOP/s, {os.cpu_count()} threads")
    table = PrettyTable(["case", "work", "who", "ms (least to greatest)", "GFLOP", "of peak", "times theirs"])
    for case in arguments.cases:
        config, inference, training, *_ = CASES[case]
        forward, step, model = ours(config, inference, training)
        works = {"this package": (forward, step)}
        if has_torch:
            works["PyTorch eager"] = theirs(case, inference, training, False)
            if arguments.compile:
                works["torch.compile"] = theirs(case, inference, training, True)
        for index, work in enumerate(
            ("inference",) if arguments.inference_only else ("inference", "training")
        ):
            flops = product_flops(model, (inference, training)[index]) * (1, 3)[index]
            times = {name: [] for name in works}
            for functions in works.values():
                functions[index]()
            for _ in range(arguments.rounds):
                for name, functions in works.items():
                    times[name].append(timed(functions[index], arguments.repeats))
            own = statistics.median(times["this package"])
            for name, values in times.items():
                middle = statistics.median(values)
                spread = f"{1000 * middle:.1f} ({1000 * min(values):.1f} to {1000 * max(values):.1f})"
                gain = "" if name == "this package" else f"{middle / own:.2f}"
                share = f"{flops / middle / peak:.0%}"
                table.add_row([case, work, name, spread, f"{flops / 1e9:.1f}", share, gain])
    print(table)


if __name__ == "__main__":
    main()
