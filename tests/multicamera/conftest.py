"""Made-up rigs and people with exact truth, and an excerpt of Pose2Sim's demo."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tf_pose3d.data.calibration.record import CalibratedCamera
from tf_pose3d.multicamera.rig import Rig, make_rig
from tf_pose3d.skeleton import Skeleton, get_skeleton

SKELETON = get_skeleton("halpe_26")
# Metres of someone who stands upright, looks along x and has their left at +y.
STANDING = {
    "nose": (0.10, 0, 1.60), "l_eye": (0.08, 0.03, 1.64), "l_ear": (0, 0.075, 1.62),
    "l_shoulder": (0, 0.18, 1.42), "l_elbow": (0, 0.22, 1.14), "l_wrist": (0.05, 0.23, 0.9),
    "l_hip": (0, 0.1, 0.95), "l_knee": (0, 0.1, 0.51), "l_ankle": (0, 0.1, 0.09),
    "head_top": (0, 0, 1.75), "neck": (0, 0, 1.44), "pelvis": (0, 0, 0.96),
    "l_big_toe": (0.2, 0.09, 0.03), "l_small_toe": (0.17, 0.15, 0.03), "l_heel": (-0.06, 0.1, 0.04),
}  # fmt: skip


def _place(joint: str) -> tuple[float, float, float]:
    if joint in STANDING:
        return STANDING[joint]
    x, y, z = STANDING["l_" + joint[2:]]
    return x, -y, z


def _turn(axis: str, angle: np.ndarray) -> np.ndarray:
    cosine, sine, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    if axis == "y":
        rows = [[cosine, zero, sine], [zero, one, zero], [-sine, zero, cosine]]
    else:
        rows = [[cosine, -sine, zero], [sine, cosine, zero], [zero, zero, one]]
    return np.moveaxis(np.array(rows), -1, 0)


def _walk(frames: int, path: Callable[[np.ndarray], np.ndarray], size: float, phase: float) -> np.ndarray:
    """`(F, 26, 3)` of someone who walks along a path at 60 frames per second."""
    time = np.arange(frames) / 60
    way = path(time)
    speed = np.gradient(way, 1 / 60, axis=0)
    pose = np.repeat(np.array([_place(joint) for joint in SKELETON.joints])[None] * size, frames, axis=0)
    step = 2 * np.pi * 0.9 * time + phase

    def swing(joints: list[str], pivot: str, angle: np.ndarray) -> None:
        columns = [SKELETON.index(joint) for joint in joints]
        centre = pose[:, SKELETON.index(pivot)][:, None]
        pose[:, columns] = np.einsum("fij,fkj->fki", _turn("y", angle), pose[:, columns] - centre) + centre

    for side, sign in (("l", 1), ("r", -1)):
        foot = [f"{side}_{joint}" for joint in ("ankle", "big_toe", "small_toe", "heel")]
        swing(foot, f"{side}_knee", 0.45 * (1 + np.sin(step + sign * np.pi / 2 + 0.8)))
        swing([f"{side}_knee", *foot], f"{side}_hip", -0.5 * np.sin(step + sign * np.pi / 2))
        swing([f"{side}_wrist"], f"{side}_elbow", -0.3 - 0.25 * (1 + np.sin(step - sign * np.pi / 2)))
        swing([f"{side}_elbow", f"{side}_wrist"], f"{side}_shoulder", -0.5 * np.sin(step - sign * np.pi / 2))
    heading = np.unwrap(np.arctan2(speed[:, 1], speed[:, 0]))
    pose = np.einsum("fij,fkj->fki", _turn("z", heading), pose)
    pose[..., :2] += way[:, None]
    pose[..., 2] += 0.02 * np.sin(2 * step)[:, None]
    return pose


def _round(time: np.ndarray) -> np.ndarray:
    return np.stack([1.1 * np.cos(0.5 * time), 0.9 * np.sin(0.5 * time)], axis=-1)


def _across(time: np.ndarray) -> np.ndarray:
    return np.stack([-1.3 + 0.42 * time, 0.25 * np.sin(1.1 * time) - 0.1], axis=-1)


@dataclasses.dataclass
class Scenes:
    """What tests make scenes with."""

    skeleton: Skeleton = dataclasses.field(default_factory=lambda: SKELETON)

    def rig(self, views: int = 4, k1: float = -0.05, radius: float = 4.2) -> Rig:
        """Cameras in a ring that look at its middle, named cam01, cam02 and so on."""
        cameras = []
        for number in range(views):
            angle = 2 * np.pi * number / views + 0.3
            centre = np.array([radius * np.cos(angle), radius * np.sin(angle), 1.9 + 0.2 * (number % 3)])
            forward = np.array([0, 0, 0.95]) - centre
            forward /= np.linalg.norm(forward)
            right = np.cross(forward, [0, 0, 1.0])
            right /= np.linalg.norm(right)
            rotation = np.stack([right, np.cross(forward, right), forward])
            cameras.append(
                CalibratedCamera(
                    name=f"cam{number + 1:02d}",
                    size=(1920, 1080),
                    matrix=np.array([[1500.0, 0, 960], [0, 1500, 540], [0, 0, 1]]),
                    distortion=np.array([k1, 0.1, 0.001, 0.0005, 0]),
                    rotation=rotation,
                    translation=-rotation @ centre,
                )
            )
        return make_rig(cameras)

    def walker(self, frames: int, which: int = 0) -> np.ndarray:
        """`(F, 26, 3)` metres, z up: one of two people."""
        return _walk(frames, _round, 1.03, 0.0) if which == 0 else _walk(frames, _across, 0.94, 1.0)

    def seen(
        self, rig: Rig, poses: np.ndarray, seed: int = 0, sigma: float = 3.0, missed: float = 0.06
    ) -> np.ndarray:
        """`(V, F, J, 3)` float32 keypoints with noise, some missing."""
        rng = np.random.default_rng(seed)
        pixels = rig.images(poses) + rng.normal(size=(len(rig), *poses.shape[:2], 2)) * sigma
        confidence = np.clip(rng.normal(0.85, 0.1, pixels.shape[:-1]), 0.35, 1)
        keypoints = np.concatenate([pixels, confidence[..., None]], axis=-1)
        keypoints[rng.random(pixels.shape[:-1]) < missed] = np.nan
        return keypoints.astype(np.float32)

    def write(self, folder: Path, people: list[np.ndarray], rig: Rig) -> list[str]:
        """OpenPose folders cam01_json, ... of `(V, F, J, 3)` keypoints of each person; their paths."""
        paths = []
        for view, name in enumerate(rig.names):
            place = folder / f"{name}_json"
            place.mkdir(parents=True)
            paths.append(str(place))
            for frame in range(people[0].shape[1]):
                listed = []
                for person in people:
                    points = np.nan_to_num(person[view, frame].astype(float))
                    if points[:, 2].any():
                        flat = points.round(3).reshape(-1).tolist()
                        listed.append({"person_id": [-1], "pose_keypoints_2d": flat})
                text = json.dumps({"version": 1.3, "people": listed})
                (place / f"{name}_{frame:06d}.json").write_text(text)
        return paths


@pytest.fixture(scope="session")
def scenes() -> Scenes:
    """Rigs, people and keypoints."""
    return Scenes()


@dataclasses.dataclass
class Demo:
    """Frames 36 to 49 of Pose2Sim's demo (BSD-3-Clause): four telephones, one man.

    Attributes:
        keypoints: `(4, 14, 26, 3)` float32.
        calibration: Text of Pose2Sim's TOML.
        trc: `(14, 22, 3)` what Pose2Sim 0.10.49 makes of the whole clip, metres, y up.
        first: Number of the first frame.
    """

    keypoints: np.ndarray
    calibration: str
    trc: np.ndarray
    first: int


@pytest.fixture(scope="session")
def demo(golden: Path) -> Demo:
    """The excerpt, whose numbers are kept as steps from frame to frame."""
    with np.load(golden / "multicamera" / "demo.npz") as file:
        steps = np.moveaxis(file["steps"], 0, -1)
        whole = np.concatenate([file["start"][:, None], steps], axis=1).cumsum(axis=1)
        keypoints = (whole / [100, 100, 1000]).astype(np.float32)
        keypoints[keypoints[..., 2] == 0] = np.nan
        trc = np.concatenate([file["trc_start"][None], file["trc_steps"]]).cumsum(axis=0) / 1e6
        return Demo(keypoints, file["calibration"].item().decode(), trc, int(file["first"]))
