"""What is written is read back, by this package; other readers take the same keys."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tf_pose3d.data.calibration import WRITERS, read_calibration, write_cameras
from tf_pose3d.errors import Pose3DError


@pytest.fixture
def cameras(rigs):
    read = list(read_calibration(rigs / "exact_k3" / "opencv_yml").cameras)
    read[1] = dataclasses.replace(read[1], distortion=np.array([0.1, -0.02, 0.003, -0.001]), fisheye=True)
    read[2] = dataclasses.replace(read[2], distortion=np.array([0.1, -0.02, 0, 0, 0.1, 0.2, 0.1, 0.3]))
    read[3] = dataclasses.replace(read[3], size=None, distortion=np.zeros(5))
    return read


@pytest.mark.parametrize("file_format", WRITERS)
def test_written_and_read_back(tmp_path, cameras, file_format):
    path = tmp_path / ("out.toml" if file_format in ("tf_pose3d", "pose2sim") else "out")
    write_cameras(path, cameras, file_format, ["a note\non lines"])
    again = read_calibration(path)
    assert again.unit_stated == (file_format != "pose2sim")
    for camera, back in zip(cameras, again.cameras, strict=True):
        assert (back.name, back.size, back.fisheye) == (camera.name, camera.size, camera.fisheye)
        for field in ("matrix", "distortion", "rotation", "translation"):
            np.testing.assert_allclose(getattr(back, field), getattr(camera, field), atol=1e-12)


def test_ours_has_the_keys_of_pose2sim(tmp_path, cameras):
    write_cameras(tmp_path / "a.toml", cameras[:1], notes=["median error 0.2 px"])
    text = (tmp_path / "a.toml").read_text()
    assert text.startswith(
        '# median error 0.2 px\n[cam01]\nname = "cam01"\nsize = [1088.0, 1920.0]\nmatrix = [['
    )
    for key in ("distortions", "rotation", "translation", "fisheye", "[metadata]"):
        assert f"\n{key}" in text


def test_names_with_odd_letters(tmp_path, cameras):
    named = [dataclasses.replace(cameras[0], name='a "b" ä.c')]
    write_cameras(tmp_path / "a.toml", named)
    assert read_calibration(tmp_path / "a.toml").names == ('a "b" ä.c',)
    with pytest.raises(Pose3DError, match="can be no file name"):
        write_cameras(tmp_path / "folder", named)


def test_what_cannot_be_written(tmp_path, cameras):
    with pytest.raises(Pose3DError, match=r"as \.toml, or into a folder"):
        write_cameras(tmp_path / "a.json", cameras)
    with pytest.raises(Pose3DError, match="unknown format 'x'"):
        write_cameras(tmp_path / "a.toml", cameras, "x")
    with pytest.raises(Pose3DError, match="no camera to write"):
        write_cameras(tmp_path / "a.toml", [])
    with pytest.raises(Pose3DError, match="there is no folder"):
        write_cameras(tmp_path / "none" / "a.toml", cameras)
