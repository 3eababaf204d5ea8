"""Webcams: FFmpeg's test pattern stands in for one."""

from pathlib import Path

import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.render import capture
from tf_pose3d.render.capture import Webcam, device_of


def test_frames_as_they_come():
    camera = Webcam.from_device("testsrc=size=96x64:rate=20:duration=0.5", "lavfi")
    assert (camera.width, camera.height, camera.fps, camera.num_frames) == (96, 64, 20, 0)
    frames = list(camera.arrays("rgba"))
    assert [time for time, _ in frames] == pytest.approx(np.arange(10) / 20)
    assert {image.shape for _, image in frames} == {(64, 96, 4)}
    camera.close()


def test_a_webcam_that_is_not_there(monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(Path, "exists", lambda self: False)
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter([Path("/dev/video2")]))
    with pytest.raises(Pose3DError, match=r"^there is no webcam 7; this machine has /dev/video2$"):
        Webcam(7)
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter([]))
    with pytest.raises(Pose3DError, match="this machine has none"):
        Webcam(0)


def test_a_device_that_cannot_be_opened():
    for device, kind in (("/nowhere/video9", "v4l2"), ("no_such_filter", "lavfi")):
        with pytest.raises(Pose3DError, match="cannot be opened"):
            Webcam.from_device(device, kind)


def test_what_each_system_calls_it(monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    assert device_of(1) == ("1", "avfoundation")
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setattr(capture, "_windows_cameras", lambda: ["Integrated Camera", "USB"])
    assert device_of(1) == ("video=USB", "dshow")
    with pytest.raises(Pose3DError, match="there is no webcam 2; this machine has Integrated Camera, USB"):
        device_of(2)
