"""Calibrations of anybody's: files and folders in, cameras out; the format is told from the content."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from tf_pose3d.data.calibration.formats import FORMATS, format_module
from tf_pose3d.data.calibration.record import CalibratedCamera, Calibration, NoCamera
from tf_pose3d.data.calibration.source import CalibrationSource, named
from tf_pose3d.errors import Pose3DError

__all__ = ["read_calibration", "read_cameras"]

PathLike = str | os.PathLike[str]
# What a folder of calibrations may hold.
_ENDINGS = (".toml", ".yml", ".yaml", ".xml", ".json", ".txt", ".pickle", ".pkl")


def read_calibration(
    paths: PathLike | Sequence[PathLike],
    camera_format: str | None = None,
    unit: str | None = None,
    keys: Mapping[str, str] | None = None,
    group: str | None = None,
) -> Calibration:
    """The cameras of one or several files, with what was taken for granted.

    Args:
        paths: A file, several (one a camera, or intrinsics and extrinsics), or a folder of them.
        camera_format: A name of `FORMATS`; None: by content.
        unit: In which lengths are, `"m"`, `"cm"` or `"mm"`; None: what the format states, else told from the
            rig, and said in the notes.
        keys: What OpenCV files call `matrix`, `distortion`, `rotation`, `translation` or `size`.
        group: Which subject's cameras, of Human3.6M's files.

    Raises:
        Pose3DError: A file that cannot be read or is in no known format, files of different formats, or what
            the format's reader finds wrong.
    """
    listed = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    if not listed:
        raise Pose3DError("no calibration file given")
    if camera_format is not None and camera_format not in FORMATS:
        raise Pose3DError(
            f"unknown calibration format {camera_format!r}, expected one of {', '.join(FORMATS)}"
        )
    sources = [CalibrationSource(file) for path in listed for file in _files(Path(path))]
    names = [camera_format or _format_of(source) for source in sources]
    other = next((number for number, name in enumerate(names) if name != names[0]), None)
    if other is not None:
        raise Pose3DError(
            f"{sources[0]} is a calibration of the kind {names[0]}, {sources[other]} of the kind "
            f"{names[other]}: give files of one kind"
        )
    settings: dict[str, object] = {}
    for given, value, only in (("keys", keys, "opencv"), ("group", group, "human36m")):
        if value and names[0] != only:
            raise Pose3DError(f"{sources[0]} is of the kind {names[0]}; {given} are for {only} files")
        if value:
            settings[given] = value
    try:
        return format_module(names[0]).read(sources, unit, **settings)
    except NoCamera as error:
        raise Pose3DError(f"{named(sources)}: {error}") from None


def read_cameras(
    paths: PathLike | Sequence[PathLike], camera_format: str | None = None, unit: str | None = None
) -> list[CalibratedCamera]:
    """The cameras alone; see `read_calibration`, whose notes and other readings a program should show."""
    return list(read_calibration(paths, camera_format, unit).cameras)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]

    def inside(folder: Path) -> list[Path]:
        return sorted(
            file
            for file in folder.iterdir()
            if file.suffix.lower() in _ENDINGS and not file.name.startswith(".") and file.is_file()
        )

    # OpenCap has a folder per camera.
    found = inside(path) or [
        file for folder in sorted(path.iterdir()) if folder.is_dir() for file in inside(folder)
    ]
    if not found:
        raise Pose3DError(f"{path} is a folder without calibration files ({', '.join(_ENDINGS)})")
    return found


def _format_of(source: CalibrationSource) -> str:
    for name in FORMATS:
        if format_module(name).matches(source):
            return name
    content = source.content
    held = ", ".join(map(str, list(content)[:8])) if isinstance(content, dict) else type(content).__name__
    held = " ".join(held.split())
    raise Pose3DError(
        f"{source}: a calibration in none of the known formats ({', '.join(FORMATS)}); it holds {held[:200]}"
    )
