"""Batches of crops: what the networks are given fits together."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tf_pose3d.data.multiview.batches import SingleImages, ViewGroupImages
from tf_pose3d.data.multiview.crop import IMAGENET_DEVIATION, IMAGENET_MEAN
from tf_pose3d.data.multiview.crop_spec import CropSpec
from tf_pose3d.data.multiview.grouping import make_groups
from tf_pose3d.data.multiview.images import FileImages
from tf_pose3d.data.multiview.synthetic import synthetic_records
from tf_pose3d.errors import Pose3DError

SPEC = CropSpec((96, 96), (24, 24), 1.5)
TURNED = dataclasses.replace(SPEC, rotation_factor=40, scale_factor=0.3)


@pytest.fixture(scope="module")
def records():
    return synthetic_records("S1", frames=8, actions=["Walking", "Sitting"])


def view_groups(records, spec=TURNED, seed=0, pattern=(0, 1, 2, 3)):
    groups = make_groups(records, list(range(len(pattern))), pattern)
    return ViewGroupImages(records, groups, spec, seed)


def only_batch(data, size=3):
    return {name: values.numpy() for name, values in next(iter(data.training_dataset(size))).items()}


def test_shapes_and_types_of_a_group_batch(records):
    batch = only_batch(view_groups(records, pattern=(0, 1, 1)))
    shapes = {name: values.shape for name, values in batch.items()}
    assert shapes == {
        "image": (3, 3, 96, 96, 3),
        "projection": (3, 3, 3, 4),
        "rotation": (3, 3, 3, 3),
        "translation": (3, 3, 3),
        "intrinsics": (3, 3, 4),
        "crop": (3, 3, 2, 3),
        "keypoints_2d": (3, 2, 3, 17, 2),
        "visible": (3, 2, 3, 17),
        "pose_3d": (3, 2, 17, 3),
        "group": (3,),
    }
    floats = {name for name, values in batch.items() if values.dtype == np.float32}
    assert floats == set(shapes) - {"visible", "group"}


def test_projected_poses_fall_on_the_turned_2d_joints(records):
    """With rotation and scale drawn, `projection` takes every 3D joint to its 2D joint."""
    batch = only_batch(view_groups(records))
    homogeneous = np.concatenate([batch["pose_3d"], np.ones((*batch["pose_3d"].shape[:3], 1))], axis=3)
    seen = np.einsum("bvij,btkj->btvki", batch["projection"].astype(np.float64), homogeneous)
    pixels = seen[..., :2] / seen[..., 2:]
    np.testing.assert_allclose(pixels, batch["keypoints_2d"] * 4, atol=0.02)
    # They are the annotated ones, moved by the crop.
    groups = make_groups(records, [0, 1, 2, 3], [0, 1, 2, 3]).shown[batch["group"]]
    for view in range(4):
        crop = batch["crop"][:, view]
        points = np.einsum("bij,bkj->bki", crop[..., :2], records.keypoints_2d[groups[:, view]])
        moved = points + crop[:, None, :, 2]
        np.testing.assert_allclose(batch["keypoints_2d"][:, view, view] * 4, moved, atol=0.02)


def test_the_figure_in_the_crop_lies_under_its_joints(records):
    """The turned image shows something else than the background where the turned joints are."""
    batch = only_batch(view_groups(records))
    deviation = np.array(IMAGENET_DEVIATION)
    pixels = batch["image"] * deviation + np.array(IMAGENET_MEAN)
    on, off = [], []
    rng = np.random.default_rng(0)
    for b in range(3):
        for v in range(4):
            points = np.rint(batch["keypoints_2d"][b, v, v] * 4).astype(int)
            points = points[((points >= 0) & (points < 96)).all(axis=1)]
            colours = pixels[b, v, points[:, 1], points[:, 0]]
            on.append(colours.std(axis=1))
            y, x = rng.integers(0, 96, (2, 17))
            off.append(pixels[b, v, y, x].std(axis=1))
    # Clothes and skin are coloured, floor and wall are grey.
    assert np.concatenate(on).mean() > 3 * np.concatenate(off).mean()


def test_visible_joints_lie_inside_the_crop(records):
    batch = only_batch(view_groups(records, dataclasses.replace(SPEC, scale_factor=0.9)), 4)
    inside = ((batch["keypoints_2d"] >= 0) & (batch["keypoints_2d"] < 24)).all(axis=-1)
    np.testing.assert_array_equal(batch["visible"], inside)
    hidden = records.visible.copy()
    hidden[:, 3] = False
    batch = only_batch(view_groups(dataclasses.replace(records, visible=hidden), SPEC))
    assert not batch["visible"][..., 3].any()
    assert batch["visible"][..., 0].all()


def test_steps_are_a_function_of_seed_and_number(records):
    def steps(data, first):
        dataset = data.training_dataset(2, first, first + 2)
        return [{name: values.numpy() for name, values in batch.items()} for batch in dataset]

    whole, late = steps(view_groups(records), 0), steps(view_groups(records), 1)
    for name in whole[1]:
        np.testing.assert_array_equal(whole[1][name], late[0][name])
    other = steps(view_groups(records, seed=1), 0)
    assert not np.array_equal(whole[0]["crop"], other[0]["crop"])


def test_replicas_share_a_step(records):
    data = view_groups(records, SPEC)
    whole = next(iter(data.training_dataset(4)))["group"].numpy()
    halves = [next(iter(data.training_dataset(4, shards=2, shard_ids=(i,))))["group"].numpy() for i in (0, 1)]
    np.testing.assert_array_equal(np.concatenate(halves), whole)
    with pytest.raises(Pose3DError, match="not a multiple of 3 replicas"):
        data.training_dataset(4, shards=3)


def test_ordered_batches_hold_each_entry_once(records):
    data = view_groups(records)
    numbers = np.concatenate([batch["group"].numpy() for batch in data.ordered_batches(3)])
    np.testing.assert_array_equal(numbers, np.arange(len(data)))
    assert sum(len(batch["group"]) for batch in data.ordered_batches(3, 2)) == 2


def test_single_images_come_with_their_heat_maps(records):
    joints = (*records.joints, "mpii_thorax")
    data = SingleImages(records.with_joints(joints), TURNED, rows=np.arange(0, 64, 2))
    assert len(data) == 32
    batch = only_batch(data, 6)
    assert batch["image"].shape == (6, 96, 96, 3)
    assert batch["heatmaps"].shape == (6, 24, 24, 18)
    assert (batch["record"] % 2 == 0).all()
    assert (batch["weights"][:, -1] == 0).all()
    seen = batch["weights"] > 0
    peak = batch["heatmaps"].reshape(6, -1, 18).argmax(axis=1)
    found = np.stack([peak % 24, peak // 24], axis=-1)
    distance = np.abs(found - batch["keypoints_2d"]).max(axis=-1)
    # A joint between the last pixel and the border has its peak's pixel just outside.
    inner = seen & (batch["keypoints_2d"] < 23).all(axis=-1)
    assert (distance[inner] <= 0.5 + 1e-4).all()


def test_an_unreadable_image_is_named(records, tmp_path):
    path = tmp_path / "damaged.jpg"
    path.write_bytes(tf.io.encode_jpeg(np.zeros((64, 64, 3), np.uint8)).numpy()[:200])
    data = SingleImages(dataclasses.replace(records, images=FileImages([path] * len(records))), SPEC)
    with pytest.raises(tf.errors.OpError):
        next(iter(data.training_dataset(2)))
    assert isinstance(data.failure, Pose3DError)
    assert "damaged.jpg" in str(data.failure)


def test_a_camera_without_intrinsics_is_named(records):
    unknown = dataclasses.replace(records, camera=np.where(records.view == 2, -1, records.camera))
    with pytest.raises(Pose3DError, match="camera 2 of S1 has no intrinsics"):
        view_groups(unknown)


def test_images_of_other_sizes_make_one_batch(records, tmp_path):
    paths = []
    for number in range(len(records)):
        size = (60 + number % 3, 80)
        paths.append(tmp_path / f"{number}.png")
        paths[-1].write_bytes(tf.io.encode_png(np.full((*size, 3), 90, np.uint8)).numpy())
    data = SingleImages(dataclasses.replace(records, images=FileImages(paths)), SPEC)
    assert only_batch(data, 4)["image"].shape == (4, 96, 96, 3)
