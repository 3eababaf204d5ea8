"""Whether the images are those that a camera was calibrated with: scaled, cropped, or turned since."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tf_pose3d.data.calibration.record import CalibratedCamera, Calibration

__all__ = ["fitted_to_images"]

# Ratios of sides that differ by less are the same: 1080 of 1088 lines is a crop, 1920x1080 of 3840x2160 not.
_SAME_RATIO = 0.003
# Keypoints lie outside the image by this part of its side at most: detectors guess joints beyond the edge.
_BEYOND = 0.1


def fitted_to_images(
    calibration: Calibration,
    sizes: Sequence[tuple[int, int] | None],
    keypoints: npt.ArrayLike | None = None,
) -> Calibration:
    """Cameras for images of these sizes.

    Images of another size and the same ratio were scaled, and so is the camera. Narrower or lower ones were
    cropped at the right or bottom, which leaves pixels as they are. Portrait against landscape was turned,
    which way is not to be told from sizes: it is said.

    Args:
        calibration: C cameras.
        sizes: C times width and height of the images, None where they are not known.
        keypoints: `(C, ..., 2 or more)` pixels; where a size is not known, their extent shows images that are
            larger than the camera's. 0 and NaN are missing.

    Returns:
        With notes on what was found.
    """
    table = None if keypoints is None else [np.asarray(part, np.float64) for part in np.asarray(keypoints)]
    cameras, notes = [], list(calibration.notes)
    for number, (camera, size) in enumerate(zip(calibration.cameras, sizes, strict=True)):
        fitted, note = _fitted(camera, size)
        if note is None and size is None and table is not None:
            note = _beyond(camera, table[number])
        cameras.append(fitted)
        if note is not None:
            notes.append(note)
    return dataclasses.replace(calibration, cameras=tuple(cameras), notes=tuple(dict.fromkeys(notes)))


def _fitted(camera: CalibratedCamera, size: tuple[int, int] | None) -> tuple[CalibratedCamera, str | None]:
    if size is None or camera.size is None or tuple(size) == camera.size:
        return camera, None
    (width, height), (was_width, was_height) = size, camera.size
    said = f"camera {camera.name}: calibrated with {was_width}x{was_height}, the images are {width}x{height}"
    if (width > height) != (was_width > was_height) and width != height and was_width != was_height:
        kinds = ("landscape", "portrait") if was_width > was_height else ("portrait", "landscape")
        return camera, (
            f"{said}: {kinds[0]} against {kinds[1]}, turned since calibration; results will be wrong: turn "
            "the images back or calibrate again"
        )
    if abs(width / height / (was_width / was_height) - 1) < _SAME_RATIO:
        return camera.resized((int(width), int(height))), f"{said}: scaled by {width / was_width:.4g}"
    if width <= was_width and height <= was_height:
        return dataclasses.replace(camera, size=(int(width), int(height))), (
            f"{said}: taken as cropped at the right or bottom, pixels left as they are"
        )
    return camera, f"{said}, neither scaled nor cropped: is this the calibration of these images?"


def _beyond(camera: CalibratedCamera, pixels: npt.NDArray[np.float64]) -> str | None:
    """A note where keypoints lie outside the image that the camera was calibrated with."""
    points = pixels.reshape(-1, pixels.shape[-1])[:, :2]
    points = points[np.isfinite(points).all(axis=1) & (points != 0).any(axis=1)]
    if camera.size is None or len(points) < 20:
        return None
    right, bottom = np.percentile(points, 98, axis=0)
    width, height = camera.size
    reach = f"keypoints reach to ({right:.0f}, {bottom:.0f})"
    said = f"camera {camera.name}: {reach}, calibrated with {width}x{height}"
    if right > width * (1 + _BEYOND) or bottom > height * (1 + _BEYOND):
        if right <= height and bottom <= width:
            return f"{said}: portrait against landscape, the images were turned since calibration"
        return f"{said}: the images are larger than those of the calibration"
    return None
