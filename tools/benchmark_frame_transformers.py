"""Poses per second of Strided Transformer and PoseFormer beside plain PyTorch forms of them.

    python tools/benchmark_frame_transformers.py [--families strided poseformer] [--rounds 3]

Training is one step on a batch of windows. Inference is what evaluation does: all frames of a video are
lifted, without the mirrored pass. Needs PyTorch for the comparison only. Both sides run in turns within one
process, so that what else the machine does falls on both; the median over the rounds is shown.
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

from tf_pose3d.camera import Camera
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.data.windows import Windows
from tf_pose3d.evaluation.prediction import predict_poses
from tf_pose3d.models.family import get_family
from tf_pose3d.skeleton import get_skeleton
from tf_pose3d.training.optimizers import make_optimizer

# Short name -> config values, windows in a batch, frames of the video, and the baseline's class.
CASES = {
    "strided": ({}, 16, 96, "StridedTransformer"),
    "poseformer": ({}, 32, 192, "PoseFormer"),
}


def video(frames):
    """A made-up video of so many frames, with its 3D poses."""
    random = np.random.default_rng(0)
    skeleton = get_skeleton("h36m_17")
    camera = Camera("0", 1000, 1000)
    pixels = random.uniform(0, 1000, (frames, 17, 2)).astype(np.float32)
    poses = random.normal(size=(frames, 17, 3)).astype(np.float32)
    return Sequence("S1", "Walking", "Walking 1", skeleton, 50.0, camera, pixels, poses)


def ours(arch, values, size, sequence, jit_compile):
    """(one training step, poses of all frames) of this package."""
    family = get_family(arch)
    config = family.config_class.from_dict(values)
    model, loss_of, optimizer = family.build_model(config), family.loss(config), make_optimizer(config, 1000)
    optimizer.build(model.trainable_variables)
    windows = Windows([sequence], family.data_spec(config, "test"))
    batch = {name: windows.batch(tf.range(size))[name] for name in ("keypoints_2d", "pose_3d")}

    @tf.function(jit_compile=jit_compile, autograph=False)
    def train(batch):
        with tf.GradientTape() as tape:
            loss = loss_of(model(batch, training=True), batch)
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(loss, [variable.value for variable in variables]), variables)
        return loss

    return lambda: train(batch).numpy(), lambda: predict_poses(model, windows, size, flip=False)


def baseline(maker, arch, values, size, sequence):
    """The same of the plain PyTorch form."""
    import frame_transformers_baseline
    import torch

    torch.set_num_threads(2)
    model = getattr(frame_transformers_baseline, maker)()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, amsgrad=arch == "strided")
    family = get_family(arch)
    windows = Windows([sequence], family.data_spec(family.config_class.from_dict(values), "test"))
    batch = windows.batch(tf.range(windows.num_centres))
    inputs, targets = (torch.from_numpy(batch[name].numpy()) for name in ("keypoints_2d", "pose_3d"))
    targets = targets - targets[:, :, :1]

    def train():
        model.train()
        optimizer.zero_grad()
        centre, *rest = model(inputs[:size])
        loss = (centre - targets[:size, targets.shape[1] // 2]).norm(dim=-1).mean()
        for poses in rest:
            loss = loss + (poses - targets[:size]).norm(dim=-1).mean()
        loss.backward()
        optimizer.step()

    def infer():
        model.eval()
        with torch.no_grad():
            for part in inputs.split(size):
                model(part)

    return train, infer


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
    parser.add_argument("--families", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jit_compile", action="store_true", help="our training step with XLA")
    arguments = parser.parse_args()
    compare = importlib.util.find_spec("torch") is not None
    table = PrettyTable(["family", "batch", "what", "poses/s", "plain PyTorch", "ratio"])
    table.align = "r"
    for name in arguments.families:
        values, size, frames, maker = CASES[name]
        sequence = video(frames)
        sides = [ours(name, values, size, sequence, arguments.jit_compile)]
        if compare:
            sides.append(baseline(maker, name, values, size, sequence))
        for side in sides:
            for step in side:
                step()
        for what, poses in ((0, size), (1, frames)):
            rates = [[] for _ in sides]
            for _ in range(arguments.rounds):
                for rate, side in zip(rates, sides, strict=True):
                    rate.append(poses / seconds(side[what]))
            medians = [statistics.median(rate) for rate in rates]
            other = [f"{medians[1]:,.1f}", f"{medians[0] / medians[1]:.2f}"] if compare else ["", ""]
            table.add_row([name, size, ("training", "inference")[what], f"{medians[0]:,.1f}", *other])
            print(f"{name}: {table.rows[-1][2:]}", flush=True)
    print(table)


if __name__ == "__main__":
    main()
