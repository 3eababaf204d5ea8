"""Crops: points, cameras and pixels go the same way."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tf_pose3d.data.multiview.crop import (
    IMAGENET_DEVIATION,
    IMAGENET_MEAN,
    apply_affine,
    crop_matrices,
    draw_augmentation,
    invert_affine,
    normalize_pixels,
    projection_matrices,
    warp,
)

SIZE = (96, 64)


def draw_crops(count=5, seed=0):
    rng = np.random.default_rng(seed)
    centre = rng.uniform(50, 150, (count, 2)).astype(np.float32)
    width = rng.uniform(60, 120, count).astype(np.float32)
    rotation = rng.uniform(-60, 60, count).astype(np.float32)
    return centre, width, rotation, crop_matrices(centre, width, rotation, SIZE)


def test_a_crop_puts_the_box_into_the_middle_and_its_width_across():
    centre, width = np.float32([[100, 80]]), np.float32([50])
    crop = crop_matrices(centre, width, np.float32([0]), SIZE)
    points = np.float32([[[100, 80], [75, 80], [125, 80]]])
    np.testing.assert_allclose(apply_affine(crop, points)[0], [[48, 32], [0, 32], [96, 32]], atol=1e-4)


def test_a_turned_crop_puts_what_was_above_the_turned_way_up():
    # The release: the point half a width from the middle, in the direction of the top turned by the
    # rotation, goes to the middle of the upper border of a square input.
    centre, width, angle = np.float32([[100, 80]]), np.float32([50]), np.float32([30])
    crop = crop_matrices(centre, width, angle, (64, 64))
    top = np.array([25 * np.sin(np.pi / 6), -25 * np.cos(np.pi / 6)]) + centre[0]
    np.testing.assert_allclose(apply_affine(crop, np.float32([[top]]))[0, 0], [32, 0], atol=1e-4)


def test_the_inverse_takes_points_back():
    *_, crops = draw_crops()
    points = np.random.default_rng(1).uniform(0, 200, (5, 7, 2)).astype(np.float32)
    back = apply_affine(invert_affine(crops), apply_affine(crops, points))
    np.testing.assert_allclose(back, points, atol=1e-3)


def test_pixels_move_as_points_do():
    """A bright spot lies after the warp where the crop takes its coordinates."""
    *_, crops = draw_crops(8, seed=3)
    inverse = invert_affine(crops)
    wanted = np.random.default_rng(4).uniform(20, 44, (8, 1, 2)).astype(np.float32)
    place = np.asarray(apply_affine(inverse, wanted))[:, 0]
    y, x = np.mgrid[:200, :200]
    distance = (x[None] - place[:, :1, None]) ** 2 + (y[None] - place[:, 1:, None]) ** 2
    images = np.repeat(255 * np.exp(-distance / 18)[..., None], 3, axis=3)
    seen = warp(images, crops, SIZE).numpy()[..., 0]
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    weight = seen.sum(axis=(1, 2))
    found = np.stack([(seen * x).sum(axis=(1, 2)), (seen * y).sum(axis=(1, 2))], axis=1) / weight[:, None]
    np.testing.assert_allclose(found, wanted[:, 0], atol=0.05)


def test_what_lies_outside_the_image_is_black():
    crop = crop_matrices(np.float32([[0, 0]]), np.float32([64]), np.float32([0]), (64, 64))
    seen = warp(np.full((1, 32, 32, 3), 200, np.uint8), crop, (64, 64)).numpy()[0]
    assert (seen[:31] == 0).all()
    assert (seen[33:60, 33:60] == 200).all()


def test_projection_is_the_crop_after_the_camera():
    rng = np.random.default_rng(0)
    *_, crops = draw_crops(4)
    rotation = np.linalg.qr(rng.normal(size=(4, 3, 3)))[0].astype(np.float32)
    centre = rng.normal(0, 3000, (4, 3)).astype(np.float32)
    intrinsics = np.float32([[1100, 1150, 500, 510]] * 4)
    seen = rng.normal([0, 0, 5000], 600, (4, 6, 3))
    world = np.einsum("nji,nkj->nki", rotation, seen) + centre[:, None]
    pixels = seen[..., :2] / seen[..., 2:] * intrinsics[:, None, :2] + intrinsics[:, None, 2:]
    expected = apply_affine(crops, pixels.astype(np.float32))
    matrices = projection_matrices(rotation, centre, intrinsics, crops).numpy().astype(np.float64)
    homogeneous = np.einsum("nij,nkj->nki", matrices, np.concatenate([world, np.ones((4, 6, 1))], axis=2))
    np.testing.assert_allclose(homogeneous[..., :2] / homogeneous[..., 2:], expected, atol=5e-3)


@pytest.mark.parametrize("bgr", [True, False])
def test_mean_and_deviation_stay_in_the_order_of_the_release(bgr):
    pixel = np.float32([[255, 127.5, 0]])
    shares = np.array([0, 0.5, 1] if bgr else [1, 0.5, 0])
    expected = (shares - IMAGENET_MEAN) / IMAGENET_DEVIATION
    np.testing.assert_allclose(normalize_pixels(tf.constant(pixel), bgr)[0], expected, rtol=1e-6)


def test_augmentation_is_cut_and_turns_six_in_ten():
    scale, rotation = draw_augmentation(20000, tf.constant([1, 2], tf.int64), 0.3, 40)
    assert scale.numpy().min() == pytest.approx(0.7)
    assert scale.numpy().max() == pytest.approx(1.3)
    assert np.abs(rotation).max() == pytest.approx(80)
    assert (rotation.numpy() != 0).mean() == pytest.approx(0.6, abs=0.02)
    # Cut at one deviation, a normal distribution keeps 0.718 of it; cut at two, 0.96.
    assert scale.numpy().std() == pytest.approx(0.3 * 0.7185, rel=0.03)


def test_the_same_key_draws_the_same():
    key = tf.constant([5, 7], tf.int64)
    first, second = draw_augmentation(10, key, 0.3, 40), draw_augmentation(10, key, 0.3, 40)
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, draw_augmentation(10, key + 1, 0.3, 40))
