"""From anyone's 2D keypoints to 3D poses with one object: `tf_pose3d.load(weights)`."""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Callable

import keras
import numpy as np

from tf_pose3d.camera import Camera
from tf_pose3d.config import TrainingConfig
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.data.windows import Windows
from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.human36m_protocol import interpolate_keyframes
from tf_pose3d.evaluation.prediction import Predictor
from tf_pose3d.inference import sanity
from tf_pose3d.inference.preparation import PreparedKeypoints, frame_times, prepare_keypoints, resample
from tf_pose3d.inference.trajectory import default_camera
from tf_pose3d.models.family import Family, get_family
from tf_pose3d.progress import Progress
from tf_pose3d.skeleton import Skeleton, get_skeleton

__all__ = ["KeypointWarning", "LiftedPerson", "Lifter", "check_clip", "check_keypoint_array", "load"]

# Windows between two looks at whether to stop.
_CHUNK = 1024


class KeypointWarning(UserWarning):
    """Keypoints that look wrong, e.g. upside down or in another joint order."""


@dataclasses.dataclass(frozen=True)
class LiftedPerson:
    """One person's poses and what they were made from.

    Attributes:
        pose_3d: `(F, J, 3)` float32 metres, root-centred, camera frame; NaN where not `present`.
        keypoints: `(F, J, 3)` float32: the 2D poses that were lifted, pixels and confidence.
        present: `(F,)` bool: the person was found, or was lost for a short time only.
        skeleton: Names the J joints.
        root: Index of the root joint.
        camera: Image size and focal length that were supposed.
        fps: Frames per second.
        warnings: What looks wrong, one line each.
        interrupted: Whether Ctrl-C stopped the work; then there are fewer frames than were asked for.
    """

    pose_3d: np.ndarray
    keypoints: np.ndarray
    present: np.ndarray
    skeleton: Skeleton
    root: int
    camera: Camera
    fps: float
    warnings: tuple[str, ...] = ()
    interrupted: bool = False


class Lifter:
    """Lifts videos of 2D keypoints with one model.

    Repeated calls share the model's compiled passes: only the first one traces.

    Args:
        model: With its weights; `model.config` is its config, as `tf_pose3d.load_model` gives it.
        config: Another config to lift under (e.g. with another s_in); None: the model's.
        min_confidence: Joints below it count as missing.
        max_gap: Longest run of frames without the person that is filled.
        normalization: `"frame"`: coordinates relative to the whole image, as every family here is trained;
            `"box"`: relative to a square round the person in the clip, for people who are small in the image.

    Attributes:
        skeleton: Layout of the poses.
        root: Index of their root joint.

    Raises:
        Pose3DError: An unknown normalisation or a threshold beyond 0 to 1.
    """

    def __init__(
        self,
        model: keras.Model,
        config: TrainingConfig | None = None,
        min_confidence: float = 0.3,
        max_gap: int = 10,
        normalization: str = "frame",
    ) -> None:
        if normalization not in ("frame", "box"):
            raise Pose3DError(f"normalization is {normalization!r}, expected frame or box")
        if not 0 <= min_confidence <= 1:
            raise Pose3DError(f"min_confidence is {min_confidence:g}, expected 0 to 1")
        if max_gap < 0:
            raise Pose3DError(f"max_gap is {max_gap}, expected 0 or more frames")
        config = config if config is not None else model.config
        self.model = model
        self.family: Family = get_family(config.ARCH)
        self.config = config
        self.min_confidence = min_confidence
        self.max_gap = max_gap
        self.normalization = normalization
        self.skeleton = get_skeleton(self.family.skeleton(config))
        self.root = self.family.root_joint(config)
        _, self._setting = self.family.evaluation_settings(config)[0]
        self.spec = dataclasses.replace(self.family.window_spec(self._setting, "test"), step=1)
        self._predictor = Predictor(model, self._setting.EVAL_FLIP, self._setting.JIT_COMPILE)

    def __call__(
        self,
        keypoints_2d: np.ndarray,
        width: int,
        height: int,
        fps: float = 50.0,
        layout: str | Skeleton | None = None,
        focal_length: float | None = None,
    ) -> np.ndarray:
        """Poses of one person's keypoints.

        Args:
            keypoints_2d: `(F, J, 2 or 3)` pixels, the third number a confidence between 0 and 1; NaN where a
                joint was not found.
            width, height: Image size in pixels.
            fps: Frames per second.
            layout: Joint layout, e.g. `"coco_17"`; None: the model's own.
            focal_length: Pixels, for the families that read it; None: typical.

        Returns:
            `(F, J, 3)` float32 metres, root-centred, camera frame (x right, y down, z away), in the joints of
            `skeleton`; NaN in frames in which the person is missing for longer than `max_gap`.

        Raises:
            Pose3DError: Keypoints that cannot be lifted, see `lift`.

        Warns:
            KeypointWarning: Keypoints that look wrong.
        """
        person = self.lift(keypoints_2d, width, height, fps, layout, focal_length)
        if person.interrupted:
            raise KeyboardInterrupt
        for message in person.warnings:
            warnings.warn(message, KeypointWarning, stacklevel=2)
        return person.pose_3d

    def lift(
        self,
        keypoints_2d: np.ndarray,
        width: int,
        height: int,
        fps: float = 50.0,
        layout: str | Skeleton | None = None,
        focal_length: float | None = None,
        where: str = "keypoints_2d",
        show_progress: bool = False,
    ) -> LiftedPerson:
        """As a call, with all that belongs to the poses, and warnings in the result.

        Ctrl-C ends the work early: the result then holds the frames that were done.

        Args:
            keypoints_2d, width, height, fps, layout, focal_length: As for a call.
            where: Names the keypoints in messages.
            show_progress: Show a progress bar.

        Raises:
            Pose3DError: A shape that does not fit the layout, an image size or rate that is not positive,
                confidences beyond 0 to 1, coordinates outside the image, or joints that nothing gives.
            KeyboardInterrupt: Interrupted before any frame was done.
        """
        source = self.skeleton if layout is None else get_skeleton(layout)
        points = check_keypoint_array(keypoints_2d, source, where)
        check_clip(width, height, fps, where)
        found = sanity.check_image_range(points, width, height, where)
        prepared = prepare_keypoints(points, source, self.skeleton, self.min_confidence, self.max_gap, where)
        present = prepared.keypoints[prepared.present]
        found += sanity.check_keypoints(present, self.skeleton)
        found += sanity.check_sides(points, source)
        camera = default_camera(width, height, focal_length)
        poses = self._lift_prepared(prepared, camera, fps, show_progress)
        count, asked = len(poses), len(prepared.keypoints)
        seen = prepared.present[:count]
        found += sanity.check_poses(poses[seen], self.skeleton)
        missing = asked - int(prepared.present.sum())
        if missing:
            found.append(
                f"no person in {missing} of {asked} frames (more than {self.max_gap} in a row, or at the "
                "ends): they have no pose"
            )
        poses[~seen] = np.nan
        return LiftedPerson(
            poses,
            prepared.keypoints[:count],
            seen,
            self.skeleton,
            self.root,
            camera,
            fps,
            tuple(found),
            interrupted=count < asked,
        )

    def _lift_prepared(
        self, prepared: PreparedKeypoints, camera: Camera, fps: float, show_progress: bool
    ) -> np.ndarray:
        """`(n, J, 3)`: poses of all frames, or of the first n when interrupted."""
        keypoints, rate = prepared.keypoints, self.spec.frame_rate
        # Frames that are lifted one by one know no time; multiples of the rate are strided over.
        resampled = self.spec.length > 1 and fps % rate != 0
        if resampled:
            keypoints = resample(keypoints, frame_times(len(keypoints), fps, rate))
        window_fps = fps if self.spec.length > 1 and not resampled else rate
        poses = self._lift_sequence(self._sequence(keypoints, camera, window_fps), show_progress)
        if resampled:
            places = np.arange(len(prepared.keypoints)) * (rate / fps)
            # Where the work was stopped, only frames whose neighbours are done.
            done = len(poses) == len(keypoints)
            poses = resample(poses, places if done else places[places <= len(poses) - 1])
        return poses

    def _sequence(self, keypoints: np.ndarray, camera: Camera, fps: float) -> Sequence:
        """Keypoints as the record that windows are cut from."""
        if self.normalization == "box":
            keypoints, camera = _in_box(keypoints, camera)
        channels = self.family.keypoint_channels(self.config)
        sequence = Sequence(
            subject="",
            action="",
            name="keypoints",
            skeleton=self.skeleton,
            fps=fps,
            camera=camera,
            pose_2d=np.ascontiguousarray(keypoints[..., :channels], np.float32),
        )
        return self.family.complete_sequence(self.model, self.config, sequence)

    def _lift_sequence(self, sequence: Sequence, show_progress: bool) -> np.ndarray:
        stride = self.family.prediction_stride(self._setting)
        numbers = np.arange(0, sequence.num_frames, stride)
        predicted = np.zeros((sequence.num_frames, self.skeleton.num_joints, 3), np.float32)
        done = 0
        try:
            with Progress(len(numbers), "lifting") as progress:
                count = (lambda done: progress.update(steps=done)) if show_progress else None
                for start in range(0, len(numbers), _CHUNK):
                    part = numbers[start : start + _CHUNK]
                    predicted[part] = self._predict(sequence, part, count)
                    done = start + len(part)
        except KeyboardInterrupt:
            if not done:
                raise
        end = sequence.num_frames if done == len(numbers) else int(numbers[done - 1]) + 1
        poses = predicted[:end]
        if stride > 1:
            poses = interpolate_keyframes(poses, np.arange(end), stride)
        return poses - poses[:, self.root : self.root + 1]

    def _predict(
        self, sequence: Sequence, numbers: np.ndarray, count: Callable[[int], None] | None
    ) -> np.ndarray:
        """`(n, J, 3)` poses of some frames, from the stretch of the clip that their windows see.

        However long the clip, only that stretch is held in the model's form.
        """
        multiple = max(round(sequence.fps / self.spec.frame_rate), 1)
        reach = (self.spec.length - 1) * self.spec.stride * multiple
        # Sampled frames lie where they would lie in the whole clip.
        step = max(self.spec.mask_strides or (self.spec.stride,)) * multiple
        first = max(int(numbers[0]) - reach, 0) // step * step
        last = min(int(numbers[-1]) + reach + 1, sequence.num_frames)
        stretch = dataclasses.replace(
            sequence,
            pose_2d=sequence.pose_2d[first:last],
            per_frame={name: values[first:last] for name, values in sequence.per_frame.items()},
        )
        windows = Windows([stretch], self.spec)
        return self._predictor(windows, self._setting.BATCH_SIZE, numbers - first, count)

    def lift_frame(self, keypoints: np.ndarray, frame: int, camera: Camera, fps: float) -> np.ndarray:
        """`(J, 3)` pose of one frame of a short clip; for streams.

        The frames that the network samples are laid out from this one, so that its own 2D pose is always
        among them.

        Args:
            keypoints: `(F, J, 3)` pixels and confidence in the model's layout, finite.
            frame: Number of the frame.
            camera: Image size and focal length.
            fps: Frames per second.
        """
        rate = self.spec.frame_rate
        if self.spec.length > 1 and fps % rate:
            before = int(frame * rate / fps + 1e-6)
            after = int((len(keypoints) - 1 - frame) * rate / fps + 1e-6)
            keypoints = resample(keypoints, frame + np.arange(-before, after + 1) * (fps / rate))
            frame, fps = before, rate
        stride = max(self.spec.mask_strides or (self.spec.stride,)) * max(round(fps / rate), 1)
        skipped = frame % stride
        fps = fps if self.spec.length > 1 else rate
        sequence = self._sequence(keypoints[skipped:], camera, fps)
        pose = self._predict(sequence, np.array([frame - skipped]), None)[0]
        return pose - pose[self.root]


def check_keypoint_array(keypoints: np.ndarray, layout: Skeleton, where: str) -> np.ndarray:
    """Keypoints `(F, J, 3)` float32 of `(F, J, 2 or 3)`, with certain confidences where there are none.

    Raises:
        Pose3DError: Another shape.
    """
    points = np.asarray(keypoints, np.float32)
    if points.ndim != 3 or points.shape[1] != layout.num_joints or points.shape[2] not in (2, 3):
        raise Pose3DError(
            f"{where} has shape {points.shape}, expected (frames, {layout.num_joints}, 2 or 3) for the "
            f"{layout.name} layout"
        )
    if not len(points):
        raise Pose3DError(f"{where} has no frames")
    if points.shape[2] == 2:
        points = np.concatenate([points, np.ones((*points.shape[:2], 1), np.float32)], axis=2)
    return points


def check_clip(width: int, height: int, fps: float, where: str) -> None:
    """Checks image size and frame rate.

    Raises:
        Pose3DError: One is not positive.
    """
    if not (width > 0 and height > 0):
        raise Pose3DError(f"{where}: an image of {width}x{height} pixels, expected both above 0")
    if not 0 < fps <= 10_000:
        raise Pose3DError(f"{where}: {fps:g} frames per second, expected a rate above 0")


# The square of `normalization="box"`: its side over that of the person's box, near what Human3.6M shows.
_BOX_ROOM = 1.8


def _in_box(keypoints: np.ndarray, camera: Camera) -> tuple[np.ndarray, Camera]:
    """Keypoints in the square image round the person's box of the whole clip, and its camera."""
    points = keypoints[..., :2]
    low, high = np.percentile(points.reshape(-1, 2), [1, 99], axis=0)
    heights = np.ptp(points, axis=1).max(axis=1)
    side = max(float((high - low).max()), float(np.percentile(heights, 95)) * _BOX_ROOM, 1.0)
    corner = (low + high) / 2 - side / 2
    moved = np.concatenate([points - corner.astype(np.float32), keypoints[..., 2:]], axis=2)
    size = round(side)
    box = default_camera(size, size, float(camera.focal_length[0]))
    return moved, box


def load(
    weights: str | os.PathLike,
    config: str | os.PathLike | TrainingConfig | None = None,
    arch: str | None = None,
    **settings: float | int | str,
) -> Lifter:
    """A lifter with the model of a weight file, of any family.

        lifter = tf_pose3d.load("models/x.h5")
        poses = lifter(keypoints_2d, width=1920, height=1080, fps=30, layout="coco_17")

    Args:
        weights, config, arch: See `tf_pose3d.load_model`.
        **settings: See `Lifter`.

    Raises:
        Pose3DError: As `tf_pose3d.load_model` and `Lifter`.
    """
    from tf_pose3d.models.loading import load_model

    return Lifter(load_model(weights, config, arch), **settings)
