"""A data set that is made on the spot: people in motion, seen by Human3.6M's cameras.

It has Human3.6M's subjects, actions, cameras and order, so that splits and tables work as they do there.
Nothing is stored: the same seed gives the same data, bit for bit. Each subject is a person of their own,
with limb lengths and habits that are drawn once; 2D is the exact projection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tf_pose3d.camera import project_pixels
from tf_pose3d.data.activities import ACTIVITIES
from tf_pose3d.data.datasets import Log, Option, PoseDataset
from tf_pose3d.data.human36m import ACTIONS, CAMERAS, FPS, SPLITS, SUBJECTS, select_actions, split_subjects
from tf_pose3d.data.motion import Body, perform
from tf_pose3d.data.pose_files import ACTIONS_OPTION
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import Skeleton, get_skeleton, joint_indices

__all__ = ["DATASET", "synthetic_sequences"]

# In messages.
_WHERE = "the synthetic data set"


def synthetic_sequences(
    subjects: Iterable[str],
    seed: int = 0,
    frames: int = 500,
    actions: Iterable[str] | None = None,
    skeleton: str | Skeleton = "uplift_17",
    skeleton_2d: str | Skeleton | None = None,
) -> list[Sequence]:
    """Make the recordings of some subjects, one sequence per subject, action and camera.

    Args:
        subjects: Names of Human3.6M subjects, e.g. from `human36m.split_subjects`.
        seed: Draws the people and what they do. A recording does not depend on which others are made.
        frames: Length of each recording, at 50 frames per second.
        actions: Action names; None makes all 15.
        skeleton: The joint layout of the result; its joints must be among those of `h36m_17`.
        skeleton_2d: The joint layout of the 2D poses, if another.

    Returns:
        Sequences with `pose_3d` in the camera frame in metres and `pose_2d` in pixels, float32, in the
        order of `human36m.read_human36m`.

    Raises:
        Pose3DError: Unknown subject or action, or fewer than one frame.
    """
    target = get_skeleton(skeleton)
    target_2d = target if skeleton_2d is None else get_skeleton(skeleton_2d)
    order, order_2d = joint_indices("h36m_17", target), joint_indices("h36m_17", target_2d)
    if seed < 0:
        raise Pose3DError(f"the seed of the synthetic data set must not be negative, got {seed}")
    if frames < 1:
        raise Pose3DError(f"the synthetic data set needs at least 1 frame a recording, got {frames}")
    selected = select_actions(ACTIONS, actions, _WHERE)
    sequences = []
    for subject in subjects:
        if subject not in CAMERAS:
            raise Pose3DError(f"unknown synthetic subject {subject!r}; known: {', '.join(SUBJECTS)}")
        number = SUBJECTS.index(subject)
        body = Body.draw(np.random.default_rng([seed, number, 0]))
        for action_number, action in enumerate(ACTIONS):
            if action not in selected:
                continue
            rng = np.random.default_rng([seed, number, 1 + action_number])
            world = perform(body, ACTIVITIES[action], frames, FPS, rng)
            for camera in CAMERAS[subject]:
                pose_3d = camera.from_world(world[:, order].astype(np.float32))
                seen = pose_3d
                if target_2d is not target:
                    seen = camera.from_world(world[:, order_2d].astype(np.float32))
                sequences.append(
                    Sequence(
                        subject=subject,
                        action=action,
                        name=action,
                        skeleton=target,
                        fps=FPS,
                        camera=camera,
                        pose_2d=project_pixels(seen, camera),
                        pose_3d=pose_3d,
                        skeleton_2d=None if target_2d is target else target_2d,
                    )
                )
    return sequences


def _check(subset: str, options: Mapping[str, Any]) -> None:
    split_subjects(subset)
    select_actions(ACTIONS, options["actions"], _WHERE)


def _read(
    subset: str, options: Mapping[str, Any], skeleton: str, input_skeleton: str, log: Log | None
) -> list[Sequence]:
    subjects = split_subjects(subset)
    return synthetic_sequences(subjects, skeleton=skeleton, skeleton_2d=input_skeleton, **options)


DATASET = PoseDataset(
    name="synthetic",
    description="made on the spot, nothing to download: people in motion, seen by Human3.6M's cameras",
    splits=tuple(SPLITS),
    subjects=SUBJECTS,
    actions=ACTIONS,
    frame_rate=FPS,
    options=(
        ACTIONS_OPTION,
        Option("frames", "frames of each recording, at 50 Hz", 500, kind=int, metavar="N"),
        Option("seed", "draws the people and what they do", 0, kind=int, metavar="N"),
    ),
    read=_read,
    check=_check,
)
