"""Frames of a scene in 3D axes, by matplotlib (the extra `plots`), for notebooks and papers."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tf_pose3d.render import style
from tf_pose3d.render.scene import Scene
from tf_pose3d.render.view import ELEVATION

__all__ = ["PoseFigure", "plot_scene"]

# Inches.
_WIDTH, _HEIGHT = 2.6, 3.4


class PoseFigure(Figure):
    """A figure that a notebook shows, whether pyplot was imported or not."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


def plot_scene(scene: Scene, azimuth: float | None = None) -> PoseFigure:
    """Draws all frames of a scene side by side; of several tracks the first.

    Args:
        scene: A few frames, see `Scene.take`.
        azimuth: Degrees from the world's x axis to the side from which they are seen; None: the scene's.

    Returns:
        A figure with a 3D axes for each frame, in metres, z up.
    """
    poses = scene.tracks[0].poses
    # One scale for all: a cube round each root that holds every pose.
    centres = poses[:, scene.root, :2]
    reach = max(float(np.abs(poses[..., :2] - centres[:, None]).max()), float(poses[..., 2].max()) / 2, 0.3)
    figure = PoseFigure(figsize=(_WIDTH * len(scene), _HEIGHT), layout="constrained")
    FigureCanvasAgg(figure)
    colours = [_unit(colour) for colour in style.bone_colours(scene.skeleton)]
    for number, pose in enumerate(poses):
        axes = figure.add_subplot(1, len(scene), number + 1, projection="3d")
        for (parent, child), colour in zip(scene.skeleton.bones, colours, strict=True):
            axes.plot(*pose[[parent, child]].T, color=colour, linewidth=2)
        x, y = centres[number]
        axes.set(
            xlim=(x - reach, x + reach),
            ylim=(y - reach, y + reach),
            zlim=(0, 2 * reach),
            title=f"frame {scene.frames[number]}",
        )
        axes.set_box_aspect((1, 1, 1))
        axes.view_init(elev=ELEVATION, azim=scene.azimuth if azimuth is None else azimuth)
        axes.tick_params(labelsize=6, pad=-3)
    if scene.title:
        # Names may hold what matplotlib would set as formulas.
        figure.suptitle(scene.title.replace("$", r"\$"), fontsize=9)
    return figure


def _unit(colour: style.Colour) -> tuple[float, float, float]:
    red, green, blue = colour
    return red / 255, green / 255, blue / 255
