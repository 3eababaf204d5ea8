"""Left and right put right by the run of the motion: what is mended, and what is left as it is."""

from __future__ import annotations

import numpy as np
import pytest

import tf_pose3d
from tf_pose3d.camera import project_pixels
from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.metrics import mpjpe
from tf_pose3d.inference.sides import ExchangedSides, find_exchanged_sides, put_sides_right, sides_lines
from tf_pose3d.skeleton import get_skeleton

COCO = get_skeleton("coco_17")
FPS = 30.0


def walker(frames: int = 90, turn: float = 0.0, speed: float = 1.0) -> np.ndarray:
    """`(F, 17, 3)` pixels and confidence of a walker, seen from the side (0) to the front (90 degrees)."""
    phase = 2 * np.pi * np.arange(frames) / FPS * speed
    angle = np.radians(turn)
    points = np.ones((frames, 17, 3), np.float32)

    def put(joint: str, ahead: np.ndarray | float, across: float, up: np.ndarray | float) -> None:
        x = np.cos(angle) * ahead + np.sin(angle) * across
        points[:, COCO.index(joint), 0] = 900 + 200 * x + 2 * np.arange(frames)
        points[:, COCO.index(joint), 1] = 900 - 200 * np.asarray(up)

    for side, sign in (("l", 1.0), ("r", -1.0)):
        swing = sign * np.sin(phase)
        put(f"{side}_hip", 0.02 * swing, 0.12 * sign, 0.9)
        put(f"{side}_knee", 0.2 * swing + 0.03, 0.11 * sign, 0.5)
        put(
            f"{side}_ankle", 0.42 * swing - 0.05, 0.1 * sign, 0.1 + 0.06 * np.maximum(np.cos(phase) * sign, 0)
        )
        put(f"{side}_shoulder", -0.04 * swing, 0.18 * sign, 1.4)
        put(f"{side}_elbow", -0.15 * swing, 0.22 * sign, 1.15)
        put(f"{side}_wrist", -0.32 * swing + 0.08, 0.22 * sign, 0.95)
        put(f"{side}_eye", 0.08, 0.03 * sign, 1.65)
        put(f"{side}_ear", 0.0, 0.07 * sign, 1.62)
    put("nose", 0.11, 0.0, 1.6)
    return points


def exchanged(frames: int, arms: list[range], legs: list[range]) -> ExchangedSides:
    flags = [np.isin(np.arange(frames), [frame for run in runs for frame in run]) for runs in (arms, legs)]
    return ExchangedSides(*flags)


def noisy(points: np.ndarray, pixels: float, seed: int = 0, missing: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    points = points.copy()
    points[..., :2] += pixels * rng.standard_normal(points[..., :2].shape)
    points[rng.random(points.shape[:2]) < missing] = np.nan
    return points


def check(points: np.ndarray, truth: ExchangedSides) -> None:
    spoiled = put_sides_right(points, COCO, truth)
    found = find_exchanged_sides(spoiled, COCO, FPS)
    np.testing.assert_array_equal(found.arms, truth.arms)
    np.testing.assert_array_equal(found.legs, truth.legs)
    np.testing.assert_array_equal(put_sides_right(spoiled, COCO, found), points)


@pytest.mark.parametrize("turn", [0, 45, 90, 200])
@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
def test_walking_legs_that_cross_are_left_alone(turn: float, speed: float) -> None:
    for points in (walker(180, turn, speed), noisy(walker(180, turn, speed), 6, missing=0.1)):
        assert not find_exchanged_sides(points, COCO, FPS).frames.any()


def test_who_turns_round_is_left_alone() -> None:
    points = np.stack([walker(120, turn)[frame] for frame, turn in enumerate(np.linspace(0, 360, 120))])
    assert not find_exchanged_sides(points, COCO, FPS).frames.any()


@pytest.mark.parametrize("length", [1, 2, 5, 15])
def test_runs_of_all_the_body_are_put_right_and_the_face_goes_along(length: int) -> None:
    runs = [range(20, 20 + length), range(60, 60 + length)]
    check(walker(turn=60), exchanged(90, runs, runs))


def test_arms_alone_and_legs_alone() -> None:
    check(walker(turn=60), exchanged(90, [range(10, 14)], [range(40, 52)]))


def test_a_clip_that_begins_and_ends_exchanged() -> None:
    runs = [range(0, 3), range(84, 90)]
    check(walker(turn=60), exchanged(90, runs, runs))


def test_what_most_frames_say_is_right() -> None:
    """A long run is put right, and one of more than half of the clip makes the rest wrong."""
    points = walker(turn=60)
    check(points, exchanged(90, [range(30, 65)], [range(30, 65)]))
    most = exchanged(90, [range(0, 60)], [range(0, 60)])
    found = find_exchanged_sides(put_sides_right(points, COCO, most), COCO, FPS)
    np.testing.assert_array_equal(found.frames, ~most.frames)


def test_noise_and_missing_joints() -> None:
    truth = exchanged(180, [range(30, 40), range(100, 103)], [range(30, 40), range(140, 147)])
    points = noisy(walker(180, 60), 4, missing=0.08)
    spoiled = put_sides_right(points, COCO, truth)
    found = find_exchanged_sides(spoiled, COCO, FPS)
    wrong = (found.arms != truth.arms) | (found.legs != truth.legs)
    assert wrong.sum() <= 2
    assert not (found.frames & ~truth.frames).any()


def test_frames_without_the_person() -> None:
    """Over a few lost frames the sides are known, over many every part is judged by itself."""
    points = walker(turn=60)
    points[[24, 25, 70]] = np.nan
    check(points, exchanged(90, [range(20, 24)], [range(20, 24)]))
    points[40:60] = np.nan
    found = find_exchanged_sides(
        put_sides_right(points, COCO, exchanged(90, [range(60, 90)], [range(60, 90)])), COCO, FPS
    )
    assert not found.frames.any()


def test_joints_of_little_confidence_count_for_nothing() -> None:
    points = walker(turn=60)
    spoiled = put_sides_right(points, COCO, exchanged(90, [range(20, 24)], [range(20, 24)]))
    spoiled[20:24, :, 2] = 0.2
    assert not find_exchanged_sides(spoiled, COCO, FPS).frames.any()
    assert find_exchanged_sides(spoiled, COCO, FPS, min_confidence=0.1).frames.sum() == 4


def test_frames_that_have_nothing_to_do_with_each_other() -> None:
    points = walker(90, 60)[np.random.default_rng(0).permutation(90)]
    assert not find_exchanged_sides(points, COCO, FPS).frames.any()


@pytest.mark.parametrize("frames", [0, 1, 2, 3, 4])
def test_short_clips(frames: int) -> None:
    assert find_exchanged_sides(walker(90, 60)[:frames], COCO, FPS).frames.shape == (frames,)


def test_nobody_and_layouts_without_limbs() -> None:
    assert not find_exchanged_sides(np.full((30, 17, 3), np.nan), COCO, FPS).frames.any()
    face = tf_pose3d.skeleton.make_skeleton("face", ("nose", "l_eye", "r_eye"))
    assert not find_exchanged_sides(np.ones((30, 3, 3)), face, FPS).frames.any()


def test_the_line_says_what_was_done_and_whether_it_is_sure() -> None:
    points = walker()
    assert sides_lines(exchanged(90, [], []), points) == []
    (line,) = sides_lines(exchanged(90, [range(0, 6)], [range(0, 10)]), points)
    assert line == (
        "left and right exchanged back in 10 of 90 frames (of all the body in 6, of the legs in 4)"
    )
    (line,) = sides_lines(exchanged(90, [range(0, 40)], []), points)
    assert line.endswith("(of the arms in 40); which frames had them right is not sure")


@pytest.fixture(scope="module")
def clip():
    return synthetic_sequences(["S9"], frames=48, actions=["WalkTogether"], skeleton="h36m_17")[0]


def test_lifters_put_sides_right_and_say_so(clip) -> None:
    skeleton = get_skeleton("h36m_17")
    points = np.concatenate([project_pixels(clip.pose_3d, clip.camera), np.ones((48, 17, 1))], axis=2)
    run = np.isin(np.arange(48), range(20, 30))
    spoiled = put_sides_right(points, skeleton, ExchangedSides(run, run)).astype(np.float32)
    size = (clip.camera.width, clip.camera.height, clip.fps, "h36m_17")
    mending, keeping = tf_pose3d.load(), tf_pose3d.load(repair_sides=False)
    as_it_was = mending.lift(points.astype(np.float32), *size)
    mended, kept = mending.lift(spoiled, *size), keeping.lift(spoiled, *size)
    np.testing.assert_array_equal(mended.pose_3d, as_it_was.pose_3d)
    assert mpjpe(kept.pose_3d, as_it_was.pose_3d, root=0).mean() > 0.02
    line = "left and right exchanged back in 10 of 48 frames (of all the body in 10)"
    assert line in mended.warnings
    assert not any("exchanged" in said for said in (*kept.warnings, *as_it_was.warnings))
    with pytest.raises(Pose3DError, match="repair_sides is 'yes', expected True, False or None"):
        tf_pose3d.load(repair_sides="yes")
