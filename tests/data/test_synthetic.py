import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from tf_pose3d.camera import project_pixels
from tf_pose3d.data.human36m import ACTIONS, CAMERAS, split_subjects
from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.errors import Pose3DError

DIGEST = """
import hashlib
from tf_pose3d.data.synthetic import synthetic_sequences
digest = hashlib.sha256()
for sequence in synthetic_sequences(["S5"], seed=3, frames=40):
    digest.update(sequence.pose_2d.tobytes() + sequence.pose_3d.tobytes())
print(digest.hexdigest())
"""


def test_order_and_content():
    sequences = synthetic_sequences(split_subjects("test"), frames=12)
    assert [(s.subject, s.action, s.camera.id) for s in sequences] == [
        (subject, action, camera.id)
        for subject in ("S9", "S11")
        for action in ACTIONS
        for camera in CAMERAS[subject]
    ]
    for sequence in sequences:
        assert sequence.pose_2d.shape == (12, 17, 2)
        assert sequence.pose_3d.shape == (12, 17, 3)
        assert sequence.pose_2d.dtype == sequence.pose_3d.dtype == np.float32
        assert (sequence.skeleton.name, sequence.fps, sequence.world_frame) == ("uplift_17", 50, False)
        np.testing.assert_array_equal(sequence.pose_2d, project_pixels(sequence.pose_3d, sequence.camera))


def test_everyone_stays_in_the_picture():
    inside = []
    for sequence in synthetic_sequences(split_subjects("trainval") + split_subjects("test"), frames=250):
        limits = [sequence.camera.width, sequence.camera.height]
        inside.append(((sequence.pose_2d >= 0) & (sequence.pose_2d < limits)).all(axis=-1).mean())
    assert np.mean(inside) > 0.999


def test_same_bits_in_another_process(monkeypatch):
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    other = subprocess.run([sys.executable, "-c", DIGEST], capture_output=True, text=True, check=True)
    digest = hashlib.sha256()
    for sequence in synthetic_sequences(["S5"], seed=3, frames=40):
        digest.update(sequence.pose_2d.tobytes() + sequence.pose_3d.tobytes())
    assert other.stdout.strip() == digest.hexdigest()


def test_recordings_do_not_depend_on_each_other():
    alone = synthetic_sequences(["S9"], actions=["Walking"], frames=30)
    among = [s for s in synthetic_sequences(["S1", "S9"], frames=30) if s.label == alone[0].label]
    np.testing.assert_array_equal(alone[0].pose_3d, among[0].pose_3d)


def test_seeds_subjects_and_actions_differ():
    def pose(subject="S1", seed=0, action="Walking"):
        return synthetic_sequences([subject], seed, frames=5, actions=[action])[0].pose_3d

    poses = [pose(), pose("S5"), pose(seed=1), pose(action="Eating")]
    for i, one in enumerate(poses):
        for other in poses[:i]:
            assert np.abs(one - other).max() > 0.05


def test_layout_can_be_chosen():
    sequence = synthetic_sequences(["S1"], frames=3, actions=["Photo"], skeleton="h36m_16")[0]
    assert sequence.pose_3d.shape == (3, 16, 3)


def test_a_single_frame():
    assert synthetic_sequences(["S1"], frames=1)[0].num_frames == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"subjects": ["S2"]}, r"unknown synthetic subject 'S2'; known: S1, S5"),
        (
            {"actions": ["Jumping"]},
            r"action 'Jumping' matches nothing in the synthetic data set; it has Directions",
        ),
        ({"frames": 0}, r"at least 1 frame a recording, got 0"),
        ({"seed": -1}, r"seed of the synthetic data set must not be negative, got -1"),
        ({"skeleton": "coco_17"}, r"h36m_17 lacks nose"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(Pose3DError, match=message):
        synthetic_sequences(**({"subjects": ["S1"]} | arguments))
