"""Poses per second of VideoPose3D and EHFusion, 243 frames, beside plain PyTorch forms of them.

    python tools/benchmark_temporal_families.py [--cases videopose3d one_stage three_stage] [--rounds 3]

Training is one step on 64 windows, its optimizer's included. Windows is inference on 64 windows at a time, as
evaluation does it for EHFusion; sequence is VideoPose3D's inference on a whole video at once, against
PyTorch's windows. No mirrored passes. Needs PyTorch for the comparison only. Both sides run in turns within
one process, so that what else the machine does falls on both; the median over the rounds is shown.
"""

from __future__ import annotations

import argparse
import importlib.util
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

from tf_pose3d.data.human36m import CAMERAS
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.data.windows import Windows
from tf_pose3d.evaluation.prediction import Predictor
from tf_pose3d.layers.folding import folded_weights
from tf_pose3d.models.family import get_family
from tf_pose3d.skeleton import get_skeleton
from tf_pose3d.training.optimizers import make_optimizer

CASES = {
    "videopose3d": ("videopose3d", {"FILTER_WIDTHS": [3] * 5}),
    "one_stage": ("ehfusion", {"STRATEGY": "one_stage_released", "LATENT_FEATURES": 512}),
    "three_stage": ("ehfusion", {"STRATEGY": "three_stage", "STAGE": 3, "LATENT_FEATURES": 512}),
}
BATCH = 64
VIDEO = 2048


def video(frames):
    """A made-up video of so many frames, with its 3D poses."""
    random = np.random.default_rng(0)
    skeleton, camera = get_skeleton("h36m_17"), CAMERAS["S1"][0]
    pixels = random.uniform(0, 1000, (frames, 17, 2)).astype(np.float32)
    poses = random.normal(size=(frames, 17, 3)).astype(np.float32)
    return Sequence("S1", "Walking", "Walking 1", skeleton, 50.0, camera, pixels, poses)


def ours(case, jit_compile):
    """What is measured -> (what one call does, poses that it gives) of this package."""
    arch, values = CASES[case]
    family = get_family(arch)
    config = family.config_class.from_dict(values)
    model, loss_of, optimizer = family.build_model(config), family.loss(config), make_optimizer(config, 1000)
    variables = family.trained_variables(model, config)
    optimizer.build(variables)
    windows = Windows([video(BATCH)], family.data_spec(config, "test"))
    batch = windows.batch(tf.range(BATCH))
    batch = {name: batch[name] for name in ("keypoints_2d", "intrinsics", "pose_3d")}

    @tf.function(jit_compile=jit_compile, autograph=False)
    def train(batch):
        with tf.GradientTape() as tape:
            loss = loss_of(model(batch, training=True), batch)
        optimizer.apply(tape.gradient(loss, [variable.value for variable in variables]), variables)
        return loss

    steps = {"training": (lambda: train(batch).numpy(), BATCH)}
    predictor = Predictor(model, flip=False)
    if arch == "videopose3d":

        @tf.function(autograph=False)
        def infer(keypoints):
            return model({"keypoints_2d": keypoints}, training=False)["pose_3d"]

        with folded_weights(model):
            infer(batch["keypoints_2d"])
        steps["windows"] = (lambda: infer(batch["keypoints_2d"]).numpy(), BATCH)
        long = Windows([video(VIDEO)], family.data_spec(config, "test"))
        steps["sequence"] = (lambda: predictor(long, BATCH), VIDEO)
    else:
        steps["windows"] = (lambda: predictor(windows, BATCH), BATCH)
    return steps


def baseline(case):
    """The same of the plain PyTorch form, which has windows only."""
    import temporal_families_baseline
    import torch

    torch.set_num_threads(2)
    model = temporal_families_baseline.make(case)
    kind = torch.optim.Adam if case == "videopose3d" else torch.optim.AdamW
    optimizer = kind(model.parameters(), lr=1e-3, amsgrad=True)
    random = torch.Generator().manual_seed(0)
    inputs = torch.randn(BATCH, 243, 17, 2, generator=random)
    intrinsics = torch.rand(BATCH, 4, generator=random)
    targets = torch.randn(BATCH, 17, 3, generator=random)

    def train():
        model.train()
        optimizer.zero_grad()
        loss = sum((pose - targets).norm(dim=-1).mean() for pose in model(inputs, intrinsics))
        loss.backward()
        optimizer.step()

    def infer():
        model.eval()
        with torch.no_grad():
            model(inputs, intrinsics)

    return {"training": (train, BATCH), "windows": (infer, BATCH), "sequence": (infer, BATCH)}


def seconds(step, least=0.5):
    """Seconds of one call, over as many calls as fill `least` seconds."""
    start, calls = time.perf_counter(), 0
    while True:
        step()
        calls += 1
        spent = time.perf_counter() - start
        if spent >= least:
            return spent / calls


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jit_compile", action="store_true", help="our training step with XLA")
    arguments = parser.parse_args()
    compare = importlib.util.find_spec("torch") is not None
    table = PrettyTable(["network", "what", "poses/s", "plain PyTorch", "ratio"])
    table.align = "r"
    for case in arguments.cases:
        sides = [ours(case, arguments.jit_compile)]
        if compare:
            sides.append(baseline(case))
        for what in sides[0]:
            steps = [side[what] for side in sides]
            for step, _ in steps:
                step()
            rates = [[] for _ in sides]
            for _ in range(arguments.rounds):
                for rate, (step, poses) in zip(rates, steps, strict=True):
                    rate.append(poses / seconds(step))
            medians = [statistics.median(rate) for rate in rates]
            other = [f"{medians[1]:,.0f}", f"{medians[0] / medians[1]:.2f}"] if compare else ["", ""]
            table.add_row([case, what, f"{medians[0]:,.0f}", *other])
            print(f"{case}: {table.rows[-1][1:]}", flush=True)
    print(table)


if __name__ == "__main__":
    main()
