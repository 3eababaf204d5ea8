"""`train.py`: trains any family; see `--help`."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tf_pose3d.cli.program import (
    Parser,
    add_action_flag,
    add_common_flags,
    apply_flags,
    as_switch,
    parse,
    run_program,
)
from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import require_writable_folder, resolve_weights, write_json

if TYPE_CHECKING:
    from tf_pose3d.data.sources import DataFiles
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
    parser.add_argument("--config", metavar="FILE", help="config file, .json or .txt")
    parser.add_argument("--out_dir", metavar="DIR", help="folder for weights, checkpoints and logs")
    parser.add_argument(
        "--dataset",
        metavar="NAME",
        help="training data: h36m, amass, synthetic or lcn; multiview_h36m, multiview_3dhp or "
        "multiview_synthetic for images; a name ending in .npz is the 3D file itself (default: DATASET, "
        "else h36m)",
    )
    parser.add_argument("--dataset_val", metavar="NAME", help="validation data, if other")
    parser.add_argument(
        "--h36m_path", metavar="FILE", default="./data/data_3d_h36m.npz", help="3D poses of Human3.6M"
    )
    parser.add_argument(
        "--dataset_2d_path",
        metavar="FILE",
        help="2D poses of Human3.6M (default: ./data/data_2d_h36m_cpn_ft_h36m_dbb.npz)",
    )
    parser.add_argument(
        "--keypoints",
        metavar="NAME",
        help="2D poses by name, e.g. gt: data_2d_h36m_NAME.npz beside the 3D poses (default: KEYPOINTS)",
    )
    add_action_flag(parser)
    parser.add_argument("--amass_path", metavar="DIR", help="folder of converted AMASS .npz files")
    parser.add_argument("--amass_frame_rate", type=int, default=50, metavar="HZ", help="rate to use AMASS at")
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


def _data_names(arguments: Any, config: Any, family: Any) -> tuple[str, str, DataFiles]:
    """Training and validation data set, and where files are."""
    from tf_pose3d.data.sources import POSE_FILE_DATASETS, DataFiles, dataset_of_file, pose_files

    h36m, humaneva, name = arguments.h36m_path, None, arguments.dataset
    if name is not None and name.endswith(".npz"):
        path, name = name, dataset_of_file(name)
        h36m, humaneva = (path, None) if name == "h36m" else (h36m, path)
    name = (name or config.DATASET or "h36m").lower()
    val = (arguments.dataset_val or name).lower()
    for flag, value in (("--dataset", name), ("--dataset_val", val)):
        if value not in family.datasets():
            raise Pose3DError(f"{flag} is {value!r}, expected one of {', '.join(family.datasets())}")
    read = [one for one in POSE_FILE_DATASETS if one in (name, val)]
    for flag, value in (("--keypoints", arguments.keypoints), ("--actions", arguments.actions)):
        if value is not None and not read:
            raise Pose3DError(f"{flag} is about Human3.6M or HumanEva-I, which this run does not read")
    if arguments.keypoints is not None and arguments.dataset_2d_path is not None:
        raise Pose3DError("--dataset_2d_path and --keypoints both name 2D poses; give one of them")
    files = DataFiles(
        amass=Path(arguments.amass_path) if arguments.amass_path else None,
        amass_frame_rate=arguments.amass_frame_rate,
        actions=arguments.actions,
    )
    for one in read:
        main = h36m if one == "h36m" else humaneva
        files = pose_files(one, main, arguments.dataset_2d_path, config.KEYPOINTS, files)
    return name, val, files


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
    dataset, val_dataset, files = _data_names(arguments, config, family)
    files = family.data_files(arguments, config, files)
    train_subset = arguments.train_subset or config.TRAIN_SUBSET
    val_subset = _subset(config.VAL_SUBSET if arguments.val_subset is None else arguments.val_subset)
    test_subset = _subset(arguments.test_subset or "none")
    action_wise = val_dataset != "amass"
    if not action_wise and config.BEST_CHECKPOINT_METRIC is not None:
        config = config.replace(BEST_CHECKPOINT_METRIC=config.BEST_CHECKPOINT_METRIC.removeprefix("AW-"))
    strategy = make_strategy(arguments.strategy, config.GPU_ID)
    chief = is_chief()
    out_dir = require_writable_folder(arguments.out_dir)
    log(f"reading {dataset}, subset {train_subset}")
    windows = family.open_data(dataset, train_subset, files, config, "train", log)
    log(f"{len(windows)} training {family.examples}")
    family.check_data(config, windows)
    for note in family.data_notes(config, windows):
        log(note)
    config = family.config_from_data(config, windows)
    validation = None
    if val_subset is not None:
        val_windows = family.open_data(val_dataset, val_subset, files, config, "val", log)
        available = val_windows.num_centres
        if available < config.VALIDATION_EXAMPLES:
            raise Pose3DError(
                f"VALIDATION_EXAMPLES is {config.VALIDATION_EXAMPLES}, but {val_subset} of {val_dataset} has "
                f"{available} {family.examples}"
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
    if val_dataset == "amass":
        log("no test: the test protocol is Human3.6M's")
        return 0
    tested = result.best_weights or result.last_weights
    if tested is None:
        raise Pose3DError(f"{out_dir}: no weights to test, EPOCHS is {config.EPOCHS}")
    log(f"testing {tested}")
    _test(family, config, tested, val_dataset, test_subset, files, out_dir, log)
    return 0


def _mute(line: str) -> None:
    """Workers other than the chief say nothing."""


def _test(
    family: Any,
    config: Any,
    weights: Path,
    dataset: str,
    subset: str,
    files: DataFiles,
    out_dir: Path,
    log: Callable[[str], None],
) -> None:
    from tf_pose3d.models.loading import load_model

    model = load_model(weights, config)
    windows = family.open_data(dataset, subset, files, config, "test", log)
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
