"""Lifting with files that `tools/export.py` wrote, beside the weights that they were made of."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tf_pose3d.camera import Camera, normalize_screen_coordinates
from tf_pose3d.config import TrainingConfig
from tf_pose3d.data.frame_store import FrameStore
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.data.window_rows import window_batch
from tf_pose3d.data.window_spec import WindowSpec
from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.clip_prediction import overlapping_stretches
from tf_pose3d.inference.runtimes import BACKENDS, Runtime, open_exported
from tf_pose3d.models.family import get_family
from tf_pose3d.models.general.assembly import assemble_clip
from tf_pose3d.models.general.config import GeneralConfig

__all__ = ["ExportedClips", "ExportedNetwork", "exported_file"]

_POSE = "pose_3d"
# What the general lifter's files give.
_CLIP_OUTPUTS = ("bones", "log_lengths", "pose_3d", "radius_90")
# Windows, or single frames, of one pass: enough for efficient matrix products, few enough for the cache.
_WINDOWS, _FRAMES = 32, 256


def exported_file(weights: str | os.PathLike[str], backend: str) -> Path:
    """The exported file beside weights: `x.onnx` or `x.tflite` of `x.h5`.

    Raises:
        Pose3DError: An unknown backend, its library is missing, or there is no such file; the message holds
            the command that makes it.
    """
    if backend not in BACKENDS:
        raise Pose3DError(f"--backend {backend}: expected {' or '.join(BACKENDS)}")
    runtime = BACKENDS[backend]
    path = Path(weights).with_suffix(runtime.ending)
    if not path.is_file():
        raise Pose3DError(
            f"--backend {backend}: there is no {path}; python tools/export.py --weights {weights} --format "
            f"{runtime.export_format} makes it"
        )
    runtime.require()
    return path


class ExportedNetwork:
    """What a `Lifter` takes for a Keras model: the exported forward pass, averaged with its mirror image.

    Args:
        config: Of the weights; the file was written under its EVAL_FLIP.
        path: The exported file.
        runtime: Runs it.

    Attributes:
        config, path, runtime: As given.
        lifts_clips: Whether it is a general lifter's, which takes clips.
    """

    def __init__(self, config: TrainingConfig, path: Path, runtime: Runtime) -> None:
        self.config = config
        self.path = path
        self.runtime = runtime
        self.lifts_clips = isinstance(config, GeneralConfig)

    @classmethod
    def read(cls, weights: str | os.PathLike[str], config: TrainingConfig, backend: str) -> ExportedNetwork:
        """The network of the file beside weights.

        Args:
            weights: `.h5` file.
            config: Their config.
            backend: `"onnx"` or `"litert"`.

        Raises:
            Pose3DError: As `exported_file`; a family whose poses take more than one pass; or a file that is
                unreadable or of another network.
        """
        path = exported_file(weights, backend)
        _require_one_pass(config, backend)
        outputs = _CLIP_OUTPUTS if isinstance(config, GeneralConfig) else (_POSE,)
        return cls(config, path, open_exported(path, backend, outputs))

    def notes(self, weights: str | os.PathLike[str]) -> list[str]:
        """What runs, and what is odd about the file beside the weights."""
        said = [f"{self.path} is run by {self.runtime.label}"]
        if os.stat(self.path).st_mtime < os.stat(weights).st_mtime - 1 and not _ships(self.path):
            said.append(f"warning: {self.path} is older than {weights}: was it exported from these weights?")
        if getattr(self.config, "TRAJECTORY", False):
            said.append("warning: the file gives poses alone, not the root's path, which these weights hold")
        return said

    def poses(
        self,
        sequence: Sequence,
        spec: WindowSpec,
        frames: np.ndarray,
        progress: Callable[[int], None] | None = None,
    ) -> np.ndarray:
        """The pose of some frames of one video.

        Args:
            sequence: 2D poses and a camera.
            spec: How windows are cut; every frame is the centre of one.
            frames: `(n,)` their numbers.
            progress: Is told how many frames were done.

        Returns:
            `(n, J, 3)` float32 metres, root-centred, camera frame.

        Raises:
            Pose3DError: The file reads windows of another shape, or what nothing gives.
        """
        store = FrameStore(
            [sequence],
            zeros=spec.padding == "zeros",
            frame_rate=spec.frame_rate,
            channels=spec.channels,
            fill_confidence=spec.fill_confidence,
        )
        size = 1 if self.runtime.one_at_a_time else _FRAMES if spec.length == 1 else _WINDOWS
        poses = np.empty((len(frames), store.skeleton.num_joints, 3), np.float32)
        for first in range(0, len(frames), size):
            batch = self._checked(window_batch(store, spec, frames[first : first + size]))
            poses[first : first + size] = self.runtime.run(batch)[_POSE]
            if progress is not None:
                progress(len(batch["keypoints_2d"]))
        return poses

    def _checked(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The inputs that the file reads, in their shapes."""
        lacking = [name for name in self.runtime.inputs if name not in batch]
        if lacking:
            raise Pose3DError(f"{self.path} reads {', '.join(lacking)}, which lifting without Keras lacks")
        for name, shape in self.runtime.inputs.items():
            given = batch[name].shape
            if len(given) != len(shape) or any(
                size not in (None, found) for size, found in zip(shape[1:], given[1:], strict=False)
            ):
                raise Pose3DError(
                    f"{self.path} reads {name} of {_spelled(shape)}, lifting under this config gives "
                    f"{_spelled((None, *given[1:]))}; export the weights anew"
                )
        return {name: batch[name] for name in self.runtime.inputs}


class ExportedClips:
    """A general lifter's file over clips of any length, as `ClipPredictor` lifts them.

    Args:
        network: Of a general lifter.

    Attributes:
        reach: Frames on either side that a frame's pose depends on.
    """

    def __init__(self, network: ExportedNetwork) -> None:
        config = network.config
        if not isinstance(config, GeneralConfig):
            raise TypeError(f"{network.path} is no general lifter's")
        self._network = network
        self._settings = {"constant_bones": config.CONSTANT_BONES, "knees_forward": config.KNEES_FORWARD}
        self.reach = sum(config.DILATIONS)

    def __call__(
        self,
        keypoints: np.ndarray,
        camera: Camera,
        fps: float | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Poses and radii of a clip; see `ClipPredictor`."""
        screen = keypoints.astype(np.float32, copy=True)
        screen[..., :2] = normalize_screen_coordinates(screen[..., :2], camera.width, camera.height)
        screen = np.nan_to_num(screen)[None]
        intrinsics = camera.intrinsics()[None]
        parts: list[dict[str, np.ndarray]] = []
        for read, kept in overlapping_stretches(len(keypoints), self.reach):
            found = self._network.runtime.run({"keypoints_2d": screen[:, read], "intrinsics": intrinsics})
            parts.append({name: found[name][0, kept] for name in ("bones", "log_lengths", "radius_90")})
            if progress is not None:
                progress(kept.stop - kept.start)
        bones, lengths, radius = (np.concatenate([part[name] for part in parts]) for name in parts[0])
        return assemble_clip(bones, lengths, self._settings), radius


def _require_one_pass(config: TrainingConfig, backend: str) -> None:
    """Refuses families whose lifting is more than one pass over windows.

    Raises:
        Pose3DError: It is.
    """
    reason = get_family(config.ARCH).lifted_in_keras_because
    if reason:
        raise Pose3DError(
            f"--backend {backend}: {config.ARCH} is lifted by Keras alone, as {reason}; leave --backend out"
        )


def _ships(path: Path) -> bool:
    return path.parent == Path(__file__).parents[1] / "shipped"


def _spelled(shape: tuple[int | None, ...]) -> str:
    return f"({', '.join('any' if size is None else str(size) for size in shape)})"
