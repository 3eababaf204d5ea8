import json

import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.multicamera.report import frame_ranges
from tf_pose3d.multicamera.road import triangulate


@pytest.fixture(scope="module")
def result(scenes):
    from tf_pose3d.data.calibration.record import Calibration

    rig = scenes.rig(3)
    keypoints = scenes.seen(rig, scenes.walker(40), sigma=3)
    keypoints[1, 5:9] = keypoints[1, 5:9][:, list(scenes.skeleton.flip_order)]
    keypoints[0, :, 9, 0] += 300
    views = {name: keypoints[number] for number, name in enumerate(rig.names)}
    return triangulate(views, Calibration("made", "made", rig.cameras), layout="halpe_26", fps=60)


def test_text_names_what_happened(result):
    text = str(result.report)
    assert "nothing left out" in text
    assert "exchanged in camera cam02 and put right: frames 5-8" in text
    assert "cam01-cam02" in text
    assert "WRONG" not in text


def test_errors_are_those_before_exclusion(result):
    report = result.report
    assert report.sound
    # The wrist of the first view is left out, and counts all the same.
    assert report.mean_error_px > 1.5 * report.error_px
    assert report.cameras[0].excluded == pytest.approx(1 / 26, abs=0.02)
    assert max(camera.excluded for camera in report.cameras[1:]) < 0.02
    assert report.people[0].height == pytest.approx(1.8, abs=0.06)
    assert report.three_views > 0.6


def test_files(result, tmp_path):
    for name in ("report.txt", "report.json", "report.png"):
        result.report.save(tmp_path / name)
    facts = json.loads((tmp_path / "report.json").read_text())
    assert facts["sound"] is True
    assert facts["cameras"][1]["swapped_frames"] == [5, 6, 7, 8]
    assert facts["pairs_px"][0][0] is None
    assert facts["people"][0]["swapped_frames"] == {"cam02": [5, 6, 7, 8]}
    assert (tmp_path / "report.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "report.txt").read_text() == f"{result.report}\n"
    with pytest.raises(Pose3DError, match=r"ends in .txt, .json, .png"):
        result.report.save(tmp_path / "report.html")


def test_ranges():
    assert frame_ranges(np.array([36, 41, 42, 43])) == "36, 41-43"
    assert frame_ranges(np.array([], np.int64)) == "none"
