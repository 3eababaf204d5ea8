"""Loss curves of MotionAGFormer-XS beside its release's, from the same initial weights, on the same clips.

    python tools/compare_training.py --original MotionAGFormer=PATH --data DIR --out curves.csv

For each seed the release's network is built, its weights are converted, and both are trained for `--steps`
steps of `--clips` clips in the release's way (AdamW, its three losses) on the same batches of Human3.6M's
training subjects; then both lift the clips of S9 and S11 in the folder. Rounding alone tells them apart,
which training amplifies: the table shows mean losses of both by part of the run, the test errors, and what
seeds differ by. Needs PyTorch and a clone of the release.

Each finished seed is written to `--out` at once; the same command, given again, takes finished seeds from
there and goes on with the next.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import hashlib
import itertools
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TOOLS = Path(__file__).resolve().parent
# Neighbours of this file; the package itself where it is run as a file of a clone.
sys.path[:0] = [str(TOOLS)] if __package__ else [str(TOOLS), str(TOOLS.parent)]

from tf_pose3d.cli.program import start_tensorflow

start_tensorflow()

import numpy as np
import tensorflow as tf
from original_networks import original_network, parse_originals
from prettytable import PrettyTable

import tf_pose3d
from tf_pose3d.data.window_spec import WindowSpec
from tf_pose3d.data.windows import open_windows
from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import write_whole
from tf_pose3d.models.family import get_family
from tf_pose3d.models.loading import as_config
from tf_pose3d.training.optimizers import make_optimizer

NAME = "MotionAGFormer"
SIZES = {"frames": 27, "width": 64, "depth": 12}
COLUMNS = ["seed", "step", "loss", "loss_of_the_release"]
# In the stead of a step: the row of a seed's test errors in mm.
TEST = "test"


@dataclasses.dataclass(frozen=True)
class Seed:
    """What one seed gave.

    Attributes:
        losses: (steps, 2) of this package and of the release.
        errors: (2,) on the test clips, in mm.
    """

    losses: np.ndarray
    errors: np.ndarray


def settings_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """What two seeds must have in common to stand in one table."""
    names = ("data_3d_h36m", f"data_2d_h36m_{arguments.keypoints}")
    digests = {}
    for name in names:
        path = arguments.data / f"{name}.npz"
        if not path.is_file():
            sys.exit(f"--data {arguments.data}: there is no {path}")
        with path.open("rb") as file:
            digests[name] = hashlib.sha256(file.read()).hexdigest()[:16]
    given = {name: getattr(arguments, name) for name in ("steps", "clips", "test_clips")}
    return {**given, "sizes": SIZES, "data": digests}


def read_seeds(path: Path, settings: dict[str, Any]) -> dict[int, Seed]:
    """The finished seeds of a file; exits where it is another run's or not one of this program."""
    if not path.exists():
        return {}
    losses: dict[int, list[list[float]]] = {}
    errors = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            held = json.loads(file.readline().removeprefix("# "))
            reader = csv.reader(file)
            columns = next(reader)
            for seed, step, *pair in reader:
                if step == TEST:
                    errors[int(seed)] = np.array(pair, float)
                else:
                    losses.setdefault(int(seed), []).append([float(value) for value in pair])
        seeds = {seed: Seed(np.array(losses[seed]), error) for seed, error in errors.items()}
        whole = all(
            seed.losses.shape == (held["steps"], 2) and seed.errors.shape == (2,) for seed in seeds.values()
        )
        if columns != COLUMNS or not whole or set(losses) != set(errors):
            raise ValueError
    except (ValueError, KeyError, TypeError, StopIteration):
        sys.exit(f"--out {path} is there and is not a file that this program wrote: name another")
    differing = [
        f"{name} {held.get(name)} there, {value} here"
        for name, value in settings.items()
        if held.get(name) != value
    ]
    if differing:
        sys.exit(f"--out {path} is of other settings: {'; '.join(differing)}; name another file")
    return seeds


def write_seeds(path: Path, settings: dict[str, Any], seeds: dict[int, Seed]) -> None:
    """Writes finished seeds, whole or not at all."""
    with write_whole(path, "w") as file:
        file.write(f"# {json.dumps(settings)}\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for number, seed in sorted(seeds.items()):
            writer.writerows([number, step + 1, *pair] for step, pair in enumerate(seed.losses.tolist()))
            writer.writerow([number, TEST, *seed.errors.tolist()])


def release_loss(poses: Any, target: Any) -> Any:
    """The release's: distance, distance after scaling by 0.5, and movement by 20."""
    size = (poses**2).sum(-1, keepdim=True).mean(-2, keepdim=True)
    scale = (poses * target).sum(-1, keepdim=True).mean(-2, keepdim=True) / size
    moved = (poses[:, 1:] - poses[:, :-1]) - (target[:, 1:] - target[:, :-1])
    parts = ((poses - target), (scale * poses - target), moved)
    return sum(factor * part.norm(dim=-1).mean() for factor, part in zip((1, 0.5, 20), parts, strict=True))


def read_clips(config, data, subset, split):
    """Windows of a folder's Human3.6M."""
    spec = get_family(NAME).data_spec(config, "train")
    assert isinstance(spec, WindowSpec)
    spec = dataclasses.replace(spec, mirror="none")
    if split == "test":
        spec = dataclasses.replace(spec, clip_stride=config.FRAMES)
    options = {"path_3d": str(data / "data_3d_h36m.npz"), "keypoints": config.KEYPOINTS}
    return open_windows("h36m", subset, options, spec, "h36m_17", config.SHUFFLE_SEED)


def train(seed, arguments, folder, tests):
    """Trains both networks and tests them: a `Seed`."""
    import torch

    torch.set_num_threads(arguments.threads)
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
    return Seed(np.array(losses), errors.mean(axis=0))


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
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="CSV of every step's losses and the test errors, after each seed; seeds in it are not run again",
    )
    arguments = parser.parse_args()
    folder = parse_originals([arguments.original]).get(NAME)
    if folder is None:
        parser.error(f"--original {arguments.original}: expected {NAME}=PATH")
    settings = settings_of(arguments)
    seeds = read_seeds(arguments.out, settings) if arguments.out else {}
    tests = None
    for number in range(arguments.seeds):
        if number in seeds:
            print(f"seed {number}: taken from {arguments.out}", flush=True)
            continue
        if tests is None:
            config = as_config("motionagformer_xs").replace(KEYPOINTS=arguments.keypoints)
            tests = read_clips(config, arguments.data, "test", "test")
        seeds[number] = train(number, arguments, folder, tests)
        error = seeds[number].errors
        print(f"seed {number}: test error {error[0]:.2f} mm, the release's {error[1]:.2f} mm", flush=True)
        if arguments.out:
            write_seeds(arguments.out, settings, seeds)
    print(table_of([seeds[number] for number in range(arguments.seeds)], arguments.parts))


def table_of(seeds: list[Seed], parts: int) -> PrettyTable:
    """Mean losses by part of the run, and test errors."""
    held = np.stack([seed.losses for seed in seeds])
    errors = np.stack([seed.errors for seed in seeds])
    table = PrettyTable(["steps", "loss (seeds)", "the release's (seeds)", "least and greatest difference"])
    bounds = np.linspace(0, held.shape[1], parts + 1).astype(int)
    for first, last in itertools.pairwise(bounds):
        means = held[:, first:last].mean(axis=1)
        relative = means[:, 0] / means[:, 1] - 1
        cells = [", ".join(f"{value:.4f}" for value in means[:, who]) for who in (0, 1)]
        table.add_row([f"{first + 1} to {last}", *cells, f"{relative.min():+.2%} {relative.max():+.2%}"])
    cells = [", ".join(f"{error:.1f}" for error in errors[:, who]) for who in (0, 1)]
    apart = errors[:, 0] - errors[:, 1]
    table.add_row(["test, mm", *cells, f"{apart.min():+.1f} {apart.max():+.1f}"])
    return table


if __name__ == "__main__":
    try:
        main()
    except Pose3DError as error:
        sys.exit(str(error))
