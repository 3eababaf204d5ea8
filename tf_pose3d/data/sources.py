"""Data sets by name: which reader serves which name and which files it needs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from tf_pose3d.camera import Camera
from tf_pose3d.data import amass, human36m, humaneva, lcn_pickles, synthetic
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.data.window_spec import WindowSpec
from tf_pose3d.data.windows import Windows
from tf_pose3d.errors import Pose3DError

__all__ = [
    "DATASETS",
    "POSE_FILE_DATASETS",
    "DataFiles",
    "dataset_of_file",
    "dataset_subjects",
    "keypoint_file",
    "load_sequences",
    "make_windows",
    "pose_files",
]

DATASETS = ("h36m", "amass", "synthetic", "lcn", *humaneva.DATASETS)
# Those that are a 3D file and 2D files of several detectors beside it.
POSE_FILE_DATASETS = ("h36m", *humaneva.DATASETS)


@dataclasses.dataclass(frozen=True)
class DataFiles:
    """Where the data sets lie.

    Attributes:
        h36m: 3D file in the layout of `data_3d_h36m.npz`.
        h36m_2d: 2D file in the layout of `data_2d_h36m_*.npz`.
        humaneva, humaneva_2d: The same of HumanEva-I, or None.
        amass: Folder of AMASS conversions, or None.
        amass_frame_rate: Hz at which AMASS is used; its files' rate is a multiple of it.
        actions: Actions of Human3.6M or HumanEva-I to read; None reads all.
        lcn: Folder of LCN's pickles.
        lcn_mode: `gt` or `dt_ft`, which of their 2D poses to read.
        lcn_confidence: Whether to read the confidence, too.
    """

    h36m: Path = Path("./data/data_3d_h36m.npz")
    h36m_2d: Path = Path("./data/data_2d_h36m_cpn_ft_h36m_dbb.npz")
    humaneva: Path | None = None
    humaneva_2d: Path | None = None
    amass: Path | None = None
    amass_frame_rate: int = 50
    actions: tuple[str, ...] | None = None
    lcn: Path = Path("./dataset")
    lcn_mode: str = "gt"
    lcn_confidence: bool = False

    def poses(self, dataset: str) -> tuple[Path, ...]:
        """3D and 2D file of Human3.6M or HumanEva-I; nothing for other data sets."""
        if dataset not in POSE_FILE_DATASETS:
            return ()
        return (self.h36m, self.h36m_2d) if dataset == "h36m" else (self.humaneva, self.humaneva_2d)


def dataset_of_file(path: str) -> str:
    """The data set whose 3D file this is, by its name: `data_3d_humaneva15.npz` is HumanEva-I's."""
    return next((name for name in humaneva.DATASETS if name in Path(path).name), "h36m")


def keypoint_file(name: str, folder: Path, dataset: str = "h36m") -> Path:
    """`data_2d_h36m_NAME.npz` in a folder.

    Args:
        name: E.g. `gt`, `cpn_ft_h36m_dbb`, `sh_ft_h36m`.
        folder: Where the 2D files lie.
        dataset: Another data set, for `data_2d_DATASET_NAME.npz`.

    Raises:
        Pose3DError: There is no such file; the message lists the names that there are.
    """
    path = folder / f"data_2d_{dataset}_{name}.npz"
    if not path.is_file():
        prefix, suffix = f"data_2d_{dataset}_", ".npz"
        present = sorted(file.name[len(prefix) : -len(suffix)] for file in folder.glob(f"{prefix}*{suffix}"))
        there = f"{folder} has {', '.join(present)}" if present else f"{folder} has no {prefix}NAME{suffix}"
        raise Pose3DError(f"--keypoints {name}: there is no {path}; {there}")
    return path


def pose_files(
    dataset: str, path_3d: str | None, path_2d: str | None, keypoints: str | None, files: DataFiles
) -> DataFiles:
    """`files` with the 3D and 2D file of Human3.6M or HumanEva-I.

    Args:
        dataset: `h36m`, `humaneva15` or `humaneva20`.
        path_3d: 3D file; None: `data_3d_DATASET.npz` in `./data`.
        path_2d: 2D file; None: `data_2d_DATASET_KEYPOINTS.npz` beside the 3D file.
        keypoints: Name of the 2D poses; None: Human3.6M's are those of CPN in `./data`, HumanEva-I's the
            exact ones.
        files: What else there is.

    Raises:
        Pose3DError: No file of that name of 2D poses.
    """
    main = Path(path_3d) if path_3d is not None else Path(f"./data/data_3d_{dataset}.npz")
    if path_2d is None and (keypoints is not None or dataset != "h36m"):
        path_2d = keypoint_file(keypoints or "gt", main.parent, dataset)
    if dataset == "h36m":
        return dataclasses.replace(files, h36m=main, h36m_2d=Path(path_2d or DataFiles.h36m_2d))
    return dataclasses.replace(files, humaneva=main, humaneva_2d=Path(path_2d))


def dataset_subjects(dataset: str) -> tuple[str, ...]:
    """Names of a data set's subjects."""
    return humaneva.SUBJECTS if dataset in humaneva.DATASETS else human36m.SUBJECTS


def load_sequences(dataset: str, subset: str, files: DataFiles, skeleton: str) -> list[Sequence]:
    """All sequences of a subset.

    Args:
        dataset: One of `DATASETS`.
        subset: train, val, trainval, test or a subject (h36m, synthetic, lcn, humaneva15, humaneva20);
            train or val (amass).
        files: Where the data is.
        skeleton: Joint layout to give them in.

    Raises:
        Pose3DError: Unknown name or subset, or what the reader finds wrong.
    """
    if dataset == "synthetic":
        return synthetic.synthetic_sequences(human36m.split_subjects(subset), skeleton=skeleton)
    if dataset == "amass":
        if files.amass is None:
            raise Pose3DError("--dataset amass needs --amass_path, the folder of its converted .npz files")
        return amass.read_amass(files.amass, subset, files.amass_frame_rate, skeleton)
    if dataset == "h36m":
        subjects = human36m.split_subjects(subset)
        return human36m.read_human36m(files.h36m, files.h36m_2d, subjects, skeleton, files.actions)
    if dataset in humaneva.DATASETS:
        subjects = humaneva.split_subjects(subset)
        return humaneva.read_humaneva(files.humaneva, files.humaneva_2d, subjects, skeleton, files.actions)
    if dataset == "lcn":
        return lcn_pickles.read_lcn_sequences(
            files.lcn, subset, files.lcn_mode, files.lcn_confidence, skeleton
        )
    raise Pose3DError(f"unknown data set {dataset!r}, expected one of {', '.join(DATASETS)}")


def make_windows(
    dataset: str,
    subset: str,
    files: DataFiles,
    skeleton: str,
    spec: WindowSpec,
    seed: int = 0,
) -> Windows:
    """Windows over a subset of a data set; see `load_sequences` and `Windows`."""
    sequences = load_sequences(dataset, subset, files, skeleton)
    if dataset == "amass":
        spec = dataclasses.replace(spec, frame_rate=files.amass_frame_rate)
        return Windows(sequences, spec, seed, cameras=_all_cameras())
    if dataset in humaneva.DATASETS:
        spec = dataclasses.replace(spec, frame_rate=round(humaneva.FPS))
        return Windows(sequences, spec, seed, subjects=humaneva.SUBJECTS, actions=humaneva.ACTIONS)
    return Windows(sequences, spec, seed, subjects=human36m.SUBJECTS, actions=human36m.ACTIONS)


def _all_cameras() -> list[Camera]:
    return [camera for subject in human36m.SUBJECTS for camera in human36m.CAMERAS[subject]]
