"""2D and 3D poses that are not of one another are told by projecting one onto the other."""

import dataclasses

import numpy as np
import pytest

from tf_pose3d.camera import camera_to_world, normalize_screen_coordinates
from tf_pose3d.data.agreement import check_agreement, check_unit
from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.errors import Pose3DError

CAMERAS = 4


@pytest.fixture(scope="module")
def sequences():
    """Two recordings of one person in four cameras, by recording and camera."""
    found = synthetic_sequences(["S9"], frames=60, actions=["Walking", "Sitting"], skeleton="h36m_17")
    assert [one.camera.id for one in found[:CAMERAS]] == [one.camera.id for one in found[CAMERAS:8]]
    return found


@pytest.fixture(scope="module")
def without_lens(sequences):
    """The same, as HumanEva's: cameras of which only the place is known."""
    cameras = {}
    for one in sequences:
        facts = dict.fromkeys(("focal_length", "center", "radial", "tangential"))
        cameras.setdefault(one.camera.id, dataclasses.replace(one.camera, **facts))
    return [dataclasses.replace(one, camera=cameras[one.camera.id]) for one in sequences]


def noisy(sequence, pixels=8.0):
    random = np.random.default_rng(0)
    noise = random.normal(0, pixels, sequence.pose_2d.shape).astype(np.float32)
    return dataclasses.replace(sequence, pose_2d=sequence.pose_2d + noise)


def in_order(sequences, order):
    """The 2D poses of each recording's cameras in another order."""
    return [
        dataclasses.replace(
            one, pose_2d=sequences[number // CAMERAS * CAMERAS + order[number % CAMERAS]].pose_2d
        )
        for number, one in enumerate(sequences)
    ]


def scaled(sequence, factor):
    """With the world in another unit."""
    camera = sequence.camera
    world = camera_to_world(sequence.pose_3d, camera.orientation, camera.translation)
    return dataclasses.replace(sequence, pose_3d=camera.from_world(world * np.float32(factor)))


def test_sound_data_pass_silently(sequences, without_lens):
    said = []
    for held in (
        sequences,
        without_lens,
        [noisy(one) for one in sequences],
        [noisy(one) for one in without_lens],
    ):
        check_agreement(held, "x.npz", said.append)
    assert said == []


@pytest.mark.parametrize(
    ("factor", "unit"),
    [(1000, "millimetres"), (100, "centimetres"), (39.37, "inches"), (0.001, "metres")],
)
def test_other_units(sequences, factor, unit):
    with pytest.raises(
        Pose3DError,
        match=rf"^x.npz: the 3D poses' bones are .* as {unit} instead of .*metres; expected the unit",
    ):
        check_agreement([scaled(one, factor) for one in sequences], "x.npz")


def test_odd_bones_are_said(sequences):
    said = []
    check_unit([scaled(one, 3.281) for one in sequences], "x.npz", said.append)
    check_unit([dataclasses.replace(one, pose_3d=0 * one.pose_3d) for one in sequences], "x.npz", said.append)
    assert "times as long as an adult's: what unit is it?" in said[0]
    assert said[1] == "x.npz: the 3D poses' bones are 0 times as long as an adult's: what unit is it?"


@pytest.mark.parametrize(("axes", "signs"), [((0, 2, 1), (1, 1, -1)), ((0, 1, 2), (1, -1, -1))])
def test_a_world_that_is_not_z_up(sequences, axes, signs):
    world = []
    for one in sequences:
        points = camera_to_world(one.pose_3d, one.camera.orientation, one.camera.translation)
        world.append(dataclasses.replace(one, pose_2d=None, camera=None, world_frame=True, pose_3d=points))
    check_agreement(world, "CMU.npz")
    turned = [
        dataclasses.replace(one, pose_3d=one.pose_3d[..., list(axes)] * np.array(signs, np.float32))
        for one in world
    ]
    with pytest.raises(Pose3DError, match=r"^CMU.npz: people stand along -?[xyz], expected z up"):
        check_agreement(turned, "CMU.npz")


def test_normalised_2d(sequences):
    flat = [
        dataclasses.replace(
            one, pose_2d=normalize_screen_coordinates(one.pose_2d, one.camera.width, one.camera.height)
        )
        for one in sequences
    ]
    with pytest.raises(
        Pose3DError, match=r"x.npz: S9: all 2D .* expected pixels of an image of .*normalised"
    ):
        check_agreement(flat, "x.npz")


@pytest.mark.parametrize("order", [(1, 0, 2, 3), (0, 1, 3, 2), (1, 2, 3, 0), (3, 2, 1, 0)])
def test_another_order_of_cameras(sequences, without_lens, order):
    for held in (sequences, without_lens):
        with pytest.raises(
            Pose3DError, match=r"the 2D poses of camera \d+ are those of camera \d+ .*another order"
        ):
            check_agreement(in_order([noisy(one) for one in held], order), "x.npz")


def test_another_image_size(sequences):
    half = [dataclasses.replace(one, pose_2d=one.pose_2d / 2) for one in sequences]
    with pytest.raises(Pose3DError, match=r"divided by 0\.\d+ and moved: are they of another image size"):
        check_agreement(half, "x.npz")


def test_sides_exchanged(sequences):
    order = list(sequences[0].skeleton.flip_order)
    flipped = [dataclasses.replace(one, pose_2d=one.pose_2d[:, order]) for one in sequences]
    with pytest.raises(Pose3DError, match="only with left and right exchanged"):
        check_agreement(flipped, "x.npz")


def test_what_nothing_explains_is_said(sequences):
    random = np.random.default_rng(0)
    made_up = [
        dataclasses.replace(one, pose_2d=random.uniform(200, 800, one.pose_2d.shape).astype(np.float32))
        for one in sequences
    ]
    said = []
    check_agreement(made_up, "x.npz", said.append)
    assert len(said) == 1
    assert said[0].startswith("x.npz: S9: 2D and 3D poses do not agree")


def test_what_cannot_be_projected_is_passed_over(sequences):
    bare = [dataclasses.replace(one, pose_2d=None) for one in sequences]
    bare += [dataclasses.replace(one, pose_3d=one.pose_3d - one.pose_3d[:, :1]) for one in sequences]
    check_agreement(
        [*bare, dataclasses.replace(sequences[0], pose_3d=None)], "x.npz", lambda line: pytest.fail(line)
    )
