"""Data sets that are a 3D file with 2D files of several detectors beside it, as VideoPose3D lays them out.

`data_3d_DATASET.npz` holds the poses, `data_2d_DATASET_NAME.npz` the keypoints called NAME.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tf_pose3d.data.datasets import Option
from tf_pose3d.errors import Pose3DError

__all__ = [
    "ACTIONS_OPTION",
    "KEYPOINTS_OPTION",
    "PATH_2D_OPTION",
    "as_names",
    "keypoint_file",
    "pose_file_options",
    "pose_files",
]


def as_names(text: str) -> tuple[str, ...] | None:
    """Names of `Walking,Eating`; None, which reads all, for `*`."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    return None if names in ((), ("*",)) else names


ACTIONS_OPTION = Option(
    "actions",
    "actions to read, with commas between them; * means all (default: all)",
    flags=("--actions",),
    kind=as_names,
    metavar="LIST",
)


PATH_2D_OPTION = Option(
    "path_2d",
    "2D poses, .npz (default: ./data/data_2d_h36m_cpn_ft_h36m_dbb.npz, or --keypoints)",
    flags=("--dataset_2d", "--dataset_2d_path"),
    metavar="FILE",
    is_place=True,
)
KEYPOINTS_OPTION = Option(
    "keypoints",
    "2D poses by name, e.g. gt: data_2d_DATASET_NAME.npz beside the 3D poses (default: KEYPOINTS)",
    flags=("--keypoints",),
    metavar="NAME",
)


def pose_file_options(dataset: str, flags: tuple[str, ...] = ()) -> tuple[Option, ...]:
    """The options of such a data set.

    Args:
        dataset: Its name.
        flags: Spellings of a flag for its 3D file, besides `--dataset FILE`.
    """
    path_3d = Option(
        "path_3d",
        f"3D poses of {dataset}, .npz (default: ./data/data_3d_{dataset}.npz)",
        f"./data/data_3d_{dataset}.npz",
        flags,
        metavar="FILE",
        is_place=True,
    )
    return path_3d, PATH_2D_OPTION, KEYPOINTS_OPTION, ACTIONS_OPTION


def keypoint_file(name: str, folder: Path, dataset: str = "h36m") -> Path:
    """`data_2d_DATASET_NAME.npz` in a folder.

    Args:
        name: E.g. `gt`, `cpn_ft_h36m_dbb`, `sh_ft_h36m`.
        folder: Where the 2D files lie.
        dataset: Whose they are.

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


def pose_files(dataset: str, options: Mapping[str, Any], keypoints: str = "gt") -> tuple[Path, Path]:
    """3D and 2D file of a data set.

    Args:
        dataset: Its name.
        options: All options of `pose_file_options`.
        keypoints: NAME of the 2D poses where the options name none.

    Raises:
        Pose3DError: There is no file of that name.
    """
    path_3d, path_2d, name = Path(options["path_3d"]), options["path_2d"], options["keypoints"]
    if path_2d is not None:
        return path_3d, Path(path_2d)
    return path_3d, keypoint_file(name or keypoints, path_3d.parent, dataset)
