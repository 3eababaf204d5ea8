"""`inference.py --input 0`, with FFmpeg's test pattern for a webcam and a person who is not there."""

import http.client
import json
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tf_pose3d.cli.inference import main
from tf_pose3d.cli.webcam import names_webcam
from tf_pose3d.inference.detectors import Found
from tf_pose3d.render import capture


class Standing:
    """Stands in for a detector: a person who stands still, from the third frame on."""

    layout = "coco_17"
    count = 0

    def __init__(self, model=None):
        Standing.count = 0

    def __call__(self, image, milliseconds):
        Standing.count += 1
        if Standing.count < 3:
            return []
        side = [(0, 0), (4, -4), (-4, -4), (8, -2), (-8, -2), (16, 24), (-16, 24), (20, 50), (-20, 50)]
        legs = [(20, 72), (-20, 72), (10, 74), (-10, 74), (10, 110), (-10, 110), (10, 146), (-10, 146)]
        points = np.array([(160 + x, 50 + y, 0.9) for x, y in side + legs], np.float32)
        return [Found(points, "0")]


@pytest.fixture
def webcam(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "a_detector", SimpleNamespace(Standing=Standing))

    def use(device):
        monkeypatch.setattr(capture, "device_of", lambda number: (device, "lavfi"))

    use("testsrc=size=320x240:rate=30:duration=1,realtime")
    return use


def run(capsys, *arguments):
    code = main(["--input", "0", "--detector", "a_detector:Standing", *arguments])
    caught = capsys.readouterr()
    return code, caught.out.splitlines(), caught.err.splitlines()


def test_what_is_a_webcam(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert names_webcam("0")
    assert names_webcam("12")
    for text in (None, "", "-", "a", "0.mp4", "1234", "-1"):
        assert not names_webcam(text)
    Path("0").write_text("a file")
    assert not names_webcam("0")


def test_a_stream_of_poses(webcam, capsys):
    code, out, err = run(capsys, "--output", "-")
    assert code == 0
    lines = [json.loads(line) for line in out]
    assert [line["frame"] for line in lines] == list(range(len(lines)))
    assert [line["pose_3d"] is None for line in lines[:3]] == [True, True, False]
    assert np.shape(lines[-1]["pose_3d"]) == (17, 3)
    assert "general_frame" in err[0]
    assert "webcam 0: 320x240 at 30 per second; Ctrl-C ends it" in err[1]
    assert f"webcam 0 ended after {len(lines)} frames" in err[-1]


def test_the_live_viewer(webcam, capsys):
    webcam("testsrc=size=320x240:rate=20:duration=4,realtime")
    seen = {}

    def watch():
        for _ in range(200):
            try:
                connection = http.client.HTTPConnection("127.0.0.1", 18431, timeout=10)
                connection.request("GET", "/poses")
                answer = connection.getresponse()
                break
            except OSError:
                threading.Event().wait(0.05)
        else:
            return
        while line := answer.readline():
            if line.startswith(b"data: "):
                news = json.loads(line[6:])
                if news.get("pose"):
                    seen.update(news)
                    return

    watcher = threading.Thread(target=watch)
    watcher.start()
    code, out, _ = run(capsys, "--port", "18431")
    watcher.join()
    assert code == 0
    assert out == ["the poses are at http://127.0.0.1:18431/"]
    assert len(seen["pose"]) == 51
    assert seen["image"].startswith("data:image/jpeg")
    heights = np.reshape(seen["pose"], (17, 3))[:, 2]
    assert heights.min() == pytest.approx(0, abs=1e-3)
    assert 1 < heights.max() < 2.2


def test_a_recording(webcam, capsys):
    code, out, err = run(capsys, "--output", "pose.npz")
    assert code == 0
    assert "Ctrl-C ends the recording" in err[1]
    assert any(line.startswith("webcam 0: video, coco_17, 30 frames of 320x240") for line in out)
    with np.load("pose.npz") as file:
        assert file["pose_3d"].shape == (30, 17, 3)


def test_ctrl_c_is_how_it_ends(webcam, capsys, monkeypatch):
    webcam("testsrc=size=320x240:rate=30")
    whole = Standing.__call__

    def pressed(self, image, milliseconds):
        if Standing.count == 6:
            raise KeyboardInterrupt
        return whole(self, image, milliseconds)

    monkeypatch.setattr(Standing, "__call__", pressed)
    code, out, err = run(capsys, "--output", "-")
    assert code == 0
    assert len(out) == 6
    assert err[-1] == "inference.py: ended after 6 frames"
    code, out, _ = run(capsys, "--output", "pose.npz")
    assert code == 0
    assert "wrote pose.npz" in out[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--output", "-", "--viz_output", "a.html"], "--viz_output"),
        (["--angles", "a.txt"], "clinical angles are written as .csv"),
        (["--width", "640"], "give both"),
        (["--smooth", "butterworth:6"], "expected one_euro"),
    ],
)
def test_flags_that_do_not_go_with_a_webcam(webcam, capsys, arguments, message):
    code, _, err = run(capsys, *arguments)
    assert code == 2
    assert message in err[-1]


def test_a_webcam_that_is_not_there(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.platform", "linux")
    code, _, err = run(capsys) if not Path("/dev/video0").exists() else (2, [], ["there is no webcam 0"])
    assert code == 2
    assert "there is no webcam 0" in err[-1]
