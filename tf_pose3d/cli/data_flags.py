"""The programs' flags that say which data are read; data sets and their options come from the table."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from tf_pose3d.data.datasets import (
    DATASETS,
    Dataset,
    Option,
    PoseDataset,
    dataset_of_file,
    datasets,
    get_dataset,
)
from tf_pose3d.errors import Pose3DError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tf_pose3d.config import TrainingConfig
    from tf_pose3d.models.family import Family

__all__ = [
    "add_data_flags",
    "data_options",
    "find_dataset",
    "find_test_data",
    "has_test",
    "refuse_unread_flags",
]


def has_test(dataset: Dataset) -> bool:
    """Whether a data set has a test protocol."""
    return not isinstance(dataset, PoseDataset) or dataset.has_test


def _options(test: bool) -> list[Option]:
    """The distinct options with flags of all data sets, or of those with a test protocol."""
    records = [get_dataset(name) for name in DATASETS]
    options = (option for record in records if has_test(record) or not test for option in record.options)
    return list({option.flags: option for option in options if option.flags}.values())


def add_data_flags(parser: ArgumentParser, title: str = "data", test: bool = False) -> Any:
    """Adds `--dataset` and the flags of the data sets' options.

    Args:
        parser: Takes a group of flags.
        title: The group's.
        test: Leave out data sets without a test protocol.

    Returns:
        The group.
    """
    held = {name: text for name, text in datasets().items() if has_test(get_dataset(name)) or not test}
    width = max(map(len, held))
    lines = [f"{name:{width}}  {text}" for name, text in held.items()]
    group = parser.add_argument_group(title, "data sets:\n" + "\n".join(f"  {line}" for line in lines))
    group.add_argument(
        "--dataset",
        metavar="FILE|NAME",
        help="name of a data set, or a 3D pose file (.npz) of h36m or of one that its name tells (default: "
        "DATASET, else h36m)",
    )
    for option in _options(test):
        group.add_argument(
            *option.flags,
            dest=option.destination,
            type=option.kind,
            metavar=option.metavar,
            help=option.help,
        )
    return group


def find_dataset(text: str, known: Iterable[str], flag: str = "--dataset") -> tuple[Dataset, str | None]:
    """The data set that a flag names, and the file where it names one.

    Args:
        text: The flag's.
        known: Names that are right here.
        flag: For the message.

    Raises:
        Pose3DError: It is none of them.
    """
    path, known = (text, list(known)) if text.endswith(".npz") else (None, list(known))
    name = dataset_of_file(text) if path is not None else text.lower()
    if name not in known:
        file = "a 3D pose file (.npz), " if "h36m" in known else ""
        names = " or ".join([part for part in (", ".join(known[:-1]), known[-1]) if part])
        raise Pose3DError(f"{flag} is {text!r}, expected {file}{names}")
    return get_dataset(name), path


def data_options(
    dataset: Dataset, arguments: Namespace, config: TrainingConfig, path: str | None = None
) -> dict[str, Any]:
    """What the flags and the config tell a data set's reader.

    Args:
        dataset: It.
        arguments: Of a parser with `add_data_flags`.
        config: Names 2D poses where no flag does.
        path: Its 3D file, where `--dataset` names one.

    Raises:
        Pose3DError: 2D poses are named twice.
    """
    options = {
        option.name: getattr(arguments, option.destination, None)
        for option in dataset.options
        if option.flags
    }
    if path is not None:
        options["path_3d"] = path
    if dataset.takes("keypoints"):
        if options["path_2d"] is not None and options["keypoints"] is not None:
            raise Pose3DError("--dataset_2d and --keypoints both name 2D poses; give one of them")
        options["keypoints"] = options["keypoints"] or config.KEYPOINTS
    return options


def find_test_data(
    arguments: Namespace, config: TrainingConfig, family: Family
) -> tuple[Dataset, dict[str, Any]]:
    """The data set that a trained model is given, and its options.

    Raises:
        Pose3DError: An unknown data set or name of 2D poses, 2D poses named twice, or flags that select
            among other data.
    """
    known = [name for name in family.datasets() if has_test(get_dataset(name))]
    dataset, path = find_dataset(arguments.dataset or config.DATASET or "h36m", known)
    refuse_unread_flags([dataset], arguments)
    options = data_options(dataset, arguments, config, path)
    options = dataset.complete({**options, **dataset.pick(family.data_options(arguments, config))})
    dataset.files(options)
    return dataset, options


def refuse_unread_flags(read: Iterable[Dataset], arguments: Namespace) -> None:
    """Refuses flags that select among data which the run does not read.

    Paths may be given without being read: scripts give all of them.

    Args:
        read: The data sets of the run.
        arguments: Of a parser with `add_data_flags`.

    Raises:
        Pose3DError: There is such a flag.
    """
    read = list(read)
    for option in _options(test=False):
        value = getattr(arguments, option.destination, None)
        if value is None or option.is_place or any(record.takes(option.name) for record in read):
            continue
        takers = [name for name in DATASETS if option in get_dataset(name).options]
        names = " and ".join(dict.fromkeys(record.name for record in read))
        raise Pose3DError(
            f"{option.flags[0]} is for {', '.join(takers)}; this run reads {names}, which does not take it"
        )
