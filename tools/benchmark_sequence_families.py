"""Clips per second of MotionBERT, MotionAGFormer and MixSTE beside PyTorch.

    python tools/benchmark_sequence_families.py [--cases motionagformer_xs] [--rounds 5] [--compile]
    python tools/benchmark_sequence_families.py --original MotionAGFormer=PATH --original MotionBERT=PATH
    python tools/benchmark_sequence_families.py --memory --original MotionAGFormer=PATH
    python tools/benchmark_sequence_families.py --stream

PyTorch's networks are plain forms of the releases' (`sequence_families_baseline.py`), or with `--original`
those of a clone of the release itself. `--clock processor` counts the process's processor time, of all its
threads, instead of time on the wall: for machines that do other work, too; with `--threads 1` and
TF_NUM_INTRAOP_THREADS=1, as threads that find no free core wait busily, which counts. `--memory` measures
in a process each what a training step needs above the loaded program with its network; `--stream` what one
frame of a stream takes.

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
import json
import os
import resource
import statistics
import subprocess
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
from count_flops import measured_peak
from prettytable import PrettyTable

from tf_pose3d.models.family import get_family
from tf_pose3d.models.loading import build_model, load_config
from tf_pose3d.process import split_cores
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


def split_as_programs_do(cases):
    """TensorFlow's threads as the programs have them for these networks; its own way where those differ."""
    families = [get_family(load_config(CASES[case][0]).ARCH) for case in cases]
    if len({family.branches for family in families}) == 1 and "TF_NUM_INTRAOP_THREADS" not in os.environ:
        of_one, beside = split_cores(families[0].branches, os.cpu_count() or 1)
        tf.config.threading.set_intra_op_parallelism_threads(of_one)
        tf.config.threading.set_inter_op_parallelism_threads(beside)
        print(f"TensorFlow: {of_one} threads an operation, {beside} operations at a time")


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


def theirs(case, inference, training, compiled, originals):
    """(forward pass, training step) of the baseline, or of the release's own network."""
    import sequence_families_baseline as baseline
    import torch

    _, _, _, kind, sizes = CASES[case]
    if kind in originals:
        from original_networks import original_network

        network = original_network(kind, originals[kind], sizes)
    else:
        network = getattr(baseline, kind)(**sizes)
    channels = 2 if kind == "MixSTE" else 3
    # Both batches get programs of their own; one for any batch takes a quarter of an hour to compile.
    run = torch.compile(network, dynamic=False) if compiled else network
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


CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}


def timed(work, repeats, clock):
    start = clock()
    for _ in range(repeats):
        result = work()
    if hasattr(result, "numpy"):
        result.detach().numpy() if hasattr(result, "detach") else result.numpy()
    return (clock() - start) / repeats


def resident():
    """Bytes that the process holds in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def memory_of_one(case, who, originals):
    """Prints what training steps of one side need above the loaded program with its network, in MB."""
    config, _, training, *_ = CASES[case]
    if who == "ours":
        _, step, _ = ours(config, 1, training)
    else:
        _, step = theirs(case, 1, training, False, originals)
    before = resident()
    for _ in range(3):
        step()
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"above": (peak - before) / 1e6, "before": before / 1e6}))


def memory_table(arguments):
    """Peak memory of training steps, each side in a process of its own."""
    table = PrettyTable(["case", "clips", "who", "loaded, MB", "a step above that, MB", "ours over theirs"])
    for case in arguments.cases:
        found = {}
        for who in ("ours", "theirs"):
            command = [sys.executable, __file__, "--one", who, "--cases", case]
            command += [part for text in arguments.original for part in ("--original", text)]
            result = subprocess.run(command, capture_output=True, text=True, check=True)
            found[who] = json.loads(result.stdout.splitlines()[-1])
        ratio = found["ours"]["above"] / found["theirs"]["above"]
        for who, held in found.items():
            share = f"{ratio:.2f}" if who == "ours" else ""
            table.add_row([case, CASES[case][2], who, f"{held['before']:.0f}", f"{held['above']:.0f}", share])
    return table


def stream_table(arguments, clock):
    """Time of one frame of a stream of keypoints at 30 per second."""
    from tf_pose3d.inference.lifter import make_lifter
    from tf_pose3d.inference.stream import PoseStream

    table = PrettyTable(["case", "passes a frame", "delay", "ms (least to greatest)", "frames a second"])
    random = np.random.default_rng(0)
    frames = random.uniform(300, 700, (90, 17, 3)).astype(np.float32)
    frames[..., 2] = 1
    for case in arguments.cases:
        model = build_model(CASES[case][0])
        for flip in (False, True):
            lifter = make_lifter(model, model.config.replace(EVAL_FLIP=flip))
            for delay in (0, 3):
                stream = PoseStream(lifter, 1280, 960, 30, "h36m_17", delay)
                times = []
                for points in frames:
                    start = clock()
                    list(stream.push(points))
                    times.append(clock() - start)
                times = times[30:]
                middle = statistics.median(times)
                spread = f"{1000 * middle:.1f} ({1000 * min(times):.1f} to {1000 * max(times):.1f})"
                passes = "two, mirrored" if flip else "one"
                table.add_row([case, passes, delay, spread, f"{1 / middle:.0f}"])
    return table


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3, help="passes a round")
    parser.add_argument("--compile", action="store_true", help="also torch.compile")
    parser.add_argument("--inference_only", action="store_true")
    parser.add_argument(
        "--original", action="append", default=[], metavar="NAME=PATH", help="a release's clone"
    )
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall")
    parser.add_argument("--threads", type=int, help="of PyTorch (default: the machine's)")
    parser.add_argument("--memory", action="store_true", help="measure peak memory of training instead")
    parser.add_argument("--stream", action="store_true", help="measure a stream instead")
    parser.add_argument("--one", choices=("ours", "theirs"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    clock = CLOCKS[arguments.clock]
    split_as_programs_do(arguments.cases)
    originals = {}
    if arguments.original:
        from original_networks import parse_originals

        originals = parse_originals(arguments.original)
    if arguments.one:
        memory_of_one(arguments.cases[0], arguments.one, originals)
        return
    if arguments.memory or arguments.stream:
        print(memory_table(arguments) if arguments.memory else stream_table(arguments, clock))
        return
    has_torch = importlib.util.find_spec("torch") is not None
    if has_torch:
        import torch

        torch.set_num_threads(arguments.threads or os.cpu_count() or 1)
    peak = measured_peak()
    print(f"measured peak of a matrix product: {peak / 1e9:.0f} GFLOP/s, {os.cpu_count()} threads")
    table = PrettyTable(["case", "work", "who", "ms (least to greatest)", "GFLOP", "of peak", "times theirs"])
    for case in arguments.cases:
        config, inference, training, *_ = CASES[case]
        forward, step, model = ours(config, inference, training)
        works = {"this package": (forward, step)}
        if has_torch:
            own = "the release" if CASES[case][3] in originals else "PyTorch"
            works[f"{own}, eager"] = theirs(case, inference, training, False, originals)
            if arguments.compile:
                works[f"{own}, torch.compile"] = theirs(case, inference, training, True, originals)
        for index, work in enumerate(
            ("inference",) if arguments.inference_only else ("inference", "training")
        ):
            flops = product_flops(model, (inference, training)[index]) * (1, 3)[index]
            times = {name: [] for name in works}
            for functions in works.values():
                functions[index]()
            for _ in range(arguments.rounds):
                for name, functions in works.items():
                    times[name].append(timed(functions[index], arguments.repeats, clock))
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
