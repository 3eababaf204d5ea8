"""A person who walks, and cameras round them."""

from __future__ import annotations

import numpy as np
import pytest

from tf_pose3d.data.calibration.record import camera_from_vectors
from tf_pose3d.skeleton import get_skeleton

SKELETON = get_skeleton("coco_17")


def walker(seconds, fps, stature=1.78, area=(2.5, 2.0)):
    """`(F, 17, 3)` metres, z up: a person on a path that crosses itself, with limbs of Winter's lengths."""
    time = np.arange(int(seconds * fps)) / fps
    turn = 2 * np.pi / 20 * time
    place = np.stack([area[0] * np.cos(turn), area[1] * np.sin(1.7 * turn), 0 * turn], -1)
    heading = np.arctan2(*np.gradient(place[:, :2], axis=0).T[::-1])
    zero, one = 0 * heading, 0 * heading + 1
    ahead = np.stack([np.cos(heading), np.sin(heading), zero], -1)
    left = np.stack([-np.sin(heading), np.cos(heading), zero], -1)
    up = np.stack([zero, zero, one], -1)
    phase = 2 * np.pi * 0.9 * time

    def limb(angle, length):
        return (ahead * np.sin(angle)[:, None] - up * np.cos(angle)[:, None]) * length * stature

    joints = {}
    hips = place + up * 0.53 * stature
    shoulders = hips + (up * 0.288 + ahead * 0.02) * stature
    head = shoulders + (up * 0.1 + ahead * 0.04) * stature
    joints["nose"] = head + ahead * 0.05
    for side, sign, shift in (("l", 1, 0), ("r", -1, np.pi)):
        swing = phase + shift
        thigh, bend = 0.45 * np.sin(swing), 0.5 * np.clip(np.sin(swing - 1.2), 0, 1) + 0.05
        joints[f"{side}_hip"] = hips + left * sign * 0.0955 * stature
        joints[f"{side}_knee"] = joints[f"{side}_hip"] + limb(thigh, 0.245)
        joints[f"{side}_ankle"] = joints[f"{side}_knee"] + limb(thigh - bend, 0.246)
        joints[f"{side}_shoulder"] = shoulders + left * sign * 0.129 * stature
        arm = -0.5 * np.sin(swing)
        joints[f"{side}_elbow"] = joints[f"{side}_shoulder"] + limb(arm, 0.186)
        joints[f"{side}_wrist"] = joints[f"{side}_elbow"] + limb(arm + 0.4 + 0.2 * np.sin(swing), 0.146)
        joints[f"{side}_eye"] = head + left * sign * 0.03 + up * 0.03 + ahead * 0.04
        joints[f"{side}_ear"] = head + left * sign * 0.07
    poses = np.stack([joints[name] for name in SKELETON.joints], axis=1)
    # The lower ankle stands.
    ankles = [SKELETON.index("l_ankle"), SKELETON.index("r_ankle")]
    poses[..., 2] += 0.039 * stature - poses[:, ankles, 2].min(axis=1, keepdims=True)
    return poses


def looking(name, place, target, focal=1200.0, size=(1920, 1080), lens=(0.0,) * 5, roll=0.0, fisheye=False):
    """A camera at a place that looks at a point."""
    place, target = np.array(place, float), np.array(target, float)
    forward = (target - place) / np.linalg.norm(target - place)
    right = np.cross(forward, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    rows = np.stack([right, np.cross(forward, right), forward])
    turn = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    rotation = turn @ rows
    matrix = [[focal, 0, size[0] / 2 - 8], [0, focal * 1.001, size[1] / 2 + 5], [0, 0, 1]]
    return camera_from_vectors(name, size, matrix, lens, rotation, -rotation @ place, fisheye)


@pytest.fixture(scope="session")
def rig():
    """Four cameras round a room of five by four metres; one portrait, one on its side, mild lenses."""
    return [
        looking("a", (5.5, 4.5, 2.2), (0, 0, 0.9), 1250, lens=(-0.08, 0.05, 0.0005, -0.0004, 0)),
        looking("b", (-5.0, 4.8, 1.6), (0, 0, 1.0), 1400, (1088, 1920), (-0.05, 0.03, 0, 0.0006, 0)),
        looking("c", (-5.6, -4.0, 2.6), (0.2, 0, 0.9), 1100, lens=(0.04, -0.02, 0.0003, 0, 0), roll=1.5),
        looking("d", (5.2, -5.0, 1.2), (0, 0.1, 1.0), 1300, lens=(-0.02, 0, 0, 0, 0)),
    ]


def seen(cameras, poses, noise, misses, draws):
    """`(C, F, J, 3)` keypoints as a detector gives them: noise in pixels, a share missing."""
    table = []
    for camera in cameras:
        pixels = camera.project(poses)
        there = np.isfinite(pixels).all(axis=-1) & (draws.random(pixels.shape[:-1]) >= misses)
        there &= (pixels >= 0).all(axis=-1) & (pixels < camera.size).all(axis=-1)
        pixels = pixels + draws.normal(0, noise, pixels.shape)
        table.append(np.concatenate([np.where(there[..., None], pixels, 0), 0.9 * there[..., None]], -1))
    return np.array(table)


def differences(cameras, truth):
    """Worst angle between two cameras' relative rotations in degrees, worst relative distance after scale."""
    centres, places = (np.array([camera.centre for camera in held]) for held in (cameras, truth))
    one, two = np.triu_indices(len(truth), 1)
    found = np.linalg.norm(centres[one] - centres[two], axis=1)
    right = np.linalg.norm(places[one] - places[two], axis=1)
    angles = []
    for i, j in zip(one, two, strict=True):
        turn = cameras[i].rotation @ cameras[j].rotation.T @ truth[j].rotation @ truth[i].rotation.T
        angles.append(np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1))))
    ratio = found / right
    return max(angles), np.abs(ratio / np.median(ratio) - 1).max(), float(np.median(ratio))
