"""`inference.py --input 0`: a webcam, live in the viewer or as a stream."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import sys
from argparse import Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING

from tf_pose3d.errors import Pose3DError

if TYPE_CHECKING:
    import numpy as np

    from tf_pose3d.data.sequence import Sequence
    from tf_pose3d.inference.detectors import Detector
    from tf_pose3d.inference.lifter import Lifter
    from tf_pose3d.inference.live import LiveFrame
    from tf_pose3d.render.capture import Webcam
    from tf_pose3d.render.scene import Scene
    from tf_pose3d.skeleton import Skeleton

__all__ = ["LiveInput", "is_live", "lift_live", "names_webcam", "open_live", "open_webcam"]

Log = Callable[[str], None]

# Height in pixels of the camera's picture in the viewer.
_PREVIEW = 270


@dataclasses.dataclass
class LiveInput:
    """What a webcam's poses need.

    Attributes:
        camera: Gives frames.
        detector: Finds people in them.
    """

    camera: Webcam
    detector: Detector


def names_webcam(text: str | None) -> bool:
    """Whether `--input` names a webcam: a small number, where there is no file of that name."""
    return text is not None and re.fullmatch(r"[0-9]{1,2}", text) is not None and not os.path.exists(text)


def is_live(arguments: Namespace) -> bool:
    """Whether the poses of a webcam are shown or streamed as they come, and not recorded."""
    files = (arguments.viz_output, arguments.angles)
    return names_webcam(arguments.input) and arguments.output in (None, "-") and not any(files)


def open_webcam(arguments: Namespace) -> Webcam:
    """The webcam that `--input` names.

    Raises:
        Pose3DError: There is none, or PyAV is missing.
    """
    from tf_pose3d.extras import require_av, require_pillow

    require_av()
    require_pillow()
    from tf_pose3d.render.capture import Webcam

    if (arguments.width is None) != (arguments.height is None):
        raise Pose3DError("a webcam is asked for a size by --width and --height; give both")
    size = None if arguments.width is None else (arguments.width, arguments.height)
    return Webcam(int(arguments.input), size)


def open_live(arguments: Namespace) -> LiveInput:
    """Camera and detector, before a network is loaded.

    Raises:
        Pose3DError: One of them is missing.
    """
    from tf_pose3d.inference.detectors import make_detector

    camera = open_webcam(arguments)
    return LiveInput(camera, make_detector(arguments.detector, arguments.detector_model, arguments.threads))


def lift_live(arguments: Namespace, lifter: Lifter, live: LiveInput, log: Log) -> int:
    """Shows or writes poses until Ctrl-C, which is how this ends.

    Returns:
        The exit code, 0.

    Raises:
        Pose3DError: The camera is gone.
    """
    from tf_pose3d.inference.live import live_poses
    from tf_pose3d.inference.stream import pose_line

    frames = live_poses(
        live.camera,
        live.detector,
        lifter,
        arguments.fps,
        arguments.delay,
        arguments.focal_length,
        arguments.smooth,
    )
    count = 0
    streamed = arguments.output == "-"
    camera = live.camera
    said = f"{camera.path}: {camera.width}x{camera.height} at {camera.fps:g} per second"
    print(f"inference.py: {said}; Ctrl-C ends it", file=sys.stderr, flush=True)
    try:
        with contextlib.ExitStack() as stack:
            if not streamed:
                shown = stack.enter_context(_Shown(arguments, lifter, live, log))
            for frame in frames:
                count += 1
                if streamed:
                    sys.stdout.write(pose_line((frame.number, frame.pose)) + "\n")
                    sys.stdout.flush()
                else:
                    shown.show(frame)
    except KeyboardInterrupt:
        print(f"inference.py: ended after {count} frames", file=sys.stderr, flush=True)
        return 0
    if not count:
        raise Pose3DError(f"{camera.path} gave no frame")
    print(f"inference.py: {camera.path} ended after {count} frames", file=sys.stderr, flush=True)
    return 0


class _Shown:
    """The viewer, and what it is told of a frame."""

    def __init__(self, arguments: Namespace, lifter: Lifter, live: LiveInput, log: Log) -> None:
        from tf_pose3d.inference.trajectory import default_camera
        from tf_pose3d.render.live import LiveViewer
        from tf_pose3d.skeleton import get_skeleton

        camera = live.camera
        self._lifter = lifter
        self._source: Skeleton = get_skeleton(live.detector.layout)
        self._camera = default_camera(camera.width, camera.height, arguments.focal_length)
        self._fps, self._name = arguments.fps or camera.fps, camera.path
        self._viewer = LiveViewer(self._scene(*self._standing()), arguments.port)
        log(f"the poses are at {self._viewer.url}")

    def __enter__(self) -> _Shown:
        return self

    def __exit__(self, *exception: object) -> None:
        self._viewer.close()

    def show(self, frame: LiveFrame) -> None:
        """Shows a frame."""
        from PIL import Image

        height, width = frame.image.shape[:2]
        picture = Image.fromarray(frame.image).resize((max(1, round(width * _PREVIEW / height)), _PREVIEW))
        scene = None
        if frame.pose is not None and frame.keypoints is not None:
            scene = self._scene(frame.pose, frame.keypoints)
        self._viewer.show(frame.number, scene, picture)

    def _scene(self, pose: np.ndarray, keypoints: np.ndarray) -> Scene:
        from tf_pose3d.render import make_scene

        return make_scene(self._sequence(keypoints), pose[None], self._lifter.root)

    def _sequence(self, keypoints: np.ndarray) -> Sequence:
        import numpy as np

        from tf_pose3d.data.sequence import Sequence
        from tf_pose3d.skeleton import convert_joints, missing_joints

        skeleton = self._lifter.skeleton
        points = np.full((1, skeleton.num_joints, 2), np.nan, np.float32)
        if not missing_joints(self._source, skeleton):
            points = convert_joints(keypoints[None, :, :2], self._source, skeleton)
        return Sequence(
            subject="",
            action="",
            name=self._name,
            skeleton=skeleton,
            fps=self._fps,
            camera=self._camera,
            pose_2d=points,
        )

    def _standing(self) -> tuple[np.ndarray, np.ndarray]:
        """A made-up person's pose, by which the view is chosen before anybody is seen."""
        import numpy as np

        from tf_pose3d.data.synthetic import synthetic_sequences
        from tf_pose3d.skeleton import joint_indices

        sequence = synthetic_sequences(["S9"], frames=1, actions=["Walking"], skeleton="h36m_17")[0]
        assert sequence.pose_3d is not None
        order = joint_indices("h36m_17", self._lifter.skeleton)
        return sequence.pose_3d[0, order], np.zeros((self._source.num_joints, 3), np.float32)
