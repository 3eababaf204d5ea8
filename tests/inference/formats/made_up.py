"""A person whom every format's sample shows, and what must be read back."""

import json
from pathlib import Path

import numpy as np

from tf_pose3d.inference.formats import ReadOptions, read_keypoints
from tf_pose3d.inference.keypoints import dense_keypoints
from tf_pose3d.skeleton import get_skeleton

FRAMES = 8
WIDTH, HEIGHT = 1000, 800
# x and y from a standing person's pelvis, in hundredths of the height, y down; COCO's joints and the trunk's.
_PLACES = {
    "nose": (0, -42),
    "l_eye": (2, -44),
    "r_eye": (-2, -44),
    "l_ear": (4, -43),
    "r_ear": (-4, -43),
    "l_shoulder": (11, -30),
    "r_shoulder": (-11, -30),
    "l_elbow": (15, -14),
    "r_elbow": (-15, -14),
    "l_wrist": (17, 0),
    "r_wrist": (-17, 0),
    "l_hip": (7, 0),
    "r_hip": (-7, 0),
    "l_knee": (8, 25),
    "r_knee": (-8, 25),
    "l_ankle": (8, 48),
    "r_ankle": (-8, 48),
    "neck": (0, -31),
    "pelvis": (0, 0),
    "head_top": (0, -52),
    "head": (0, -45),
    "spine": (0, -15),
}
_TAKEN = {"heel": "ankle", "big_toe": "ankle", "small_toe": "ankle", "foot": "ankle", "foot_index": "ankle"}


def place_of(joint):
    """Where a joint of any layout is; those that nothing is tested by lie near one that is."""
    side, _, rest = joint.partition("_")
    if joint in _PLACES:
        return _PLACES[joint]
    if side in "lr" and f"{side}_{_TAKEN.get(rest, 'wrist')}" in _PLACES:
        return _PLACES[f"{side}_{_TAKEN.get(rest, 'wrist')}"]
    return _PLACES["nose"]


def person(layout, frames=FRAMES, x=500.0, seed=0):
    """`(F, J, 2)` pixels of somebody who walks to the right, 4 pixels a frame."""
    skeleton = get_skeleton(layout) if isinstance(layout, str) else layout
    places = np.array([place_of(joint) for joint in skeleton.joints], float) * 4
    random = np.random.default_rng(seed)
    sway = random.normal(0, 0.5, (frames, len(places), 2))
    start = np.array([x, 400.0])
    return start + places + sway + np.arange(frames)[:, None, None] * np.array([4.0, 0.0])


def flat(points, scores):
    """x, y, score one after another, as most formats have them."""
    return np.concatenate([points, scores[:, None]], axis=1).ravel().tolist()


def read(path, **options):
    return read_keypoints(path, None, ReadOptions(**options))


def dense(video, number=0):
    """`(F, J, 3)` of one person of a video."""
    return dense_keypoints(video.people[number], video.num_frames)


def write_json(path, content, **options):
    Path(path).write_text(json.dumps(content), **options)
    return path
