"""What each compiled operation gains by itself on the whole work of the networks that call it.

    python tools/benchmark_operations.py [--works uplift-training ...] [--rounds 7] [--threads 2]

A work is a training step (forward, backward and optimizer, deterministic as training is) or an evaluation
(all frames of a recording lifted as `eval.py` lifts them, mirrored pass included) of one published config.
It is done with everything compiled and, for each operation that it calls, with that operation alone
computed by `keras.ops`, in turns within one process; each work has a process of its own. Gain is the time
without the compiled operation over the time with it, of the same round; shown are its median and quartiles
over the rounds. Poses and images are random.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

if not __package__:  # run as a file of a clone
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tf_pose3d.cli.program import start_tensorflow

start_tensorflow()

import keras
import numpy as np
import tensorflow as tf
from prettytable import PrettyTable

from tf_pose3d.data.human36m import CAMERAS
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.data.windows import Windows
from tf_pose3d.evaluation.prediction import Predictor
from tf_pose3d.models.densewarper.config import DenseWarperConfig
from tf_pose3d.models.family import get_family
from tf_pose3d.models.lcn.folded import FoldedLCN
from tf_pose3d.models.loading import load_config
from tf_pose3d.ops.dispatch import without_compiled
from tf_pose3d.skeleton import get_skeleton
from tf_pose3d.training.optimizers import make_optimizer

TRANSFORMER = ("attention", "layer_norm", "bias_gelu")
DENSEWARPER = ("deform_conv", "line_maximum")
# Work -> the config, examples of a batch or frames of the recording, and the operations that it calls.
WORKS = {
    "uplift-training": ("h36m_351", 32, TRANSFORMER),
    "uplift-evaluation": ("h36m_351", 512, TRANSFORMER),
    "quickstart-training": ("quickstart", 64, TRANSFORMER),
    "quickstart-evaluation": ("quickstart", 512, TRANSFORMER),
    "poseformer-training": ("poseformer_81", 32, TRANSFORMER),
    "poseformer-evaluation": ("poseformer_81", 256, TRANSFORMER),
    "strided-training": ("strided_351", 8, TRANSFORMER),
    "strided-evaluation": ("strided_351", 64, TRANSFORMER),
    "mixste-training": ("mixste_243", 1, TRANSFORMER),
    "mixste-evaluation": ("mixste_243", 243, TRANSFORMER),
    "motionbert-training": ("motionbert_global_lite", 1, TRANSFORMER),
    "motionbert-evaluation": ("motionbert_global_lite", 243, TRANSFORMER),
    "motionagformer-training": ("motionagformer_xs", 16, TRANSFORMER),
    "motionagformer-evaluation": ("motionagformer_xs", 432, TRANSFORMER),
    "lcn-training": ("lcn_gt", 200, ("block_matmul", "normed_activation")),
    "lcn-evaluation": ("lcn_gt", 200, ("block_matmul",)),
    "martinez-training": ("martinez_gt", 64, ("normed_activation",)),
    "videopose3d-training": ("videopose3d_243", 64, ("normed_activation",)),
    "ehfusion-training": ("ehfusion_threestage", 64, ("normed_activation",)),
    "rie-training": ("rie_243", 64, ("normed_activation",)),
    "densewarper-training": ("densewarper_h36m", 1, DENSEWARPER),
    "densewarper-evaluation": ("densewarper_h36m", 1, DENSEWARPER),
    "densewarper_quickstart-training": ("densewarper_quickstart", 4, DENSEWARPER),
    "densewarper_quickstart-evaluation": ("densewarper_quickstart", 4, DENSEWARPER),
}
CONFIGS = Path(__file__).resolve().parents[1] / "config"
# A round repeats the work until so many seconds have passed.
LEAST_SECONDS = 0.5
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}


def recording(layout: str, frames: int) -> Sequence:
    """A made-up video with its 3D poses."""
    random = np.random.default_rng(0)
    skeleton, camera = get_skeleton(layout), CAMERAS["S1"][0]
    joints = skeleton.num_joints
    pixels = random.uniform(0, 1000, (frames, joints, 2)).astype(np.float32)
    poses = random.uniform(-0.8, 0.8, (frames, joints, 3)) + np.array([0, 0, 5])
    return Sequence("S1", "Walking", "Walking 1", skeleton, 50.0, camera, pixels, poses.astype(np.float32))


def view_group(config: DenseWarperConfig, groups: int) -> dict[str, tf.Tensor]:
    """A batch of DenseWarper: cameras 5 m from the middle of the room that look at it from all sides."""
    views = len(config.PATTERN)
    angles = 2 * np.pi * np.arange(views) / views
    centre = np.stack([5000 * np.cos(angles), 5000 * np.sin(angles), np.full(views, 1500)], -1)
    forward = -centre / np.linalg.norm(centre, axis=-1, keepdims=True)
    right = np.cross(forward, [0, 0, 1])
    right /= np.linalg.norm(right, axis=-1, keepdims=True)
    random = np.random.default_rng(0)
    keypoints = (max(config.PATTERN) + 1, views, len(config.used_joints))
    arrays = {
        "image": random.normal(size=(views, *config.IMAGE_SIZE, 3)),
        "rotation": np.stack([right, np.cross(forward, right), forward], 1),
        "translation": centre,
        "intrinsics": np.tile([1145, 1145, 500, 500], (views, 1)),
        "crop": np.tile([[0.8, 0, -208], [0, 0.8, -208]], (views, 1, 1)),
        "keypoints_2d": random.uniform(0, config.HEATMAP_SIZE[0], (*keypoints, 2)),
        "visible": np.ones(keypoints),
    }
    return {
        name: tf.constant(np.repeat(array[None], groups, 0), tf.float32) for name, array in arrays.items()
    }


def training(family, config, examples: int) -> Callable[[], Callable[[], object]]:
    """A maker of functions that each do one training step, all on the same model and batch."""
    keras.utils.set_random_seed(0)
    tf.config.experimental.enable_op_determinism()
    model, loss_of, optimizer = family.build_model(config), family.loss(config), make_optimizer(config, 1000)
    variables = family.trained_variables(model, config)
    optimizer.build(variables)
    if isinstance(config, DenseWarperConfig):
        batch = view_group(config, examples)
    else:
        sequence = recording(family.skeleton(config), max(512, examples))
        windows = Windows([sequence], family.data_spec(config, "train"))
        batch = next(iter(windows.training_dataset(examples, 0)))

    def make() -> Callable[[], object]:
        @tf.function(autograph=False, jit_compile=config.JIT_COMPILE)
        def step(batch):
            with tf.GradientTape() as tape:
                loss = loss_of(model(batch, training=True), batch)
            optimizer.apply(tape.gradient(loss, [variable.value for variable in variables]), variables)
            return loss

        return lambda: step(batch).numpy()

    return make


def evaluation(family, config, frames: int) -> Callable[[], Callable[[], object]]:
    """A maker of functions that each lift the same recording (or group of views) with the same model."""
    keras.utils.set_random_seed(0)
    model = family.build_model(config)
    if isinstance(config, DenseWarperConfig):
        batch = view_group(config, frames)

        def make() -> Callable[[], object]:
            run = tf.function(lambda batch: model(batch, training=False), autograph=False)
            return lambda: tf.nest.map_structure(lambda tensor: tensor.numpy(), run(batch))

        return make
    windows = Windows([recording(family.skeleton(config), frames)], family.data_spec(config, "test"))
    if family.arch == "LCN":
        folded = FoldedLCN(model)
        keypoints = windows.batch(tf.range(frames))["keypoints_2d"][:, 0]

        def make() -> Callable[[], object]:
            run = tf.function(folded, autograph=False)
            return lambda: run(keypoints).numpy()

        return make

    def make() -> Callable[[], object]:
        predictor = Predictor(model, flip=True, jit_compile=config.JIT_COMPILE)
        return lambda: predictor(windows, config.BATCH_SIZE)

    return make


def seconds(function: Callable[[], object], clock: Callable[[], float]) -> float:
    """Of one call, over as many calls as fill LEAST_SECONDS."""
    begin, calls = clock(), 0
    while True:
        function()
        calls += 1
        spent = clock() - begin
        if spent >= LEAST_SECONDS:
            return spent / calls


def measure(
    work: str, rounds: int, only: list[str] | None, clock: Callable[[], float]
) -> list[dict[str, object]]:
    """Gains of a work's operations, see the top of the file."""
    name, size, operations = WORKS[work]
    config = load_config(CONFIGS / f"{name}.json")
    family = get_family(config.ARCH)
    make = (training if work.endswith("training") else evaluation)(family, config, size)
    operations = [operation for operation in operations if only is None or operation in only]
    sides = {None: make(), **{operation: make() for operation in operations}}

    def without(operation: str | None) -> contextlib.AbstractContextManager[None]:
        return without_compiled(*([] if operation is None else [operation]))

    for operation, function in sides.items():
        with without(operation):  # traces
            function()
            function()
    times: dict[str | None, list[float]] = {operation: [] for operation in sides}
    for number in range(rounds):
        order = list(sides)
        for operation in order if number % 2 == 0 else reversed(order):
            with without(operation):
                times[operation].append(seconds(sides[operation], clock))
    results = []
    for operation in operations:
        gains = [slow / fast for slow, fast in zip(times[operation], times[None], strict=True)]
        quartiles = statistics.quantiles(gains, n=4, method="inclusive")
        results.append(
            {
                "operation": operation,
                "work": work,
                "compiled": statistics.median(times[None]),
                "keras.ops": statistics.median(times[operation]),
                "gain": statistics.median(gains),
                "quartiles": (quartiles[0], quartiles[2]),
            }
        )
    return results


def processor() -> str:
    """Its name, where the system tells."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--works", nargs="+", choices=list(WORKS), default=list(WORKS), metavar="WORK")
    parser.add_argument("--operations", nargs="+", metavar="NAME", help="only these")
    parser.add_argument("--rounds", type=int, default=7, metavar="N")
    parser.add_argument("--threads", type=int, default=2, metavar="N")
    parser.add_argument(
        "--clock",
        choices=list(CLOCKS),
        default="wall",
        help="processor: where the machine has other work too",
    )
    parser.add_argument("--one", choices=list(WORKS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
        tf.config.threading.set_inter_op_parallelism_threads(arguments.threads)
        print(
            json.dumps(
                measure(arguments.one, arguments.rounds, arguments.operations, CLOCKS[arguments.clock])
            )
        )
        return
    print(
        f"{processor()}, {arguments.threads} threads, {arguments.rounds} rounds, {arguments.clock} time, "
        f"{datetime.date.today()}"
    )
    table = PrettyTable(
        ["operation", "work", "compiled, ms", "keras.ops, ms", "gain", "quartiles"], align="r"
    )
    options = ["--rounds", str(arguments.rounds), "--threads", str(arguments.threads)]
    options += ["--clock", arguments.clock]
    if arguments.operations:
        options += ["--operations", *arguments.operations]
    for work in arguments.works:
        command = [sys.executable, __file__, "--one", work, *options]
        # Nothing is measured where the compiled operations are not there.
        environment = {**os.environ, "TF_POSE3D_OPS": "require"}
        result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
        for row in json.loads(result.stdout.splitlines()[-1]):
            low, high = row["quartiles"]
            cells = [f"{1e3 * row['compiled']:.1f}", f"{1e3 * row['keras.ops']:.1f}", f"{row['gain']:.2f}"]
            table.add_row([row["operation"], work, *cells, f"{low:.2f} to {high:.2f}"])
            print(" ".join(table.rows[-1]), flush=True)
    print(table.get_string(sortby="operation"))


if __name__ == "__main__":
    main()
