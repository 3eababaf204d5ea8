"""Write the poses of a lifted recording; the file's extension says in which format."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tf_pose3d.data.sequence import Sequence
from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.metrics import mpjpe
from tf_pose3d.files import staged, write_json, write_whole
from tf_pose3d.inference.c3d import C3D_FRAMES, require_c3d, write_c3d

__all__ = ["SUFFIXES", "check_pose_file", "hold_poses", "save_poses"]

SUFFIXES = (".npz", ".npy", ".json", ".csv", ".bvh", ".trc", ".c3d")


def check_pose_file(path: str | Path, frames: int | None = None) -> None:
    """Checks the name of a file for `save_poses`.

    Args:
        path: The file.
        frames: How many it shall hold, where that is known.

    Raises:
        Pose3DError: Another extension than those of `SUFFIXES`; a format whose library is not installed or
            that holds fewer frames.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".c3d":
        require_c3d()
        if frames is not None and not 0 < frames <= C3D_FRAMES:
            raise Pose3DError(
                f"--output {path}: a C3D file holds 1 to {C3D_FRAMES} frames, these are {frames}; "
                ".trc has no limit"
            )
    if suffix not in SUFFIXES:
        raise Pose3DError(
            f"--output {path}: expected a name that ends in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
        )


def hold_poses(poses: np.ndarray) -> np.ndarray:
    """Poses `(F, J, 3)` in which frames without one (NaN) repeat the last that has one, or the first."""
    present = np.isfinite(poses).all(axis=(1, 2))
    if present.all() or not present.any():
        return poses
    last = np.maximum.accumulate(np.where(present, np.arange(len(poses)), -1))
    return poses[np.where(last < 0, np.argmax(present), last)]


def save_poses(path: str | Path, poses: np.ndarray, sequence: Sequence, root: int) -> None:
    """Writes the poses of a recording, the file whole or not at all.

    * `.npz` holds `pose_3d (F, J, 3)`; `pose_2d (F, J, 2 or 3)` pixels; `joints (J,)`, `parents (J,)`,
      `root`, `fps`, `subject`, `action` (the recording's full name), `camera`, `width` and `height` of its
      image; `present (F,)`, false where there is no pose (NaN); and with ground truth `target (F, J, 3)` in
      the camera frame and `error_mm (F,)`, the mean joint error of each frame with both roots at the origin.
    * `.npy` holds `poses` alone, as VideoPose3D exports them.
    * `.json` holds the same as `.npz` less the ground truth; poses frame by frame, null where there is none.
    * `.csv` has a line per frame: number, seconds, and x, y, z of each joint in metres, empty where there is
      no pose.
    * `.bvh`, `.trc` and `.c3d`: see the modules of these names in `tf_pose3d.inference`.

    Args:
        path: The file.
        poses: `(F, J, 3)` metres, camera frame; NaN in frames without a pose.
        sequence: What was lifted.
        root: The root joint.

    Raises:
        Pose3DError: As `check_pose_file` and `tf_pose3d.files.write_whole`.
    """
    check_pose_file(path, len(poses))
    suffix = Path(path).suffix.lower()
    if suffix == ".npy":
        with write_whole(path) as file:
            np.save(file, poses)
    elif suffix == ".npz":
        with write_whole(path) as file:
            np.savez_compressed(file, **_arrays(poses, sequence, root))
    elif suffix == ".json":
        _write_json(path, poses, sequence, root)
    elif suffix == ".csv":
        _write_csv(path, poses, sequence)
    elif suffix == ".bvh":
        from tf_pose3d.inference.bvh import bvh_text

        with write_whole(path, "w") as file:
            file.write(bvh_text(hold_poses(poses), sequence.skeleton, sequence.fps))
    elif suffix == ".c3d":
        with staged(path) as temporary:
            write_c3d(temporary, poses, sequence.skeleton, sequence.fps)
    else:
        from tf_pose3d.inference.trc import trc_text

        with write_whole(path, "w") as file:
            file.write(trc_text(poses, sequence.skeleton, sequence.fps, Path(path).name))


def _facts(sequence: Sequence, root: int) -> dict[str, object]:
    camera = sequence.camera
    facts = {
        "joints": np.array(sequence.skeleton.joints),
        "parents": np.array(sequence.skeleton.parents),
        "root": np.array(root),
        "fps": np.array(sequence.fps),
        "subject": np.array(sequence.subject),
        "action": np.array(sequence.name),
        "camera": np.array(camera.id if camera is not None else ""),
    }
    if camera is not None:
        facts |= {"width": np.array(camera.width), "height": np.array(camera.height)}
    return facts


def _arrays(poses: np.ndarray, sequence: Sequence, root: int) -> dict[str, np.ndarray]:
    arrays = {
        "pose_3d": poses,
        "pose_2d": sequence.pose_2d,
        **_facts(sequence, root),
        "present": np.isfinite(poses).all(axis=(1, 2)),
    }
    if sequence.pose_3d is not None:
        arrays["target"] = sequence.pose_3d
        arrays["error_mm"] = 1000 * mpjpe(poses, sequence.pose_3d, root=root).mean(1)
    return arrays


def _write_json(path: str | Path, poses: np.ndarray, sequence: Sequence, root: int) -> None:
    frames = []
    for number, pose in enumerate(poses):
        frame = {
            "frame": number,
            "pose_3d": pose.astype(np.float64).round(5).tolist() if np.isfinite(pose).all() else None,
        }
        if sequence.pose_2d is not None:
            # Three decimals of a float32 pixel, without the digits that float64 would show.
            frame["pose_2d"] = sequence.pose_2d[number].astype(np.float64).round(3).tolist()
        frames.append(frame)
    write_json(path, {"unit": "metre", **_facts(sequence, root), "frames": frames})


def _write_csv(path: str | Path, poses: np.ndarray, sequence: Sequence) -> None:
    names = [f"{joint}_{axis}" for joint in sequence.skeleton.joints for axis in "xyz"]
    with write_whole(path, "w") as file:
        file.write(",".join(["frame", "seconds", *names]) + "\n")
        for number, pose in enumerate(poses):
            values = [f"{value:.5f}" if np.isfinite(value) else "" for value in pose.reshape(-1)]
            file.write(",".join([str(number), f"{number / sequence.fps:.4f}", *values]) + "\n")
