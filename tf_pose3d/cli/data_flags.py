"""The programs' flags that say which data are read; data sets and their options come from the table."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from tf_pose3d.data.datasets import DATASETS, Dataset, Option, datasets, get_dataset
from tf_pose3d.errors import Pose3DError
from tf_pose3d.types import Parsed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tf_pose3d.cli.releases.release import Release
    from tf_pose3d.config import TrainingConfig
    from tf_pose3d.data.sources import Source

__all__ = ["add_data_flags", "find_source", "find_test_source", "refuse_unread_flags"]


def _options(test: bool) -> list[Option]:
    """The distinct options with flags of all data sets, or of those with a test protocol."""
    records = [get_dataset(name) for name in DATASETS]
    options = (option for record in records if record.has_test or not test for option in record.options)
    return list({option.flags: option for option in options if option.flags}.values())


def add_data_flags(
    parser: ArgumentParser, title: str = "data", test: bool = False, lift: bool = False
) -> Parsed:
    """Adds `--dataset` and the flags of the data sets' options.

    Args:
        parser: Takes a group of flags.
        title: The group's.
        test: Leave out data sets without a test protocol.
        lift: Name those, too, whose recordings can be lifted, and nothing else.

    Returns:
        The group.
    """
    held = {name: text for name, text in datasets().items() if _named(get_dataset(name), test, lift)}
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


def _named(record: Dataset, test: bool, lift: bool) -> bool:
    if not getattr(record, "has_poses", True):
        return lift
    return record.has_test or not test


def find_source(
    arguments: Namespace,
    config: TrainingConfig,
    release: Release,
    split: str,
    dataset: str | None,
    flag: str = "--dataset",
    lift: bool = False,
) -> Source:
    """The data set that a program reads, and what the flags and the config tell its reader.

    Args:
        arguments: Of a parser with `add_data_flags`.
        config: Of the model.
        release: Its flags may say more about the data.
        split: `"train"`, `"val"` or `"test"`, what the examples are for; only tests need a test protocol.
        dataset: A name or a 3D file; None: the config's.
        flag: Names it in messages.
        lift: Recordings are to be lifted, which need no 3D poses.

    Raises:
        Pose3DError: An unknown data set or name of 2D poses, or 2D poses named twice.
    """
    from tf_pose3d.data.sources import choose_source, find_dataset

    test = split == "test"
    spec = release.family.data_spec(config, split)
    record, path = find_dataset(dataset or config.DATASET or "h36m", spec, test, flag, lift)
    given = {
        option.name: getattr(arguments, option.destination, None) for option in record.options if option.flags
    }
    if path is not None:
        given[record.place_option] = path
    given.update(record.pick(release.data_options(arguments)))
    return choose_source(record, config, spec, given, test)


def find_test_source(
    arguments: Namespace, config: TrainingConfig, release: Release, lift: bool = False
) -> Source:
    """The data set that a trained model is given; `lift`: for a recording to lift, see `find_source`.

    Raises:
        Pose3DError: As `find_source`, and flags that select among other data.
    """
    source = find_source(arguments, config, release, "test", arguments.dataset, lift=lift)
    refuse_unread_flags([source.dataset], arguments)
    return source


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
