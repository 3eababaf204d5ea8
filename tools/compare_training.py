"""Loss curves of MotionAGFormer-XS beside its release's, from the same initial weights, on the same clips.

    python tools/compare_training.py --original MotionAGFormer=PATH --data DIR --out curves.csv

For each seed the release's network is built, its weights are converted, and both are trained for `--steps`
steps of `--clips` clips in the release's way (AdamW, its three losses) on the same batches of Human3.6M's
training subjects; then both lift the clips of S9 and S11 in the folder. Rounding alone tells them apart,
which
training amplifies: the table shows mean losses of both by part of the run, the test errors, and what seeds
differ by. Needs PyTorch and a clone of the release.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import itertools
import sys
import tempfile
import time
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
# Neighbours of this file; the package itself where it is run as a file of a clone.
sys.path[:0] = [str(TOOLS)] if __package__ else [str(TOOLS), str(TOOLS.parent)]

from tf_pose3d.cli.program import start_tensorflow

start_tensorflow()

import numpy as np
import tensorflow as tf
import torch
from original_networks import original_network, parse_originals
from prettytable import PrettyTable

import tf_pose3d
from tf_pose3d.data.windows import open_windows
from tf_pose3d.models.family import get_family
from tf_pose3d.models.loading import as_config
from tf_pose3d.training.optimizers import make_optimizer

NAME = "MotionAGFormer"
SIZES = {"frames": 27, "width": 64, "depth": 12}


def release_loss(poses: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The release's: distance, distance after scaling by 0.5, and movement by 20."""
    size = (poses**2).sum(-1, keepdim=True).mean(-2, keepdim=True)
    scale = (poses * target).sum(-1, keepdim=True).mean(-2, keepdim=True) / size
    moved = (poses[:, 1:] - poses[:, :-1]) - (target[:, 1:] - target[:, :-1])
    parts = ((poses - target), (scale * poses - target), moved)
    return sum(factor * part.norm(dim=-1).mean() for factor, part in zip((1, 0.5, 20), parts, strict=True))


def read_clips(config, data, subset, split):
    """Windows of a folder's Human3.6M."""
    spec = dataclasses.replace(get_family(NAME).data_spec(config, "train"), mirror="none")
    if split == "test":
        spec = dataclasses.replace(spec, clip_stride=config.FRAMES)
    options = {"path_3d": str(data / "data_3d_h36m.npz"), "keypoints": config.KEYPOINTS}
    return open_windows("h36m", subset, options, spec, "h36m_17", config.SHUFFLE_SEED)


def train(seed, arguments, folder, tests):
    """(losses of ours, losses of the release's, test errors of both in mm)."""
    torch.manual_seed(seed)
    network = original_network(NAME, folder, SIZES)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "start.pth.tr"
        torch.save({"model": network.state_dict()}, path)
        model = tf_pose3d.convert(path, "motionagformer")
    config = as_config("motionagformer_xs").replace(
        SHUFFLE_SEED=seed, KEYPOINTS=arguments.keypoints, SPACE="metric"
    )
    windows = read_clips(config, arguments.data, "trainval", "train")
    loss_of = get_family(NAME).loss(config)
    optimizer = make_optimizer(config, arguments.steps)
    optimizer.build(model.trainable_variables)
    theirs = torch.optim.AdamW(network.parameters(), lr=0.0005, weight_decay=0.01)

    @tf.function(autograph=False)
    def step(batch):
        with tf.GradientTape() as tape:
            loss = loss_of(model(batch, training=True), batch)
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    losses = []
    network.train()
    start = time.process_time()
    for number, batch in enumerate(windows.training_dataset(arguments.clips).take(arguments.steps)):
        ours = float(step({name: batch[name] for name in ("keypoints_2d", "pose_3d")}))
        keypoints, target = (torch.from_numpy(batch[name].numpy()) for name in ("keypoints_2d", "pose_3d"))
        theirs.zero_grad()
        loss = release_loss(network(keypoints), target - target[:, :, :1])
        loss.backward()
        theirs.step()
        losses.append((ours, float(loss.detach())))
        if (number + 1) % 20 == 0:
            means = np.mean(losses[-20:], axis=0)
            spent = time.process_time() - start
            print(
                f"seed {seed}, step {number + 1}: {means[0]:.4f} {means[1]:.4f}, {spent:.0f} s of CPU",
                flush=True,
            )
    network.eval()
    errors = np.zeros((0, 2))
    for batch in tests.ordered_batches(16, arguments.test_clips):
        target = batch["pose_3d"].numpy()
        target = target - target[:, :, :1]
        poses = model(batch, training=False)["pose_image_sequence"].numpy()
        with torch.inference_mode():
            other = network(torch.from_numpy(batch["keypoints_2d"].numpy())).numpy()
        found = [
            np.linalg.norm(one - one[:, :, :1] - target, axis=-1).mean(axis=(1, 2)) for one in (poses, other)
        ]
        errors = np.concatenate([errors, 1000 * np.stack(found, axis=1)])
    return np.array(losses), errors.mean(axis=0)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--original", required=True, metavar="NAME=PATH", help="a clone of the release")
    parser.add_argument("--data", required=True, type=Path, metavar="DIR", help="with data_3d_h36m.npz")
    parser.add_argument("--keypoints", default="cpn_ft_h36m_dbb", metavar="NAME", help="2D poses")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--clips", type=int, default=16, help="clips a step")
    parser.add_argument("--test_clips", type=int, metavar="N", help="only the first N (default: all)")
    parser.add_argument("--parts", type=int, default=6, help="parts of a run in the table")
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch")
    parser.add_argument("--out", type=Path, metavar="FILE", help="CSV of every step's losses")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    folder = parse_originals([arguments.original]).get(NAME)
    if folder is None:
        parser.error(f"--original {arguments.original}: expected {NAME}=PATH")
    config = as_config("motionagformer_xs").replace(KEYPOINTS=arguments.keypoints)
    tests = read_clips(config, arguments.data, "test", "test")
    curves, errors = [], []
    for seed in range(arguments.seeds):
        losses, error = train(seed, arguments, folder, tests)
        curves.append(losses)
        errors.append(error)
        print(f"seed {seed}: test error {error[0]:.2f} mm, the release's {error[1]:.2f} mm", flush=True)
    if arguments.out is not None:
        with arguments.out.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["seed", "step", "loss", "loss_of_the_release"])
            for seed, losses in enumerate(curves):
                writer.writerows([seed, step + 1, *pair] for step, pair in enumerate(losses))
    held = np.stack(curves)
    table = PrettyTable(["steps", "loss (seeds)", "the release's (seeds)", "least and greatest difference"])
    bounds = np.linspace(0, held.shape[1], arguments.parts + 1).astype(int)
    for first, last in itertools.pairwise(bounds):
        means = held[:, first:last].mean(axis=1)
        relative = means[:, 0] / means[:, 1] - 1
        cells = [", ".join(f"{value:.4f}" for value in means[:, who]) for who in (0, 1)]
        table.add_row([f"{first + 1} to {last}", *cells, f"{relative.min():+.2%} {relative.max():+.2%}"])
    cells = [", ".join(f"{error[who]:.1f}" for error in errors) for who in (0, 1)]
    table.add_row(
        ["test, mm", *cells, f"{min(a - b for a, b in errors):+.1f} {max(a - b for a, b in errors):+.1f}"]
    )
    print(table)


if __name__ == "__main__":
    main()
