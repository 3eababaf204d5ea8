"""Speeds and memory of Uplift and Upsample, each beside a plain formulation in the same run.

    python tools/benchmark.py [pipeline|evaluation|training|metrics|memory ...] [--untuned]

With no name, all of them. The plain formulations stand for the release's way of doing it: a Python
generator that cuts one window at a time, and a network that sends every frame of every window through
its spatial part (`uplift_baseline.py`). Results are medians; `--repeats` says of how many rounds.
With `--untuned` the process keeps TensorFlow's and the C library's defaults instead of what the
programs start with (`tf_pose3d/process.py`).
"""

from __future__ import annotations

import argparse
import itertools
import os
import resource
import statistics
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
TOOLS = Path(__file__).resolve().parent
# Neighbours of this file; the package itself where it is run as a file of a clone.
sys.path[:0] = [str(TOOLS)] if __package__ else [str(TOOLS), str(TOOLS.parent)]

import numpy as np


def rounds(count, **work):
    """Runs the functions in turn, after one warm-up of each; (name -> median seconds, medians of ratios)."""
    for function in work.values():
        function()
    times = {name: [] for name in work}
    for _ in range(count):
        for name, function in work.items():
            start = time.perf_counter()
            function()
            times[name].append(time.perf_counter() - start)
    first = next(iter(work))
    ratios = {
        name: statistics.median(a / b for a, b in zip(times[first], values, strict=True))
        for name, values in times.items()
    }
    return {name: statistics.median(values) for name, values in times.items()}, ratios


def made_up_sequences(total_frames, frames=2000, seed=0):
    """Random poses in the shape of Human3.6M: four cameras a recording."""
    from tf_pose3d.data import human36m
    from tf_pose3d.data.sequence import Sequence
    from tf_pose3d.skeleton import get_skeleton

    random = np.random.default_rng(seed)
    skeleton = get_skeleton("uplift_17")
    pixels = random.uniform(0, 1000, (frames, 17, 2)).astype(np.float32)
    metres = random.normal(size=(frames, 17, 3)).astype(np.float32)
    return [
        Sequence(
            subject="S1",
            action="Walking",
            name=f"Walking {number}",
            skeleton=skeleton,
            camera=human36m.CAMERAS["S1"][number % 4],
            pose_2d=pixels.copy(),
            pose_3d=metres.copy(),
        )
        for number in range(total_frames // frames)
    ]


def config_351(**changes):
    from tf_pose3d.models.loading import load_config

    return load_config("h36m_351").replace(**changes)


def plain_windows(sequences, length, stride, strides, seed=0):
    """One window after another in Python, each followed by its mirror image, shuffled."""
    from tf_pose3d.camera import normalize_screen_coordinates

    random = np.random.default_rng(seed)
    flip = list(sequences[0].skeleton.flip_order)
    videos = [
        (normalize_screen_coordinates(s.pose_2d, s.camera.width, s.camera.height), s.pose_3d)
        for s in sequences
    ]
    places = [(number, frame) for number, s in enumerate(sequences) for frame in range(s.num_frames)]
    half = (length - 1) * stride // 2
    for place in random.permutation(len(places)):
        number, frame = places[place]
        mask_stride = random.choice(strides)
        shift = random.integers(-(mask_stride // stride // 2), mask_stride // stride // 2 + 1) * stride
        wanted = np.arange(frame - half, frame + half + 1, stride)
        inside = wanted[(wanted >= 0) & (wanted < sequences[number].num_frames)]
        before, after = np.sum(wanted < 0), np.sum(wanted >= sequences[number].num_frames)
        poses = [
            np.pad(video[inside], ((before, after), (0, 0), (0, 0)), mode="edge") for video in videos[number]
        ]
        mask = ((np.arange(length) - length // 2) * stride + shift) % mask_stride == 0
        yield poses[0], poses[1], mask
        mirrored = [pose[:, flip].copy() for pose in poses]
        for pose in mirrored:
            pose[..., 0] *= -1
        yield mirrored[0], mirrored[1], mask


def pipeline(repeats):
    """Training windows per second: 71 tokens, mirror images, random masks, batch 512."""
    from tf_pose3d.data.windows import Windows
    from tf_pose3d.models.family import get_family

    sequences, config = made_up_sequences(200_000), config_351()
    windows = Windows(sequences, get_family("uplift").data_spec(config, "train"))
    ours = iter(windows.training_dataset(512))
    # Not through tf.data, whose buffers would go on filling during the other side's turn.
    plain = plain_windows(sequences, 71, 5, config.MASK_STRIDE)

    def take_plain(batches):
        for _ in range(batches):
            [np.stack(part) for part in zip(*itertools.islice(plain, 512), strict=True)]

    def take(batches):
        for _ in range(batches):
            next(ours)

    times, _ = rounds(repeats, plain=lambda: take_plain(4), ours=lambda: take(400))
    rates = {"plain": 4 * 512 / times["plain"], "ours": 400 * 512 / times["ours"]}
    for name, rate in rates.items():
        print(f"pipeline, {name}: {rate:,.0f} windows/s")
    print(f"pipeline, ratio: {rates['ours'] / rates['plain']:.1f}")


def evaluation(repeats):
    """Poses per second of h36m_351 with mirrored inputs, every frame reported."""
    import tensorflow as tf
    from uplift_baseline import UpliftBaseline

    from tf_pose3d.data.windows import Windows
    from tf_pose3d.evaluation.keyframes import interpolate_keyframes
    from tf_pose3d.evaluation.prediction import predict_poses
    from tf_pose3d.models.family import get_family
    from tf_pose3d.models.loading import build_model

    config = config_351(MASK_STRIDE=5)
    family = get_family("uplift")
    model = build_model(config)
    windows = Windows(made_up_sequences(4000), family.data_spec(config, "test"))
    frames = windows.centre_frames()[1]
    numbers = np.flatnonzero(frames % config.SEQUENCE_STRIDE == 0)

    def ours():
        poses = np.zeros((windows.num_centres, 17, 3), np.float32)
        poses[numbers] = predict_poses(model, windows, config.BATCH_SIZE, numbers)
        interpolate_keyframes(poses, frames, config.SEQUENCE_STRIDE)

    baseline = UpliftBaseline()
    network = tf.function(baseline.__call__)
    flip = tf.constant(windows.store.skeleton.flip_order)
    plain_count = 128

    def plain():
        for first in range(0, plain_count, 32):
            batch = windows.batch(tf.range(first, first + 32, dtype=tf.int64))
            keypoints = batch["keypoints_2d"]
            mirrored = tf.gather(keypoints, flip, axis=2) * tf.constant([-1.0, 1.0])
            straight = network(keypoints, batch["stride_mask"])[1]
            (straight + network(mirrored, batch["stride_mask"])[1]).numpy()

    times, _ = rounds(repeats, plain=plain, ours=ours)
    rates = {"plain": plain_count / times["plain"], "ours": windows.num_centres / times["ours"]}
    for name, rate in rates.items():
        print(f"evaluation, {name}: {rate:,.0f} poses/s")
    print(f"evaluation, ratio: {rates['ours'] / rates['plain']:.1f}")


def training(repeats):
    """Seconds per training step of h36m_351, batch 64, with every frame visible and with one in four."""
    import keras
    import tensorflow as tf
    from uplift_baseline import UpliftBaseline

    from tf_pose3d.data.windows import pack_visible
    from tf_pose3d.models.family import get_family
    from tf_pose3d.models.loading import build_model
    from tf_pose3d.training.optimizers import make_optimizer

    config = config_351(BATCH_SIZE=64)
    family = get_family("uplift")
    keypoints, poses = tf.random.normal((64, 71, 17, 2)), tf.random.normal((64, 71, 17, 3))
    baseline = UpliftBaseline()
    plain_optimizer = keras.optimizers.Adam(4e-5)
    plain_optimizer.build(baseline.trainable_variables)
    plain = baseline.train_step(plain_optimizer)
    model, optimizer, loss = build_model(config), make_optimizer(config), family.loss(config)
    optimizer.build(model.trainable_variables)

    @tf.function(autograph=False, reduce_retracing=True)
    def ours(batch):
        with tf.GradientTape() as tape:
            value = loss(model(batch, training=True), batch)
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(value, [variable.value for variable in variables]), variables)
        return value

    for mask_stride in (5, 20):
        offsets = (np.arange(71) - 35) * 5
        mask = tf.constant(np.tile(offsets % mask_stride == 0, (64, 1)))
        batch = {"keypoints_2d": keypoints, "pose_3d": poses, "stride_mask": mask, **pack_visible(mask)}
        for _ in range(2):
            ours(batch)
        times, ratios = rounds(
            repeats,
            plain=lambda m=mask: float(plain(keypoints, poses, m)),
            ours=lambda b=batch: float(ours(b)),
        )
        print(
            f"training step, s_in {mask_stride}: plain {times['plain']:.3f} s, ours {times['ours']:.3f} s, "
            f"ratio {ratios['ours']:.2f}"
        )


def metrics(repeats):
    """Seconds for MPJPE, NMPJPE and PAMPJPE of a million poses."""
    from tf_pose3d.evaluation.metrics import mpjpe, nmpjpe, pampjpe

    random = np.random.default_rng(0)
    target = random.normal(size=(1_000_000, 17, 3)).astype(np.float32)
    predicted = target + random.normal(scale=0.05, size=target.shape).astype(np.float32)

    def all_three():
        mpjpe(predicted, target, root=6)
        nmpjpe(predicted, target, root=6)
        pampjpe(predicted, target)

    times, _ = rounds(max(1, repeats // 3), ours=all_three)
    print(f"metrics of 1,000,000 poses: {times['ours']:.1f} s")


def memory(repeats):
    """Peak memory and seconds until the first training batch at Human3.6M's size, in a process of its own."""
    import subprocess

    code = (
        "import sys, time; start = time.perf_counter(); "
        f"sys.path[:0] = {sys.path[:2]!r}; "
        "from tf_pose3d.process import tune_process; tune_process(); "
        "import benchmark; benchmark.first_batch(start)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def first_batch(start):
    """Builds the training windows over 2.1 million frame-views and takes one batch."""
    from tf_pose3d.data.windows import Windows
    from tf_pose3d.models.family import get_family

    made = time.perf_counter()
    sequences = made_up_sequences(2_100_000)
    making = time.perf_counter() - made
    windows = Windows(sequences, get_family("uplift").data_spec(config_351(), "train"))
    next(iter(windows.training_dataset(512)))
    seconds = time.perf_counter() - start - making
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"2.1 million frame-views: first batch after {seconds:.1f} s, peak memory {peak:.2f} GB")


BENCHMARKS = {
    "pipeline": pipeline,
    "evaluation": evaluation,
    "training": training,
    "metrics": metrics,
    "memory": memory,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; default: all")
    parser.add_argument("--repeats", type=int, default=5, help="rounds per benchmark (default: 5)")
    parser.add_argument("--untuned", action="store_true", help="TensorFlow's and the C library's defaults")
    arguments = parser.parse_args()
    if not arguments.untuned:
        from tf_pose3d.process import tune_process

        tune_process()
    unknown = set(arguments.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(BENCHMARKS)}")
    for name in arguments.names or BENCHMARKS:
        BENCHMARKS[name](arguments.repeats)
