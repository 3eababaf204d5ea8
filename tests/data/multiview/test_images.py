"""Reading images, and what is said about those that cannot be read."""

from __future__ import annotations

import re
import zipfile

import numpy as np
import pytest
import tensorflow as tf

from tf_pose3d.data.multiview.images import FileImages, ImageSources, ZipImages, decode_image
from tf_pose3d.errors import Pose3DError

PICTURE = np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8)
PNG = tf.io.encode_png(PICTURE).numpy()
JPEG = tf.io.encode_jpeg(PICTURE).numpy()


def one_line(error):
    assert "\n" not in str(error.value)
    return str(error.value)


def test_files_give_red_green_blue(tmp_path):
    (tmp_path / "a.png").write_bytes(PNG)
    images = FileImages([tmp_path / "a.png"])
    np.testing.assert_array_equal(images.read(0), PICTURE)


def test_zip_members_are_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        archive.writestr("images/a.png", PNG)
    images = ZipImages(tmp_path / "images.zip", ["images/a.png", "images/b.png"])
    np.testing.assert_array_equal(images.read(0), PICTURE)
    with pytest.raises(Pose3DError) as error:
        images.read(1)
    assert re.search(r"images\.zip, images/b\.png: .* no such image", one_line(error))


@pytest.mark.parametrize(
    "content", [JPEG[: len(JPEG) // 2], PNG[: len(PNG) // 2], b"not an image", b"", PNG[:8]]
)
def test_a_damaged_image_is_named(tmp_path, content):
    (tmp_path / "damaged.jpg").write_bytes(content)
    with pytest.raises(Pose3DError) as error:
        FileImages([tmp_path / "damaged.jpg"]).read(0)
    assert "damaged.jpg" in one_line(error)


def test_a_missing_image_is_named(tmp_path):
    with pytest.raises(Pose3DError, match=r"gone\.jpg: cannot read the image: No such file"):
        FileImages([tmp_path / "gone.jpg"]).read(0)


def test_a_damaged_zip_file_is_named(tmp_path):
    with pytest.raises(Pose3DError, match=r"none\.zip: cannot read the images"):
        ZipImages(tmp_path / "none.zip", [])
    (tmp_path / "half.zip").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(Pose3DError, match=r"half\.zip: no zip file"):
        ZipImages(tmp_path / "half.zip", [])


def test_a_damaged_member_is_named(tmp_path):
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images/a.png", PNG)
    content = bytearray(path.read_bytes())
    content[60:90] = bytes(30)
    path.write_bytes(content)
    with pytest.raises(Pose3DError) as error:
        ZipImages(path, ["images/a.png"]).read(0)
    assert "images/a.png" in one_line(error)


def test_sources_follow_one_another(tmp_path):
    for name, value in (("a.png", 10), ("b.png", 20), ("c.png", 30)):
        picture = np.full((4, 4, 3), value, np.uint8)
        (tmp_path / name).write_bytes(tf.io.encode_png(picture).numpy())
    first = FileImages([tmp_path / "a.png"])
    both = ImageSources([first, FileImages([tmp_path / "b.png", tmp_path / "c.png"])])
    assert len(both) == 3
    assert [both.read(number)[0, 0, 0] for number in range(3)] == [10, 20, 30]
    assert both.name(2).endswith("c.png")


def test_grey_images_become_coloured():
    grey = tf.io.encode_png(PICTURE[..., :1]).numpy()
    np.testing.assert_array_equal(decode_image(grey, "grey.png"), np.repeat(PICTURE[..., :1], 3, axis=2))
