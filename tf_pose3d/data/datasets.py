"""What a data set is, and the table of all of them.

A data set's record lies beside its reader and says all that the rest of the package needs to know of it:
its parts, people, actions and frame rate, what options and flags it takes, and how it is read. A new data
set is a file with a reader and a record, and a line in `DATASETS`.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tf_pose3d.camera import Camera
from tf_pose3d.config import nearest
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.errors import Pose3DError

if TYPE_CHECKING:
    from tf_pose3d.data.multiview.records import MultiViewRecords

__all__ = [
    "DATASETS",
    "Dataset",
    "ImageDataset",
    "Log",
    "MotionDataset",
    "Option",
    "PoseDataset",
    "dataset_of_file",
    "datasets",
    "get_dataset",
    "get_image_dataset",
    "get_pose_dataset",
    "no_files",
    "nothing_to_check",
    "read_records",
    "read_sequences",
    "require_one_layout",
]

# Name -> module:attribute of its record; imported on demand, so that none needs another's packages.
DATASETS: Mapping[str, str] = {
    "h36m": "tf_pose3d.data.human36m:DATASET",
    "amass": "tf_pose3d.data.amass:DATASET",
    "synthetic": "tf_pose3d.data.synthetic:DATASET",
    "lcn": "tf_pose3d.data.lcn_pickles:DATASET",
    "h36m_sh": "tf_pose3d.data.image_pickles:DATASET",
    "clips": "tf_pose3d.data.sliced_clips:DATASET",
    "mpi_inf_3dhp": "tf_pose3d.data.mpi_inf_3dhp:DATASET",
    "humaneva15": "tf_pose3d.data.humaneva:HUMANEVA_15",
    "humaneva20": "tf_pose3d.data.humaneva:HUMANEVA_20",
    "custom": "tf_pose3d.data.custom:DATASET",
    "motion": "tf_pose3d.data.motion_clips:DATASET",
    "multiview_h36m": "tf_pose3d.data.multiview.human36m:DATASET",
    "multiview_3dhp": "tf_pose3d.data.multiview.mpi_inf_3dhp:DATASET",
    "multiview_synthetic": "tf_pose3d.data.multiview.synthetic:DATASET",
}

Log = Callable[[str], None]
Options = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Option:
    """One thing that a reader may be told.

    Attributes:
        name: Key of the options.
        help: One line, with the unit.
        default: What None or nothing means.
        flags: Spellings of the command line flag that sets it; none: no program has one. Data sets that
            share an option share its flag.
        kind: Converts the flag's text.
        metavar: Stands for the text in the help.
        choices: The values that are right; none: any.
        is_place: Whether it says only where the data lie.
    """

    name: str
    help: str
    default: Any = None
    flags: tuple[str, ...] = ()
    kind: Callable[[str], Any] = str
    metavar: str | None = None
    choices: tuple[Any, ...] = ()
    is_place: bool = False

    @property
    def destination(self) -> str:
        """Attribute of the parsed arguments."""
        return self.flags[0].lstrip("-")


def no_files(options: Options) -> tuple[Path, ...]:
    """`Dataset.files` of a data set that reads none by name."""
    return ()


def nothing_to_check(subset: str, options: Options) -> None:
    """`Dataset.check` of a data set whose parts its files tell."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dataset:
    """What the package knows of a data set.

    Attributes:
        name: As `--dataset` and DATASET spell it.
        description: One line.
        splits: Names of its parts; readers may take more (several subjects with commas between them).
        subjects, actions: Names that fix the ids in batches and the rows of tables; none: those present.
        frame_rate: Hz at which it is used; the option `frame_rate`, where there is one, overrides it.
        options: What its reader may be told.
        files: Options -> files that are read, 3D before 2D; may raise Pose3DError for wrong names.
        check: Subset, options -> Pose3DError for names that no file is needed to refuse.
        has_test: Whether there is a test protocol.
    """

    name: str
    description: str
    splits: tuple[str, ...]
    subjects: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    frame_rate: float
    options: tuple[Option, ...] = ()
    files: Callable[[Options], tuple[Path, ...]] = no_files
    check: Callable[[str, Options], None] = nothing_to_check
    has_test: bool = True

    def takes(self, option: str) -> bool:
        """Whether the reader has an option of that name."""
        return any(one.name == option for one in self.options)

    def pick(self, options: Options) -> dict[str, Any]:
        """Those of some options that this data set takes."""
        return {name: value for name, value in options.items() if self.takes(name)}

    def complete(self, options: Options | None = None) -> dict[str, Any]:
        """All options, with defaults for those not given or None.

        Raises:
            Pose3DError: An option that the data set does not take, or a value that is none of its choices.
        """
        given = dict(options or {})
        known = [option.name for option in self.options]
        for name in given:
            if name not in known:
                raise Pose3DError(f"data set {self.name} has no option {name!r}{nearest(name, known)}")
        complete = {}
        for option in self.options:
            value = given.get(option.name)
            complete[option.name] = option.default if value is None else value
            if option.choices and complete[option.name] not in option.choices:
                raise Pose3DError(
                    f"data set {self.name}: {option.name} is {value!r}, "
                    f"expected {' or '.join(map(repr, option.choices))}"
                )
        return complete

    @property
    def place_option(self) -> str:
        """The option that a path in the place of the data set's name stands for."""
        places = ("path_3d", "path_pickle", "path_clips")
        return next((name for name in places if self.takes(name)), "path_3d")

    @property
    def comes_as_pose_files(self) -> bool:
        """Whether it is a 3D file with 2D files of several detectors beside it."""
        return self.takes("path_3d")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PoseDataset(Dataset):
    """A data set of 2D and 3D poses.

    Attributes:
        read: (split, all options, joint layout, joint layout of 2D, log) -> sequences; raises Pose3DError.
        has_videos: Whether its sequences are unbroken video with 2D poses of its own cameras.
        protocol: Name of the protocol by which every family is tested on it; None: the family's own.
        image_poses: Whether its training poses are those of the image alone, without any in metres.
        read_unlabeled: As `read`, of 2D poses alone, also of people whose 3D poses the files lack; None:
            `read` gives all that there are.
        has_poses: Whether it has 3D poses; without them its recordings can be lifted, and nothing else.
        cameras: Cameras to draw from per window, where its poses are in the world and were filmed by none.
    """

    read: Callable[[str, Options, str, str, Log | None], list[Sequence]]
    has_videos: bool = True
    protocol: str | None = None
    image_poses: bool = False
    read_unlabeled: Callable[[str, Options, str, str, Log | None], list[Sequence]] | None = None
    has_poses: bool = True
    cameras: tuple[Camera, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageDataset(Dataset):
    """A data set of images from several calibrated cameras.

    Attributes:
        read: (split, all options, log) -> records; raises Pose3DError.
    """

    read: Callable[[str, Options, Log | None], MultiViewRecords]


@dataclasses.dataclass(frozen=True, kw_only=True)
class MotionDataset(Dataset):
    """Motion capture that no camera filmed, for families that draw cameras themselves."""


def get_dataset(name: str) -> Dataset:
    """A data set's record.

    Raises:
        Pose3DError: Unknown name, with the nearest known one.
    """
    place = DATASETS.get(name.lower())
    if place is None:
        raise Pose3DError(f"unknown data set {name!r}{nearest(name, DATASETS)}")
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)


def get_pose_dataset(dataset: str | Dataset) -> PoseDataset:
    """A data set of poses, by name or as it is.

    Raises:
        Pose3DError: Unknown name, or a data set of images.
    """
    found = get_dataset(dataset) if isinstance(dataset, str) else dataset
    if not isinstance(found, PoseDataset):
        raise Pose3DError(f"data set {found.name} holds images, expected one of 2D and 3D poses")
    return found


def get_image_dataset(dataset: str | Dataset) -> ImageDataset:
    """A data set of images, by name or as it is.

    Raises:
        Pose3DError: Unknown name, or a data set of poses.
    """
    found = get_dataset(dataset) if isinstance(dataset, str) else dataset
    if not isinstance(found, ImageDataset):
        raise Pose3DError(f"data set {found.name} holds poses, expected one of images")
    return found


def datasets() -> dict[str, str]:
    """Name -> one-line description of every data set, as `--dataset` takes them."""
    return {name: get_dataset(name).description for name in DATASETS}


def dataset_of_file(path: str | Path) -> str:
    """The data set whose file or folder this is, by its name: `data_3d_humaneva15.npz` is HumanEva-I's."""
    if Path(path).suffix == ".pkl":
        return "h36m_sh"
    if Path(path).is_dir():
        return "clips"
    held = (name for name in DATASETS if name in Path(path).name and get_dataset(name).comes_as_pose_files)
    return next(held, "h36m")


def read_sequences(
    dataset: str | Dataset,
    subset: str,
    options: Options | None = None,
    skeleton: str = "h36m_17",
    log: Log | None = None,
    input_skeleton: str | None = None,
) -> list[Sequence]:
    """All sequences of a part of a data set.

    Args:
        dataset: A name of `DATASETS`, or the record.
        subset: One of its splits, or what else its reader takes.
        options: See the record's `options`; what is missing or None has its default.
        skeleton: Joint layout to give them in.
        log: Takes a line for the user.
        input_skeleton: Joint layout of the 2D poses; None: the same.

    Raises:
        Pose3DError: An unknown name, subset or option, or what the reader finds wrong; or 2D and 3D poses
            that are not of one another, see `tf_pose3d.data.agreement`.
    """
    # Builds on this module.
    from tf_pose3d.data.agreement import check_agreement

    record = get_pose_dataset(dataset)
    complete = record.complete(options)
    sequences = record.read(subset, complete, skeleton, input_skeleton or skeleton, log)
    files = record.files(complete)
    check_agreement(sequences, " and ".join(map(str, files)) or record.name, log)
    return sequences


def require_one_layout(dataset: str, skeleton: str, input_skeleton: str) -> None:
    """Refuses another layout for 2D than for 3D, for a data set whose 2D is made of its 3D.

    Raises:
        Pose3DError: There are two layouts.
    """
    if skeleton != input_skeleton:
        raise Pose3DError(
            f"data set {dataset} gives 2D and 3D poses in one joint layout; the model reads {input_skeleton} "
            f"and gives {skeleton}"
        )


def read_records(
    dataset: str | Dataset, subset: str, options: Options | None = None, log: Log | None = None
) -> MultiViewRecords:
    """All annotated images of a part of a data set; see `read_sequences`.

    Raises:
        Pose3DError: An unknown name, subset or option, or what the reader finds wrong.
    """
    # Builds on this module.
    from tf_pose3d.data.multiview.agreement import check_records

    record = get_image_dataset(dataset)
    records = record.read(subset, record.complete(options), log)
    check_records(records, log)
    return records
