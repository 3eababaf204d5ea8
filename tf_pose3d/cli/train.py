"""`train.py`: trains any family; see `--help`."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tf_pose3d.cli.data_flags import add_data_flags, find_source, refuse_unread_flags
from tf_pose3d.cli.flags import Parser, add_common_flags, apply_flags, as_switch
from tf_pose3d.cli.program import parse, run_program, start_tensorflow
from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import require_checkpoints, require_writable_folder, resolve_weights
from tf_pose3d.process import STRATEGIES

if TYPE_CHECKING:
    from tf_pose3d.cli.releases.release import Release

__all__ = ["main", "train"]


def make_parser() -> Parser:
    parser = Parser(
        prog="train.py",
        description="Trains a model. The family is the config's ARCH, else the weights', else --arch.",
    )
    parser.add_argument(
        "--config",
        metavar="FILE|NAME",
        help="config file (.json, .txt), or a shipped one by its name, e.g. quickstart",
    )
    parser.add_argument("--out_dir", metavar="DIR", help="folder for weights, checkpoints and logs")
    data = add_data_flags(parser)
    data.add_argument("--dataset_val", metavar="FILE|NAME", help="validation data, if other")
    parser.add_argument("--train_subset", metavar="NAME", help="subset to train on (default: TRAIN_SUBSET)")
    parser.add_argument(
        "--val_subset",
        metavar="NAME",
        help="subset to validate on; none: no validation (default: VAL_SUBSET)",
    )
    parser.add_argument(
        "--test_subset", metavar="NAME", help="subset to test the best weights on at the end; none: no test"
    )
    parser.add_argument("--weights", metavar="FILE", help="weights to start from, or a prefix of their path")
    parser.add_argument(
        "--continue_training",
        "--resume",
        nargs="?",
        const=True,
        default=False,
        type=as_switch,
        metavar="True|False",
        help="continue the run in --out_dir from its latest checkpoint",
    )
    parser.add_argument(
        "--strategy",
        default="auto",
        choices=STRATEGIES,
        help="devices: one, all of this machine, or several machines by TF_CONFIG",
    )
    parser.add_argument("--seed", type=int, help="of everything random; overwrites SHUFFLE_SEED")
    add_common_flags(parser)
    return parser


def train(arguments: Sequence[str] | None = None, log: Callable[[str], None] | None = None) -> int:
    """Runs the program; see `make_parser` for the flags.

    Returns:
        0, or 128 + n when signal n stopped the run after its state was saved.

    Raises:
        Pose3DError: Bad input.
    """
    parsed, release = parse(make_parser, arguments, "train")
    log = log or (lambda line: print(line, flush=True))
    for run in release.training_runs(parsed, log):
        code = _train(run, release, log)
        if code:
            return code
    return 0


def _train(arguments: Namespace, release: Release, log: Callable[[str], None]) -> int:
    """One run; see `train`."""
    from tf_pose3d.data.sources import named_subset
    from tf_pose3d.models.loading import load_config

    family = release.family
    if arguments.out_dir is None:
        raise Pose3DError("--out_dir is missing: the folder for weights, checkpoints and logs")
    weights = resolve_weights(arguments.weights) if arguments.weights else None
    config = load_config(arguments.config, weights, arguments.arch or family.arch)
    config = apply_flags(
        config, arguments, release, "train", SHUFFLE_SEED=arguments.seed, KEYPOINTS=arguments.keypoints
    )
    release.check_training(arguments, config)
    source = find_source(arguments, config, release, "train", arguments.dataset)
    source_val = source
    if arguments.dataset_val is not None:
        source_val = find_source(arguments, config, release, "val", arguments.dataset_val, "--dataset_val")
    refuse_unread_flags([source.dataset, source_val.dataset], arguments)
    source.check(arguments.train_subset or config.TRAIN_SUBSET)
    val_subset = config.VAL_SUBSET if arguments.val_subset is None else arguments.val_subset
    for subset in (named_subset(val_subset), named_subset(arguments.test_subset)):
        if subset is not None:
            source_val.check(subset)
    # Else a checkpoint that `-r` names, which is there.
    if arguments.continue_training is True:
        require_checkpoints(Path(arguments.out_dir) / "checkpoints")
    require_writable_folder(arguments.out_dir)
    start_tensorflow("train.py")

    from tf_pose3d.training import run
    from tf_pose3d.training.loop import Interrupted
    from tf_pose3d.weight_files.hdf5 import convert_held_weights

    convert_held_weights()
    try:
        run.run_training(
            config,
            arguments.out_dir,
            source,
            source_val,
            train_subset=arguments.train_subset,
            val_subset=arguments.val_subset,
            test_subset=arguments.test_subset,
            weights=weights,
            resume=arguments.continue_training,
            strategy=arguments.strategy,
            log=log,
            name=Path(arguments.config).stem if arguments.config else "config",
        )
    except Interrupted as stop:
        log(f"{stop}; go on with --continue_training True")
        return 128 + stop.signal
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_program("train.py", train, arguments)


if __name__ == "__main__":
    sys.exit(main())
