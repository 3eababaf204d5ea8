"""Whether the 2D and 3D poses of images are of one another; see `tf_pose3d.data.agreement`."""

from __future__ import annotations

import numpy as np

from tf_pose3d.anthropometry import BONE_LENGTHS
from tf_pose3d.data.agreement import DOUBTFUL, LIMBS, SOUND, explains, require_unit
from tf_pose3d.data.datasets import Log
from tf_pose3d.data.multiview.records import MultiViewRecords, project_points
from tf_pose3d.errors import Pose3DError

__all__ = ["check_records"]

# Images of one person in one camera that are looked at.
_IMAGES = 48


def check_records(records: MultiViewRecords, log: Log | None = None) -> None:
    """Checks that annotated 3D poses project onto their 2D poses.

    Args:
        records: Images without a calibrated camera or a 3D pose are passed over.
        log: Takes a line where the poses do not agree and nothing explains it.

    Raises:
        Pose3DError: They do not, and something explains it: 3D in another unit, or cameras in another order.
    """
    limbs = [joint for joint in LIMBS if joint in records.joints]
    columns = [records.joints.index(joint) for joint in limbs]
    usable = (records.camera >= 0) & np.isfinite(records.pose_3d[:, columns]).all(axis=(1, 2))
    if not columns or not usable.any():
        return
    rows = np.flatnonzero(usable)
    _check_bones(records.pose_3d[rows[:: max(len(rows) // 500, 1)]][:, columns], limbs, records.source, log)
    person = np.array(records.subjects)[records.recording]
    for subject in dict.fromkeys(person[rows].tolist()):
        own = rows[person[rows] == subject]
        seen = np.unique(records.camera[own]).tolist()
        apart = {
            camera: _apart(records, own[records.camera[own] == camera], columns, seen) for camera in seen
        }
        _check_cameras(records, f"{records.source}: {subject}", apart, log)


def _check_bones(poses: np.ndarray, limbs: list[str], where: str, log: Log | None) -> None:
    held, typical = 0.0, 0.0
    for (parent, child), length in BONE_LENGTHS.items():
        for side in "lr":
            ends = (f"{side}_{parent}", f"{side}_{child}")
            if set(ends) <= set(limbs):
                step = poses[:, limbs.index(ends[0])] - poses[:, limbs.index(ends[1])]
                held += float(np.median(np.linalg.norm(step, axis=-1)))
                typical += 1000 * length
    if typical:
        require_unit(held / typical, where, log)


def _apart(
    records: MultiViewRecords, rows: np.ndarray, columns: list[int], cameras: list[int]
) -> dict[int, float]:
    """Camera that is supposed -> median distance of projected 3D from 2D poses, over the person's size."""
    rows = rows[:: max(len(rows) // _IMAGES, 1)]
    pixels, visible = records.keypoints_2d[rows][:, columns], records.visible[rows][:, columns]
    known = np.where(visible[..., None], pixels, np.nan)
    with np.errstate(all="ignore"):
        box = np.nanmax(known, axis=1, initial=-np.inf) - np.nanmin(known, axis=1, initial=np.inf)
        size = np.linalg.norm(box, axis=-1)
        found = {}
        for camera in cameras:
            projected = project_points(
                records.pose_3d[rows][:, columns], records.cameras, np.full(len(rows), camera)
            )
            distance = np.linalg.norm(projected - known, axis=-1) / np.maximum(size, 1.0)[:, None]
            held = distance[visible & np.isfinite(distance)]
            found[camera] = float(np.median(held)) if held.size else np.inf
    return found


def _check_cameras(
    records: MultiViewRecords, where: str, apart: dict[int, dict[int, float]], log: Log | None
) -> None:
    names = records.cameras.names
    for camera, held in apart.items():
        best = min(held, key=held.__getitem__)
        if held[camera] > SOUND and best != camera and explains(held[best], held[camera]):
            raise Pose3DError(
                f"{where}: the 2D poses of camera {names[camera]} are those of camera {names[best]} "
                f"({held[best]:.1%} of the person's size from the projected 3D poses, not "
                f"{held[camera]:.0%}): the cameras are in another order"
            )
    worst = max(apart, key=lambda camera: apart[camera][camera])
    if DOUBTFUL < apart[worst][worst] < np.inf and log is not None:
        log(
            f"{where}: 2D and 3D poses do not agree: projected 3D poses lie {apart[worst][worst]:.0%} of "
            f"the person's size from the 2D poses of camera {names[worst]}; are they of the same images and "
            "joints?"
        )
