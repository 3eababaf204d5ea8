"""Multi-view images that are drawn when they are read: people in motion, seen by four calibrated cameras.

Subjects, actions and splits are Human3.6M's, motion is `tf_pose3d.data.motion`'s. Nothing is stored: the
same seed gives the same images, bit for bit. People stay on the spot, as on a treadmill, so that errors with
aligned pelvises show how well limbs are followed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tf_pose3d.data.activities import ACTIVITIES
from tf_pose3d.data.datasets import ImageDataset, Log, Option
from tf_pose3d.data.human36m import ACTIONS, SUBJECTS, select_actions, split_subjects
from tf_pose3d.data.motion import Body, perform
from tf_pose3d.data.multiview.figure import Outfit, View, background, draw_figure
from tf_pose3d.data.multiview.images import ImageSource
from tf_pose3d.data.multiview.records import Calibrations, MultiViewRecords, project_points
from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import get_skeleton

__all__ = ["DATASET", "SYNTHETIC_SIZE", "SyntheticImages", "synthetic_records", "synthetic_views"]

SYNTHETIC_SIZE = (256, 256)
_FPS = 2.5  # so few that limbs move by several heat-map pixels within a group of frames
_FRAMES = 32
_DISTANCE = 5200.0  # millimetres from each camera to the middle of the stage
_FIELD = 4000.0  # millimetres that an image spans there
# Millimetres. High and uneven: epipolar lines then lie across most motion.
_HEIGHTS = (2600.0, 4200.0, 3200.0, 4800.0)
_BOX = 2000.0  # millimetres that a person's box spans
# Millimetres above the floor towards which the cameras look.
_AIM = 900.0


def synthetic_views(size: tuple[int, int] = SYNTHETIC_SIZE) -> tuple[View, ...]:
    """Four cameras round the stage, under the ceiling of a hall."""
    views = []
    for number, height in enumerate(_HEIGHTS):
        angle = np.pi * (0.25 + 0.5 * number) + 0.12 * (-1) ** number
        centre = np.array([_DISTANCE * np.cos(angle), _DISTANCE * np.sin(angle), height])
        ahead = np.array([0.0, 0.0, _AIM]) - centre
        ahead /= np.linalg.norm(ahead)
        right = np.cross(ahead, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        rotation = np.stack([right, np.cross(ahead, right), ahead])
        focal = size[0] / _FIELD * _DISTANCE
        intrinsics = np.array([focal, focal, (size[0] - 1) / 2, (size[1] - 1) / 2])
        views.append(View(rotation, centre, intrinsics, size))
    return tuple(views)


class SyntheticImages(ImageSource):
    """Drawn images, kept once drawn.

    Args:
        poses: `(N, 17, 3)` in the order of `h36m_17`, world, millimetres.
        view: `(N,)` index into `views`.
        outfit: `(N,)` index into `outfits`.
        views: Cameras.
        outfits: Of the people.
    """

    def __init__(
        self,
        poses: np.ndarray,
        view: np.ndarray,
        outfit: np.ndarray,
        views: Sequence[View],
        outfits: Sequence[Outfit],
    ) -> None:
        self.poses, self.view, self.outfit = poses, view, outfit
        self.views, self.outfits = views, outfits
        self._scenes = [background(one) for one in views]
        self._drawn: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.poses)

    def name(self, index: int) -> str:
        return f"synthetic image {index}"

    def read(self, index: int) -> np.ndarray:
        image = self._drawn.get(index)
        if image is None:
            number = self.view[index]
            image = draw_figure(
                self.poses[index],
                self.views[number],
                self.outfits[self.outfit[index]],
                self._scenes[number],
            )
            self._drawn[index] = image
        return image


def _on_the_spot(poses: np.ndarray) -> np.ndarray:
    """Poses `(F, 17, 3)` whose pelvis stays over one point of the floor, as on a treadmill."""
    drift = poses[:, :1] - poses[:1, :1]
    drift[..., 2] = 0
    return poses - drift


def synthetic_records(
    subset: str,
    seed: int = 0,
    frames: int = _FRAMES,
    actions: Sequence[str] | None = None,
    size: tuple[int, int] = SYNTHETIC_SIZE,
) -> MultiViewRecords:
    """Records of a subset's recordings, one per subject and action, at 2.5 frames per second.

    Args:
        subset: `train` (S1, S5 to S8), `validation`, `val` or `test` (S9, S11), or one subject.
        seed: Draws people, clothes and motion. A recording does not depend on which others are made.
        frames: Length of each recording.
        actions: Action names; None makes all 15.
        size: Width and height of the images.

    Raises:
        Pose3DError: Unknown subset or action, or fewer than one frame.
    """
    if seed < 0 or frames < 1:
        raise Pose3DError(
            f"the synthetic images need a seed of at least 0 and a frame, got seed {seed}, {frames} frames"
        )
    split = {"train": "trainval", "validation": "test", "val": "test"}.get(subset, subset)
    selected = select_actions(ACTIVITIES, actions, where="the synthetic images")
    wanted = [action for action in ACTIONS if action in selected]
    views = synthetic_views(size)
    poses, takes, outfits = [], [], []
    for subject in split_subjects(split):
        number = SUBJECTS.index(subject)
        body = Body.draw(np.random.default_rng([seed, number, 0]))
        outfits.append(Outfit.draw(np.random.default_rng([seed, number, 0, 1])))
        for action in wanted:
            rng = np.random.default_rng([seed, number, 1 + ACTIONS.index(action)])
            poses.append(1000 * _on_the_spot(perform(body, ACTIVITIES[action], frames, _FPS, rng)))
            takes.append((subject, action))
    # Recording by recording, camera by camera, frame by frame.
    recording, view, frame = (
        values.ravel()
        for values in np.meshgrid(
            np.arange(len(takes), dtype=np.int32),
            np.arange(len(views), dtype=np.int32),
            np.arange(frames, dtype=np.int32),
            indexing="ij",
        )
    )
    world = np.stack(poses)[recording, frame].astype(np.float32)
    cameras = Calibrations(
        names=tuple(f"{number}" for number in range(len(views))),
        rotation=np.stack([one.rotation for one in views]).astype(np.float32),
        centre=np.stack([one.centre for one in views]).astype(np.float32),
        intrinsics=np.stack([one.intrinsics for one in views]).astype(np.float32),
    )
    keypoints = project_points(world, cameras, view)
    centre = (keypoints.min(axis=1) + keypoints.max(axis=1)) / 2
    depth = np.einsum("ni,ni->n", world[:, 0] - cameras.centre[view], cameras.rotation[view][:, 2])
    width = _BOX / depth * cameras.intrinsics[view, 0]
    visible = np.all((keypoints >= 0) & (keypoints <= np.array(size) - 1), axis=-1)
    return MultiViewRecords(
        source="synthetic images",
        images=SyntheticImages(world, view, recording // len(wanted), views, outfits),
        joints=get_skeleton("h36m_17").joints,
        view=view,
        frame=frame,
        recording=recording,
        camera=view,
        keypoints_2d=keypoints,
        visible=visible,
        pose_3d=world,
        centre=centre,
        box=np.repeat(width[:, None], 2, axis=1).astype(np.float32),
        cameras=cameras,
        subjects=tuple(subject for subject, _ in takes),
        actions=tuple(action for _, action in takes),
        takes=tuple(f"{subject}, {action}" for subject, action in takes),
    )


def _read(subset: str, options: Mapping[str, Any], log: Log | None) -> MultiViewRecords:
    return synthetic_records(subset, **options)


DATASET = ImageDataset(
    name="multiview_synthetic",
    description="images drawn on the spot, nothing to download: people on the spot, seen by 4 cameras",
    splits=("train", "validation", "val", "test", *SUBJECTS),
    subjects=SUBJECTS,
    actions=ACTIONS,
    frame_rate=_FPS,
    options=(
        Option("actions", "actions to draw; all when not given"),
        Option("frames", "frames of each recording, at 2.5 Hz", _FRAMES, kind=int, metavar="N"),
        Option("seed", "draws people, clothes and motion", 0, kind=int, metavar="N"),
    ),
    read=_read,
)
