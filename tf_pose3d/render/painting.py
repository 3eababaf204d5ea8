"""Paint the pictures of a scene: the 2D input beside one panel for each 3D skeleton.

Panels are drawn at twice their size and reduced, which smooths edges; text is set afterwards. A picture
takes milliseconds, where a redraw of a plotting library's 3D axes takes a large part of a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tf_pose3d.render import style
from tf_pose3d.render.scene import Scene, Track
from tf_pose3d.render.style import Colour
from tf_pose3d.render.view import fit_view, input_region

__all__ = ["Painter"]

_OVERSAMPLING = 2
# Shares of the panel's height.
_MARGIN, _HEAD, _TEXT, _BONE, _JOINT = 0.04, 0.11, 0.042, 0.013, 0.0095
# The floor: half its width, its tiles, and where it begins to fade, in metres.
_FLOOR_RADIUS, _TILE = 1.5, 0.5
# Ends of a bone that its outline leaves free, so that it does not cut the bones it meets.
_FREE_END = 0.18

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


class Painter:
    """Paints the pictures of one scene.

    Args:
        scene: What to paint.
        size: Height of a panel in 100 pixels.
        over_video: The 2D panel shows video frames, which `paint` is then given.

    Attributes:
        size: (width, height) of the pictures in pixels, both even.
        picture_size: (width, height) that video frames should have, pixels; None without video.
    """

    def __init__(self, scene: Scene, size: float = 5.0, over_video: bool = False) -> None:
        panel = 2 * round(50 * size)
        self.scene = scene
        self.size = (panel * (1 + len(scene.tracks)), panel)
        self._panel = panel
        self._fine = panel * _OVERSAMPLING
        self._bones = list(zip(scene.skeleton.bones, style.bone_colours(scene.skeleton), strict=True))
        self._joint_colours = style.joint_colours(scene.skeleton)
        self._font = ImageFont.load_default(max(panel * _TEXT, 9))
        self._small = ImageFont.load_default(max(panel * _TEXT * 0.82, 8))
        margin = _MARGIN * self._fine
        box = (margin, margin + _HEAD * self._fine, self._fine - margin, self._fine - margin)
        self._view = fit_view(scene, box)
        # Several people are smaller, on more floor; their bones are no thicker than they would be.
        reach = (box[2] - box[0]) / 2 / self._view.scale
        self._floor = max(_FLOOR_RADIUS, reach) if scene.tracks[-1].company is not None else _FLOOR_RADIUS
        self._bone = _BONE * min(1.0, 1.5 * _FLOOR_RADIUS / self._floor)
        self._everyone_2d = scene.everyone_2d
        left, top, side = input_region(scene, whole=over_video)
        head, foot = margin + _HEAD * 0.75 * self._fine, 2 * margin + _TEXT * self._fine
        room = self._fine - head - foot
        self._input_scale = room / side
        self._input_corner = ((self._fine - room) / 2 - left * room / side, head - top * room / side)
        self.picture_size = None
        if over_video:
            width, height = scene.image_size
            self.picture_size = (round(width * self._input_scale), round(height * self._input_scale))

    def paint_all(self, pictures: Iterable[Image.Image] | None = None) -> Iterator[Image.Image]:
        """All pictures in order; stops early where `pictures` (video frames) do."""
        if pictures is None:
            for index in range(len(self.scene)):
                yield self.paint(index)
            return
        for index, picture in zip(range(len(self.scene)), pictures, strict=False):
            yield self.paint(index, picture)

    def paint(self, index: int, picture: Image.Image | None = None) -> Image.Image:
        """One picture.

        Args:
            index: Which frame of the scene.
            picture: The video's frame, RGB, `picture_size` large.

        Returns:
            RGB image of `size`.
        """
        canvas = Image.new("RGB", self.size, style.PAPER)
        canvas.paste(self._paint_input(index, picture), (0, 0))
        for number, track in enumerate(self.scene.tracks):
            canvas.paste(self._paint_track(index, track), ((1 + number) * self._panel, 0))
        self._set_text(canvas, index)
        return canvas

    def _paint_input(self, index: int, picture: Image.Image | None) -> Image.Image:
        image = Image.new("RGB", (self._fine, self._fine), style.CARD)
        if picture is not None:
            left, top = self._input_corner
            image.paste(picture, (round(left), round(top)))
        draw = ImageDraw.Draw(image)
        # The followed person is in front.
        for person in self._everyone_2d[::-1, index]:
            points = person * self._input_scale + self._input_corner
            points = np.concatenate([points, np.zeros_like(points[:, :1])], axis=1)
            if picture is not None:
                # Stands out from whatever is behind.
                for (parent, child), _ in self._bones:
                    self._line(draw, points[parent], points[child], style.PAPER, _BONE * 1.45)
                for point in points:
                    self._dot(draw, point, style.PAPER, _JOINT * 1.3)
            self._draw_skeleton(draw, points, 0.85)
        return image.reduce(_OVERSAMPLING)

    def _paint_track(self, index: int, track: Track) -> Image.Image:
        image = Image.new("RGB", (self._fine, self._fine), style.PAPER)
        draw = ImageDraw.Draw(image)
        everyone = track.everyone[:, index]
        # All panels follow the same point, so that they can be compared.
        followed = self.scene.tracks[-1].poses[index, self.scene.root, :2]
        self._draw_floor(draw, followed)
        for shadow in self._view.project(everyone * (1, 1, 0), followed):
            for (parent, child), _ in self._bones:
                self._line(draw, shadow[parent], shadow[child], style.SHADOW, self._bone * 0.9)
        drawn = self._view.project(everyone, followed)
        seen = [person for person, points in enumerate(drawn) if np.isfinite(points).any()]
        # Who stands farther away is drawn first.
        for person in sorted(seen, key=lambda person: float(np.nanmean(drawn[person, :, 2]))):
            faint = None if track.unsure is None or person else style.faintness(track.unsure[index])
            self._draw_skeleton(draw, drawn[person], self._bone / _BONE, faint)
        return image.reduce(_OVERSAMPLING)

    def _draw_floor(self, draw: ImageDraw.ImageDraw, followed: np.ndarray) -> None:
        first = np.floor((followed - self._floor) / _TILE).astype(int)
        count = round(2 * self._floor / _TILE) + 1
        column, row = np.meshgrid(np.arange(count), np.arange(count), indexing="ij")
        tiles = np.stack([column, row], axis=-1).reshape(-1, 2) + first
        tiles = tiles[tiles.sum(axis=1) % 2 == 0]
        distance = np.linalg.norm((tiles + 0.5) * _TILE - followed, axis=1) / self._floor
        tiles, distance = tiles[distance < 1], distance[distance < 1]
        corners = (tiles[:, None] + [(0, 0), (1, 0), (1, 1), (0, 1)]) * _TILE
        flat = np.concatenate([corners, np.zeros_like(corners[..., :1])], axis=-1)
        outline = self._view.project(flat, followed)[..., :2]
        for polygon, share in zip(outline, distance, strict=True):
            draw.polygon(
                [tuple(point) for point in polygon], fill=style.mix(style.FLOOR, style.PAPER, share**2)
            )

    def _draw_skeleton(
        self,
        draw: ImageDraw.ImageDraw,
        points: np.ndarray,
        weight: float = 1.0,
        faint: np.ndarray | None = None,
    ) -> None:
        """Bones and joints, far ones first.

        Args:
            draw: Of the oversampled panel.
            points: `(J, 3)` panel pixels and depth.
            weight: Relative thickness.
            faint: `(J,)` share of paper in each joint's colour, and in that of the bone that ends there.
        """
        faint = np.zeros(len(points)) if faint is None else faint
        items = [
            (
                (points[parent, 2] + points[child, 2]) / 2,
                points[parent],
                points[child],
                style.mix(colour, style.PAPER, faint[child]),
            )
            for (parent, child), colour in self._bones
        ]
        items += [
            (point[2] + 1e-3, point, None, style.mix(colour, style.PAPER, share))
            for point, colour, share in zip(points, self._joint_colours, faint, strict=True)
        ]
        for _, start, end, colour in sorted(
            (item for item in items if np.isfinite(item[0])), key=lambda item: item[0]
        ):
            if end is None:
                self._dot(draw, start, colour, _JOINT * weight)
                continue
            gap = (end - start) * _FREE_END
            self._line(draw, start + gap, end - gap, style.PAPER, _BONE * weight * 1.7)
            self._line(draw, start, end, colour, _BONE * weight)

    def _line(
        self, draw: ImageDraw.ImageDraw, start: np.ndarray, end: np.ndarray, colour: Colour, width: float
    ) -> None:
        along = (end - start)[:2]
        length = float(np.hypot(*along))
        # Far outside, or not a number: an untrained model's joints may be anywhere.
        if not length < 4 * self._fine or not np.abs(start[:2]).max() < 4 * self._fine:
            return
        half = width * self._fine / 2
        across = np.array([-along[1], along[0]]) * (half / max(length, 1e-6))
        a, b = start[:2], end[:2]
        draw.polygon(
            [tuple(a + across), tuple(b + across), tuple(b - across), tuple(a - across)], fill=colour
        )

    def _dot(self, draw: ImageDraw.ImageDraw, point: np.ndarray, colour: Colour, radius: float) -> None:
        if not np.abs(point[:2]).max() < 4 * self._fine:
            return
        x, y, r = float(point[0]), float(point[1]), radius * self._fine
        draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)

    def _set_text(self, canvas: Image.Image, index: int) -> None:
        draw = ImageDraw.Draw(canvas)
        panel, margin = self._panel, round(_MARGIN * self._panel)
        scene = self.scene
        frame = int(scene.frames[index])

        def put(x: float, y: float, text: str, colour: Colour, font: _Font, anchor: str) -> None:
            draw.text((x, y), text, fill=colour, font=font, anchor=anchor)

        put(margin, margin, "2D input", style.INK, self._font, "la")
        put(margin, panel - margin, scene.title, style.MUTED, self._small, "ls")
        put(panel - margin, margin, f"frame {frame}", style.MUTED, self._small, "ra")
        for number, track in enumerate(scene.tracks, start=1):
            left = number * panel
            draw.line((left, 0, left, panel), fill=style.FAINT)
            put(left + margin, margin, track.title, style.INK, self._font, "la")
            if track.error_mm is not None:
                text = f"error {track.error_mm[index]:.1f} mm"
                put(left + panel - margin, margin, text, style.INK, self._font, "ra")
        self._set_legend(draw, panel, margin)

    def _set_legend(self, draw: ImageDraw.ImageDraw, panel: int, margin: int) -> None:
        right, baseline = self.size[0] - margin, panel - margin
        for name, colour in (("right", style.RIGHT), ("left", style.LEFT)):
            draw.text((right, baseline), name, fill=colour, font=self._small, anchor="rs")
            right -= round(self._small.getlength(name)) + margin // 2
