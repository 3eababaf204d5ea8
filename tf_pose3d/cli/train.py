"""`train.py`: trains any family; see `--help`."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tf_pose3d.cli.data_flags import add_data_flags, data_options, find_dataset, has_test, refuse_unread_flags
from tf_pose3d.cli.program import (
    Parser,
    add_common_flags,
    apply_flags,
    as_switch,
    parse,
    run_program,
)
from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import require_writable_folder, resolve_weights, write_json

if TYPE_CHECKING:
    from tf_pose3d.data.datasets import Dataset
    from tf_pose3d.models.family import Family

__all__ = ["main", "train"]

_NONE = ("none", "None", "", "0")


def _subset(text: str) -> str | None:
    return None if text in _NONE else text


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
        metavar="{auto,one,mirrored,multi_worker}",
        help="devices: one, all of this machine, or several machines by TF_CONFIG",
    )
    parser.add_argument("--seed", type=int, help="of everything random; overwrites SHUFFLE_SEED")
    add_common_flags(parser)
    return parser


def _data(
    arguments: Any, config: Any, family: Any
) -> tuple[tuple[Dataset, dict[str, Any]], tuple[Dataset, dict[str, Any]]]:
    """Training and validation data set with their options."""
    text = arguments.dataset or config.DATASET or "h36m"
    found = [find_dataset(text, family.datasets())]
    if arguments.dataset_val is not None:
        found.append(find_dataset(arguments.dataset_val, family.datasets(), "--dataset_val"))
    refuse_unread_flags([dataset for dataset, _ in found], arguments)
    chosen = []
    for dataset, path in found:
        options = data_options(dataset, arguments, config, path)
        options.update(dataset.pick(family.data_options(arguments, config)))
        options = dataset.complete(options)
        dataset.files(options)
        chosen.append((dataset, options))
    return chosen[0], chosen[-1]


def train(arguments: Sequence[str] | None = None, log: Callable[[str], None] | None = None) -> int:
    """Runs the program; see `make_parser` for the flags.

    Returns:
        0, or 128 + n when signal n stopped the run after its state was saved.

    Raises:
        Pose3DError: Bad input.
    """
    arguments, family = parse(make_parser, arguments, "train")
    log = log or (lambda line: print(line, flush=True))
    for run in family.training_runs(arguments, log):
        code = _train(run, family, log)
        if code:
            return code
    return 0


def _train(arguments: Namespace, family: Family, log: Callable[[str], None]) -> int:
    """One run; see `train`."""
    from tf_pose3d.models.loading import load_config
    from tf_pose3d.training.distribution import is_chief, make_strategy
    from tf_pose3d.training.loop import Interrupted, Trainer

    if arguments.out_dir is None:
        raise Pose3DError("--out_dir is missing: the folder for weights, checkpoints and logs")
    weights = resolve_weights(arguments.weights) if arguments.weights else None
    config = load_config(arguments.config, weights, arguments.arch or family.arch)
    config = apply_flags(
        config, arguments, family, "train", SHUFFLE_SEED=arguments.seed, KEYPOINTS=arguments.keypoints
    )
    family.check_training(arguments, config)
    (dataset, options), (val_dataset, val_options) = _data(arguments, config, family)
    train_subset = arguments.train_subset or config.TRAIN_SUBSET
    val_subset = _subset(config.VAL_SUBSET if arguments.val_subset is None else arguments.val_subset)
    test_subset = _subset(arguments.test_subset or "none")
    action_wise = bool(val_dataset.actions) or has_test(val_dataset)
    if not action_wise and config.BEST_CHECKPOINT_METRIC is not None:
        config = config.replace(BEST_CHECKPOINT_METRIC=config.BEST_CHECKPOINT_METRIC.removeprefix("AW-"))
    strategy = make_strategy(arguments.strategy, config.GPU_ID)
    chief = is_chief()
    out_dir = require_writable_folder(arguments.out_dir)
    log(f"reading {dataset.name}, subset {train_subset}")
    windows = family.open_data(dataset, train_subset, options, config, "train", log)
    log(f"{len(windows)} training {family.examples}")
    family.check_data(config, windows)
    for note in family.data_notes(config, windows):
        log(note)
    config = family.config_from_data(config, windows)
    validation = None
    if val_subset is not None:
        val_windows = family.open_data(val_dataset, val_subset, val_options, config, "val", log)
        available = val_windows.num_centres
        if available < config.VALIDATION_EXAMPLES:
            raise Pose3DError(
                f"VALIDATION_EXAMPLES is {config.VALIDATION_EXAMPLES}, but {val_subset} of "
                f"{val_dataset.name} has {available} {family.examples}"
            )
        log(f"{available} validation {family.examples}")
        family.check_data(config, val_windows)

        def validation(model: Any) -> dict[str, float]:
            return family.validate(model, config, val_windows, action_wise)

    trainer = Trainer(
        family,
        config,
        windows,
        out_dir,
        strategy,
        validation,
        weights,
        chief=chief,
        log=log if chief else _mute,
    )
    if chief:
        stem = Path(arguments.config).stem if arguments.config else "config"
        write_json(out_dir / f"{stem}_complete.json", config.to_dict())
    try:
        result = trainer.run(resume=arguments.continue_training)
    except Interrupted as stop:
        log(f"{stop}; go on with --continue_training True")
        return 128 + stop.signal
    if chief:
        family.finish_training(config, out_dir, result, log)
    if test_subset is None or not chief:
        return 0
    if not has_test(val_dataset):
        log(f"no test: {val_dataset.name} has no test protocol")
        return 0
    tested = result.best_weights or result.last_weights
    if tested is None:
        raise Pose3DError(f"{out_dir}: no weights to test, EPOCHS is {config.EPOCHS}")
    log(f"testing {tested}")
    _test(family, config, tested, val_dataset, test_subset, val_options, out_dir, log)
    return 0


def _mute(line: str) -> None:
    """Workers other than the chief say nothing."""


def _test(
    family: Any,
    config: Any,
    weights: Path,
    dataset: Dataset,
    subset: str,
    options: dict[str, Any],
    out_dir: Path,
    log: Callable[[str], None],
) -> None:
    from tf_pose3d.models.loading import load_model

    model = load_model(weights, config)
    windows = family.open_data(dataset, subset, options, config, "test", log)
    results = {}
    for evaluation in family.evaluate(model, config, windows):
        log(family.format_evaluation(evaluation))
        results[evaluation.label or "all"] = evaluation.results
    write_json(out_dir / f"test_{subset}.json", {"weights": str(weights), "evaluation_mm": results})


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_program("train.py", train, arguments)


if __name__ == "__main__":
    sys.exit(main())
