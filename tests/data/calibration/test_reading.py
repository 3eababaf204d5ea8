"""Calibration files of every format, told apart by content."""

from __future__ import annotations

import numpy as np
import pytest

from tf_pose3d.data.calibration import read_calibration, read_cameras
from tf_pose3d.errors import Pose3DError

POSE2SIM = """
[cam01]
name = "cam01"
size = [ 1088.0, 1920.0]
matrix = [ [1681.244873, 0.0, 532.973694], [0.0, 1681.075439, 948.13739], [0.0, 0.0, 1.0]]
distortions = [-0.046183, 0.139983, 0.000608, 0.00069]
rotation = [1.68827548, 1.04832205, -0.41955852]
translation = [0.32110489, 0.95633206, 2.89071305]
fisheye = false

[cam02]
name = "cam02"
size = [ 1088.0, 1920.0]
matrix = [ [1673.729614, 0.0, 534.494568], [0.0, 1673.797241, 963.225891], [0.0, 0.0, 1.0]]
distortions = [-0.28, 0.09, 0.0009, 0.0004]
rotation = [1.34636589, 1.73597797, -1.25913172]
translation = [0.26883508, 0.56074507, 3.10463243]
fisheye = false

[metadata]
adjusted = false
error = 0.0
"""


def written(folder, text, name="Calib.toml"):
    path = folder / name
    path.write_text(text)
    return path


def test_pose2sim(tmp_path):
    calibration = read_calibration(written(tmp_path, POSE2SIM))
    assert calibration.names == ("cam01", "cam02")
    camera = calibration.cameras[1]
    assert camera.size == (1088, 1920)
    assert camera.distortion.tolist() == [-0.28, 0.09, 0.0009, 0.0004, 0]
    np.testing.assert_allclose(camera.centre, [2.5820136, 0.7065663, 1.6909818], atol=1e-6)
    assert calibration.unit == "m"
    assert any("lengths taken as m" in note and "2.854 m" in note for note in calibration.notes)
    assert calibration.select(["cam02"]).names == ("cam02",)
    with pytest.raises(Pose3DError, match="no camera cam09; it holds cam01, cam02"):
        calibration.select(["cam09"])


def test_aniposelib_in_millimetres_with_five_coefficients(tmp_path):
    text = POSE2SIM.replace("0.32110489, 0.95633206, 2.89071305", "321.10489, 956.33206, 2890.71305")
    text = text.replace("0.26883508, 0.56074507, 3.10463243", "268.83508, 560.74507, 3104.63243")
    text = text.replace("0.0009, 0.0004]", "0.0009, 0.0004, 0.02]").replace("fisheye = false\n", "")
    calibration = read_calibration(written(tmp_path, text.replace("[cam02]", "[cam_10]")))
    assert calibration.names == ("cam01", "cam02")
    np.testing.assert_allclose(calibration.cameras[1].centre, [2.5820136, 0.7065663, 1.6909818], atol=1e-6)
    assert calibration.cameras[1].distortion[4] == 0.02
    assert (calibration.unit, calibration.unit_stated) == ("mm", False)
    assert read_calibration(tmp_path, unit="mm").unit_stated


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "[1681.244873, 0.0, 532.973694]",
            "[1681.244873, 0.0]",
            "cam01: matrix is .*: 8 numbers, expected 3x3",
        ),
        ("0.139983", "nan", "cam01: distortions is nan, expected a finite number"),
        ("0.139983", '"x"', "cam01: distortions: 'x' is no number"),
        ("0.139983, 0.000608, 0.00069", "0.1", "camera cam01: 2 distortion coefficients, a lens has 4 or 5"),
        ("translation = [0.321", "translatoin = [0.321", "cam01 has no translation; it has name, size"),
        ("[ 1088.0, 1920.0]", "[ 1088.5, 1920.0]", "cam01: size is .* whole pixels"),
        ("1681.244873", "-1681.244873", "camera cam01: its matrix .* positive focal lengths"),
        ('"cam02"', '"cam01"', "two cameras are called cam01"),
        ("fisheye = false", "fisheye = 0", "fisheye is 0, expected true or false"),
        ("[cam02]", "[cam02", "is damaged"),
        ("[metadata]", '[metadata]\nunit = "yard"', "unit is 'yard', expected one of m, cm, mm"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(tmp_path, old, new, message):
    assert old in POSE2SIM
    with pytest.raises(Pose3DError, match=message) as caught:
        read_cameras(written(tmp_path, POSE2SIM.replace(old, new)))
    assert "\n" not in str(caught.value)


def test_what_is_missing_or_odd_is_said(tmp_path):
    text = POSE2SIM.replace("distortions = [-0.28, 0.09, 0.0009, 0.0004]", "colour = 1")
    calibration = read_calibration(written(tmp_path, text.replace("size = [ 1088.0, 1920.0]", "")))
    notes = "\n".join(calibration.notes)
    assert "cam02: no distortions, taken as a lens without any" in notes
    assert "cam01: no size" in notes
    assert "cam02: unknown keys colour are not used" in notes
    assert calibration.cameras[0].size is None


def test_a_fisheye_without_its_keyword_is_suspected(tmp_path):
    text = POSE2SIM.replace("-0.28, 0.09, 0.0009, 0.0004", "0.11, -0.03, 0.08, -0.04").replace(
        "fisheye = false", ""
    )
    calibration = read_calibration(written(tmp_path, text))
    assert any("cam02: distortion looks like a fisheye lens's" in note for note in calibration.notes)
    (other,) = calibration.alternatives
    assert [camera.fisheye for camera in other.cameras] == [False, True]
    sure = read_calibration(written(tmp_path, text.replace('"cam02"', '"cam02"\nfisheye = true')))
    assert sure.cameras[1].fisheye
    assert not sure.alternatives


def test_files_that_are_no_calibration(tmp_path):
    for content, message in (
        ("", "is empty"),
        ("hello there", "is no calibration file"),
        ("[project]\nname = 1\n", "none of the known formats"),
        ("[cam]\n" + "a = " + "[" * 100000, "is nested too deeply|is damaged"),
    ):
        with pytest.raises(Pose3DError, match=message):
            read_cameras(written(tmp_path, content))
    with pytest.raises(Pose3DError, match="does not exist"):
        read_cameras(tmp_path / "none.toml")
    (tmp_path / "empty").mkdir()
    with pytest.raises(Pose3DError, match="folder without calibration files"):
        read_cameras(tmp_path / "empty")
