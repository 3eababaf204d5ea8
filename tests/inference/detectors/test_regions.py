"""Squares of images, against what follows from their definition."""

import math

import numpy as np
import pytest

from tf_pose3d.inference.detectors.regions import Region, cut, region_between, whole_image


def picture(height, width):
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns, rows, columns + rows, 0 * rows], axis=-1).astype(np.uint8)


def test_a_cut_at_whole_pixels_is_the_picture_itself():
    image = picture(60, 80)
    found = cut(image, Region(40, 30, 32), 32, repeat_edges=True)
    np.testing.assert_array_equal(found, image[14:46, 24:56, :3])


def test_a_smaller_or_larger_cut_follows_a_slope():
    image = picture(100, 120)
    for size in (20.0, 70.0):
        found = cut(image, Region(60, 50, size), 40, repeat_edges=True)
        along = 60 + (np.arange(40) / 40 - 0.5) * size
        np.testing.assert_allclose(found[:, :, 0], np.tile(along, (40, 1)), atol=0.52)
        np.testing.assert_allclose(found[:, :, 1], np.tile(along - 10, (40, 1)).T, atol=0.52)


def test_a_quarter_turn():
    image = picture(60, 60)
    straight = cut(image, Region(30, 30, 32), 32, repeat_edges=True)
    turned = cut(image, Region(30, 30, 32, math.pi / 2), 32, repeat_edges=True)
    # What lay above is at the left: the square is turned clockwise, what it shows the other way.
    np.testing.assert_array_equal(turned[1:, :-1], np.rot90(straight, 1)[:-1, :-1])


def test_beyond_the_image_lie_its_edges_or_nothing():
    image = np.full((40, 40, 4), 200, np.uint8)
    far = Region(0, 0, 40)
    assert (cut(image, far, 20, repeat_edges=True) == 200).all()
    found = cut(image, far, 20, repeat_edges=False)
    assert (found[:10, :10] == 0).all()
    assert (found[11:, 11:] == 200).all()
    assert (cut(image, Region(1e9, -1e9, 5.0), 8, repeat_edges=False) == 0).all()


@pytest.mark.parametrize("angle", [0.0, 0.7, -2.5])
def test_points_go_there_and_back(angle):
    """A bright pixel is where the square says that it is."""
    image = np.zeros((200, 200, 4), np.uint8)
    image[120, 90] = 255
    region = Region(100, 110, 64, angle)
    found = cut(image, region, 128, repeat_edges=False)[..., 0]
    row, column = np.unravel_index(found.argmax(), found.shape)
    place = region.to_image(np.array([column, row]) / 128)
    np.testing.assert_allclose(place, [90, 120], atol=0.6)


def test_a_person_stands_upright_in_their_square():
    upright = region_between(np.array([50.0, 80.0]), np.array([50.0, 40.0]))
    assert (upright.x, upright.y, upright.size, upright.angle) == (50, 80, 100, 0)
    lying = region_between(np.array([50.0, 80.0]), np.array([90.0, 80.0]))
    assert lying.angle == pytest.approx(math.pi / 2)
    # The point above the middle is above it in the square as well.
    np.testing.assert_allclose(lying.to_image(np.array([0.5, 0.1])), [90, 80])
    assert region_between(np.zeros(2), np.zeros(2)).size == 1


def test_the_whole_image_and_what_overlaps():
    region = whole_image(160, 90)
    assert (region.x, region.y, region.size) == (80, 45, 160)
    assert region.overlaps(Region(90, 45, 130))
    assert not region.overlaps(Region(80, 45, 60))
    assert not region.overlaps(Region(140, 45, 160))
    assert Region(10, 5, 3).moved(np.array([2, -6])) == Region(12, -1, 3)
    assert not Region(10, -1, 3).inside(20, 20)
