"""A whole training run, from data to the test of the best weights; one road for Python and `train.py`."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras

from tf_pose3d.config import TrainingConfig
from tf_pose3d.data.datasets import Dataset
from tf_pose3d.data.sources import Source, choose_source, find_dataset, named_subset
from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.examples import examples_of
from tf_pose3d.evaluation.protocols import get_protocol
from tf_pose3d.files import require_writable_folder, resolve_weights, write_json, write_whole
from tf_pose3d.folder_lock import hold_folder
from tf_pose3d.models.family import Family, get_family
from tf_pose3d.models.loading import as_config, load_model
from tf_pose3d.training.distribution import cluster_name, is_chief, make_strategy
from tf_pose3d.training.loop import Trainer, TrainingResult
from tf_pose3d.training.peers import ending_with_peers
from tf_pose3d.types import Parsed
from tf_pose3d.weights.opening import converted_weights

__all__ = ["run_training", "train"]

Log = Callable[[str], None]


def train(
    config: str | os.PathLike | TrainingConfig,
    out_dir: str | os.PathLike,
    *,
    dataset: str | None = None,
    dataset_val: str | None = None,
    options: Mapping[str, Any] | None = None,
    train_subset: str | None = None,
    val_subset: str | None = None,
    test_subset: str | None = None,
    weights: str | os.PathLike | None = None,
    resume: bool | Path = False,
    strategy: str = "auto",
    log: Log = print,
    **keys: Any,
) -> TrainingResult:
    """Trains a model and leaves what `train.py` leaves: weights, checkpoints, curves, the complete config.

        result = tf_pose3d.train("quickstart", "logs/mine", EPOCHS=2)
        print(result.best_weights, result.history.best("MPJPE"))

    Args:
        config: A config, a config file, the name of a shipped config, or of a family for its defaults.
        out_dir: Folder for everything that is written; made where it is missing.
        dataset: Training data: a name of `tf_pose3d.datasets()` or the path of a 3D file (`.npz`); None: the
            config's DATASET, else h36m.
        dataset_val: Validation data, if other.
        options: What the readers are told, as far as each takes it, e.g. `{"keypoints": "gt"}`; see
            `tf_pose3d.data.datasets.get_dataset(NAME).options`.
        train_subset, val_subset: Subsets; None: the config's. `val_subset="none"`: no validation.
        test_subset: Subset to test the best weights on at the end; None: no test.
        weights: `.h5` file to start from, a prefix of its path, or a checkpoint of an original release.
        resume: Continue the run in `out_dir` from its latest checkpoint, or from this one; on the same
            machine the result is bit for bit that of an uninterrupted run.
        strategy: Devices, see `tf_pose3d.training.distribution.make_strategy`.
        log: Takes lines of text.
        **keys: Config keys to overwrite, e.g. `EPOCHS=3`.

    Returns:
        Paths of the best and the last weights, metrics by epoch, and the test's errors.

    Raises:
        Pose3DError: Bad settings or data, or weights or checkpoints that do not fit.
        Interrupted: On SIGTERM or SIGINT, after the state was saved.
    """
    name = "config" if isinstance(config, TrainingConfig) else Path(config).stem
    settings = as_config(config)
    if keys:
        settings = settings.replace(**keys)
    spec = get_family(settings.ARCH).data_spec(settings, "train")
    given = dict(options or {})
    records = [
        find_dataset(one or settings.DATASET or "h36m", spec) for one in (dataset, dataset_val or dataset)
    ]
    for option in given:
        if not any(record.takes(option) for record, _ in records):
            raise Pose3DError(f"data set {records[0][0].name} has no option {option!r}")
    sources = [
        choose_source(
            record,
            settings,
            spec,
            record.pick(given | ({record.place_option: path} if path is not None else {})),
        )
        for record, path in records
    ]
    with contextlib.ExitStack() as stack:
        if weights is not None:
            stack.enter_context(converted_weights(weights, settings, log=log, start=True))
        return run_training(
            settings,
            out_dir,
            sources[0],
            sources[1],
            train_subset=train_subset,
            val_subset=val_subset,
            test_subset=test_subset,
            weights=weights,
            resume=resume,
            strategy=strategy,
            log=log,
            name=name,
        )


def run_training(
    config: TrainingConfig,
    out_dir: str | os.PathLike,
    source: Source,
    source_val: Source,
    *,
    train_subset: str | None = None,
    val_subset: str | None = None,
    test_subset: str | None = None,
    weights: str | os.PathLike | None = None,
    resume: bool | Path = False,
    strategy: str = "auto",
    log: Log = print,
    name: str = "config",
) -> TrainingResult:
    """As `train`, with everything chosen.

    Args:
        config: Of the family to train.
        source, source_val: Data to train on, and to validate and test on.
        name: `NAME_complete.json` holds the whole config.
        out_dir, train_subset, val_subset, test_subset, weights, resume, strategy, log: As of `train`.

    Raises:
        Pose3DError, Interrupted: As `train`.
    """
    family = get_family(config.ARCH)
    protocol = get_protocol(family, source_val.dataset)
    start = resolve_weights(weights) if weights is not None else None
    if start is None and not resume and config.weights_needed is not None:
        raise Pose3DError(config.weights_needed)
    train_subset = train_subset or config.TRAIN_SUBSET
    val_subset = named_subset(config.VAL_SUBSET if val_subset is None else val_subset)
    test_subset = named_subset(test_subset)
    action_wise = bool(source_val.dataset.actions) or source_val.dataset.has_test
    if not action_wise and config.BEST_CHECKPOINT_METRIC is not None:
        config = config.replace(BEST_CHECKPOINT_METRIC=config.BEST_CHECKPOINT_METRIC.removeprefix("AW-"))
    distribution = make_strategy(strategy, config.GPU_ID)
    chief = is_chief()
    folder = require_writable_folder(out_dir)
    with hold_folder(folder, cluster_name(), chief, log) as lock:
        log(f"reading {source.name}, subset {train_subset}")
        examples = examples_of(config, source, train_subset, "train", log)
        log(f"{len(examples)} training {protocol.examples}")
        for note in examples.notes():
            log(note)
        config = _naming_data(family.config_from_data(config, examples), source)
        validation = None
        if val_subset is not None:
            val_examples = examples_of(config, source_val, val_subset, "val", log)
            available = val_examples.num_centres
            if available < config.VALIDATION_EXAMPLES:
                raise Pose3DError(
                    f"VALIDATION_EXAMPLES is {config.VALIDATION_EXAMPLES}, but {val_subset} of "
                    f"{source_val.name} has {available} {protocol.examples}"
                )
            log(f"{available} validation {protocol.examples}")

            def validation(model: keras.Model) -> dict[str, float]:
                return protocol.validate(model, config, val_examples, action_wise)

        with ending_with_peers(folder / "checkpoints") as peers:
            trainer = Trainer(
                family,
                config,
                examples,
                folder,
                distribution,
                validation,
                start,
                chief=chief,
                log=log if chief else _mute,
                before_saving=None if lock is None else lock.require,
                after_steps=peers.stop,
            )
            if chief:
                write_json(folder / f"{name}_complete.json", config.to_dict())
            result = trainer.run(resume=resume)
        if not chief:
            return result
        _copy_best(config, folder, result, log)
        if test_subset is None:
            return result
        if not source_val.dataset.has_test:
            log(f"no test: {source_val.name} has no test protocol")
            return result
        tested = result.best_weights or result.last_weights
        if tested is None:
            raise Pose3DError(f"{folder}: no weights to test, EPOCHS is {config.EPOCHS}")
        log(f"testing {tested}")
        test_examples = examples_of(config, source_val, test_subset, "test", log)
        result.test = _test(family, source_val.dataset, config, tested, test_examples, log)
        write_json(
            folder / f"test_{test_subset.replace('/', '_')}.json",
            {"weights": str(tested), "evaluation_mm": result.test},
        )
        return result


def _naming_data(config: TrainingConfig, source: Source) -> TrainingConfig:
    """The config with the data set that is trained on: weights are tested on it where nobody names one.

    Data without a test protocol are not named.
    """
    if source.name == (config.DATASET or "h36m") or not source.dataset.has_test:
        return config
    return config.replace(DATASET=source.name)


def _mute(line: str) -> None:
    """Workers other than the chief say nothing."""


def _copy_best(config: TrainingConfig, folder: Path, result: TrainingResult, log: Log) -> None:
    """Copies the best weights to the name by which a release's next step asks for them."""
    best, name = result.best_weights or result.last_weights, config.best_weights_name
    if best is None or name is None:
        return
    with best.open("rb") as source, write_whole(folder / name) as file:
        shutil.copyfileobj(source, file)
    log(f"best weights: {folder / name}")


def _test(
    family: Family, dataset: Dataset, config: TrainingConfig, weights: Path, examples: Parsed, log: Log
) -> dict[str, Any]:
    """Errors of weights by setting, printed as tables."""
    protocol = get_protocol(family, dataset)
    results = {}
    for evaluation in protocol.evaluate(load_model(weights, config), config, examples):
        log(protocol.tables(evaluation))
        results[evaluation.label or "all"] = evaluation.results
    return results
