"""Training views of motion: geometry that holds, errors that are drawn as configured, steps that repeat."""

from __future__ import annotations

import numpy as np
import pytest

from tf_pose3d.data.motion_clips import MotionClips
from tf_pose3d.data.motion_views import (
    DETECTOR_JOINTS,
    DETECTOR_SKELETON,
    MotionViewConfig,
    MotionViews,
    look_at_person,
)
from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import get_skeleton

BODY = get_skeleton("h36m_17")
PLAIN = {
    "NOISE": False,
    "FOCAL_EXACT": 1.0,
    "DETECTOR_OFFSET": 0.0,
    "NOSE_AT_HEAD": 1.0,
    "BODY_SCALE": 0.0,
    "LIMB_SCALE": 0.0,
    "MIX_BODIES": 0.0,
}


# x to the person's right, y ahead, z up; the left side is the mirror image.
PERSON = {
    "pelvis": (0, 0, 0.9),
    "r_hip": (0.1, 0, 0.9),
    "r_knee": (0.1, 0.02, 0.5),
    "r_ankle": (0.1, 0, 0.1),
    "spine": (0, 0, 1.1),
    "neck": (0, 0, 1.35),
    "head": (0, 0.05, 1.5),
    "head_top": (0, 0, 1.65),
    "r_shoulder": (0.18, 0, 1.4),
    "r_elbow": (0.2, 0, 1.1),
    "r_wrist": (0.22, 0.1, 0.85),
}


def clips() -> MotionClips:
    mirror = {f"l_{joint[2:]}": (-x, y, z) for joint, (x, y, z) in PERSON.items() if joint[:2] == "r_"}
    pose = np.array([{**PERSON, **mirror}[joint] for joint in BODY.joints], np.float32)
    sway = 0.05 * np.sin(np.arange(40) / 3)[:, None, None] * np.array([0, 1, 0])
    tall = (pose + sway).astype(np.float32)
    names = np.array(["a", "b"])
    motion = np.concatenate([tall, 0.9 * tall])
    return MotionClips(motion, np.array([0, 40, 80]), names, names, names, np.ones(2, np.float32))


def batch(size: int = 256, step: int = 0, **keys: object) -> dict[str, np.ndarray]:
    config = MotionViewConfig.from_dict({"ARCH": "x", **keys})
    return MotionViews(clips(), config).batch(size, step)


@pytest.mark.parametrize("frames", [1, 9])
def test_steps_repeat_and_differ(frames: int) -> None:
    first, again, other = (batch(64, step, CLIP_FRAMES=frames) for step in (3, 3, 4))
    for name, values in first.items():
        assert np.isfinite(values).all()
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, again[name])
    assert first["keypoints_2d"].shape == (64, frames, 13, 3)
    assert first["pose_3d"].shape == (64, frames, 17, 3)
    assert not np.array_equal(first["pose_3d"], other["pose_3d"])


def test_exact_views_are_projections_of_the_target() -> None:
    views = batch(**PLAIN, CLIP_FRAMES=3)
    joints = [BODY.index("head" if joint == "nose" else joint) for joint in DETECTOR_JOINTS]
    seen = views["pose_3d"][:, :, joints]
    np.testing.assert_allclose(views["keypoints_2d"][..., :2], seen[..., :2] / seen[..., 2:], atol=2e-5)
    assert (views["keypoints_2d"][..., 2] == 1).all()
    # Bones keep their length through cameras, mirrors and time.
    thigh = np.linalg.norm(seen[:, :, DETECTOR_JOINTS.index("l_hip")] - seen[:, :, 9], axis=-1)
    assert np.abs(thigh[..., None] - np.array([0.4005, 0.3605])).min(axis=-1).max() < 1e-3


def test_cameras_keep_within_their_keys() -> None:
    views = batch(
        2048, **PLAIN, TILTED=0.0, TILT_SPREAD=0.0, OFF_AXIS=0.0, DISTANCE_MIN=3.0, DISTANCE_MAX=6.0
    )
    root = views["pose_3d"][:, 0, BODY.root]
    assert 2.99 < root[:, 2].min() < 3.1
    assert 5.8 < root[:, 2].max() < 6.01
    np.testing.assert_allclose(root[:, :2], 0, atol=1e-5)
    up = views["pose_3d"][:, 0, BODY.index("neck")] - root
    pitch = np.degrees(np.arcsin(-up[:, 2] / np.linalg.norm(up, axis=1)))
    assert pitch.min() > -15.1
    assert pitch.max() < 65.1
    assert np.percentile(pitch, 75) > 10
    assert (up[:, 1] < 0).mean() > 0.99


def test_camera_that_looks_down_sees_heads_nearer() -> None:
    turn = look_at_person(np.zeros(1), np.radians(np.array([30.0])), np.zeros(1))[0]
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-6)
    assert np.linalg.det(turn) == pytest.approx(1)
    np.testing.assert_allclose(turn @ [0, 0, 1], [0, -np.cos(np.pi / 6), -0.5], atol=1e-6)


def test_noise_is_as_large_as_configured_and_lowers_confidence() -> None:
    keys = PLAIN | {"NOISE": True, "NOISE_FREE": 0.0, "OUTLIERS": 0.0, "SWAPS": 0.0, "MISSED": 0.0}
    keys |= {"LEGS_UNSEEN": 0.0, "LIMB_UNSEEN": 0.0, "CONFIDENCE_CERTAIN": 0.0}
    exact = batch(4096, **{**keys, "NOISE": False})["keypoints_2d"]
    spread = np.sqrt(exact[..., :2].var(axis=2).sum(axis=-1))[..., None]
    for scale in (0.01, 0.04):
        noisy = batch(4096, **keys, NOISE_MIN=scale, NOISE_MAX=scale)["keypoints_2d"]
        moved = (noisy - exact)[..., :2] / spread[..., None]
        # A root mean square over x and y; half of Student's |t| lies below 0.76, a sum of two a bit higher.
        assert 0.7 < np.median(np.abs(moved)) / scale < 1.3
        error = np.linalg.norm(moved, axis=-1)
        assert np.corrcoef(error.ravel(), noisy[..., 2].ravel())[0, 1] < -0.15


def test_unseen_joints_hold_nothing_and_four_are_left() -> None:
    views = batch(4096, MISSED=0.5, LEGS_UNSEEN=1.0, LIMB_UNSEEN=0.3, MIX_BODIES=0.0)["keypoints_2d"]
    unseen = views[..., 2] == 0
    assert (views[unseen] == 0).all()
    assert (~unseen).sum(axis=2).min() >= 4
    ankles = [DETECTOR_JOINTS.index(f"{side}_ankle") for side in "lr"]
    assert unseen[..., ankles].mean() > 0.8


def test_keys_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(Pose3DError, match="PITCH_MIN is above PITCH_MAX"):
        MotionViewConfig.from_dict({"ARCH": "x", "PITCH_MIN": 70.0})
    with pytest.raises(Pose3DError, match="together exceed 1"):
        MotionViewConfig.from_dict({"ARCH": "x", "NOISE_DRIFT": 0.5})


def test_exchanged_sides_come_in_runs_with_confidences_as_they_were() -> None:
    keys = {"CLIP_FRAMES": 24, "NOISE_FREE": 1.0, "MISSED": 0.0, "DROPPED": 0.0}
    keys |= {"LEGS_UNSEEN": 0.0, "LIMB_UNSEEN": 0.0, "CONFIDENCE_CERTAIN": 0.0}
    right, swapped = batch(512, **keys, SWAPS=0.0), batch(512, **keys, SWAPS=1.0)
    before, after = right["keypoints_2d"], swapped["keypoints_2d"]
    flipped = before[:, :, list(DETECTOR_SKELETON.flip_order)]
    nose = DETECTOR_JOINTS.index("nose")
    np.testing.assert_array_equal(after[:, :, nose], before[:, :, nose])
    limbs = [DETECTOR_JOINTS.index(f"{side}_{joint}") for side in "lr" for joint in ("wrist", "ankle")]
    turned = (after == flipped)[:, :, limbs].all(axis=3) & (after != before)[:, :, limbs].any(axis=3)
    assert ((after == before)[:, :, limbs].all(axis=3) | turned).all()
    frames = turned.any(axis=2).sum(axis=1)
    assert (frames >= 1).all()
    assert (frames <= 12).all()
    assert frames.max() > 6
    arms, legs = turned[:, :, [0, 2]].any(axis=(1, 2)), turned[:, :, [1, 3]].any(axis=(1, 2))
    assert 0.4 < (arms & legs).mean() < 0.6
    assert (arms & ~legs).mean() > 0.15


def test_all_legs_are_hidden_only_of_whole_people() -> None:
    keys = {"CLIP_FRAMES": 1, "MISSED": 0.0, "LIMB_UNSEEN": 0.0, "LEGS_UNSEEN": 1.0}
    ankles = [DETECTOR_JOINTS.index(f"{side}_ankle") for side in "lr"]
    for mixed in (0.0, 0.25, 1.0):
        hidden = (batch(400, **keys, MIX_BODIES=mixed)["keypoints_2d"][..., ankles, 2] == 0).mean()
        assert hidden == pytest.approx(1 - mixed)
