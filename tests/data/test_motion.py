import dataclasses

import numpy as np
import pytest

from tf_pose3d.data.activities import ACTIVITIES, ARMS, STANCES
from tf_pose3d.data.human36m import ACTIONS
from tf_pose3d.data.motion import Body, perform
from tf_pose3d.skeleton import get_skeleton

FPS = 50
SKELETON = get_skeleton("h36m_17")
SIDES = ("l", "r")


@pytest.fixture(scope="module", params=[0, 1, 2])
def performances(request):
    """Action -> `(400, 17, 3)` world poses of one person."""
    body = Body.draw(np.random.default_rng(request.param))
    return {
        action: perform(body, ACTIVITIES[action], 400, FPS, np.random.default_rng([request.param, number]))
        for number, action in enumerate(ACTIONS)
    }


def joint(pose, name):
    return pose[:, SKELETON.index(name)]


def limb(pose, side, *names):
    return [joint(pose, f"{side}_{name}") for name in names]


def bone_lengths(pose):
    return np.stack([np.linalg.norm(pose[:, a] - pose[:, b], axis=-1) for a, b in SKELETON.bones], axis=1)


def bend(first, middle, last):
    """Angle in degrees by which a limb departs from straight."""
    one, other = middle - first, last - middle
    cosine = np.sum(one * other, -1) / np.linalg.norm(one, axis=-1) / np.linalg.norm(other, axis=-1)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def forward(pose):
    """Horizontal direction that the pelvis faces."""
    across = (joint(pose, "l_hip") - joint(pose, "r_hip"))[:, :2]
    return np.stack([across[:, 1], -across[:, 0]], -1) / np.linalg.norm(across, axis=-1, keepdims=True)


def test_every_action_has_an_activity_of_known_parts():
    assert tuple(ACTIVITIES) == ACTIONS
    for activity in ACTIVITIES.values():
        assert set(activity.stances) <= set(STANCES)
        assert {name for pair in activity.arms for name in pair} <= set(ARMS)


def test_coordinates_are_finite_and_stay_near_the_origin(performances):
    for pose in performances.values():
        assert pose.shape == (400, 17, 3)
        assert np.isfinite(pose).all()
        assert np.abs(pose[..., :2]).max() < 2


def test_bones_keep_their_lengths_and_are_symmetric(performances):
    mirror = {child: SKELETON.flip_order[child] for _, child in SKELETON.bones}
    lengths = np.concatenate([bone_lengths(pose) for pose in performances.values()])
    np.testing.assert_allclose(lengths, np.broadcast_to(lengths[0], lengths.shape), atol=1e-9)
    by_child = {child: lengths[0, number] for number, (_, child) in enumerate(SKELETON.bones)}
    for child, other in mirror.items():
        assert by_child[child] == pytest.approx(by_child[other], abs=1e-9)


def test_people_differ_within_human_proportions():
    bodies = [Body.draw(np.random.default_rng(seed)) for seed in range(50)]
    for field in dataclasses.fields(Body):
        assert np.std([getattr(body, field.name) for body in bodies]) > 0
    for body in bodies:
        upright = body.ankle + body.leg + body.lower_spine + body.upper_spine + body.neck + body.head
        assert 1.45 < upright < 1.9
        assert 0.9 < body.thigh / body.shin < 1.15
        assert 1.5 < body.leg / body.arm < 1.9


def test_feet_stay_on_the_floor(performances):
    lowest = min(pose[..., 2].min() for pose in performances.values())
    assert 0.05 < lowest < 0.12
    for pose in performances.values():
        ankles = np.stack([joint(pose, "l_ankle"), joint(pose, "r_ankle")])
        assert ankles[..., 2].max() < lowest + 0.15
        # One foot always bears the weight, and does not slip while it does.
        assert (ankles[..., 2].min(axis=0) < lowest + 0.005).all()
        bearing = ankles[:, :-1, 2] < lowest + 1e-6
        slip = np.linalg.norm(np.diff(ankles, axis=1), axis=-1)[bearing & (ankles[:, 1:, 2] < lowest + 1e-6)]
        assert slip.max() < 0.001


def test_knees_bend_forward_only(performances):
    for pose in performances.values():
        for side in SIDES:
            hip, knee, ankle = limb(pose, side, "hip", "knee", "ankle")
            assert bend(hip, knee, ankle).max() < 150
            axis = (ankle - hip) / np.linalg.norm(ankle - hip, axis=-1, keepdims=True)
            aside = (knee - hip) - np.sum((knee - hip) * axis, -1, keepdims=True) * axis
            assert np.sum(aside[:, :2] * forward(pose), -1).min() > 0


def test_elbows_bend_within_their_range(performances):
    for pose in performances.values():
        chest = joint(pose, "neck") - joint(pose, "spine")
        for side, sign in zip(SIDES, (1, -1), strict=True):
            shoulder, elbow, wrist = limb(pose, side, "shoulder", "elbow", "wrist")
            assert bend(shoulder, elbow, wrist).max() < 150
            # The elbow lies behind, below or outside the line from shoulder to wrist, never within all three.
            outward = sign * (joint(pose, "l_shoulder") - joint(pose, "r_shoulder"))
            inward_front_up = [-outward, np.cross(sign * outward, chest), chest]
            aside = elbow - (shoulder + wrist) / 2
            sides = np.stack([np.sum(aside * direction, -1) for direction in inward_front_up])
            assert (sides.min(axis=0) <= 0).all()


def test_speeds_are_human(performances):
    for action, pose in performances.items():
        speed = np.linalg.norm(np.diff(pose, axis=0), axis=-1) * FPS
        assert speed.max() < 8, action
        assert speed.mean() > 0.01, action


def test_people_are_upright(performances):
    poses = np.concatenate(list(performances.values()))
    assert (joint(poses, "head_top")[:, 2] > joint(poses, "neck")[:, 2]).mean() > 0.99
    assert (joint(poses, "neck")[:, 2] > joint(poses, "pelvis")[:, 2] + 0.2).mean() > 0.98


def test_actions_look_like_their_names(performances):
    def pelvis(action):
        return joint(performances[action], "pelvis")

    leg = np.median(pelvis("Directions")[:, 2])
    for action in ("Walking", "WalkDog", "WalkTogether"):
        travelled = np.linalg.norm(np.diff(pelvis(action)[:, :2], axis=0), axis=-1).sum()
        assert 4 < travelled < 14, action
    for action in ("Sitting", "Eating"):
        assert pelvis(action)[:, 2].max() < 0.75 * leg
    assert np.ptp(pelvis("SittingDown")[:, 2]) > 0.1 * leg
    phoning = performances["Phoning"]
    to_head = [
        np.linalg.norm(joint(phoning, f"{side}_wrist") - joint(phoning, "head"), axis=-1) for side in SIDES
    ]
    assert min(np.median(distance) for distance in to_head) < 0.3


def test_arms_swing_against_the_legs():
    body = Body.draw(np.random.default_rng(0))
    pose = perform(body, ACTIVITIES["Walking"], 400, FPS, np.random.default_rng(0))
    ahead = forward(pose)

    def lead(name):
        return np.sum((joint(pose, f"l_{name}") - joint(pose, f"r_{name}"))[:, :2] * ahead, -1)

    assert np.corrcoef(lead("ankle"), lead("wrist"))[0, 1] < -0.5
