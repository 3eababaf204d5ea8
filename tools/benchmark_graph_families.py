"""Poses per second of the graph families, training and inference, beside plain PyTorch forms of them.

    python tools/benchmark_graph_families.py [--families hoif hgcn] [--rounds 5] [--threads 2]

Needs PyTorch for the comparison only. Both sides run in turns within one process, so that what else the
machine does falls on both; the median over the rounds is shown. PyTorch's threads spin while they wait: on a
machine that does other work, `--threads 1` compares fairly.
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

from tf_pose3d.models.family import get_family
from tf_pose3d.models.martinez.model import MartinezNet
from tf_pose3d.training.optimizers import make_optimizer

# Short name -> config values, batch size of the measurement, poses at once in this package's evaluation (see
# `tf_pose3d.evaluation.prediction`; the releases evaluate with their training batch), and the baseline's
# maker.
CASES = {
    "hoif": ({"HID_DIM": 64}, 256, 256, "HOIFNet"),
    "hgcn": ({"HID_DIM": 64}, 256, 256, "hgcn"),
    "semgcn": ({"JIT_COMPILE": True}, 64, 256, "semgcn"),
    "martinez": ({}, 64, MartinezNet.cpu_batch, "martinez"),
}


def ours(arch, values):
    """(training step, forward pass) of this package, as the family's config runs them: of (2D, 3D) poses."""
    family = get_family(arch)
    config = family.config_class.from_dict(values)
    model, loss_of, optimizer = family.build_model(config), family.loss(config), make_optimizer(config)
    optimizer.build(model.trainable_variables)

    @tf.function(jit_compile=config.JIT_COMPILE, autograph=False)
    def train(keypoints, poses):
        batch = {"keypoints_2d": keypoints, "pose_3d": poses}
        with tf.GradientTape() as tape:
            loss = loss_of(model(batch, training=True), batch)
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(loss, [variable.value for variable in variables]), variables)
        return loss

    @tf.function(jit_compile=config.JIT_COMPILE, autograph=False)
    def infer(keypoints, poses):
        return model({"keypoints_2d": keypoints}, training=False)["pose_3d"]

    return lambda *poses: train(*poses).numpy(), lambda *poses: infer(*poses).numpy()


def baseline(maker, threads):
    """The same of the plain PyTorch form."""
    import graph_families_baseline
    import torch

    torch.set_num_threads(threads)
    model = getattr(graph_families_baseline, maker)()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def train(keypoints, poses):
        targets = torch.from_numpy(poses)
        targets = targets - targets[:, :1]
        model.train()
        optimizer.zero_grad()
        outputs = model(torch.from_numpy(keypoints))
        torch.nn.functional.mse_loss(outputs, targets[:, -outputs.shape[1] :]).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1)
        optimizer.step()

    def infer(keypoints, poses):
        model.eval()
        with torch.no_grad():
            model(torch.from_numpy(keypoints))

    return train, infer


def make_poses(count):
    """Random 2D and 3D poses."""
    generator = np.random.default_rng(0)
    return [generator.normal(size=(count, 16, numbers)).astype(np.float32) for numbers in (2, 3)]


def poses_per_second(step, count, least=0.5):
    """Over as many calls as fill `least` seconds."""
    poses = make_poses(count)
    start, calls = time.perf_counter(), 0
    while True:
        step(*poses)
        calls += 1
        spent = time.perf_counter() - start
        if spent >= least:
            return count * calls / spent


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="for both sides")
    arguments = parser.parse_args()
    compare = importlib.util.find_spec("torch") is not None
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    tf.config.threading.set_inter_op_parallelism_threads(arguments.threads)
    table = PrettyTable(["family", "what", "batch", "poses/s", "plain PyTorch", "its batch", "ratio"])
    table.align = "r"
    for name in arguments.families:
        values, size, evaluated, maker = CASES[name]
        sides = [ours(name, values)] + ([baseline(maker, arguments.threads)] if compare else [])
        rows = [("training", 0, size), ("inference", 1, size)]
        if size != evaluated:
            rows.append(("inference, as in evaluation", 1, evaluated))
        for title, which, count in rows:
            counts = [count, size]
            rates = [[] for _ in sides]
            for side, of in zip(sides, counts, strict=False):
                side[which](*make_poses(of))
            for _ in range(arguments.rounds):
                for rate, side, of in zip(rates, sides, counts, strict=False):
                    rate.append(poses_per_second(side[which], of))
            medians = [statistics.median(rate) for rate in rates]
            other = (
                [f"{medians[1]:,.0f}", size, f"{medians[0] / medians[1]:.2f}"] if compare else ["", "", ""]
            )
            table.add_row([name, title, count, f"{medians[0]:,.0f}", *other])
    print(table)


if __name__ == "__main__":
    main()
