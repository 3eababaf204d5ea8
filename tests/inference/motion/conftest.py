"""A walk seen by a calibrated camera, with its truth in the world."""

import dataclasses

import numpy as np
import pytest

from tf_pose3d.camera import Camera, camera_to_world, project_pixels
from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.inference.motion.record import Motion


@dataclasses.dataclass(frozen=True)
class Filmed:
    """A person's motion as a lifter without errors would give it, and where they truly are.

    `world (F, 17, 3)`: metres, z up, floor at 0.
    """

    motion: Motion
    world: np.ndarray

    def unknown(self, **changes):
        """The motion seen by the same camera of which nobody knows how it is held."""
        camera = dataclasses.replace(self.motion.camera, orientation=None, translation=None)
        return dataclasses.replace(self.motion, camera=camera, **changes)


def film(action, frames, number=0):
    sequence = synthetic_sequences(["S9"], frames=frames, actions=[action], skeleton="h36m_17")[number]
    held = sequence.camera
    camera = Camera(
        "0",
        held.width,
        held.height,
        held.focal_length,
        held.center,
        np.zeros(3),
        np.zeros(2),
        held.orientation,
        held.translation,
    )
    poses = sequence.pose_3d.astype(np.float64)
    pixels = project_pixels(poses, camera)
    keypoints = np.concatenate([pixels, np.ones((frames, 17, 1))], axis=2).astype(np.float32)
    motion = Motion(poses - poses[:, :1], sequence.skeleton, 0, sequence.fps, camera, keypoints, subject="S9")
    return Filmed(motion, camera_to_world(poses, camera.orientation, camera.translation))


@pytest.fixture(scope="session")
def walk():
    """Six seconds at 50 Hz."""
    return film("Walking", 300)


@pytest.fixture(scope="session")
def seated():
    return film("Sitting", 150, 1)
