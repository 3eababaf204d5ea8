"""`demo/vis.py`, in which several releases lift a video of `demo/video`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tf_pose3d.cli.scripts.script import INFERENCE, Given, Plan, ScriptFlag, passed, read

__all__ = ["DEMO_FLAGS", "demo_plan"]

DEMO_FLAGS: tuple[ScriptFlag, ...] = (
    read("--video", "video", "a video of demo/video, or anywhere: --input", "sample_video.mp4"),
    passed("--gpu", "--gpu_id", "which GPU"),
)


def demo_plan(weights: Callable[[Given, list[str]], list[str]], poses: str) -> Callable[[Given], Plan]:
    """The plan of a release's `demo/vis.py`.

    Args:
        weights: Gives the arguments that name family and weights; takes the flags and the plan's notes.
        poses: The file of the poses, in the folder `demo/output/NAME`.
    """

    def plan(given: Given) -> Plan:
        made = Plan(INFERENCE)
        made.arguments = weights(given, made.notes)
        named = given.value("video") or ""
        video = Path("demo/video") / named
        video = video if video.is_file() or not Path(named).is_file() else Path(named)
        folder = Path("demo/output") / video.stem
        made.arguments += ["--input", str(video), "--output", str(folder / poses)]
        made.arguments += ["--viz_output", str(folder / f"{video.stem}.mp4")]
        made.notes.append("BlazePose finds the people, where the release has YOLOv3 and HRNet")
        return made

    return plan
