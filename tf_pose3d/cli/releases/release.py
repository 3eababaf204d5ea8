"""What a release is to the three programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tf_pose3d.errors import Pose3DError
from tf_pose3d.types import Parsed

if TYPE_CHECKING:
    import argparse

    import keras

    from tf_pose3d.config import TrainingConfig
    from tf_pose3d.models.family import Family

__all__ = ["Flag", "Log", "Release"]

# Takes a line for the user.
Log = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Flag:
    """A command line flag of a release, which sets a config key.

    Attributes:
        names: Spellings, e.g. `("--knn",)`, with `_` between words.
        key: The config key that it sets; `"KEY.argument"` for an argument of an object; None: the release
            itself reads the flag.
        help: One line, with the unit.
        kind: Converts the text; None: a switch without text.
        const: What a switch sets.
        metavar: Stands for the text in the help.
        nargs: As argparse's: `"+"` for a list of texts.
    """

    names: tuple[str, ...]
    key: str | None
    help: str
    kind: Callable[[str], Any] | None = str
    const: Any = True
    metavar: str | None = None
    nargs: str | None = None

    @property
    def destination(self) -> str:
        """Attribute of the parsed arguments."""
        longest = max(self.names, key=len)
        return longest.lstrip("-")

    def add_to(self, parser: Parsed) -> None:
        """Adds the flag to an argparse parser or group."""
        if self.kind is None:
            parser.add_argument(
                *self.names, dest=self.destination, action="store_const", const=self.const, help=self.help
            )
        else:
            parser.add_argument(
                *self.names,
                dest=self.destination,
                type=self.kind,
                metavar=self.metavar,
                nargs=self.nargs,
                help=self.help,
            )


ConfigT = TypeVar("ConfigT", bound="TrainingConfig")

# What every family can be told in training.
_TRAINING = (
    Flag(("--epochs",), "EPOCHS", "epochs to train", int, metavar="N"),
    Flag(("--batch_size",), "BATCH_SIZE", "examples per step", int, metavar="N"),
    Flag(("--lr",), "SCHEDULE_PARAMS.initial_learning_rate", "initial learning rate", float, metavar="LR"),
)


class Release(Generic[ConfigT]):
    """A release's flags, and what it does in the programs that no other does.

    What is here serves a family whose release has nothing of its own.

    Args:
        family: The model family that the release brought.
    """

    def __init__(self, family: Family) -> None:
        self.family = family

    def flags(self, program: str) -> list[Flag]:
        """Flags of the release for `"train"`, `"eval"` or `"inference"`."""
        return []

    def all_flags(self, program: str) -> list[Flag]:
        """`flags`, and those of training that every family has, where the release has none of that name."""
        flags = self.flags(program)
        if program != "train":
            return flags
        taken = {name for flag in flags for name in flag.names}
        return [*flags, *(flag for flag in _TRAINING if not taken & set(flag.names))]

    def complete_arguments(self, program: str, arguments: argparse.Namespace) -> None:
        """Fills in what the release's flags imply, such as the folder of a numbered experiment.

        Raises:
            Pose3DError: Flags that contradict each other.
        """

    def data_options(self, arguments: argparse.Namespace) -> dict[str, Any]:
        """What the release's flags tell the readers of data sets, as far as these take it."""
        return {}

    def check_training(self, arguments: argparse.Namespace, config: ConfigT) -> None:
        """Checks flags and config together before a training run.

        Raises:
            Pose3DError: They do not fit.
        """

    def training_runs(self, arguments: argparse.Namespace, log: Log) -> Iterator[argparse.Namespace]:
        """The runs that one call of `train.py` stands for; each is asked for when the last is done."""
        yield arguments

    def evaluate_results(self, arguments: argparse.Namespace, config: ConfigT, log: Log) -> bool:
        """Work of its own in `eval.py` without weights, where a release evaluates saved results.

        Args:
            arguments: Of `tf_pose3d.cli.eval`.
            config: The family's defaults with what the flags overwrite.
            log: Takes a line for the user.

        Returns:
            Whether that was all.

        Raises:
            Pose3DError: Bad input.
        """
        return False

    def save_evaluation(
        self, arguments: argparse.Namespace, evaluations: Sequence[Any], data: Parsed, log: Log
    ) -> None:
        """Writes what the flags of `eval.py` ask for besides the tables and their JSON."""
        from tf_pose3d.evaluation.protocols import get_protocol

        if arguments.predictions is not None:
            get_protocol(self.family).save_predictions(arguments.predictions, evaluations, data)
            log(f"wrote {arguments.predictions}")

    def require_weights(self, arguments: argparse.Namespace) -> None:
        """Checks that the flags of `inference.py` name weights; for a release that finds none by others.

        Raises:
            Pose3DError: They do not.
        """
        if arguments.weights is None:
            raise Pose3DError(
                f"{self.family.arch} needs --weights, the file that training or conversion wrote"
            )

    def load_model(self, arguments: argparse.Namespace, config: ConfigT) -> keras.Model:
        """The model that `inference.py` runs, with its weights.

        The network is the trained one, whatever flags change in `config`. A release that finds weights by
        other flags looks for them here.

        Raises:
            Pose3DError: No weights, or weights that do not fit.
        """
        from tf_pose3d.models.loading import load_model

        return load_model(arguments.weights, arguments.config, arguments.arch)

    def lifts_recordings(self, arguments: argparse.Namespace, config: ConfigT) -> bool:
        """Whether `inference.py` is sure to lift and draw a recording; else `infer` is asked."""
        return True

    def infer(self, arguments: argparse.Namespace, config: ConfigT, model: keras.Model, log: Log) -> bool:
        """Work of its own in `inference.py`, unless `lifts_recordings`.

        Args:
            arguments: Of `tf_pose3d.cli.inference`.
            config: With what the flags overwrite.
            model: From `load_model`.
            log: Takes a line for the user.

        Returns:
            Whether that was all; False goes on to lift and draw a recording of a data set.

        Raises:
            Pose3DError: Bad input.
        """
        return False


def let_stand_for(arguments: argparse.Namespace, short: str, name: str, flag: str) -> None:
    """Lets a release's flag stand for a flag that all families share.

    Raises:
        Pose3DError: Both are given and say different things.
    """
    value = getattr(arguments, short)
    if value is None:
        return
    if getattr(arguments, name) not in (None, value):
        raise Pose3DError(f"{flag} and --{name.replace('_', '-')} say different things; give one of them")
    setattr(arguments, name, value)


def find_checkpoint(name: str, out_dir: str | None) -> Path:
    """The checkpoint that `-r` names: a path, or a file name in `checkpoints` of the output folder.

    Raises:
        Pose3DError: There is none.
    """
    places = [Path(name)] if out_dir is None else [Path(out_dir) / "checkpoints" / name, Path(name)]
    for path in places:
        if path.is_file():
            return path
    raise Pose3DError(f"-r {name}: no such checkpoint, looked for {' and '.join(map(str, places))}")
