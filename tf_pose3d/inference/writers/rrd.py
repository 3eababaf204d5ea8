"""Rerun recordings (.rrd), written by rerun-sdk, the extra `rerun`: joints, bones, and 2D poses over time."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.extras import install_command, require_extra
from tf_pose3d.files import staged
from tf_pose3d.inference.motion.record import Motion

__all__ = ["check", "write"]


def check(path: Path, num_frames: int | None = None) -> None:
    """Checks that rerun-sdk is there and can be imported, which a NumPy older than its pyarrow forbids.

    Raises:
        Pose3DError: It is not, or cannot.
    """
    require_extra("rerun", "rerun-sdk", "rerun", f"{path}: writing .rrd")
    try:
        import rerun  # noqa: F401
    except ImportError as error:
        raise Pose3DError(
            f"{path}: writing .rrd needs rerun-sdk, which is installed but cannot be imported: {error}; "
            f"{install_command('rerun')} in an environment without bpy, which holds NumPy back"
        ) from error


def write(path: Path, motion: Motion) -> None:
    """Writes `world/person/joints` and `bones` in metres, y up as in files for animation, and
    `image/keypoints`.

    Frames without a pose are cleared.

    Raises:
        Pose3DError: The file cannot be written.
    """
    import rerun as rr

    poses = motion.upright()
    parents, children = (np.array(ends) for ends in zip(*motion.skeleton.bones, strict=True))
    with staged(path) as temporary:
        recording = rr.RecordingStream("tf_pose3d", recording_id=motion.name or "motion")
        recording.save(str(temporary))
        recording.log("world", rr.ViewCoordinates.RIGHT_HAND_Y_UP, static=True)
        for row, (pose, present) in enumerate(zip(poses, motion.present, strict=True)):
            recording.set_time("frame", sequence=int(motion.frame_numbers[row]))
            recording.set_time("time", duration=row / motion.fps)
            if present:
                radii = None if motion.uncertainty is None else motion.uncertainty[row] / 4000
                recording.log(
                    "world/person/joints",
                    rr.Points3D(pose, labels=list(motion.skeleton.joints), show_labels=False, radii=radii),
                )
                strips = np.stack([pose[parents], pose[children]], axis=1)
                recording.log("world/person/bones", rr.LineStrips3D(strips))
            else:
                recording.log("world/person", rr.Clear(recursive=True))
            if motion.keypoints is not None:
                recording.log("image/keypoints", rr.Points2D(motion.keypoints[row, :, :2]))
        recording.flush()
        recording.disconnect()
