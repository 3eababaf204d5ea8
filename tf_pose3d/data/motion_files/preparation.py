"""Files of motion capture from anywhere as one motion file for training the general lifter."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from tf_pose3d.data.motion_clips import (
    MOTION_FPS,
    MOTION_SKELETON,
    MotionClips,
    load_motion,
    resample_motion,
    save_motion,
)
from tf_pose3d.data.motion_files.asf_amc import AcclaimSkeleton, read_amc, read_asf
from tf_pose3d.data.motion_files.bvh import read_bvh
from tf_pose3d.data.motion_files.seventeen_joints import find_joints, seventeen_joints
from tf_pose3d.data.motion_files.skeleton_motion import Floats
from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import write_whole
from tf_pose3d.skeleton import get_skeleton

__all__ = ["UNITS", "MotionPreparation", "prepare_motion"]

_BODY = get_skeleton(MOTION_SKELETON)
# Metres of the units that files count in; cmu: inches scaled by 0.45, as the CMU database's conversions.
UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001, "inch": 0.0254, "cmu": 0.0254 / 0.45}
# A grown person's thigh, metres, by which a unit is told.
_THIGH = (0.3, 0.6)
# A joint that goes faster than this, metres a second, has jumped.
_FASTEST = 25.0
_READ = (".bvh", ".amc", ".npz")


@dataclasses.dataclass(frozen=True)
class MotionPreparation:
    """How files are read.

    Attributes:
        source: Name of where they come from; empty: the name of the folder or file that is given.
        subjects: Who moves, by the file's `folder`, by what stands before the first _ of its name (`prefix`,
            as in the CMU database), or `file`: somebody else in each.
        unit: Of `UNITS`; None: as the file says, else by the length of the thighs.
        up: `y` or `z`; None: where the trunks point.
        fps: Of files that do not say it (AMC).
        skip: Frames left out at the beginning of each file, such as a T-pose.
        shortest: Seconds; shorter clips are left out.
        joints: Joint of `h36m_17` -> a file's name for it.
        asf: Skeleton of AMC files; None: the one in their folder, of several that whose name they begin with.
    """

    source: str = ""
    subjects: str = "folder"
    unit: str | None = None
    up: str | None = None
    fps: float = 120.0
    skip: int = 0
    shortest: float = 1.0
    joints: Mapping[str, str] = dataclasses.field(default_factory=dict)
    asf: Path | None = None


def prepare_motion(
    inputs: Sequence[str | Path],
    output: str | Path,
    setting: MotionPreparation,
    log: Callable[[str], None] = lambda line: None,
) -> MotionClips:
    """Reads BVH, AMC (with ASF) and npz files, and writes a motion file that `load_motion` reads.

    Args:
        inputs: Files, or folders that are searched for them.
        output: The `.npz` to write.
        setting: How to read them.
        log: Takes lines for the user: what was supposed, what was left out and why.

    Returns:
        What was written.

    Raises:
        Pose3DError: A file named by itself that cannot be used; nothing usable in a folder.
    """
    parts: list[MotionClips] = []
    said: set[str] = set()

    def say_once(line: str) -> None:
        if line not in said:
            said.add(line)
            log(line)

    for given in map(Path, inputs):
        files = _find_files(given)
        refused = 0
        for file in files:
            try:
                part = _read(file, given, setting, say_once)
            except Pose3DError as error:
                # What was named is told as an error, what was found in a folder as a line.
                if len(files) == 1:
                    raise
                log(f"left out: {error}")
                refused += 1
                continue
            if part is not None:
                parts.append(part)
        if refused == len(files):
            raise Pose3DError(f"{given}: none of {len(files)} files can be used, see above")
    if not parts:
        raise Pose3DError(
            f"no clip of {setting.shortest:g} s or more is left, expected at least one; see --shortest"
        )
    lengths = np.concatenate([part.lengths for part in parts])
    clips = MotionClips(
        np.concatenate([part.positions for part in parts]),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("names", "subjects", "sources", "weights")
        ),
    )
    with write_whole(output) as stream:
        save_motion(stream, clips)
    return clips


def _find_files(given: Path) -> list[Path]:
    if not given.exists():
        raise Pose3DError(f"{given} does not exist, expected a file ({', '.join(_READ)}) or a folder of them")
    if not given.is_dir():
        if given.suffix.lower() not in _READ:
            raise Pose3DError(f"{given}: expected a file that ends in {', '.join(_READ)}")
        return [given]
    files = sorted(path for path in given.rglob("*") if path.suffix.lower() in _READ and path.is_file())
    if not files:
        raise Pose3DError(f"{given}: no file that ends in {', '.join(_READ)} in this folder")
    return files


def _read(
    path: Path, given: Path, setting: MotionPreparation, log: Callable[[str], None]
) -> MotionClips | None:
    if path.suffix.lower() == ".npz":
        metres_of_npz = 1.0 if setting.unit is None else UNITS[setting.unit]
        return load_motion(path, log, metres_of_npz, setting.up or "z")
    metres: float | None = None
    if path.suffix.lower() == ".amc":
        asf = setting.asf or _skeleton_of(path)
        motion = read_amc(path, _skeleton(asf), setting.fps)
        metres = motion.metres
        log(f"AMC files do not say their frame rate: {setting.fps:g} per second are supposed (--fps)")
    else:
        motion = read_bvh(path)
    positions = seventeen_joints(motion, find_joints(motion, str(path), setting.joints))[setting.skip :]
    if len(positions) < 2:
        raise Pose3DError(
            f"{path}: {len(motion.positions)} frames, {len(positions)} of them left, expected 2 or more"
        )
    positions = _in_metres(positions, metres, setting.unit, path, log)
    positions = _upright(positions, setting.up, path)
    assert motion.fps is not None
    clip = resample_motion(positions.astype(np.float32), motion.fps)
    _check_jumps(clip, path)
    if len(clip) < setting.shortest * MOTION_FPS:
        log(f"left out: {path}: {len(clip) / MOTION_FPS:.2g} s, expected {setting.shortest:g} or more")
        return None
    subject = {
        "folder": path.parent.name if path.parent != given else given.name,
        "prefix": path.stem.partition("_")[0],
        "file": path.stem,
    }[setting.subjects]
    source = setting.source or (given.name if given.is_dir() else given.stem)
    names, subjects, sources = (np.array([name]) for name in (path.stem, subject, source))
    return MotionClips(clip, np.array([0, len(clip)]), names, subjects, sources, np.ones(1, np.float32))


def _skeleton_of(path: Path) -> Path:
    """The ASF file of an AMC file."""
    found = sorted(file for file in path.parent.iterdir() if file.suffix.lower() == ".asf")
    mine = [file for file in found if path.stem.lower().startswith(file.stem.lower())]
    if mine:
        return max(mine, key=lambda file: len(file.stem))
    if len(found) == 1:
        return found[0]
    there = f"several skeletons ({', '.join(file.name for file in found[:4])})" if found else "no skeleton"
    raise Pose3DError(f"{path}: {there} in its folder, expected one of this person; name it (--asf FILE)")


_SKELETONS: dict[Path, AcclaimSkeleton] = {}


def _skeleton(path: Path) -> AcclaimSkeleton:
    if path not in _SKELETONS:
        _SKELETONS.clear()
        _SKELETONS[path] = read_asf(path)
    return _SKELETONS[path]


def _in_metres(
    positions: Floats, metres: float | None, unit: str | None, path: Path, log: Callable[[str], None]
) -> Floats:
    hip, knee = _BODY.index("l_hip"), _BODY.index("l_knee")
    thigh = float(np.median(np.linalg.norm(positions[:, hip] - positions[:, knee], axis=1)))
    if unit is not None:
        metres = UNITS[unit]
    if metres is None:
        fitting = [name for name, size in UNITS.items() if _THIGH[0] <= thigh * size <= _THIGH[1]]
        if len(fitting) != 1:
            raise Pose3DError(
                f"{path}: thighs are {thigh:.3g} long, which is {' or '.join(fitting) or 'none'} of "
                f"{', '.join(UNITS)}; say the unit (--unit)"
            )
        metres = UNITS[fitting[0]]
        log(f"the unit is supposed by the length of the thighs ({thigh:.3g}): {fitting[0]} (--unit)")
    return positions * metres


def _upright(positions: Floats, up: str | None, path: Path) -> Floats:
    """Positions with z up."""
    if up is None:
        trunk = np.median(positions[:, _BODY.index("neck")] - positions[:, _BODY.root], axis=0)
        axis = int(np.argmax(np.abs(trunk)))
        if axis == 0 or trunk[axis] < 0:
            raise Pose3DError(
                f"{path}: trunks point along {'-' if trunk[axis] < 0 else ''}{'xyz'[axis]}, expected y or z; "
                "say which is up (--up)"
            )
        up = "xyz"[axis]
    if up == "z":
        return positions
    return np.stack([positions[..., 0], -positions[..., 2], positions[..., 1]], axis=-1)


def _check_jumps(clip: np.ndarray, path: Path) -> None:
    speeds = np.linalg.norm(np.diff(clip, axis=0), axis=-1).max(axis=1, initial=0) * MOTION_FPS
    if len(speeds) and speeds.max() > _FASTEST:
        frame = int(speeds.argmax())
        joint = _BODY.joints[int(np.linalg.norm(clip[frame + 1] - clip[frame], axis=-1).argmax())]
        raise Pose3DError(
            f"{path}: {joint} moves at {speeds.max():.0f} m/s after {frame / MOTION_FPS:.2f} s, expected at "
            f"most {_FASTEST:g}: a jump, or another frame rate (--fps, --skip)"
        )
