"""The program that calibrates cameras."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from tf_pose3d.cli.calibrate import _usual_size, main
from tf_pose3d.data.calibration import read_cameras, write_cameras
from tf_pose3d.errors import Pose3DError

PLACE = Path(__file__).resolve().parents[1] / "calibration" / "conftest.py"
SPEC = importlib.util.spec_from_file_location("calibration_scene", PLACE)
scene = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(scene)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three cameras' OpenPose folders of 70 frames, in the layout COCO, and the lenses' file."""
    place = tmp_path_factory.mktemp("walk")
    cameras = [
        scene.looking("cam1", (5.5, 4.5, 2.2), (0, 0, 0.9), 1250),
        scene.looking("cam2", (-5.0, 4.8, 1.6), (0, 0, 1.0), 1400, (1088, 1920)),
        scene.looking("cam3", (-5.6, -4.0, 2.6), (0.2, 0, 0.9), 1100),
    ]
    draws = np.random.default_rng(0)
    table = scene.seen(cameras, scene.walker(14, 5), 1.0, 0.05, draws)
    for camera, frames in zip(cameras, table, strict=True):
        (place / f"{camera.name}_json").mkdir()
        for number, joints in enumerate(frames):
            people = [{"pose_keypoints_2d": [round(float(v), 3) for v in joints.ravel()]}]
            people = people if joints[:, 2].any() else []
            path = place / f"{camera.name}_json" / f"{camera.name}_{number:06d}.json"
            path.write_text(json.dumps({"version": 1.3, "people": people}))
    write_cameras(place / "lenses.toml", cameras)
    return place, cameras


def test_people(folder, tmp_path, capsys):
    place, cameras = folder
    inputs = [str(place / f"{camera.name}_json") for camera in cameras]
    arguments = ["--people", *inputs, "--layout", "coco_17", "--stature", "1.78"]
    out = tmp_path / "cameras.toml"
    assert main([*arguments, "--intrinsics", str(place / "lenses.toml"), "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert "camera cam2:" in text
    assert "wrote" in text
    angle, distance, _ = scene.differences(read_cameras(out), cameras)
    assert angle < 1
    assert distance < 0.02
    assert out.read_text().startswith("# calibrated by people")


@pytest.mark.slow
def test_people_with_guessed_lenses_and_sizes_of_their_own(folder, tmp_path, capsys):
    place, cameras = folder
    inputs = [str(place / f"{camera.name}_json") for camera in cameras]
    out = tmp_path / "cameras.toml"
    arguments = ["--people", *inputs, "--layout", "coco_17", "--intrinsics", "guess", "--out", str(out)]
    assert main([*arguments, "--width", "1920", "--height", "1080", "--sizes", "cam2=1088x1920"]) == 0
    assert "taken to be 1.7 m tall" in capsys.readouterr().out
    assert [camera.size for camera in read_cameras(out)] == [camera.size for camera in cameras]
    assert scene.differences(read_cameras(out), cameras)[0] < 3


@pytest.mark.parametrize(
    ("right", "bottom", "size"),
    [
        (1900, 1000, (1920, 1080)),
        (1000, 1850, (1080, 1920)),
        (600, 470, (640, 480)),
        (1300, 700, (1920, 1080)),
    ],
)
def test_sizes_that_no_file_tells_are_the_smallest_usual_ones(right, bottom, size):
    points = np.random.default_rng(0).uniform((0, 0), (right, bottom), (200, 17, 2))
    points[0, 0] = np.nan
    notes = []
    assert _usual_size(points.astype("float32"), "cam1", notes) == size
    assert notes[0].startswith(f"camera cam1: its file has no image size: taken as {size[0]}x{size[1]}")
    with pytest.raises(Pose3DError, match="keypoints up to"):
        _usual_size(100 * points, "cam1", notes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --board with videos, or --people"),
        (["--people", "{in}"], "give --intrinsics FILE"),
        (["--people", "{in}", "--intrinsics", "guess", "--sizes", "cam1=x"], "expected CAMERA=WIDTHxHEIGHT"),
        (
            ["--people", "{in}", "--intrinsics", "guess", "--sizes", "x=9x9"],
            "no camera x; there are cam1, cam2",
        ),
        (["--people", "{in}", "--stature", "1.8", "--intrinsics", "{none}"], "does not exist"),
        (
            ["--people", "{in}", "--stature", "1.8", "--intrinsics", "guess", "--floor", "1"],
            "does not go with",
        ),
        (["--people", "{in}", "--stature", "1.8", "--intrinsics", "guess", "--offsets", "x"], "CAMERA=N"),
        (
            ["--people", "{in}", "--stature", "1.8", "--intrinsics", "guess", "--offsets", "x=2"],
            "no camera x",
        ),
        (["--board", "5x7", "a.mp4"], "expected charuco:5x7"),
        (["--board", "checkerboard:9x6:40mm"], "no videos or folders of images"),
        (["--board", "checkerboard:9x6:40mm", "a.mp4", "--every", "0"], "expected at least 1"),
        (["--board", "checkerboard:9x6:40mm", "a.mp4", "--stature", "1.8"], "does not go with"),
    ],
)
def test_bad_arguments_end_in_one_line(folder, tmp_path, capsys, arguments, message):
    place, cameras = folder
    inputs = [str(place / f"{camera.name}_json") for camera in cameras[:2]]
    filled = []
    for argument in arguments:
        filled += inputs if argument == "{in}" else [argument.replace("{none}", str(tmp_path / "none.toml"))]
    filled += ["--layout", "coco_17"] if "{in}" in arguments else []
    assert main([*filled, "--out", str(tmp_path / "out.toml")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out.toml").exists()
