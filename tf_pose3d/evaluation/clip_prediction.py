"""Whole clips through models that lift every frame of a clip: each frame once, however long the clip."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from tf_pose3d.camera import Camera, normalize_screen_coordinates
from tf_pose3d.data.motion_views import DETECTOR_SKELETON
from tf_pose3d.models.general.numpy_network import NumpyNetwork
from tf_pose3d.skeleton import get_skeleton

if TYPE_CHECKING:
    import keras

__all__ = ["ClipPredictor", "overlapping_stretches"]

# Frames in one pass: their activations stay near the cache and bound the memory.
_CHUNK = 1024
_MIRRORED_PRINCIPAL_POINT, _MIRRORED_TANGENTIAL = 4, 9


def overlapping_stretches(frames: int, reach: int) -> Iterator[tuple[slice, slice]]:
    """Stretches of a clip that a network lifts one after the other.

    Args:
        frames: Of the clip.
        reach: Frames on either side that a frame's pose depends on.

    Yields:
        Frames to read, and which of these are the stretch; the stretches together are the clip.
    """
    for first in range(0, frames, _CHUNK):
        last = min(first + _CHUNK, frames)
        before, after = max(first - reach, 0), min(last + reach, frames)
        yield slice(before, after), slice(first - before, last - before)


class ClipPredictor:
    """Poses and uncertainties of clips from a general lifter's network, computed in NumPy.

    Bone lengths are one mean over the whole clip, so that they do not vary in it.

    Args:
        model: The network, or the Keras model whose weights it takes as they are now.
        flip: Average with the mirrored result for the mirrored clip.
    """

    def __init__(self, model: keras.Model | NumpyNetwork, flip: bool = True) -> None:
        self.network: NumpyNetwork = (
            model if isinstance(model, NumpyNetwork) else NumpyNetwork.of_model(model)
        )
        self.flip = flip
        # Frames on either side that a frame's pose depends on.
        self.reach = sum(self.network.config.DILATIONS)
        skeleton = get_skeleton("h36m_17")
        self._flip_2d = list(DETECTOR_SKELETON.flip_order)
        self._flip_3d = list(skeleton.flip_order)
        self._flip_bones = [joint - 1 for joint in skeleton.flip_order if joint != skeleton.root]

    def __call__(
        self,
        keypoints: np.ndarray,
        camera: Camera,
        fps: float | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Poses of a clip.

        Args:
            keypoints: `(F, 13, 3)` pixels and confidence in `DETECTOR_SKELETON`; confidence 0: unseen.
            camera: With its focal length.
            fps: Frames per second; frames are lifted as they come, whatever it is.
            progress: Is told how many frames were done.

        Returns:
            `(F, 17, 3)` metres, root at 0, camera frame; `(F, 17)` metres: radius that holds the true joint
            nine times of ten.
        """
        return self.network.assemble(self._frames(keypoints, camera, progress))

    def _frames(
        self, keypoints: np.ndarray, camera: Camera, progress: Callable[[int], None] | None
    ) -> dict[str, np.ndarray]:
        screen = keypoints.astype(np.float32, copy=True)
        screen[..., :2] = normalize_screen_coordinates(screen[..., :2], camera.width, camera.height)
        intrinsics = camera.intrinsics()
        frames = np.nan_to_num(screen)[None]
        views, cameras = [frames], [intrinsics]
        if self.flip:
            mirrored = frames[:, :, self._flip_2d].copy()
            mirrored[..., 0] *= -1
            other = intrinsics.copy()
            other[[_MIRRORED_PRINCIPAL_POINT, _MIRRORED_TANGENTIAL]] *= -1
            views, cameras = [frames, mirrored], [intrinsics, other]
        batch, intrinsics = np.concatenate(views), np.stack(cameras)
        parts: list[dict[str, np.ndarray]] = []
        for read, kept in overlapping_stretches(len(keypoints), self.reach):
            raw = self.network.lift_frames(batch[:, read], intrinsics)
            parts.append({name: value[:, kept] for name, value in raw.items()})
            if progress is not None:
                progress(kept.stop - kept.start)
        joined = {name: np.concatenate([part[name] for part in parts], axis=1) for name in parts[0]}
        return self._averaged(joined) if self.flip else joined

    def _averaged(self, raw: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The mean of a clip's result and of its mirror image's, turned round."""
        bones, lengths, scale = (raw[name] for name in ("bones", "log_lengths", "scale"))
        mirrored = bones[1:, :, self._flip_bones] * np.array([-1, 1, 1], np.float32)
        mean = (bones[:1] + mirrored) / 2
        if self.network.config.CONSTANT_BONES:
            mean /= np.maximum(np.linalg.norm(mean, axis=-1, keepdims=True), 1e-6)
        return {
            "bones": mean,
            "log_lengths": (lengths[:1] + lengths[1:]) / 2,
            "scale": np.sqrt(scale[:1] * scale[1:, :, self._flip_3d]),
        }
