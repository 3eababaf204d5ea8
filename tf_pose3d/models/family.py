"""What a model family is to the three programs, and the table of all of them."""

from __future__ import annotations

import abc
import dataclasses
import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tf_pose3d.config import Config, nearest
from tf_pose3d.errors import Pose3DError

if TYPE_CHECKING:
    import argparse
    import os

    import keras

    from tf_pose3d.data.datasets import Dataset
    from tf_pose3d.data.sequence import Sequence
    from tf_pose3d.data.window_spec import WindowSpec
    from tf_pose3d.data.windows import Windows
    from tf_pose3d.evaluation.evaluate import Evaluation
    from tf_pose3d.training.loop import TrainingResult

__all__ = ["FAMILIES", "Family", "Flag", "get_family"]

# ARCH -> (short name for --arch, where the family lives). Imported on demand: one family's needs are
# never another's.
FAMILIES = {
    "General": ("general", "tf_pose3d.models.general.family:GeneralFamily"),
    "UpliftUpsampleTransformer": ("uplift", "tf_pose3d.models.uplift_upsample.family:UpliftUpsample"),
    "HOIFNet": ("hoif", "tf_pose3d.models.hoif.family:HOIFNetFamily"),
    "HGCN": ("hgcn", "tf_pose3d.models.hgcn.family:HGCNFamily"),
    "SemGCN": ("semgcn", "tf_pose3d.models.semgcn.family:SemGCNFamily"),
    "Martinez": ("martinez", "tf_pose3d.models.martinez.family:MartinezFamily"),
    "LCN": ("lcn", "tf_pose3d.models.lcn.family:LCNFamily"),
    "VideoPose3D": ("videopose3d", "tf_pose3d.models.videopose3d.family:VideoPose3DFamily"),
    "RIE": ("rie", "tf_pose3d.models.rie.family:RIEFamily"),
    "EHFusion": ("ehfusion", "tf_pose3d.models.ehfusion.family:EHFusionFamily"),
    "PoseResNet": ("pose2d", "tf_pose3d.models.pose_resnet.family:PoseResNetFamily"),
    "DenseWarper": ("densewarper", "tf_pose3d.models.densewarper.family:DenseWarperFamily"),
    "StridedTransformer": ("strided", "tf_pose3d.models.strided.family:StridedTransformerFamily"),
    "PoseFormer": ("poseformer", "tf_pose3d.models.poseformer.family:PoseFormerFamily"),
}


@dataclasses.dataclass(frozen=True)
class Flag:
    """A command line flag of a family's release, which sets a config key.

    Attributes:
        names: Spellings, e.g. `("--knn",)`, with `_` between words.
        key: The config key that it sets; `"KEY.argument"` for an argument of an object; None: the family
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

    def add_to(self, parser: Any) -> None:
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


class Family(abc.ABC):
    """A Keras model, a config class, a loss and a window spec under one ARCH.

    The programs know families through this contract only. Batches and outputs are dicts; a family
    names the batch keys that it reads and never learns which data set they came from.

    Attributes:
        arch: The ARCH of its configs.
        config_class: Its config schema.
        telling_flags: Flags that tell this family where neither config, weights nor --arch do.
        examples: What it trains on, for messages.
        predicted: What it is tested on, for messages.
    """

    arch: ClassVar[str]
    config_class: ClassVar[type[Config]]
    telling_flags: ClassVar[tuple[str, ...]] = ()
    examples: ClassVar[str] = "windows"
    predicted: ClassVar[str] = "frames"

    @abc.abstractmethod
    def skeleton(self, config: Config) -> str:
        """Name of the joint layout that the model reads and writes."""

    @abc.abstractmethod
    def build_model(self, config: Config) -> keras.Model:
        """A built model with random weights, from shapes in the config alone."""

    @abc.abstractmethod
    def window_spec(self, config: Config, split: str) -> WindowSpec:
        """How sequences are cut for `split`, one of `"train"`, `"val"`, `"test"`."""

    @abc.abstractmethod
    def loss(self, config: Config) -> Callable[[dict[str, Any], dict[str, Any]], Any]:
        """A function (outputs, batch) -> scalar mean loss over the batch."""

    def flags(self, program: str) -> list[Flag]:
        """Flags of the family's release for `"train"`, `"eval"` or `"inference"`."""
        return []

    def validation_loss(self, config: Config) -> Callable[[dict[str, Any], dict[str, Any]], Any]:
        """The loss that validation reports; the training loss unless the release uses another."""
        return self.loss(config)

    def root_joint(self, config: Config) -> int:
        """Index of the joint at which metrics align poses."""
        from tf_pose3d.skeleton import get_skeleton

        return get_skeleton(self.skeleton(config)).root

    def evaluation_settings(self, config: Config) -> list[tuple[str, Config]]:
        """(label, config) of every setting that one evaluation run reports, e.g. each s_in."""
        return [("", config)]

    def prediction_stride(self, config: Config) -> int:
        """Only frames divisible by this are predicted in evaluation; others are interpolated."""
        return 1

    def keyframe_stride(self, config: Config) -> int | None:
        """Frames divisible by this are also reported on their own; None: no such table."""
        return None

    def keypoint_channels(self, config: Config) -> int:
        """Numbers per joint that the model reads: 2, or 3 with a confidence."""
        return 2

    def complete_sequence(self, model: keras.Model, config: Config, sequence: Sequence) -> Sequence:
        """A video of 2D poses with what else the model needs to give metres, estimated from them.

        Args:
            model: With its weights.
            config: Its config.
            sequence: 2D poses and a camera, nothing else.
        """
        return sequence

    def complete_arguments(self, program: str, arguments: argparse.Namespace) -> None:  # noqa: B027
        """Fills in what the family's own flags imply, such as the folder of a numbered experiment.

        Raises:
            Pose3DError: Flags that contradict each other.
        """

    def datasets(self) -> tuple[str, ...]:
        """Names of the data sets that the family reads."""
        from tf_pose3d.data.datasets import DATASETS, PoseDataset, get_dataset

        return tuple(name for name in DATASETS if isinstance(get_dataset(name), PoseDataset))

    def data_options(self, arguments: argparse.Namespace, config: Config) -> dict[str, Any]:
        """What the family's flags and config tell the readers of its data sets."""
        return {}

    def open_data(
        self,
        dataset: Dataset,
        subset: str,
        options: dict[str, Any],
        config: Config,
        split: str,
        log: Callable[[str], None],
    ) -> Windows:
        """The examples of a subset.

        Families that read images give another class here, which has `len()`, `num_centres`,
        `training_dataset` and what their own `evaluate` and `validate` need.

        Args:
            dataset: One of `datasets()`.
            subset: Names the part of the data set.
            options: Of its reader.
            config: Of the model.
            split: `"train"`, `"val"` or `"test"`, what the examples are for.
            log: Takes a line for the user.

        Raises:
            Pose3DError: What the reader finds wrong.
        """
        from tf_pose3d.data.windows import open_windows

        spec, skeleton = self.window_spec(config, split), self.skeleton(config)
        return open_windows(dataset, subset, options, spec, skeleton, config.SHUFFLE_SEED, log)

    def check_data(self, config: Config, windows: Windows) -> None:  # noqa: B027
        """Checks that the data hold what the model reads.

        Raises:
            Pose3DError: They do not.
        """

    def data_notes(self, config: Config, windows: Windows) -> list[str]:
        """Lines about the data that the user should know, such as videos shorter than a window."""
        return []

    def check_training(self, arguments: argparse.Namespace, config: Config) -> None:  # noqa: B027
        """Checks flags and config together before a training run.

        Raises:
            Pose3DError: They do not fit.
        """

    def training_runs(
        self, arguments: argparse.Namespace, log: Callable[[str], None]
    ) -> Iterator[argparse.Namespace]:
        """The runs that one call of `train.py` stands for, in order; each is asked for when the last is done.

        Args:
            arguments: Of `tf_pose3d.cli.train`.
            log: Takes a line for the user.
        """
        yield arguments

    def trained_variables(self, model: keras.Model, config: Config) -> list[keras.Variable]:
        """The weights that training changes; the others stay as they are, their layers in training mode."""
        return model.trainable_variables

    def begin_epoch(self, model: keras.Model, config: Config, epoch: int) -> None:  # noqa: B027
        """Sets what in the model follows the epochs, counted from 1; called on resuming, too."""

    def finish_training(  # noqa: B027
        self, config: Config, out_dir: Path, result: TrainingResult, log: Callable[[str], None]
    ) -> None:
        """Writes what a family keeps besides the weights in `checkpoints`."""

    def config_from_data(self, config: Config, windows: Windows) -> Config:
        """The config with what only the training data decide."""
        return config

    def evaluate(
        self, model: keras.Model, config: Config, windows: Windows, show_progress: bool = False
    ) -> Iterator[Evaluation]:
        """Errors on the test windows; see `tf_pose3d.evaluation.evaluate.evaluate`."""
        from tf_pose3d.evaluation.evaluate import evaluate

        return evaluate(self, model, config, windows, show_progress)

    def format_evaluation(self, evaluation: Evaluation, action_wise: bool = True) -> str:
        """The tables of what `evaluate` gives, as text."""
        from tf_pose3d.evaluation.evaluate import format_evaluation

        return format_evaluation(evaluation, action_wise)

    def save_evaluation(
        self,
        arguments: argparse.Namespace,
        evaluations: list[Evaluation],
        windows: Windows,
        log: Callable[[str], None],
    ) -> None:
        """Writes what the flags of `eval.py` ask for besides the tables and their JSON."""
        from tf_pose3d.evaluation.evaluate import save_predictions

        if arguments.predictions is not None:
            save_predictions(arguments.predictions, evaluations, windows)
            log(f"wrote {arguments.predictions}")

    def validate(
        self, model: keras.Model, config: Config, windows: Windows, action_wise: bool
    ) -> dict[str, float]:
        """Metrics of the validation windows; see `tf_pose3d.evaluation.evaluate.validate`."""
        from tf_pose3d.evaluation.evaluate import validate

        return validate(self, model, config, windows, action_wise)

    def evaluate_results(
        self, arguments: argparse.Namespace, config: Config, log: Callable[[str], None]
    ) -> bool:
        """A family's own work in `eval.py`, where its release evaluates saved results.

        Args:
            arguments: Of `tf_pose3d.cli.eval`.
            config: The family's defaults with what the flags overwrite.
            log: Takes a line for the user.

        Returns:
            Whether that was all; False goes on to evaluate weights.

        Raises:
            Pose3DError: Bad input.
        """
        return False

    def load_model(self, arguments: argparse.Namespace, config: Config) -> keras.Model:
        """The model that `inference.py` runs, with its weights.

        The network is the trained one, whatever flags change in `config`. A family whose release finds
        weights by other flags looks for them here.

        Raises:
            Pose3DError: No weights, or weights that do not fit.
        """
        from tf_pose3d.models.loading import load_model

        if arguments.weights is None:
            raise Pose3DError(f"{self.arch} needs --weights, the file that training or conversion wrote")
        return load_model(arguments.weights, arguments.config, arguments.arch)

    def initialise(self, model: keras.Model, config: Config, log: Callable[[str], None]) -> None:  # noqa: B027
        """Sets what weights a config says that training starts from; called unless `--weights` gives all.

        Raises:
            Pose3DError: A file is unreadable or does not fit.
        """

    def load_initial_weights(self, model: keras.Model, path: str | os.PathLike) -> None:
        """Sets the weights that training starts from, given by `--weights`.

        Raises:
            Pose3DError: The file is unreadable or does not fit.
        """
        from tf_pose3d.weight_files.hdf5 import load_weights

        load_weights(model, path)

    def infer(
        self,
        arguments: argparse.Namespace,
        config: Config,
        model: keras.Model,
        log: Callable[[str], None],
    ) -> bool:
        """A family's own work in `inference.py`, where its release has such.

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


def get_family(name: str) -> Family:
    """The family of an ARCH or of a short name.

    Raises:
        Pose3DError: Unknown name, with the nearest known one.
    """
    for arch, (short, place) in FAMILIES.items():
        if name.lower() in (arch.lower(), short):
            module, _, attribute = place.partition(":")
            return getattr(importlib.import_module(module), attribute)()
    names = [spelled for arch, (short, _) in FAMILIES.items() for spelled in (arch, short)]
    raise Pose3DError(f"unknown model family {name!r}{nearest(name, names)}")
