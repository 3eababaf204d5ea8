"""AMASS motion capture, converted to joints: one npz file per data set, as Uplift and Upsample reads it.

Poses stay in the world frame: a camera is drawn for each training window.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tf_pose3d.data.archive import load_recordings
from tf_pose3d.data.checks import check_coordinates, check_finite, real_numbers, single_precision
from tf_pose3d.data.datasets import Log, Option, PoseDataset, require_one_layout
from tf_pose3d.data.human36m import CAMERAS, SUBJECTS
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.errors import Pose3DError, shown
from tf_pose3d.skeleton import Skeleton, get_skeleton, joint_indices
from tf_pose3d.types import Parsed

__all__ = ["DATASET", "SPLITS", "Pattern", "read_amass", "split_patterns"]

Pattern = tuple[str, str, str]
"""Regular expressions for the whole name of data set (file), subject and recording."""

_TRAIN = (
    "CMU|DanceDB|MPILimits|TotalCapture|EyesJapanDataset|HUMAN4D|KIT|BMLhandball|BMLmovi|BMLrub|EKUT|"
    "TCDhandMocap|ACCAD|Transitionsmocap"
)
SPLITS: Mapping[str, tuple[Pattern, ...]] = {
    "train": ((_TRAIN, ".*", ".*"),),
    "val": (("MPIHDM05|SFU|MPImosh", ".*", ".*"),),
    "train_debug": (("CMU", ".*", ".*"),),
    "val_debug": (("CMU", ".*", ".*"),),
}


def split_patterns(name: str) -> tuple[Pattern, ...]:
    """Patterns of a split: `train`, `val`, `train_debug` or `val_debug`.

    Raises:
        Pose3DError: There is no such split.
    """
    if name not in SPLITS:
        nearest = difflib.get_close_matches(str(name), SPLITS, n=1, cutoff=0.0)[0]
        raise Pose3DError(
            f"unknown AMASS split {name!r}: did you mean {nearest!r}? Known: {', '.join(SPLITS)}"
        )
    return SPLITS[name]


def read_amass(
    folder: str | Path,
    split: str | Iterable[Pattern],
    frame_rate: float = 50,
    skeleton: str | Skeleton = "uplift_17",
) -> list[Sequence]:
    """Read the motion capture of a split, data sets by name, the rest in the order of the files.

    Args:
        folder: Holds `<data set>.npz` files with `positions_3d[subject][recording]`, a dict of `positions_3d`
            `(F, 17, 3)` (joints in the order of `amass_17`, metres, world frame, z up) and `frame_rate`.
        split: A split's name, or patterns of what to read.
        frame_rate: Frames per second that the caller will work at. A recording's rate must be a whole
            multiple of it; recordings keep their frames and their rate (`Sequence.fps`).
        skeleton: The joint layout of the result.

    Returns:
        Sequences in the world frame without camera and 2D; subjects are named `<data set>/<subject>`.

    Raises:
        Pose3DError: The folder or the split's files are missing, or a file's content is not as above; the
            message names file, subject and recording. Or a pattern is no regular expression.
    """
    folder = Path(folder)
    target = get_skeleton(skeleton)
    patterns = split_patterns(split) if isinstance(split, str) else tuple(split)
    for expression in (part for pattern in patterns for part in pattern):
        try:
            re.compile(expression)
        except re.error as error:
            raise Pose3DError(f"{expression!r} is no regular expression for AMASS names: {error}") from None
    _require_folder(folder)
    files = sorted(folder.glob("*.npz"))
    sequences = []
    for path in files:
        chosen = [pattern for pattern in patterns if re.fullmatch(pattern[0], path.stem)]
        if not chosen:
            continue
        for subject, recordings in load_recordings(path, "positions_3d").items():
            for name in list(recordings):
                if any(re.fullmatch(p[1], subject) and re.fullmatch(p[2], name) for p in chosen):
                    # Taken out of the file's content, so that it is freed once converted.
                    sequences.append(_sequence(recordings.pop(name), path, subject, name, frame_rate, target))
    if not sequences:
        wanted = repr(split) if isinstance(split, str) else ", ".join("/".join(p) for p in patterns)
        found = ", ".join(path.name for path in files) or "no npz files"
        raise Pose3DError(f"{folder} has nothing for the AMASS split {wanted}; it holds {found}")
    return sequences


def _sequence(
    content: Parsed, path: Path, subject: str, name: str, frame_rate: float, target: Skeleton
) -> Sequence:
    where = f"{path}: {subject}, {name}"
    if not isinstance(content, dict) or not {"positions_3d", "frame_rate"} <= content.keys():
        raise Pose3DError(f"{where} must be a dict with positions_3d and frame_rate")
    source = get_skeleton("amass_17")
    positions = content["positions_3d"]
    check_coordinates(positions, (3,), where)
    if positions.shape[1] != source.num_joints:
        raise Pose3DError(
            f"{where} has {positions.shape[1]} joints, expected the {source.num_joints} of {source.name}"
        )
    check_finite(positions, path, f"{subject}, {name}")
    return Sequence(
        subject=f"{path.stem}/{subject}",
        action=name,
        name=name,
        skeleton=target,
        fps=_multiple(content["frame_rate"], frame_rate, where),
        pose_3d=single_precision(positions[:, joint_indices(source, target)]),
        world_frame=True,
    )


def _multiple(held: Parsed, wanted: float, where: str) -> float:
    """The held frame rate, checked to be a whole multiple of the wanted one."""
    if isinstance(held, np.ndarray) and held.size == 1:
        held = held.item()
    rate = real_numbers(held)
    if rate is None or rate.ndim or not 0 < rate < 1e6:
        raise Pose3DError(f"{where} has frame rate {shown(held)}, expected a positive number")
    held = float(rate)
    factor = held / wanted
    if round(factor) < 1 or abs(factor - round(factor)) > 1e-3:
        raise Pose3DError(
            f"{where} has {held:g} frames per second, which is no whole multiple of the {wanted:g} asked for"
        )
    return float(held)


def _require_folder(folder: Path | None) -> None:
    if folder is None:
        raise Pose3DError("--dataset amass needs --amass_path, the folder of its converted .npz files")
    if not folder.is_dir():
        raise Pose3DError(f"{folder} is no folder, expected one with AMASS npz files")


def _check(subset: str, options: Mapping[str, Any]) -> None:
    split_patterns(subset)
    _require_folder(None if options["folder"] is None else Path(options["folder"]))


def _read(
    subset: str, options: Mapping[str, Any], skeleton: str, input_skeleton: str, log: Log | None
) -> list[Sequence]:
    require_one_layout("amass", skeleton, input_skeleton)
    _check(subset, options)
    return read_amass(options["folder"], subset, options["frame_rate"], skeleton)


DATASET = PoseDataset(
    name="amass",
    description="AMASS motion capture, converted to joints: seen by Human3.6M's cameras, drawn per window",
    splits=tuple(SPLITS),
    frame_rate=50,
    options=(
        Option(
            "folder",
            "folder of converted AMASS .npz files",
            flags=("--amass_path",),
            metavar="DIR",
            is_place=True,
        ),
        Option(
            "frame_rate",
            "rate to use AMASS at; its files' rates are multiples of it (default: 50)",
            50,
            flags=("--amass_frame_rate",),
            kind=int,
            metavar="HZ",
            is_place=True,
        ),
    ),
    check=_check,
    read=_read,
    has_test=False,
    has_videos=False,
    cameras=tuple(camera for subject in SUBJECTS for camera in CAMERAS[subject]),
)
