"""A triangulation as a scene to draw: people, cameras, and what each camera saw."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.record import Motion, hold_joints
from tf_pose3d.multicamera.result import TriangulatedPerson, Triangulation
from tf_pose3d.multicamera.rig import Rig
from tf_pose3d.render import Scene, SceneCamera, SceneView, Track
from tf_pose3d.skeleton import make_skeleton

__all__ = ["triangulation_scene"]

# Metres before a camera at which its image is drawn.
_IMAGE = 0.35
# Degrees from the first camera to the viewer.
_ASIDE = 35.0
# Metres that the lowest joint may be off the floor before the picture's floor is moved.
_OFF = 0.05


def _cameras(rig: Rig, floor: float) -> tuple[SceneCamera, ...]:
    cameras = []
    for camera, centre in zip(rig.cameras, rig.centres, strict=True):
        width, height = _size(rig, camera.name)
        corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)
        x = (corners[:, 0] - camera.matrix[0, 2]) / camera.matrix[0, 0]
        y = (corners[:, 1] - camera.matrix[1, 2]) / camera.matrix[1, 1]
        rays = np.stack([x, y, np.ones(4)], axis=1) * _IMAGE
        down = np.array([0, 0, floor])
        cameras.append(SceneCamera(camera.name, centre - down, rays @ camera.rotation + centre - down))
    return tuple(cameras)


def _size(rig: Rig, name: str) -> tuple[int, int]:
    """Width and height of a camera's image; without a stated size the principal point is its middle."""
    camera = next(camera for camera in rig.cameras if camera.name == name)
    if camera.size is not None:
        return camera.size
    return max(round(2 * camera.matrix[0, 2]), 2), max(round(2 * camera.matrix[1, 2]), 2)


def _floor(poses: npt.NDArray[np.floating]) -> float:
    """Height of the lowest joints in the clip, 0 where that is nearly so."""
    heights = poses[..., 2]
    known = heights[np.isfinite(heights)]
    low = float(np.percentile(known, 1)) if len(known) else 0.0
    return 0.0 if -_OFF < low < 2 * _OFF else low


def triangulation_scene(
    result: Triangulation,
    skip: int = 0,
    downsample: int = 1,
    limit: int = -1,
    videos: Mapping[str, str] | None = None,
    staged: Sequence[Motion] | None = None,
) -> Scene:
    """The people of a triangulation as a clip.

    Args:
        result: With at least one person.
        skip, downsample, limit: Which frames, see `tf_pose3d.render.select_frames`.
        videos: View -> its video.
        staged: The people after the stage between lifting and writing; None: as they were measured. Cameras
            are drawn where people are where they were measured, or moved to the floor with them; of people in
            place, the first alone is drawn.

    Raises:
        Pose3DError: There is no person, or no frame is left.
    """
    person = result.person
    frames = np.arange(skip, len(person.pose_3d), max(downsample, 1))
    if limit >= 1:
        frames = frames[:limit]
    if skip < 0 or downsample < 1 or not len(frames):
        raise Pose3DError(
            f"no frame to draw: {len(person.pose_3d)} frames, leaving out {skip}, taking every {downsample}th"
        )
    everyone = [held.unplaced() for held in result.people] if staged is None else list(staged)
    shift = _shift(person, everyone[0])
    forward = result.rig.rotation[0, 2] if everyone[0].world else np.array([0.0, 1.0, 0.0])
    if everyone[0].placement in ("root", "floor"):
        # In place, people would stand in each other.
        everyone = everyone[:1]
    everyone = [_upright(held) for held in everyone]
    drawn = everyone[0].poses
    # Of the followed person each joint must be found somewhere; the others are drawn as far as they go.
    kept = np.flatnonzero(np.isfinite(drawn[..., 0]).any(axis=0))
    skeleton = result.skeleton
    if len(kept) < skeleton.num_joints:
        skeleton = make_skeleton(skeleton.name, tuple(skeleton.joints[joint] for joint in kept))
    floor = _floor(drawn)
    down = np.array([0, 0, floor], np.float32)
    poses = hold_joints(drawn[:, kept])[frames] - down
    company = None
    beside = result.people[1 : len(everyone)]
    if len(everyone) > 1:
        company = np.stack([one.poses[frames][:, kept] - down for one in everyone[1:]])
    views = []
    # What lies over the images is where it was measured.
    measured = person.pose_3d if shift is None else drawn + np.array([0, 0, shift])
    images = result.rig.images(measured[frames][:, kept])
    for view, label in enumerate(result.labels):
        points, *others = (
            one.keypoints[view][frames][:, kept, :2].astype(np.float64) for one in (person, *beside)
        )
        views.append(
            SceneView(
                name=result.rig.names[view],
                image_size=_size(result.rig, result.rig.names[view]),
                pose_2d=points,
                projected=images[view],
                video=(videos or {}).get(label),
                company_2d=np.stack(others) if others else None,
            )
        )
    return Scene(
        title=f"{len(result.labels)} cameras" + (f", {len(everyone)} people" if company is not None else ""),
        skeleton=skeleton,
        root=skeleton.root,
        fps=person.fps / downsample,
        frames=person.frame[frames],
        pose_2d=_held(views[0].pose_2d),
        company_2d=views[0].company_2d,
        image_size=views[0].image_size,
        tracks=(Track("Triangulated", poses, company=company),),
        # From beside the first camera, which so does not stand in the way.
        azimuth=float(np.degrees(np.arctan2(-forward[1], -forward[0]))) + _ASIDE,
        views=tuple(views),
        cameras=() if shift is None else _cameras(result.rig, floor + shift),
    )


def _shift(person: TriangulatedPerson, motion: Motion) -> float | None:
    """Metres by which people were moved down onto the floor; None where they are not where they were seen."""
    if motion.placement != "world":
        return None
    down = person.pose_3d[..., 2] - motion.poses[..., 2]
    down = down[np.isfinite(down)]
    return float(np.median(down)) if len(down) else 0.0


def _upright(motion: Motion) -> Motion:
    """Poses with z up, a camera's axes taken as level."""
    if motion.world:
        return motion
    return dataclasses.replace(motion, poses=motion.poses[..., [0, 2, 1]] * np.array([1, 1, -1], np.float32))


def _held(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """2D poses for pictures without gaps: a joint that is missing stays where it was last."""
    return np.nan_to_num(hold_joints(points))
