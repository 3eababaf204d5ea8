"""Write a scene as one HTML file that turns and plays in a browser and needs no network."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Iterable, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from tf_pose3d.render import style
from tf_pose3d.render.scene import Scene, SceneView
from tf_pose3d.render.view import ELEVATION, fit_view, image_region, input_region

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["data_uri", "html_document", "notebook_frame"]

_FINEST_3D = 0.0005  # metres
_FINEST_2D = 0.125  # pixels
_JPEG_QUALITY = 80
# Pixels: room for two panels side by side and the controls.
_NOTEBOOK_HEIGHT = 720


def _packed(values: np.ndarray, finest: float, gaps: bool = False) -> dict[str, Any]:
    """Coordinates as 16 bit multiples of a step, as fine as their range allows; NaN as 0, or as a gap."""
    missing = np.isnan(values) & gaps
    values = np.nan_to_num(values, posinf=0.0, neginf=0.0)
    step = max(finest, float(np.abs(values).max(initial=0)) / 32767)
    # The page takes the lowest number of 16 bits for nothing.
    data = np.where(missing, -32768, np.round(values / step)).astype("<i2").tobytes()
    return {"step": step, "data": base64.b64encode(data).decode("ascii")}


def _others(company: np.ndarray | None, count: int, finest: float) -> list[dict[str, Any]]:
    """The first frames of each of the others."""
    return [] if company is None else [_packed(other[:count], finest, gaps=True) for other in company]


def _numbers(values: np.ndarray) -> list[float | None]:
    """Numbers to a tenth, null for NaN."""
    return [None if np.isnan(value) else round(float(value), 1) for value in values]


def data_uri(picture: Image) -> str:
    """A picture as JPEG, as an address that holds all of it."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def html_document(
    scene: Scene,
    pictures: Iterable[Image] | None = None,
    view_pictures: Sequence[Iterable[Image] | None] = (),
    live: str | None = None,
) -> tuple[str, int]:
    """The page and the number of frames in it.

    Args:
        scene: What to show.
        pictures: Video frames, RGB, one per frame of the scene; where they end, the page ends.
        view_pictures: The same of each of the scene's views, None for those without a video.
        live: Where the page gets newer poses for its only frame from, see `tf_pose3d.render.live`; None: it
            shows what it holds.

    Returns:
        HTML text: poses to half a millimetre, video frames as JPEG, everything else in plain JavaScript.
    """
    images, count = [], len(scene)
    if pictures is not None:
        images = [data_uri(picture) for picture, _ in zip(pictures, scene.frames, strict=False)]
        count = len(images)
    # The view of the painted pictures, in units of the panel.
    view = fit_view(scene, (0.04, 0.04, 0.96, 0.96))
    document = {
        "title": scene.title,
        "summary": _summary(scene, count) if live is None else "waiting for the camera",
        "fps": scene.fps,
        "frames": scene.frames[:count].tolist(),
        "joints": list(scene.skeleton.joints),
        "root": scene.root,
        "bones": [list(bone) for bone in scene.skeleton.bones],
        "bone_colours": style.bone_colours(scene.skeleton),
        "joint_colours": style.joint_colours(scene.skeleton),
        "left": style.LEFT,
        "right": style.RIGHT,
        "image_size": list(scene.image_size),
        "window": input_region(scene, whole=pictures is not None or live is not None),
        "live": live,
        "pose_2d": _packed(scene.pose_2d[:count], _FINEST_2D),
        "company_2d": _others(scene.company_2d, count, _FINEST_2D),
        "azimuth": scene.azimuth,
        "elevation": ELEVATION,
        "scale": view.scale,
        "middle": (view.centre[1] - 0.5) / view.scale / float(np.cos(np.radians(ELEVATION))),
        "tracks": [
            {
                "title": track.title,
                "poses": _packed(track.poses[:count], _FINEST_3D),
                "error_mm": None if track.error_mm is None else np.round(track.error_mm[:count], 2).tolist(),
                "unsure": None if track.unsure is None else _packed(track.unsure[:count], _FINEST_3D),
                "company": _others(track.company, count, _FINEST_3D),
            }
            for track in scene.tracks
        ],
        "images": images,
        "curves": {name: _numbers(values[:count]) for name, values in scene.curves.items()},
        "views": [
            _view(view, count, None if not view_pictures else view_pictures[number])
            for number, view in enumerate(scene.views)
        ],
        "cameras": [
            {
                "name": camera.name,
                "centre": np.round(camera.centre, 4).tolist(),
                "corners": np.round(camera.corners, 4).tolist(),
            }
            for camera in scene.cameras
        ],
    }
    template = resources.files("tf_pose3d.render").joinpath("viewer.html").read_text(encoding="utf-8")
    return template.replace("{{SCENE}}", _script_data(document)), count


def _view(view: SceneView, count: int, pictures: Iterable[Image] | None) -> dict[str, Any]:
    """One of several cameras' images: what was found in it, and where the poses lie in it."""
    images = []
    if pictures is not None:
        images = [data_uri(picture) for picture, _ in zip(pictures, range(count), strict=False)]
    left, top, side = image_region(view.everyone_2d, view.image_size, whole=pictures is not None)
    return {
        "name": view.name,
        "image_size": list(view.image_size),
        "window": [left, top, side],
        "pose_2d": _packed(view.pose_2d[:count], _FINEST_2D, gaps=True),
        "company_2d": _others(view.company_2d, count, _FINEST_2D),
        "projected": _packed(view.projected[:count], _FINEST_2D, gaps=True),
        "images": images,
    }


def _script_data(document: dict[str, Any]) -> str:
    """JSON that may stand in a script element, whatever names it holds.

    Within one, `</script` ends the element and `<!--` changes how the rest is read: no `<` is left as such.
    Halves of surrogate pairs, of file names in another encoding, would not be UTF-8.
    """
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return text.encode("utf-8", "replace").decode("utf-8")


def notebook_frame(document: str) -> str:
    """An element that shows a page within a notebook's, apart from the notebook and from others of its kind.

    Args:
        document: The whole page, see `html_document`.

    Returns:
        HTML text that needs no file and no network.
    """
    return (
        f'<iframe srcdoc="{html.escape(document, quote=True)}" sandbox="allow-scripts" '
        f'style="width: 100%; height: {_NOTEBOOK_HEIGHT}px; border: 0"></iframe>'
    )


def _summary(scene: Scene, count: int) -> str:
    parts = [f"{count} frames, {scene.fps:g} per second"]
    errors = scene.tracks[0].error_mm
    if errors is not None and count:
        parts.append(f"mean joint error {errors[:count].mean():.1f} mm")
    return ", ".join(parts)
