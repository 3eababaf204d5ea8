"""How good a triangulation is: text, JSON and a picture of figures that exclusion does not polish."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tf_pose3d.errors import Pose3DError
from tf_pose3d.extras import require_pillow
from tf_pose3d.files import write_json, write_whole
from tf_pose3d.multicamera.suspicions import Finding

__all__ = ["REPORTS", "CameraReport", "PersonReport", "Report", "frame_ranges"]

Floats = npt.NDArray[np.float64]

REPORTS = (".txt", ".json", ".png")


def frame_ranges(numbers: npt.NDArray[np.int64]) -> str:
    """Increasing frame numbers in short: `36, 41-49`."""
    if not len(numbers):
        return "none"
    breaks = np.flatnonzero(np.diff(numbers) > 1) + 1
    parts = [(int(run[0]), int(run[-1])) for run in np.split(numbers, breaks)]
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


@dataclasses.dataclass(frozen=True)
class CameraReport:
    """One camera.

    Attributes:
        name: The camera's.
        view: The view's.
        error_px: Median pixels over all its confident keypoints, before anything is left out.
        excluded: Share of its confident keypoints that were left out.
        seen: Share of the frames in which it shows the person.
        offset: Common frame of its frame 0.
        step: Common frames from one of its frames to the next.
        swapped: Frames in which left and right were exchanged.
    """

    name: str
    view: str
    error_px: float
    excluded: float
    seen: float
    offset: float
    step: float
    swapped: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class PersonReport:
    """One person.

    Attributes:
        id: Whose.
        frames: In how many frames any joint was found.
        first, last: The first and last of these.
        points: Joints found.
        three_views: Share of these that three views or more made.
        error_px: Mean pixels over the views that made them: after exclusion.
        height: Metres, by the bones; NaN where unknown.
        swapped: Camera -> frames in which left and right were exchanged.
        filled: Joints that no two views saw, from the lifter.
    """

    id: str
    frames: int
    first: int
    last: int
    points: int
    three_views: float
    error_px: float
    height: float
    swapped: dict[str, tuple[int, ...]]
    filled: int


@dataclasses.dataclass(frozen=True, eq=False)
class Report:
    """How good a triangulation is.

    Attributes:
        cameras: One of each view.
        people: Everyone who was triangulated.
        error_px: Median pixels over all confident keypoints of the first person, before anything is left out.
        mean_error_px: Mean of the same.
        error_mm: The median in millimetres at the person's distance.
        pairs: `(V, V)` median pixels from the epipolar lines of each pair, NaN on the diagonal.
        three_views: Share of the joints that three views or more made.
        findings: What is wrong with the rig.
        method: `"robust"` or `"pose2sim"`.
        notes: What was supposed.
    """

    cameras: tuple[CameraReport, ...]
    people: tuple[PersonReport, ...]
    error_px: float
    mean_error_px: float
    error_mm: float
    pairs: Floats
    three_views: float
    findings: tuple[Finding, ...]
    method: str = "robust"
    notes: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong with the rig."""
        return not self.findings

    @property
    def warning(self) -> str:
        """One line on what is wrong, naming the camera; empty where nothing is."""
        return "; ".join(finding.text for finding in self.findings)

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """The report as text."""
        lines = [
            f"all views, nothing left out: median {self.error_px:.1f} px (about {self.error_mm:.0f} mm), "
            f"mean {self.mean_error_px:.1f} px; {self.three_views:.0%} of the joints from three views or more"
        ]
        if self.cameras:
            width = max(len(camera.name) for camera in self.cameras)
            for camera in self.cameras:
                time = (
                    ""
                    if camera.offset == 0 and camera.step == 1
                    else (
                        f", begins at frame {camera.offset:g}"
                        + (f", every {camera.step:g} frames" if camera.step != 1 else "")
                    )
                )
                lines.append(
                    f"  {camera.name:<{width}}  {camera.error_px:6.1f} px, {camera.excluded:4.0%} left out, "
                    f"in {camera.seen:.0%} of the frames{time}"
                )
            names = [camera.name for camera in self.cameras]
            pairs = [
                f"{names[a]}-{names[b]} {self.pairs[a, b]:.1f}"
                for a in range(len(names))
                for b in range(a + 1, len(names))
                if np.isfinite(self.pairs[a, b])
            ]
            if len(pairs) <= 15:
                lines.append(f"  pairs, px from the epipolar lines: {', '.join(pairs)}")
        for person in self.people:
            who = f"person {person.id}: " if len(self.people) > 1 else ""
            height = "" if not np.isfinite(person.height) else f", about {person.height:.2f} m tall"
            lines.append(
                f"  {who}{person.points} joints in {person.frames} frames ({person.first} to "
                f"{person.last}){height}; {person.error_px:.1f} px after exclusion"
            )
            for camera_name, frames in person.swapped.items():
                lines.append(
                    f"  {who}left and right exchanged in camera {camera_name} and put right: frames "
                    f"{frame_ranges(np.array(frames, np.int64))}"
                )
            if person.filled:
                lines.append(f"  {who}{person.filled} joints that no two views saw are the lifter's")
        lines += [f"  {note}" for note in self.notes]
        lines += [f"WRONG: {finding.text}" for finding in self.findings]
        return lines

    def facts(self) -> dict[str, Any]:
        """The report as JSON holds it; what is unknown is null."""
        return {
            "method": self.method,
            "error_px": _number(self.error_px),
            "mean_error_px": _number(self.mean_error_px),
            "error_mm": _number(self.error_mm),
            "three_views": _number(self.three_views),
            "sound": self.sound,
            "findings": [
                {
                    "kind": finding.kind,
                    "cameras": list(finding.cameras),
                    "text": finding.text,
                    "before_px": _number(finding.before),
                    "after_px": _number(finding.after),
                }
                for finding in self.findings
            ],
            "cameras": [
                {
                    "name": camera.name,
                    "view": camera.view,
                    "error_px": _number(camera.error_px),
                    "excluded": _number(camera.excluded),
                    "seen": _number(camera.seen),
                    "offset_frames": _number(camera.offset),
                    "step": _number(camera.step),
                    "swapped_frames": list(camera.swapped),
                }
                for camera in self.cameras
            ],
            "pairs_px": [[_number(value) for value in row] for row in self.pairs.tolist()],
            "people": [
                {
                    "id": person.id,
                    "frames": person.frames,
                    "first_frame": person.first,
                    "last_frame": person.last,
                    "joints": person.points,
                    "three_views": _number(person.three_views),
                    "error_px_after_exclusion": _number(person.error_px),
                    "height_m": _number(person.height),
                    "swapped_frames": {view: list(frames) for view, frames in person.swapped.items()},
                    "filled_joints": person.filled,
                }
                for person in self.people
            ],
            "notes": list(self.notes),
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the report.

        Args:
            path: Ends in .txt, .json or .png (the extra `render`).

        Raises:
            Pose3DError: Another ending, or a file that cannot be written.
        """
        check_report(path)
        suffix = Path(path).suffix.lower()
        if suffix == ".json":
            write_json(path, self.facts())
        elif suffix == ".txt":
            with write_whole(path, "w") as file:
                file.write(str(self) + "\n")
        else:
            _draw(self, path)


def check_report(path: str | os.PathLike[str]) -> None:
    """Checks that a report can be written, before the work.

    Raises:
        Pose3DError: The file's ending is none of `REPORTS`, or Pillow is missing for a picture.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in REPORTS:
        raise Pose3DError(f"{path}: expected a report whose name ends in {', '.join(REPORTS)}")
    if suffix == ".png":
        require_pillow()


def _number(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None


# Pixels of the picture: one cell of the table of pairs, its margins, and the height of a line of text.
_CELL, _LEFT, _TOP, _LINE = 64, 150, 60, 18


def _draw(report: Report, path: str | os.PathLike[str]) -> None:
    """A picture: errors of the pairs as a table in colours, cameras beside it, the text below."""
    from PIL import Image, ImageDraw

    count = len(report.cameras)
    lines = report.lines()
    wide = max(_LEFT + _CELL * count + 420, 20 + 7 * max(map(len, lines)))
    high = _TOP + _CELL * count + 30 + _LINE * len(lines) + 20
    picture = Image.new("RGB", (wide, high), "white")
    draw = ImageDraw.Draw(picture)
    draw.text((20, 12), "median pixels from the epipolar lines of each pair", fill="black")
    finite = report.pairs[np.isfinite(report.pairs)]
    # Twice the median is plainly red.
    usual = max(float(np.median(finite)), 1e-6) if len(finite) else 1.0
    for a, camera in enumerate(report.cameras):
        draw.text((20, _TOP + a * _CELL + 24), camera.name[:18], fill="black")
        draw.text((_LEFT + a * _CELL + 4, _TOP - 16), camera.name[:9], fill="black")
        for b in range(count):
            value = report.pairs[a, b]
            box = (
                _LEFT + b * _CELL,
                _TOP + a * _CELL,
                _LEFT + (b + 1) * _CELL - 2,
                _TOP + (a + 1) * _CELL - 2,
            )
            if not np.isfinite(value):
                draw.rectangle(box, fill=(244, 245, 247))
                continue
            share = float(np.clip((value / usual - 1) / 1.5, 0, 1))
            draw.rectangle(box, fill=(int(214 + 20 * share), int(228 - 140 * share), int(245 - 233 * share)))
            draw.text((box[0] + 14, box[1] + 24), f"{value:.1f}", fill="black")
        bar = _LEFT + count * _CELL + 30
        top = _TOP + a * _CELL + 18
        draw.rectangle((bar, top, bar + int(200 * camera.excluded), top + 22), fill=(234, 88, 12))
        draw.rectangle((bar, top, bar + 200, top + 22), outline=(107, 114, 128))
        draw.text(
            (bar + 208, top + 4), f"{camera.excluded:.0%} left out, {camera.error_px:.1f} px", fill="black"
        )
    for number, line in enumerate(lines):
        colour = (185, 28, 28) if line.startswith("WRONG") else (31, 41, 55)
        draw.text((20, _TOP + _CELL * count + 20 + number * _LINE), line, fill=colour)
    with write_whole(path) as file:
        picture.save(file, "PNG")
