"""The networks' files: out of a wheel, checked, whole or not at all."""

import errno
import hashlib
import os
import subprocess
import zipfile

import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.detectors import files
from tf_pose3d.inference.detectors.files import detector_files, download_wheel, get_detector, install_detector

CONTENT = {
    "pose_detection.tflite": b"where" * 40,
    "pose_landmark_full.tflite": b"what" * 90,
    "LICENSE": b"Apache",
}


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A wheel as the release's, but small, whose hash is the expected one."""
    table = {}
    path = tmp_path / "mediapipe.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, (place, _, _) in files._FILES.items():
            archive.writestr(place, CONTENT[name])
            table[name] = (place, len(CONTENT[name]), hashlib.sha256(CONTENT[name]).hexdigest())
        archive.writestr("mediapipe/other.py", "print()")
    monkeypatch.setattr(files, "_FILES", table)
    monkeypatch.setattr(files, "_WHEELS", {hashlib.sha256(path.read_bytes()).hexdigest()})
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("TF_POSE3D_DETECTOR", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    return path


def test_the_two_networks_and_their_licence_are_taken(wheel, tmp_path):
    folder = install_detector(wheel)
    assert folder == tmp_path / "data" / "tf_pose3d" / "blazepose"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENT
    assert [path.name for path in detector_files()] == ["pose_detection.tflite", "pose_landmark_full.tflite"]
    # Again, over what is there.
    assert install_detector(wheel) == folder


def test_what_is_no_such_wheel(wheel, tmp_path, monkeypatch):
    folder = tmp_path / "there"
    with pytest.raises(Pose3DError, match=r"none\.whl does not exist, expected the wheel of mediapipe==0"):
        install_detector(tmp_path / "none.whl", folder)
    other = tmp_path / "other.whl"
    other.write_bytes(wheel.read_bytes() + b"0")
    with pytest.raises(Pose3DError, match="another file than any wheel"):
        install_detector(other, folder)
    monkeypatch.setattr(files, "_WHEELS", {hashlib.sha256(other.read_bytes()[:100]).hexdigest()})
    other.write_bytes(other.read_bytes()[:100])
    with pytest.raises(Pose3DError, match="is no wheel of"):
        install_detector(other, folder)
    assert not folder.exists()


def test_files_within_of_another_content_or_size(wheel, tmp_path, monkeypatch):
    table = dict(files._FILES)
    for change in ((len(CONTENT["LICENSE"]), "0" * 64), (3, table["LICENSE"][2])):
        monkeypatch.setitem(files._FILES, "LICENSE", (table["LICENSE"][0], *change))
        with pytest.raises(Pose3DError, match=r"LICENSE is another file than mediapipe==0\.10\.21's"):
            install_detector(wheel, tmp_path / "there")
    assert not (tmp_path / "there").exists()


def test_a_folder_with_something_else_is_left_alone(wheel, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letters.txt").write_text("dear")
    with pytest.raises(Pose3DError, match=r"mine holds letters\.txt, expected a new folder"):
        install_detector(wheel, tmp_path / "mine")
    assert (tmp_path / "mine" / "letters.txt").read_text() == "dear"


def test_a_full_disk_leaves_what_was_there(wheel, monkeypatch):
    folder = install_detector(wheel)

    def full(self, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(Pose3DError, match=r"cannot write .*blazepose: No space left on device"):
        install_detector(wheel)
    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENT
    assert [path.name for path in folder.parent.iterdir()] == ["blazepose"]


def test_missing_or_changed_files_are_said_with_the_command(wheel, tmp_path):
    with pytest.raises(
        Pose3DError, match=r"there is no .*blazepose: the command tf-pose3d-detector gets them"
    ):
        detector_files()
    folder = install_detector(wheel)
    (folder / "pose_detection.tflite").unlink()
    with pytest.raises(Pose3DError, match=r"holds no pose_detection\.tflite"):
        detector_files()
    (folder / "pose_detection.tflite").write_bytes(CONTENT["pose_detection.tflite"][::-1])
    with pytest.raises(Pose3DError, match=r"is another file than .*: delete it and run tf-pose3d-detector"):
        detector_files()
    install_detector(wheel)
    heavy = tmp_path / "heavy.tflite"
    heavy.write_bytes(b"heavy")
    assert detector_files(heavy) == (folder / "pose_detection.tflite", heavy)
    with pytest.raises(Pose3DError, match="there is no"):
        detector_files(tmp_path / "nowhere")


class Pip:
    """Stands in for pip: puts a file where it is told to, or says why not."""

    def __init__(self, wheel, errors=()):
        self.wheel, self.errors, self.calls = wheel, list(errors), []

    def __call__(self, command, **options):
        self.calls.append(command)
        error = self.errors.pop(0) if self.errors else ""
        if not error:
            folder = command[command.index("--dest") + 1]
            (files.Path(folder) / self.wheel.name).write_bytes(self.wheel.read_bytes())
        return subprocess.CompletedProcess(command, 1 if error else 0, "", error)


def test_pip_is_asked_for_one_wheel(wheel, monkeypatch):
    pip, said = Pip(wheel), []
    monkeypatch.setattr(subprocess, "run", pip)
    folder = get_detector(said.append)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENT
    (command,) = pip.calls
    text = " ".join(command)
    assert " -m pip download --no-deps --only-binary=:all: --python-version 3.11 mediapipe==0.10.21 " in text
    assert said == ["pip download --no-deps --only-binary=:all: --python-version 3.11 mediapipe==0.10.21"]
    # The wheel itself does not stay.
    assert not files.Path(command[command.index("--dest") + 1]).exists()


def test_machines_without_a_wheel_take_another_ones(wheel, tmp_path, monkeypatch):
    pip, said = Pip(wheel, ["ERROR: No matching distribution found for mediapipe==0.10.21"]), []
    monkeypatch.setattr(subprocess, "run", pip)
    (tmp_path / "get").mkdir()
    assert download_wheel(tmp_path / "get", said.append).name == "mediapipe.whl"
    assert pip.calls[1][-2:] == ["--platform", "manylinux_2_28_x86_64"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            "WARNING: retrying\nERROR: Could not find a version",
            "could not get mediapipe==0.10.21: Could not find",
        ),
        ("/usr/bin/python3: No module named pip", "there is no pip for this Python"),
    ],
)
def test_without_a_network_or_pip(wheel, tmp_path, monkeypatch, error, reason):
    monkeypatch.setattr(subprocess, "run", Pip(wheel, [error] * 2))
    with pytest.raises(Pose3DError, match=rf"{reason}.*tf-pose3d-detector --from FILE\.whl"):
        get_detector(lambda line: None)
