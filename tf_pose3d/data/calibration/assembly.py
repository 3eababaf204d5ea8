"""What all readers of calibrations end with: lengths in metres, names that are unique, notes that are few."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from tf_pose3d.data.calibration.record import CalibratedCamera, Calibration, Reading
from tf_pose3d.errors import Pose3DError

__all__ = ["METRES", "assembled", "fisheye_suspects", "guessed_unit"]

# Unit -> metres.
METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001, "inch": 0.0254, "ft": 0.3048}
# No rig around people is wider than this many metres, and none in millimetres is narrower than that many.
_WIDEST = 60.0
# Perspective lenses have tangential coefficients far below this; fisheye's k3 and k4 often lie above.
_TANGENTIAL = 0.03


def guessed_unit(cameras: Sequence[CalibratedCamera]) -> tuple[str, str]:
    """The unit of a rig whose file states none, and the evidence in words.

    Args:
        cameras: With lengths as in the file.
    """
    centres = np.array([camera.centre for camera in cameras])
    distances = np.linalg.norm(centres[:, None] - centres, axis=-1)
    if len(cameras) > 1 and distances.max() > 0:
        # Of each camera the middle one of its distances, of these the middle: one camera that is elsewhere,
        # or in another unit, decides nothing.
        middle = np.sort(distances, axis=1)[:, 1:][:, (len(cameras) - 2) // 2]
        extent, what = float(np.sort(middle)[(len(cameras) - 1) // 2]), "the cameras lie about {} apart"
    else:
        extent, what = float(np.linalg.norm(cameras[0].translation)), "the camera lies {} from the origin"
    unit = "m" if extent <= _WIDEST else "mm"
    return unit, what.format(f"{extent:.4g} {unit}")


def fisheye_suspects(cameras: Iterable[CalibratedCamera]) -> list[str]:
    """Names of cameras whose four coefficients look like a fisheye lens's under a perspective one's name."""
    return [
        camera.name
        for camera in cameras
        if not camera.fisheye
        and len(camera.distortion) == 5
        and camera.distortion[4] == 0
        and np.abs(camera.distortion[2:4]).max() > _TANGENTIAL
    ]


def assembled(
    source: str,
    format_name: str,
    cameras: Sequence[CalibratedCamera],
    notes: Sequence[str] = (),
    unit: str | None = None,
    alternatives: Sequence[Reading] = (),
    asked_unit: str | None = None,
    usual_unit: str | None = None,
) -> Calibration:
    """A calibration in metres.

    Args:
        source: The files, for messages.
        format_name: A name of `FORMATS`.
        cameras: With lengths as in the file.
        notes: What the reader has to say.
        unit: That the format states; None: told from the rig's extent, and said.
        alternatives: Other readings, with lengths as in the file.
        asked_unit: What the user says; it rules.
        usual_unit: In which files of the kind are, though they state none.

    Raises:
        Pose3DError: No camera, two of one name, all at one place, or an unknown unit.
    """
    if not cameras:
        raise Pose3DError(f"{source} holds no calibrated camera")
    names = [camera.name for camera in cameras]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise Pose3DError(
            f"{source}: two cameras are called {twice}; cameras and keypoints are matched by name"
        )
    said = list(notes)
    if asked_unit is not None:
        if asked_unit not in METRES:
            raise Pose3DError(f"unknown unit {asked_unit!r}, expected one of {', '.join(METRES)}")
        unit = asked_unit
    stated = unit is not None
    if unit is None:
        unit, evidence = guessed_unit(cameras)
        said.append(f"{source}: lengths taken as {unit}: {evidence}; --camera_unit says otherwise")
    suspects = fisheye_suspects(cameras)
    others = list(alternatives)
    if suspects:
        said.append(
            f"{source}: {', '.join(suspects)}: distortion looks like a fisheye lens's, which the file does "
            "not say (fisheye = true); read as perspective"
        )
        others.append(
            Reading(
                f"fisheye lenses in {', '.join(suspects)}",
                tuple(
                    dataclasses.replace(camera, distortion=camera.distortion[:4], fisheye=True)
                    if camera.name in suspects
                    else camera
                    for camera in cameras
                ),
            )
        )
    factor = METRES[unit]
    return Calibration(
        source=source,
        format=format_name,
        cameras=tuple(camera.scaled(factor) for camera in cameras),
        notes=tuple(dict.fromkeys(said)),
        alternatives=tuple(
            Reading(reading.what, tuple(camera.scaled(factor) for camera in reading.cameras))
            for reading in others
        ),
        unit=unit,
        unit_stated=stated,
        usual_unit=usual_unit,
    )
