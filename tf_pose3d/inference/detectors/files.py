"""The files of BlazePose's networks: where they lie, and how they come out of MediaPipe's wheel."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import staged_folder

__all__ = [
    "COMMAND",
    "detector_files",
    "detector_folder",
    "download_wheel",
    "get_detector",
    "install_detector",
]

# The command that gets the files.
COMMAND = "tf-pose3d-detector"

_RELEASE = "mediapipe==0.10.21"
_LICENCE = "mediapipe-0.10.21.dist-info/LICENSE"
# Name -> where it lies in the wheel, bytes, SHA-256.
_FILES = {
    "pose_detection.tflite": (
        "mediapipe/modules/pose_detection/pose_detection.tflite",
        2_959_046,
        "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    ),
    "pose_landmark_full.tflite": (
        "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
        6_440_512,
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
    ),
    "LICENSE": (_LICENCE, 12_331, "8707eef0533987efc5b155d64761eeb6e20793f50b9bd1a68dad1cf4719d0ed8"),
}
PEOPLE, LANDMARKS = "pose_detection.tflite", "pose_landmark_full.tflite"
# SHA-256 of the release's wheels: of CPython 3.9 to 3.12, each for Linux, macOS (both processors, Intel) and
# Windows. All hold the same two files.
_WHEELS = frozenset(
    {
        "6080934c25cbef89a01578abd3d501ba2b6d55bcd324bc64443c765436c2549d",
        "0dcf57fca3a93474e627d8bfdb364a03973879b755b58e19f287d15dc81c980b",
        "7bb52891a64bd855774d6c69f03cbdc7d297980fbefc454343d2da6e78d49c2e",
        "c259cd99cdeb00f9a4b90ffc80fa03071661d322e332411eb6349bb0ae7c35b3",
        "b838d2fc85e7b17e7dd3ceabf2d5b832f6834438c8065506cd2d4ef0aa9f83cc",
        "b7cf0756f38f81b6d1cbc77bf78aeba53e4c99270a400388fdecabc3350264d8",
        "1861f24bd64fbec87364e4d1ea1c4a648d94a8cafbd2def249039c03bd63c0be",
        "05cf8b57130c723f12ecb8273fea79038e86775925659cdfe61674627b9da65e",
        "05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3",
        "b4946abad54d62812ce4c543187373a4872985fd66cd43fe7437f4b95d53d9ec",
        "fabb8c4703b982dfbc918e939d340202db5d74603f7948c98eeef56166a6cac4",
        "c9ad3adcf2b606f0ebde89afce29da8852f1c93f4fcb7f8dc93d72313625aa6d",
        "956eb1ebc275c629e61b085b2cab89c3a5b9e93bad1bb107348d98dafb5a4bb5",
        "a65508f8c0e28a73f519c8a717f95949b9d5b2fb3bf4a632b181cdb71224d62e",
        "96bf0dafa9851c74b1f930090193f23c257ccf4bb1bdebbd2ca3a02397011c0e",
        "d07b5e69308411161286ea4e48be2ea3e9ab62745143fcb0cb4acced0517e341",
    }
)
_LARGEST_WHEEL = 100_000_000
_BLOCK = 1 << 20
# What pip is asked where there is no wheel for this machine: the files are the same in all.
_OTHER_PLATFORM = ("--platform", "manylinux_2_28_x86_64")


def detector_folder() -> Path:
    """Where the user's copies of the files lie.

    `TF_POSE3D_DETECTOR` where it is set, else the place for programs' data: `$XDG_DATA_HOME` or
    `~/.local/share`, on macOS `~/Library/Application Support`, on Windows `%LOCALAPPDATA%`.
    """
    named = os.environ.get("TF_POSE3D_DETECTOR")
    if named:
        return Path(named)
    if sys.platform == "darwin":
        data = Path.home() / "Library" / "Application Support"
    elif sys.platform == "win32":
        data = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return data / "tf_pose3d" / "blazepose"


def detector_files(model: str | Path | None = None) -> tuple[Path, Path]:
    """The networks that find people, and their landmarks, after a look at what they hold.

    Args:
        model: Folder with both; or another file of landmarks (BlazePose's lite or heavy), which is not
            checked; None: `detector_folder`.

    Raises:
        Pose3DError: A file is missing, or another than the release's.
    """
    if model is not None and Path(model).is_file():
        return detector_files()[0], Path(model)
    folder = detector_folder() if model is None else Path(model)
    paths = []
    for name in (PEOPLE, LANDMARKS):
        path = folder / name
        if not path.is_file():
            where = f"{folder} holds no {name}" if folder.is_dir() else f"there is no {folder}"
            raise Pose3DError(
                f"finding people in a video needs two networks, and {where}: the command {COMMAND} gets "
                "them, once"
            )
        _, size, digest = _FILES[name]
        if path.stat().st_size != size or _digest(path) != digest:
            raise Pose3DError(
                f"{path} is another file than {_RELEASE}'s (its SHA-256 differs): delete it and run {COMMAND}"
            )
        paths.append(path)
    return paths[0], paths[1]


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def install_detector(wheel: str | Path, folder: Path | None = None) -> Path:
    """Takes the two networks and their licence out of MediaPipe's wheel.

    Args:
        wheel: The file, of 0.10.21, for any platform.
        folder: Where to put them, all or none; None: `detector_folder`.

    Returns:
        The folder.

    Raises:
        Pose3DError: The file is missing or another, or the folder cannot be written.
    """
    path = Path(wheel)
    folder = folder or detector_folder()
    expected = f"expected the wheel of {_RELEASE}, as pip download gets it"
    try:
        if not path.is_file():
            raise Pose3DError(f"{path} does not exist, {expected}")
        if path.stat().st_size > _LARGEST_WHEEL or _digest(path) not in _WHEELS:
            raise Pose3DError(f"{path} is another file than any wheel of {_RELEASE} (its SHA-256 differs)")
        contents = _contents(path)
    except OSError as error:
        raise Pose3DError(f"{path} cannot be read: {error.strerror or error}") from None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # The folder is replaced as a whole.
        others = sorted(set(os.listdir(folder)) - set(_FILES)) if folder.is_dir() else []
        if others:
            raise Pose3DError(f"{folder} holds {others[0]}, expected a new folder or the networks' own")
    except OSError as error:
        raise Pose3DError(f"cannot write {folder}: {error.strerror or error}") from None
    with staged_folder(folder) as temporary:
        for name, content in contents.items():
            (temporary / name).write_bytes(content)
    return folder


def _contents(path: Path) -> dict[str, bytes]:
    """Name -> content of the files that are wanted, none larger than it should be."""
    contents = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for name, (place, size, digest) in _FILES.items():
                with archive.open(place) as file:
                    content = file.read(size + 1)
                if len(content) != size or hashlib.sha256(content).hexdigest() != digest:
                    raise Pose3DError(
                        f"{path}: {place} is another file than {_RELEASE}'s (its SHA-256 differs)"
                    )
                contents[name] = content
    except (zipfile.BadZipFile, KeyError, EOFError, NotImplementedError, RuntimeError) as error:
        raise Pose3DError(f"{path} is no wheel of {_RELEASE}: {error}") from None
    return contents


def download_wheel(folder: Path, say: Callable[[str], None]) -> Path:
    """Has pip get MediaPipe's wheel from the package index that it is set up for.

    Args:
        folder: Where to put it.
        say: Takes a line for the user.

    Returns:
        The wheel.

    Raises:
        Pose3DError: There is no pip, or it does not get the file; the message has its reason.
    """
    command = [
        *(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"),
        *("--python-version", "3.11", _RELEASE, "--dest", os.fspath(folder)),
        *("--disable-pip-version-check", "--progress-bar", "off"),
    ]
    say(f"pip download --no-deps --only-binary=:all: --python-version 3.11 {_RELEASE}")
    done = _run(command)
    if done.returncode and "No matching distribution" in done.stderr:
        say(
            "there is no wheel for this machine, one for another holds the same files: "
            f"{' '.join(_OTHER_PLATFORM)}"
        )
        done = _run([*command, *_OTHER_PLATFORM])
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        if "No module named pip" in done.stderr:
            reason = "there is no pip for this Python"
        else:
            lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
            errors = [line for line in lines if line.startswith("ERROR")] or lines or ["it gave no wheel"]
            reason = errors[-1].removeprefix("ERROR: ")
        raise Pose3DError(
            f"pip could not get {_RELEASE}: {reason}; on a machine that can, run pip download --no-deps "
            f"--only-binary=:all: --python-version 3.11 {_RELEASE}, and here {COMMAND} --from FILE.whl"
        )
    return wheels[0]


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)


def get_detector(say: Callable[[str], None], folder: Path | None = None) -> Path:
    """Downloads and installs the networks; see `download_wheel` and `install_detector`."""
    with tempfile.TemporaryDirectory(prefix="tf_pose3d-") as place:
        return install_detector(download_wheel(Path(place), say), folder)
