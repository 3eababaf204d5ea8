"""Time each stage of DenseWarper's forward pass at full size, and measure its peak memory.

    python tools/benchmark_densewarper.py [--repeats 3] [--num_layers 152] [--only stages|geometry|memory]

`stages`: one group of four 384x384 views through PoseResNet and twelve warpers. `geometry`: epipolar fusion
of four 96x96x20 views, compiled and in `keras.ops`; soft-argmax of 10,000 heat maps of 96x96; triangulation
of 10,000 joints seen by four views. `memory`: the most memory that a process holds that builds the network
and runs the pass (Linux). Times are the least of the repeats, all in one process, with random weights.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

if not __package__:  # run as a file of a clone
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tf_pose3d.cli.program import start_tensorflow

start_tensorflow()

import keras
import numpy as np
import tensorflow as tf

from tf_pose3d.geometry.epipolar import epipolar_lines, epipolar_maximum
from tf_pose3d.geometry.soft_argmax import soft_argmax
from tf_pose3d.geometry.triangulation import triangulate
from tf_pose3d.geometry.views import heatmap_affine
from tf_pose3d.models.densewarper.config import DenseWarperConfig
from tf_pose3d.models.loading import build_model
from tf_pose3d.ops import dispatch

JOINTS = 10_000


def cameras(views: int) -> dict[str, np.ndarray]:
    """Cameras 5 m from the middle of the room, looking at it from all sides."""
    angles = 2 * np.pi * np.arange(views) / views
    centre = np.stack([5000 * np.cos(angles), 5000 * np.sin(angles), np.full(views, 1500)], -1)
    forward = -centre / np.linalg.norm(centre, axis=-1, keepdims=True)
    right = np.cross(forward, [0, 0, 1])
    right /= np.linalg.norm(right, axis=-1, keepdims=True)
    rotation = np.stack([right, np.cross(forward, right), forward], 1)
    inputs = {
        "rotation": rotation,
        "translation": centre,
        "intrinsics": np.tile([1145, 1145, 500, 500], (views, 1)),
        "crop": np.tile([[0.8, 0, -208], [0, 0.8, -208]], (views, 1, 1)),
    }
    return {name: array[None].astype("float32") for name, array in inputs.items()}


def seconds(repeats: int, run, *arguments) -> float:
    """The least time of a function that returns tensors."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        tf.nest.map_structure(lambda tensor: tensor.numpy(), run(*arguments))
        times.append(time.perf_counter() - start)
    return min(times[1:])


def report(name: str, value: float) -> None:
    print(f"{name:<58}{value:9.3f} s", flush=True)


def full_size(num_layers: int):
    """The model of the published config and a group of random images."""
    keras.utils.set_random_seed(0)
    model = build_model(DenseWarperConfig(NUM_LAYERS=num_layers))
    images = np.random.default_rng(0).normal(size=(1, 4, 384, 384, 3)).astype("float32")
    return model, {"image": tf.constant(images), **cameras(4)}


def time_stages(repeats: int, num_layers: int) -> None:
    model, inputs = full_size(num_layers)
    own = model.own_heatmaps(inputs["image"])
    dense = tf.random.uniform((1, 4, 4, 96, 96, model.num_joints))
    guess = tf.random.uniform((1, 96, 96, model.num_joints))
    backbone = tf.function(model.own_heatmaps)
    guesses = tf.function(lambda maps: model.first_guesses(maps, inputs))
    warp = tf.function(model.warpers[0])
    joints = tf.function(lambda maps: model.joints(maps, inputs))
    whole = tf.function(lambda batch: model(batch, training=False))
    report(f"PoseResNet-{num_layers}, four views of 384x384", seconds(repeats, backbone, inputs["image"]))
    report("epipolar fusion, twelve pairs", seconds(repeats, guesses, own))
    report("one warper of twelve", seconds(repeats, warp, own[:, 0], guess))
    report("soft-argmax and triangulation, sixteen maps", seconds(repeats, joints, dense))
    report("whole forward pass", seconds(max(1, repeats // 2), whole, inputs))


def time_geometry(repeats: int) -> None:
    pairs = [(own, other) for own in range(4) for other in range(4) if own != other]
    views = cameras(4)
    maps = tf.random.uniform((1, 4, 96, 96, 20))

    def fusion(heatmaps):
        affine = heatmap_affine(views["crop"])
        lines = epipolar_lines(
            affine, views["intrinsics"], views["rotation"], views["translation"], 96, 96, pairs
        )
        return epipolar_maximum(heatmaps, lines, pairs)

    report("epipolar fusion of four 96x96x20 views", seconds(repeats, tf.function(fusion), maps))
    with dispatch.without_compiled("line_maximum"):
        report("  in keras.ops", seconds(1, tf.function(fusion), maps))

    heatmaps = tf.random.uniform((JOINTS // 20, 96, 96, 20))
    run = tf.function(lambda value: soft_argmax(value, 15.0))
    report(f"soft-argmax of {JOINTS:,} heat maps of 96x96", seconds(repeats, run, heatmaps))
    projection = tf.random.normal((1, 4, 3, 4)) * [1e3, 1e3, 1e3, 1e6]
    points = tf.random.uniform((1, 4, JOINTS, 2)) * 1000
    for method in ("dlt", "ransac"):
        solve = tf.function(lambda value, method=method: triangulate(value, projection, method=method))
        name = f"triangulation of {JOINTS:,} joints from four views, {method}"
        report(name, seconds(repeats, solve, points))


def print_memory(num_layers: int) -> None:
    """Runs the pass in a process of its own and prints the most that it held."""
    command = [sys.executable, __file__, "--only", "peak", "--num_layers", str(num_layers)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    print(f"{'peak memory of one group of four 384x384 views':<58}{float(result.stdout):9.2f} GB")


def print_peak(num_layers: int) -> None:
    model, inputs = full_size(num_layers)
    tf.function(lambda batch: model(batch, training=False))(inputs)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--num_layers", type=int, default=152)
    parser.add_argument("--only", choices=("stages", "geometry", "memory", "peak"))
    arguments = parser.parse_args()
    if arguments.only == "peak":
        print_peak(arguments.num_layers)
        return
    if arguments.only in (None, "geometry"):
        time_geometry(arguments.repeats)
    if arguments.only in (None, "stages"):
        time_stages(arguments.repeats, arguments.num_layers)
    if arguments.only in (None, "memory"):
        print_memory(arguments.num_layers)


if __name__ == "__main__":
    main()
