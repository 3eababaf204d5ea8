"""BlazePose's two networks: where people are, and the landmarks of one of them.

Numbers and the meaning of outputs follow MediaPipe's graphs (google-ai-edge/mediapipe, Apache 2.0:
`modules/pose_detection`, `modules/pose_landmark`, `tasks/cc/vision/pose_landmarker`); Bazarevsky et al.,
"BlazePose: On-device Real-time Body Pose tracking", 2020.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.extras import install_command
from tf_pose3d.inference.detectors.regions import Region, cut, region_between, whole_image
from tf_pose3d.process import held_stderr
from tf_pose3d.types import Parsed

__all__ = ["LandmarkNetwork", "Landmarks", "PeopleNetwork", "people_anchors"]

LANDMARKS = 33
# Landmarks 33 and 34 tell the square of the next frame, four more are of no use here.
_ALL = 39
# Sides of the images that the networks read.
_PEOPLE_SIDE, _LANDMARK_SIDE = 224, 256
# Side of a grid of anchors -> anchors in each of its cells.
_GRIDS = {28: 2, 14: 2, 7: 6}
# Boxes of faces that overlap by more are of one person.
_SAME_FACE = 0.3
# A heat map corrects a landmark where it reaches this, from so many cells to each side.
_PEAK, _REACH = 0.5, 3


def people_anchors() -> np.ndarray:
    """`(2254, 2)` middles of the anchors, x and y, in fractions of the image."""
    anchors = []
    for side, count in _GRIDS.items():
        steps = (np.arange(side) + 0.5) / side
        grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
        anchors.append(np.repeat(grid, count, axis=0))
    return np.concatenate(anchors)


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(values, -100, 100)))


class _Network:
    """A TFLite file that LiteRT runs.

    Args:
        path: The file.
        shapes: Of its outputs, in their order.
        threads: Of the processor.

    Raises:
        Pose3DError: There is no LiteRT, or the file is no such network.
    """

    def __init__(self, path: str | Path, shapes: tuple[tuple[int, ...], ...], threads: int) -> None:
        with held_stderr():
            try:
                self._network = _interpreter()(model_path=os.fspath(path), num_threads=threads)
                self._network.allocate_tensors()
            except (ValueError, RuntimeError, OSError) as error:
                reason = " ".join(str(error).split())
                raise Pose3DError(f"{path} cannot be loaded as a network of BlazePose: {reason}") from None
        outputs = self._network.get_output_details()
        if tuple(tuple(map(int, output["shape"])) for output in outputs) != shapes:
            raise Pose3DError(f"{path} is a network of another kind than BlazePose's")
        self._input = self._network.get_input_details()[0]["index"]
        self._outputs = [output["index"] for output in outputs]

    def __call__(self, image: np.ndarray, wanted: tuple[int, ...]) -> list[np.ndarray]:
        """Outputs of these numbers, without the axis of the batch, of an `(H, W, 3)` float32 image."""
        self._network.set_tensor(self._input, image[None])
        self._network.invoke()
        return [self._network.get_tensor(self._outputs[number])[0] for number in wanted]


def _interpreter() -> Callable[..., Parsed]:
    """LiteRT's class; that of TensorFlow, which is announced for removal, only where LiteRT is missing."""
    if importlib.util.find_spec("ai_edge_litert") is not None:
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter
    import tensorflow as tf

    if hasattr(tf, "lite"):
        return tf.lite.Interpreter
    raise Pose3DError(
        f"--detector blazepose needs LiteRT, which is not installed: {install_command('video')}"
    )


class PeopleNetwork:
    """Finds people by their faces, and the square that each of them fills.

    Args:
        path: `pose_detection.tflite`.
        threads: Of the processor.

    Raises:
        Pose3DError: The file is no such network.
    """

    def __init__(self, path: str | Path, threads: int = 1) -> None:
        self._anchors = people_anchors()
        count = len(self._anchors)
        self._network = _Network(path, ((1, count, 12), (1, count, 1)), threads)

    def __call__(
        self, image: np.ndarray, least: float, window: Region | None = None
    ) -> list[tuple[float, Region]]:
        """Scores and squares of the people in an image, the surest first.

        Args:
            image: `(H, W, 4)` uint8, see `tf_pose3d.inference.detectors.regions.cut`.
            least: Lowest score that counts.
            window: The part of the image to look in; None: all of it.
        """
        window = window or whole_image(image.shape[1], image.shape[0])
        picture = cut(image, window, _PEOPLE_SIDE, repeat_edges=False)
        picture /= 127.5
        picture -= 1
        values, scores = self._network(picture, (0, 1))
        score = _sigmoid(scores[:, 0].astype(np.float64))
        kept = np.flatnonzero(score >= least)
        kept = kept[np.argsort(-score[kept], kind="stable")]
        # Middle, width and height of the face, and four points, of which the first two tell the square.
        found = values[kept].reshape(-1, 6, 2).astype(np.float64) / _PEOPLE_SIDE
        found[:, [0, 2, 3, 4, 5]] += self._anchors[kept][:, None]
        low, high = found[:, 0] - found[:, 1] / 2, found[:, 0] + found[:, 1] / 2
        people = []
        for number, near in _grouped(low, high):
            weight = score[kept][near, None]
            middle, top = ((found[near, point] * weight).sum(axis=0) / weight.sum() for point in (2, 3))
            region = region_between(window.to_image(middle), window.to_image(top))
            people.append((float(score[kept][number]), region))
        return people


def _grouped(low: np.ndarray, high: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Each face's surest box and all that are of it, among `(n, 2)` lowest and highest corners."""
    left = np.arange(len(low))
    groups = []
    while len(left):
        first = left[0]
        shared = np.minimum(high[left], high[first]) - np.maximum(low[left], low[first])
        common = np.prod(np.maximum(shared, 0), axis=1)
        area = np.prod(np.maximum(high[left] - low[left], 0), axis=1)
        same = common > _SAME_FACE * np.maximum(area + area[0] - common, 1e-12)
        # A box without an area overlaps nothing, not even itself.
        same[0] = True
        groups.append((int(first), left[same]))
        left = left[~same]
    return groups


@dataclasses.dataclass(frozen=True, eq=False)
class Landmarks:
    """What the network sees of one person.

    Attributes:
        presence: How sure it is that a person is in the square, 0 to 1.
        keypoints: `(33, 3)` float32: pixels, and how sure it is that the landmark can be seen, 0 to 1.
        pose_3d: `(33, 3)` float32: the network's own pose in metres, from the middle of the hips, x to the
            right, y down, z away from the camera.
        ends: `(2, 2)` pixels: the middle of the hips and the point that tells the square of the next frame.
        region: That square.
    """

    presence: float
    keypoints: np.ndarray
    pose_3d: np.ndarray
    ends: np.ndarray
    region: Region


class LandmarkNetwork:
    """Finds the landmarks of the person in a square.

    Args:
        path: `pose_landmark_full.tflite`, or its lite or heavy brother.
        threads: Of the processor.

    Raises:
        Pose3DError: The file is no such network.
    """

    def __init__(self, path: str | Path, threads: int = 1) -> None:
        side = _LANDMARK_SIDE
        shapes = ((1, 5 * _ALL), (1, 1), (1, side, side, 1), (1, side // 4, side // 4, _ALL), (1, 3 * _ALL))
        self._network = _Network(path, shapes, threads)

    def __call__(self, image: np.ndarray, region: Region) -> Landmarks:
        """The landmarks in a square of an `(H, W, 4)` uint8 image."""
        picture = cut(image, region, _LANDMARK_SIDE, repeat_edges=True)
        picture /= 255
        values, presence, heat, metres = self._network(picture, (0, 1, 3, 4))
        table = values.reshape(_ALL, 5).astype(np.float64)
        places = _refined(table[:, :2] / _LANDMARK_SIDE, heat)
        points = region.to_image(places)
        seen = _sigmoid(table[:LANDMARKS, 3:4])
        cos, sin = np.cos(region.angle), np.sin(region.angle)
        turn = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
        return Landmarks(
            float(presence[0]),
            np.concatenate([points[:LANDMARKS], seen], axis=1).astype(np.float32),
            (metres.reshape(_ALL, 3)[:LANDMARKS] @ turn).astype(np.float32),
            points[LANDMARKS : LANDMARKS + 2],
            region_between(points[LANDMARKS], points[LANDMARKS + 1]),
        )


def _refined(places: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Landmarks moved to the middle of the heat round them.

    Args:
        places: `(n, 2)` in fractions of the square.
        heat: `(H, W, n)` logits.
    """
    height, width, count = heat.shape
    cell = np.trunc(places * (width, height)).astype(np.int64)
    steps = np.arange(-_REACH, _REACH + 1)
    columns, rows = cell[:, :1] + steps, cell[:, 1:] + steps
    there = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None]
    inner = ((cell >= 0) & (cell < (width, height))).all(axis=1)
    index = np.arange(count)[:, None, None]
    logits = heat[
        np.clip(rows, 0, height - 1)[:, :, None], np.clip(columns, 0, width - 1)[:, None], index
    ].astype(np.float64)
    warmth = _sigmoid(logits) * there
    total = warmth.sum(axis=(1, 2))
    moved = np.stack(
        [
            (warmth.sum(axis=1) * columns).sum(axis=1) / width,
            (warmth.sum(axis=2) * rows).sum(axis=1) / height,
        ],
        axis=1,
    )
    trusted = inner & (warmth.max(axis=(1, 2)) >= _PEAK)
    return np.where(trusted[:, None], moved / np.maximum(total, 1e-12)[:, None], places)
