"""Motion capture without cameras: clips of 3D joints from one npz file or a folder of them."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from tf_pose3d.data.archive import load_archive, require_keys
from tf_pose3d.data.checks import LARGEST, real_numbers, single_precision
from tf_pose3d.data.datasets import MotionDataset, Option
from tf_pose3d.errors import Pose3DError, shown
from tf_pose3d.files import write_whole
from tf_pose3d.skeleton import LAYOUTS, convert_joints, get_skeleton, make_skeleton

__all__ = [
    "DATASET",
    "MOTION_FPS",
    "MOTION_SKELETON",
    "MotionClips",
    "load_motion",
    "require_motion",
    "resample_motion",
    "save_motion",
]

MOTION_SKELETON = "h36m_17"
# Frames per second that clips are held at.
MOTION_FPS = 30.0

# Names of the seventeen joints in files that use those of the VideoPose3D release.
_RELEASE_NAMES = {
    "Hip": "pelvis",
    "RHip": "r_hip",
    "RKnee": "r_knee",
    "RAnkle": "r_ankle",
    "LHip": "l_hip",
    "LKnee": "l_knee",
    "LAnkle": "l_ankle",
    "Spine": "spine",
    "Thorax": "neck",
    "Head": "head",
    "HeadTop": "head_top",
    "LShoulder": "l_shoulder",
    "LElbow": "l_elbow",
    "LWrist": "l_wrist",
    "RShoulder": "r_shoulder",
    "RElbow": "r_elbow",
    "RWrist": "r_wrist",
}
# The thigh of a grown person or a child, metres: outside, the file counts in another unit.
_THIGH = (0.15, 0.7)
_SHORTEST = 2


@dataclasses.dataclass(frozen=True)
class MotionClips:
    """Clips of one person each, end to end.

    Attributes:
        positions: `(F, 17, 3)` float32 metres, layout `h36m_17`, z up, `MOTION_FPS` frames per second.
        offsets: `(n + 1,)` int64: clip i is `positions[offsets[i]:offsets[i + 1]]`.
        names: `(n,)` of the clips.
        subjects: `(n,)` who moves.
        sources: `(n,)` where they come from.
        weights: `(n,)` float32: how often a frame of the clip is drawn against others.
    """

    positions: np.ndarray
    offsets: np.ndarray
    names: np.ndarray
    subjects: np.ndarray
    sources: np.ndarray
    weights: np.ndarray

    def __len__(self) -> int:
        """Clips."""
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """`(n,)` frames of each clip."""
        return np.diff(self.offsets)

    def clip(self, index: int) -> np.ndarray:
        """`(f, 17, 3)` of one clip."""
        return self.positions[self.offsets[index] : self.offsets[index + 1]]

    def select(self, chosen: np.ndarray) -> MotionClips:
        """The clips of a boolean mask or of indices."""
        indices = np.flatnonzero(chosen) if np.asarray(chosen).dtype == bool else np.asarray(chosen)
        if not len(indices):
            raise Pose3DError("no clip of motion is left, expected at least one")
        return MotionClips(
            np.concatenate([self.clip(int(index)) for index in indices]),
            np.concatenate([[0], np.cumsum(self.lengths[indices])]).astype(np.int64),
            self.names[indices],
            self.subjects[indices],
            self.sources[indices],
            self.weights[indices],
        )

    def split(self, held_out: Collection[str], where: str = "the motion") -> tuple[MotionClips, MotionClips]:
        """Clips of all other people, and those of the people held out.

        Raises:
            Pose3DError: A name that is nobody's, or nobody is left on one side.
        """
        people = set(self.subjects.tolist())
        unknown = sorted(set(held_out) - people)
        if unknown:
            raise Pose3DError(
                f"{where} has no subject {unknown[0]!r} to hold out; it has {', '.join(sorted(people))}"
            )
        held = np.isin(self.subjects, list(held_out))
        if held.all() or not held.any():
            raise Pose3DError(f"{where}: everybody is on one side of the split, expected people on both")
        return self.select(~held), self.select(held)


def load_motion(
    path: str | Path, log: Callable[[str], None] = lambda line: None, metres: float = 1.0, up: str = "z"
) -> MotionClips:
    """Reads a motion file, or all `.npz` files of a folder.

    A file holds `positions (F, J, 3)` in metres with z up, and may hold `joints` (names; else h36m_17 where
    J is 17), `offsets`, `names`, `subjects`, `sources`, `weights` and `fps` (else 30). Other rates are
    resampled, which `log` is told once.

    Args:
        path: The file or folder.
        log: Takes a line for the user.
        metres: Length of the file's unit, where it is another.
        up: The axis that is up, `y` or `z`.

    Raises:
        Pose3DError: A file that is no motion, of an unknown layout, in another unit or with another axis up;
            a folder without one usable clip.
    """
    path = require_motion(path)
    if not path.is_dir():
        return _read(path, log, metres, up)
    files = sorted(path.rglob("*.npz"))
    parts = [_read(file, log, metres, up) for file in files]
    lengths = np.concatenate([part.lengths for part in parts])
    return MotionClips(
        np.concatenate([part.positions for part in parts]),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("names", "subjects", "sources", "weights")
        ),
    )


def save_motion(path: str | Path | IO[Any], clips: MotionClips) -> None:
    """Writes what `load_motion` reads, a file whole or not at all."""
    if isinstance(path, (str, Path)):
        with write_whole(path) as file:
            save_motion(file, clips)
        return
    np.savez_compressed(
        path,
        positions=clips.positions,
        offsets=clips.offsets,
        names=clips.names,
        subjects=clips.subjects,
        sources=clips.sources,
        weights=clips.weights,
        fps=np.float32(MOTION_FPS),
        joints=np.array(list(_RELEASE_NAMES)),
    )


def _read(path: Path, log: Callable[[str], None], metres: float, up: str) -> MotionClips:
    archive = load_archive(path)
    require_keys(archive, path, "positions")
    positions = archive["positions"]
    if not isinstance(positions, np.ndarray) or positions.ndim != 3 or positions.dtype.kind not in "fiu":
        raise Pose3DError(f"{path}: positions is {shown(positions)}, expected numbers (frames, joints, 3)")
    if positions.shape[2] != 3 or not positions.size:
        raise Pose3DError(f"{path}: positions has shape {positions.shape}, expected (frames, joints, 3)")
    positions = single_precision(positions) * np.float32(metres)
    # Whoever is that far away is nowhere: such clips are left out, as those with NaN are.
    positions = np.where(np.abs(positions) <= LARGEST, positions, np.nan).astype(np.float32)
    positions = _in_layout(positions, archive, path)
    if up == "y":
        positions = np.stack([positions[..., 0], -positions[..., 2], positions[..., 1]], axis=-1)
    offsets = real_numbers(archive.get("offsets", [0, len(positions)]))
    if offsets is None or offsets.ndim != 1 or len(offsets) < 2 or (offsets != np.round(offsets)).any():
        raise Pose3DError(f"{path}: offsets must be whole numbers from 0 to the {len(positions)} frames")
    if offsets[0] != 0 or offsets[-1] != len(positions):
        raise Pose3DError(f"{path}: offsets must run from 0 to the {len(positions)} frames")
    if not (np.diff(offsets) >= 0).all():
        raise Pose3DError(f"{path}: offsets must increase")
    offsets = offsets.astype(np.int64)
    count = len(offsets) - 1
    columns = {
        "names": _texts(archive, "names", [f"{path.stem}_{index}" for index in range(count)], path),
        "subjects": _texts(archive, "subjects", [path.stem] * count, path),
        "sources": _texts(archive, "sources", [path.stem] * count, path),
    }
    weights = real_numbers(archive.get("weights", np.ones(count)))
    if weights is None or weights.shape != (count,) or not ((weights >= 0) & (weights <= LARGEST)).all():
        raise Pose3DError(f"{path}: weights must be one number from 0 on a clip, {count}")
    rate = real_numbers(archive.get("fps", MOTION_FPS))
    if rate is None or rate.size != 1:
        raise Pose3DError(f"{path}: fps is {shown(archive.get('fps'))}, expected 1 to 1000")
    fps = rate.item()
    if not 1 <= fps <= 1000:
        raise Pose3DError(f"{path}: fps is {fps:g}, expected 1 to 1000")
    clips = [positions[first:last] for first, last in itertools.pairwise(offsets)]
    if fps != MOTION_FPS:
        log(f"{path}: {fps:g} frames per second, resampled to {MOTION_FPS:g}")
        clips = [resample_motion(clip, fps) for clip in clips]
    usable = np.array([len(clip) >= _SHORTEST and bool(np.isfinite(clip).all()) for clip in clips])
    if not usable.any():
        raise Pose3DError(f"{path}: no usable clip, expected one of {_SHORTEST} frames or more, all finite")
    if not usable.all():
        log(f"{path}: {int((~usable).sum())} of {count} clips left out (too short, or not finite)")
    kept = [clip for clip, good in zip(clips, usable, strict=True) if good]
    joined = np.concatenate(kept)
    _check_unit(joined, path)
    return MotionClips(
        joined,
        np.concatenate([[0], np.cumsum([len(clip) for clip in kept])]).astype(np.int64),
        columns["names"][usable],
        columns["subjects"][usable],
        columns["sources"][usable],
        weights[usable].astype(np.float32),
    )


def _texts(archive: dict[str, Any], name: str, default: list[str], path: Path) -> np.ndarray:
    """One text a clip under a key of the file."""
    values = np.asarray(default) if name not in archive else archive[name]
    kind = values.dtype.kind if isinstance(values, np.ndarray) else ""
    if kind and values.shape != (len(default),):
        raise Pose3DError(f"{path}: {name} has shape {values.shape}, expected one a clip, {len(default)}")
    if kind not in tuple("USiuO"):
        raise Pose3DError(f"{path}: {name} is {shown(values)}, expected one a clip, {len(default)}")
    if kind == "O" and not all(isinstance(value, (str, bytes, int)) for value in values):
        raise Pose3DError(f"{path}: {name} is {shown(values)}, expected texts")
    return np.array(
        [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in values]
    )


def _in_layout(positions: np.ndarray, archive: dict[str, Any], path: Path) -> np.ndarray:
    """Positions in `MOTION_SKELETON`, by the joints that the file names."""
    wanted = get_skeleton(MOTION_SKELETON)
    joints = positions.shape[1]
    if "joints" not in archive:
        if joints != wanted.num_joints:
            raise Pose3DError(
                f"{path}: {joints} joints without names, expected {wanted.num_joints} of {MOTION_SKELETON} "
                "or an array `joints` that names them"
            )
        return positions
    held = archive["joints"]
    held = held.tolist() if isinstance(held, np.ndarray) else held
    if not isinstance(held, (list, tuple)):
        raise Pose3DError(f"{path}: joints is {shown(held)}, expected a name for each joint")
    names = [_RELEASE_NAMES.get(str(name), str(name)) for name in held]
    if len(names) != joints or len(set(names)) != joints:
        raise Pose3DError(f"{path}: joints names {len(names)} joints, positions holds {joints}")
    if tuple(names) == wanted.joints:
        return positions
    known = {joint for layout in LAYOUTS.values() for joint in layout.joints}
    strange = [name for name in names if name not in known]
    if strange:
        raise Pose3DError(
            f"{path}: unknown joint {shown(strange[0])}, expected names such as "
            f"{', '.join(wanted.joints[:4])}"
        )
    return convert_joints(positions, make_skeleton(path.stem, tuple(names)), wanted)


def resample_motion(clip: np.ndarray, fps: float) -> np.ndarray:
    """A clip at `MOTION_FPS`, between frames linearly."""
    if len(clip) < _SHORTEST:
        return clip
    times = np.arange(0, len(clip) - 1 + 1e-6, fps / MOTION_FPS)
    before = np.minimum(times.astype(np.int64), len(clip) - 2)
    share = (times - before).astype(np.float32)[:, None, None]
    return clip[before] * (1 - share) + clip[before + 1] * share


def _check_unit(positions: np.ndarray, path: Path) -> None:
    skeleton = get_skeleton(MOTION_SKELETON)
    hip, knee, neck = (skeleton.index(name) for name in ("r_hip", "r_knee", "neck"))
    thigh = float(np.median(np.linalg.norm(positions[:, hip] - positions[:, knee], axis=1)))
    if not _THIGH[0] <= thigh <= _THIGH[1]:
        unit = {True: "millimetres", False: "centimetres"}[thigh > 100]
        hint = f"; are they {unit}?" if thigh > 5 else ""
        raise Pose3DError(f"{path}: thighs are {thigh:.3g} long, expected metres, about 0.4{hint}")
    trunk = np.median(positions[:, neck] - positions[:, skeleton.root], axis=0)
    if abs(trunk[2]) < np.abs(trunk[:2]).max() or trunk[2] < 0:
        axis = "xyz"[int(np.argmax(np.abs(trunk)))]
        raise Pose3DError(f"{path}: trunks point along {axis}, expected z up; turn the positions")


def require_motion(path: str | Path | None) -> Path:
    """The path of a motion file or a folder of them, without opening any.

    Raises:
        Pose3DError: None is named, or there is none.
    """
    if path is None:
        raise Pose3DError(
            "no motion is named: --motion FILE takes a motion file or a folder of them, see docs/general.md"
        )
    path = Path(path)
    if not path.exists():
        raise Pose3DError(f"{path} does not exist, expected a motion file (.npz) or a folder of them")
    if path.is_dir() and next(path.rglob("*.npz"), None) is None:
        raise Pose3DError(
            f"{path}: no .npz file in this folder; docs/general.md says what a motion file holds"
        )
    return path


def _check(subset: str, options: Mapping[str, Any]) -> None:
    require_motion(options["path_motion"])


def _files(options: Mapping[str, Any]) -> tuple[Path, ...]:
    return () if options["path_motion"] is None else (Path(options["path_motion"]),)


DATASET = MotionDataset(
    name="motion",
    description="motion capture without cameras (--motion), for the general lifter",
    splits=("train", "val", "test"),
    frame_rate=MOTION_FPS,
    options=(
        Option(
            "path_motion",
            "motion file (.npz) or a folder of them, see docs/general.md",
            flags=("--motion",),
            metavar="FILE|DIR",
            is_place=True,
        ),
    ),
    files=_files,
    check=_check,
)
