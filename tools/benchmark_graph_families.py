"""Poses per second of the graph families, training and inference, beside plain PyTorch forms of them.

    python tools/benchmark_graph_families.py [--families hoif hgcn] [--rounds 5] [--threads 2]

Needs PyTorch for the comparison only. Both sides run in turns within one process, so that what else the
machine does falls on both; the median over the rounds is shown. PyTorch's threads spin while they wait: on a
machine that does other work, `--threads 1` compares fairly.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import tensorflow as tf
from prettytable import PrettyTable

from tf_pose3d.models.family import get_family
from tf_pose3d.training.optimizers import make_optimizer

# Short name -> config values and batch size of the measurement, and the yardstick's maker.
CASES = {
    "hoif": ({"HID_DIM": 64}, 256, "HOIFNet"),
    "hgcn": ({"HID_DIM": 64}, 256, "hgcn"),
    "semgcn": ({"JIT_COMPILE": True}, 64, "semgcn"),
    "martinez": ({}, 64, "martinez"),
}


def ours(arch, values, keypoints, poses):
    """(one training step, one forward pass) of this package, as the family's config runs them."""
    family = get_family(arch)
    config = family.config_class.from_dict(values)
    jit_compile = config.JIT_COMPILE
    model, loss_of, optimizer = family.build_model(config), family.loss(config), make_optimizer(config)
    optimizer.build(model.trainable_variables)
    batch = {"keypoints_2d": tf.constant(keypoints), "pose_3d": tf.constant(poses)}

    @tf.function(jit_compile=jit_compile, autograph=False)
    def train(batch):
        with tf.GradientTape() as tape:
            loss = loss_of(model(batch, training=True), batch)
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(loss, [variable.value for variable in variables]), variables)
        return loss

    @tf.function(jit_compile=jit_compile, autograph=False)
    def infer(batch):
        return model(batch, training=False)["pose_3d"]

    return lambda: train(batch).numpy(), lambda: infer(batch).numpy()


def yardstick(maker, keypoints, poses, threads):
    """The same of the plain PyTorch form."""
    import graph_families_yardstick
    import torch

    torch.set_num_threads(threads)
    model = getattr(graph_families_yardstick, maker)()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    inputs, targets = torch.from_numpy(keypoints), torch.from_numpy(poses)
    targets = targets - targets[:, :1]

    def train():
        model.train()
        optimizer.zero_grad()
        outputs = model(inputs)
        torch.nn.functional.mse_loss(outputs, targets[:, -outputs.shape[1] :]).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1)
        optimizer.step()

    def infer():
        model.eval()
        with torch.no_grad():
            model(inputs)

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
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="for both sides")
    arguments = parser.parse_args()
    compare = importlib.util.find_spec("torch") is not None
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    tf.config.threading.set_inter_op_parallelism_threads(arguments.threads)
    table = PrettyTable(["family", "batch", "what", "poses/s", "plain PyTorch", "ratio"])
    table.align = "r"
    generator = np.random.default_rng(0)
    for name in arguments.families:
        values, size, maker = CASES[name]
        keypoints = generator.normal(size=(size, 16, 2)).astype(np.float32)
        poses = generator.normal(size=(size, 16, 3)).astype(np.float32)
        sides = [ours(name, values, keypoints, poses)]
        if compare:
            sides.append(yardstick(maker, keypoints, poses, arguments.threads))
        for side in sides:
            for step in side:
                step()
        for what in (0, 1):
            rates = [[] for _ in sides]
            for _ in range(arguments.rounds):
                for rate, side in zip(rates, sides, strict=True):
                    rate.append(size / seconds(side[what]))
            medians = [statistics.median(rate) for rate in rates]
            other = [f"{medians[1]:,.0f}", f"{medians[0] / medians[1]:.2f}"] if compare else ["", ""]
            table.add_row([name, size, ("training", "inference")[what], f"{medians[0]:,.0f}", *other])
    print(table)


if __name__ == "__main__":
    main()
