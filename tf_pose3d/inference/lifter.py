"""From anyone's 2D keypoints to 3D poses with one object: `tf_pose3d.load(weights)`."""

from __future__ import annotations

import dataclasses
import functools
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tf_pose3d.backend import require_tensorflow, require_tensorflow_backend
from tf_pose3d.camera import Camera
from tf_pose3d.config import TrainingConfig
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.errors import Pose3DError, shown
from tf_pose3d.files import resolve_weights
from tf_pose3d.inference import sanity
from tf_pose3d.inference.clip_arguments import as_numbers, check_clip, check_keypoint_array, require_number
from tf_pose3d.inference.exported import ExportedNetwork
from tf_pose3d.inference.formats.layouts import fitting_layouts
from tf_pose3d.inference.keypoints import KeypointVideo, Person, dense_keypoints, mark_missing
from tf_pose3d.inference.laboratory import laboratory_warning
from tf_pose3d.inference.lifted import LiftedPerson
from tf_pose3d.inference.people import choose_people, handover_warnings
from tf_pose3d.inference.preparation import PreparedKeypoints, frame_times, prepare_keypoints, resample
from tf_pose3d.inference.reading import with_facts
from tf_pose3d.inference.sides import find_exchanged_sides, put_sides_right, sides_lines
from tf_pose3d.inference.trajectory import default_camera
from tf_pose3d.models.family import Family, get_family, window_spec
from tf_pose3d.models.general.numpy_network import NumpyNetwork
from tf_pose3d.progress import Progress
from tf_pose3d.skeleton import (
    LAYOUTS,
    Skeleton,
    convert_joints,
    get_skeleton,
    make_skeleton,
    missing_joints,
)
from tf_pose3d.weight_files.hdf5 import read_config

if TYPE_CHECKING:
    import keras

    from tf_pose3d.evaluation.prediction import Predictor
    from tf_pose3d.evaluation.protocols.protocol import Protocol
    from tf_pose3d.evaluation.temporal_prediction import SequencePredictor

__all__ = [
    "KeypointWarning",
    "LiftedPerson",
    "Lifter",
    "check_clip",
    "check_keypoint_array",
    "is_general",
    "load",
    "load_network",
    "make_lifter",
]

# Windows between two looks at whether to stop, and of networks that lift stretches of video at once, whose
# pieces overlap by a receptive field. Fixed: results never follow from what else the machine does.
_CHUNK, _SEQUENCE_CHUNK = 1024, 4096
# Frames per second where nothing says: the models' own.
_FPS = 50.0


class KeypointWarning(UserWarning):
    """Keypoints that look wrong, e.g. upside down or in another joint order, or whose layout was supposed."""


class Lifter:
    """Lifts videos of 2D keypoints with one model.

    Repeated calls share the model's compiled passes: only the first one traces. Networks with batch
    normalisation lift with the weights that they have then: make a new lifter where training goes on.

    Args:
        model: With its weights; `model.config` is its config, as `tf_pose3d.load_model` gives it.
        config: Another config to lift under (e.g. with another s_in); None: the model's.
        min_confidence: Joints below it count as missing.
        max_gap: Longest run of frames without the person that is filled.
        normalization: `"frame"`: coordinates relative to the whole image, as every family here is trained;
            `"box"`: relative to a square round the person in the clip, for people who are small in the image.
        repair_sides: Put left and right right in frames in which a detector exchanged them, see
            `tf_pose3d.inference.sides`; None: as the kind of network has it, which is so for the lifter for
            everybody, and not for those that reproduce papers. Streams never do.

    Attributes:
        skeleton: Layout of the poses.
        input_skeleton: Layout of the keypoints that the model reads; others are turned into it.
        root: Index of their root joint.

    Raises:
        Pose3DError: An unknown normalisation, a threshold beyond 0 to 1, or Keras has another backend than
            TensorFlow.
    """

    normalizations: ClassVar[tuple[str, ...]] = ("frame", "box")
    _repairs_sides: ClassVar[bool] = False

    def __init__(
        self,
        model: keras.Model | NumpyNetwork | ExportedNetwork,
        config: TrainingConfig | None = None,
        min_confidence: float = 0.3,
        max_gap: int = 10,
        normalization: str = "frame",
        repair_sides: bool | None = None,
    ) -> None:
        if not isinstance(model, (NumpyNetwork, ExportedNetwork)):
            require_tensorflow_backend("lifting")
        for name, value in (("min_confidence", min_confidence), ("max_gap", max_gap)):
            require_number(value, name, "Lifter")
        if normalization not in self.normalizations:
            names = " or ".join(self.normalizations)
            raise Pose3DError(f"normalization is {normalization!r}, expected {names}")
        if not 0 <= min_confidence <= 1:
            raise Pose3DError(f"min_confidence is {min_confidence:g}, expected 0 to 1")
        if max_gap < 0:
            raise Pose3DError(f"max_gap is {max_gap}, expected 0 or more frames")
        if repair_sides is not None and not isinstance(repair_sides, bool):
            raise Pose3DError(f"repair_sides is {shown(repair_sides)}, expected True, False or None")
        config = config if config is not None else model.config
        # Networks that sample take numbers from the config, not from their weights' alone.
        if hasattr(model, "follow"):
            model.follow(config)
        self.model = model
        self.family: Family = get_family(config.ARCH)
        self.config = config
        self.min_confidence = min_confidence
        self.max_gap = max_gap
        self.normalization = normalization
        self.repair_sides = self._repairs_sides if repair_sides is None else repair_sides
        self.skeleton = get_skeleton(self.family.skeleton(config))
        self.input_skeleton = get_skeleton(self.family.input_skeleton(config))
        self.root = self.family.root_joint(config)
        self._setting: TrainingConfig = config.evaluation_settings()[0][1]
        self.spec = dataclasses.replace(window_spec(self.family, self._setting, "test"), step=1)
        # Layouts that were supposed and said.
        self._supposed: set[str] = set()
        self._said_laboratory = False

    @functools.cached_property
    def _predictor(self) -> Predictor:
        from tf_pose3d.evaluation.prediction import Predictor

        setting = self._setting
        output = getattr(self.model, "spread_output", None) if self._says_spread else None
        return Predictor(self.model, setting.EVAL_FLIP, setting.JIT_COMPILE, setting.overlap, output)

    @property
    def _says_spread(self) -> bool:
        """Whether hypotheses lie apart by what is calibrated; poses then have a fourth number a joint."""
        return getattr(self.config, "RADII", None) is not None

    @functools.cached_property
    def _path_predictor(self) -> SequencePredictor | None:
        if getattr(self.model, "trajectory", None) is None:
            return None
        from tf_pose3d.evaluation.temporal_prediction import path_predictor

        return path_predictor(self.model, self._setting.EVAL_FLIP, self._setting.JIT_COMPILE)

    @functools.cached_property
    def protocol(self) -> Protocol:
        """How the family's poses are completed and evaluated."""
        from tf_pose3d.evaluation.protocols import get_protocol

        return get_protocol(self.family)

    def __repr__(self) -> str:
        frames = f"{self.spec.length} frames at {self.spec.frame_rate} per second"
        layouts = list(dict.fromkeys((self.input_skeleton.name, self.skeleton.name)))
        size = (
            self.model.runtime.label
            if isinstance(self.model, ExportedNetwork)
            else f"{self.model.count_params():,} parameters"
        )
        return (
            f"<Lifter {self.config.ARCH}: {' to '.join(layouts)}, "
            f"{frames if self.spec.length > 1 else 'single frames'}, {size}>"
        )

    def begin_anew(self) -> None:
        """Forgets what it has warned of: the next clip has nothing to do with those before."""
        self._supposed.clear()
        self._said_laboratory = False

    def __call__(
        self,
        keypoints_2d: np.ndarray | KeypointVideo,
        width: int | None = None,
        height: int | None = None,
        fps: float | None = None,
        layout: str | Skeleton | None = None,
        focal_length: float | None = None,
    ) -> np.ndarray:
        """Poses of one person's keypoints.

            poses = lifter(keypoints_2d, width=1920, height=1080, fps=30, layout="coco_17")

        Args:
            keypoints_2d: `(F, J, 2 or 3)` pixels, the third number a confidence between 0 and 1; NaN where a
                joint was not found. Or what `tf_pose3d.read_keypoints` gives, of which the largest person is
                lifted.
            width, height: Image size in pixels; None: as a file says.
            fps: Frames per second; None: as a file says, else 50.
            layout: Joint layout, e.g. `"coco_17"`; None: as a file says, else the model's own or the only one
                that has so many joints.
            focal_length: Pixels, for the families that read it; None: typical.

        Returns:
            `(F, J, 3)` float32 metres, root-centred, camera frame (x right, y down, z away), in the joints of
            `skeleton`; NaN in frames in which the person is missing for longer than `max_gap`.

        Raises:
            Pose3DError: Keypoints that cannot be lifted, see `lift`.

        Warns:
            KeypointWarning: Keypoints that look wrong, or, once, the layout that was supposed.
        """
        person = self.lift(keypoints_2d, width, height, fps, layout, focal_length)
        if person.interrupted:
            raise KeyboardInterrupt
        for message in person.warnings:
            warnings.warn(message, KeypointWarning, stacklevel=2)
        return person.pose_3d

    def lift(
        self,
        keypoints_2d: np.ndarray | KeypointVideo,
        width: int | None = None,
        height: int | None = None,
        fps: float | None = None,
        layout: str | Skeleton | None = None,
        focal_length: float | None = None,
        where: str = "keypoints_2d",
        show_progress: bool = False,
        people: str = "largest",
    ) -> LiftedPerson:
        """As a call, with all that belongs to the poses, and warnings in the result.

            person = lifter.lift(tf_pose3d.read_keypoints("keypoints.json"))
            person.save("walk.bvh")

        Ctrl-C ends the work early: the result then holds the frames that were done.

        Args:
            keypoints_2d, width, height, fps, layout, focal_length: As for a call.
            where: Names an array in messages.
            show_progress: Show a progress bar.
            people: Whom of a file to lift: `"largest"`, `"confident"`, or the id of one person; for all of
                them see `lift_all`.

        Raises:
            Pose3DError: A shape that does not fit the layout, an image size or rate that is not positive,
                confidences beyond 0 to 1, coordinates outside the image, or joints that nothing gives; a file
                whose image size nothing says, or that has no such person.
            KeyboardInterrupt: Interrupted before any frame was done.

        Warns:
            KeypointWarning: Once, the layout that was supposed.
        """
        if isinstance(keypoints_2d, KeypointVideo):
            if people == "all":
                raise Pose3DError('people is "all", expected one person; lift_all gives everyone')
            video, found = self._complete(keypoints_2d, width, height, fps, layout)
            (person,) = choose_people(video, people)
            return self._lift_person(video, person, focal_length, show_progress, "", found)
        if width is None or height is None:
            raise Pose3DError(f"{where}: no image size, expected width and height in pixels")
        width, height, fps = check_clip(width, height, _FPS if fps is None else fps, where)
        keypoints_2d = as_numbers(keypoints_2d, where)
        source = self._layout_of(keypoints_2d, layout, where)
        return self._lift_array(
            keypoints_2d, width, height, fps, source, focal_length, where, show_progress, name=where
        )

    def lift_all(
        self,
        video: KeypointVideo,
        width: int | None = None,
        height: int | None = None,
        fps: float | None = None,
        focal_length: float | None = None,
        show_progress: bool = False,
    ) -> list[LiftedPerson]:
        """Everyone in a file, in the file's order.

            for person in lifter.lift_all(tf_pose3d.read_keypoints("keypoints.json")):
                person.save(f"{person.subject}.json")

        Args:
            video: What `tf_pose3d.read_keypoints` gives.
            width, height, fps, focal_length: As for a call.
            show_progress: Show a progress bar for each.

        Raises:
            Pose3DError: As `lift`.
            KeyboardInterrupt: Interrupted before everyone was done.
        """
        video, found = self._complete(video, width, height, fps)
        lifted = []
        for person in choose_people(video, "all"):
            subject = f"person {person.id}"
            lifted.append(self._lift_person(video, person, focal_length, show_progress, subject, found))
            if lifted[-1].interrupted:
                raise KeyboardInterrupt
        return lifted

    def _complete(
        self,
        video: KeypointVideo,
        width: int | None,
        height: int | None,
        fps: float | None,
        layout: str | Skeleton | None = None,
    ) -> tuple[KeypointVideo, list[str]]:
        """A file's content with size and rate, and what had to be supposed."""
        video, found = with_facts(video, width, height, fps), []
        if layout is not None and get_skeleton(layout).joints != video.skeleton.joints:
            raise Pose3DError(
                f"layout {get_skeleton(layout).name}: {video.source} was read as {video.skeleton.name}; give "
                "the layout to read_keypoints"
            )
        if video.width is None or video.height is None:
            raise Pose3DError(f"{video.source} does not tell the image size; give width and height")
        if video.fps is None:
            video = dataclasses.replace(video, fps=_FPS)
            found.append(f"{video.source} does not tell its frame rate: taken as {_FPS:g} per second")
        return video, found

    def _lift_person(
        self,
        video: KeypointVideo,
        person: Person,
        focal_length: float | None,
        show_progress: bool,
        subject: str,
        found: list[str],
    ) -> LiftedPerson:
        lifted = self._lift_array(
            dense_keypoints(person, video.num_frames),
            video.width,
            video.height,
            video.fps,
            video.skeleton,
            focal_length,
            video.source,
            show_progress,
            subject,
            Path(video.source).name,
        )
        said = (*found, *video.warnings, *handover_warnings(video, [person]), *lifted.warnings)
        return dataclasses.replace(lifted, warnings=said, frame=video.numbers()[: len(lifted.pose_3d)])

    def _layout_of(self, keypoints: np.ndarray, layout: str | Skeleton | None, where: str) -> Skeleton:
        """The layout of an array; where none is given it is supposed from the number of joints, and said."""
        if layout is not None:
            if not isinstance(layout, (str, Skeleton)):
                raise Pose3DError(f"layout is {layout!r}, expected the name of a joint layout, e.g. coco_17")
            return get_skeleton(layout)
        # Arrays of another shape are refused later, with the shape they should have.
        joints = keypoints.shape[1] if keypoints.ndim == 3 else self.input_skeleton.num_joints
        supposed = self.input_skeleton
        fitting = [held for held in LAYOUTS.values() if held.num_joints == joints]
        if joints != supposed.num_joints:
            # Seventeen joints are those of too many data sets for the bones to tell them apart for sure.
            if joints != 17 and len(fitting) > 1:
                names = fitting_layouts(keypoints, [held.name for held in fitting])
                fitting = [LAYOUTS[name] for name in names]
            if len(fitting) != 1:
                known = ", ".join(held.name for held in fitting) or "no layout here has so many"
                raise Pose3DError(f"{where} has {joints} joints; say which layout these are: {known}")
            (supposed,) = fitting
        if supposed.name not in self._supposed:
            self._supposed.add(supposed.name)
            others = [held.name for held in fitting if held.joints != supposed.joints]
            if keypoints.ndim == 3:
                fits = fitting_layouts(keypoints, [held.name for held in fitting])
                others = [name for name in others if name in fits]
            hint = f"; others with {joints}: {', '.join(others)}" if others else ""
            message = (
                f"{where} comes without a layout: its {joints} joints are taken as {supposed.name}{hint}"
            )
            warnings.warn(message, KeypointWarning, stacklevel=3)
        return supposed

    def _lift_array(
        self,
        keypoints_2d: np.ndarray,
        width: int | None,
        height: int | None,
        fps: float | None,
        source: Skeleton,
        focal_length: float | None,
        where: str,
        show_progress: bool,
        subject: str = "",
        name: str = "",
    ) -> LiftedPerson:
        points = check_keypoint_array(keypoints_2d, source, where)
        width, height, fps = check_clip(width, height, fps, where)
        if focal_length is not None:
            require_number(focal_length, "focal_length", where)
        found = sanity.check_image_range(points, width, height, where)
        points = self._with_sides_right(points, source, fps, where, found)
        prepared = prepare_keypoints(
            points, source, self.input_skeleton, self.min_confidence, self.max_gap, where
        )
        found += prepared.warnings
        present = prepared.keypoints[prepared.present]
        found += sanity.check_keypoints(self._in_layout_of_poses(present), self.skeleton)
        found += sanity.check_sides(points, source)
        camera = default_camera(width, height, focal_length)
        poses, path = self._lift_prepared(prepared, camera, fps, show_progress)
        uncertainty = None
        if self._says_spread:
            from tf_pose3d.evaluation.hypothesis_radii import hypothesis_radius

            radius = hypothesis_radius(poses[..., 3], getattr(self.config, "RADII", []))
            uncertainty = (1000 * radius).astype(np.float32)
            poses = np.ascontiguousarray(poses[..., :3])
        count, asked = len(poses), len(prepared.keypoints)
        seen = prepared.present[:count]
        bending = sanity.check_poses(poses[seen], self.skeleton)
        found += bending
        shown = self._in_layout_of_poses(prepared.keypoints[:count])
        if not self._said_laboratory:
            unlike = laboratory_warning(
                self.config.DATASET or "h36m",
                shown[seen],
                poses[seen],
                self.skeleton,
                (width, height),
                bool(bending),
                self.normalization == "box",
            )
            self._said_laboratory = unlike is not None
            found += [unlike] if unlike else []
        found += self._absences(prepared.present)
        poses[~seen] = np.nan
        for values in (path, uncertainty):
            if values is not None:
                values[~seen] = np.nan
        if self._path_predictor is not None and self.normalization == "box":
            found.append(
                "normalization box hides where the person is in the image: the network of the root's path is "
                "left out"
            )
        return LiftedPerson(
            poses,
            shown,
            seen,
            self.skeleton,
            self.root,
            camera,
            fps,
            tuple(found),
            interrupted=count < asked,
            subject=subject,
            name=name,
            path=path,
            uncertainty=uncertainty,
        )

    def _with_sides_right(
        self, points: np.ndarray, source: Skeleton, fps: float, where: str, found: list[str]
    ) -> np.ndarray:
        """Keypoints with left and right exchanged back, where that is asked for; `found` gets a line."""
        if not self.repair_sides:
            return points
        points = mark_missing(points, where)
        exchanged = find_exchanged_sides(points, source, fps, self.min_confidence)
        found += sides_lines(exchanged, points)
        return put_sides_right(points, source, exchanged)

    def _absences(self, present: np.ndarray) -> list[str]:
        """What to say of frames without a person."""
        missing = len(present) - int(present.sum())
        if not missing:
            return []
        return [
            f"no person in {missing} of {len(present)} frames (more than {self.max_gap} in a row, or at the "
            "ends): they have no pose"
        ]

    def _in_layout_of_poses(self, keypoints: np.ndarray) -> np.ndarray:
        """Keypoints `(F, Ji, 3)` in the joints of the poses."""
        if self.input_skeleton == self.skeleton:
            return keypoints
        return convert_joints(keypoints, self.input_skeleton, self.skeleton, confidence=True)

    def _lift_prepared(
        self, prepared: PreparedKeypoints, camera: Camera, fps: float, show_progress: bool
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """`(n, J, 3)` poses of all frames, or of the first n when interrupted; `(n, 3)` the root's path.

        With `_says_spread` poses have the spread of hypotheses as a fourth number.
        """
        keypoints, rate = prepared.keypoints, self.spec.frame_rate
        # Frames that are lifted one by one know no time; multiples of the rate are strided over.
        resampled = self.spec.length > 1 and fps % rate != 0
        if resampled:
            keypoints = resample(keypoints, frame_times(len(keypoints), fps, rate))
        window_fps = fps if self.spec.length > 1 and not resampled else rate
        poses = self._lift_sequence(self._sequence(keypoints, camera, window_fps), show_progress)
        if self._path_predictor is not None and self.normalization == "frame":
            # As one more joint, so that both are brought to the video's rate together.
            path = self._lift_path(self._sequence(keypoints[: len(poses)], camera, window_fps))
            poses = np.concatenate([poses, path + poses[:, self.root : self.root + 1]], axis=1)
        if resampled:
            places = np.arange(len(prepared.keypoints)) * (rate / fps)
            # Where the work was stopped, only frames whose neighbours are done.
            done = len(poses) == len(keypoints)
            poses = resample(poses, places if done else places[places <= len(poses) - 1])
        joints = self.skeleton.num_joints
        centred = poses[:, :joints].copy()
        centred[..., :3] -= poses[:, self.root : self.root + 1, :3]
        return centred, poses[:, joints] if poses.shape[1] > joints else None

    def _lift_path(self, sequence: Sequence) -> np.ndarray:
        """`(F, 1, 3)` places of the root by the network of its path."""
        from tf_pose3d.data.windows import Windows

        assert self._path_predictor is not None
        windows = Windows([sequence], self.spec)
        return self._path_predictor(windows, self._setting.BATCH_SIZE, np.arange(windows.num_centres))

    def _sequence(self, keypoints: np.ndarray, camera: Camera, fps: float) -> Sequence:
        """Keypoints as the record that windows are cut from."""
        if self.normalization == "box":
            keypoints, camera = _in_box(keypoints, camera)
        sequence = Sequence(
            subject="",
            action="",
            name="keypoints",
            skeleton=self.skeleton,
            fps=fps,
            camera=camera,
            pose_2d=np.ascontiguousarray(keypoints[..., : self.spec.channels], np.float32),
            skeleton_2d=None if self.input_skeleton == self.skeleton else self.input_skeleton,
        )
        if isinstance(self.model, ExportedNetwork):
            return sequence
        return self.protocol.complete_sequence(self.model, self.config, sequence)

    def _lift_sequence(self, sequence: Sequence, show_progress: bool) -> np.ndarray:
        stride = self._setting.prediction_stride
        indices = np.arange(0, sequence.num_frames, stride)
        numbers = 4 if self._says_spread else 3
        predicted = np.zeros((sequence.num_frames, self.skeleton.num_joints, numbers), np.float32)
        chunk = _SEQUENCE_CHUNK if hasattr(self.model, "lift_sequence") else _CHUNK
        done = 0
        try:
            with Progress(len(indices), "lifting") as progress:
                count = (lambda done: progress.update(steps=done)) if show_progress else None
                for start in range(0, len(indices), chunk):
                    part = indices[start : start + chunk]
                    predicted[part] = self._predict(sequence, part, count)
                    done = start + len(part)
        except KeyboardInterrupt:
            if not done:
                raise
        end = sequence.num_frames if done == len(indices) else int(indices[done - 1]) + 1
        poses = predicted[:end]
        if stride > 1:
            from tf_pose3d.evaluation.keyframes import interpolate_keyframes

            poses = interpolate_keyframes(poses, np.arange(end), stride)
        return poses

    def _predict(
        self, sequence: Sequence, indices: np.ndarray, count: Callable[[int], None] | None
    ) -> np.ndarray:
        """`(n, J, 3)` poses of some frames, from the stretch of the clip that their windows see.

        However long the clip, only that stretch is held in the model's form.
        """
        multiple = max(round(sequence.fps / self.spec.frame_rate), 1)
        reach = (self.spec.length - 1) * self.spec.stride * multiple
        # Sampled frames lie where they would lie in the whole clip.
        step = max(self.spec.mask_strides or (self.spec.stride,)) * multiple
        before, after = (reach, 0) if self.spec.causal else (reach // 2, reach - reach // 2)
        if hasattr(self.model, "sequence_output"):
            # Clips lie anywhere round the frames.
            before = after = reach
        first = max(int(indices[0]) - before, 0) // step * step
        last = min(int(indices[-1]) + after + 1, sequence.num_frames)
        stretch = dataclasses.replace(
            sequence,
            pose_2d=None if sequence.pose_2d is None else sequence.pose_2d[first:last],
            per_frame={name: values[first:last] for name, values in sequence.per_frame.items()},
        )
        if isinstance(self.model, ExportedNetwork):
            return self.model.poses(stretch, self.spec, indices - first, count)
        from tf_pose3d.data.windows import Windows

        windows = Windows([stretch], self.spec)
        return self._predictor(windows, self._setting.BATCH_SIZE, indices - first, count)

    def complete_frame(self, known: np.ndarray, age: np.ndarray, source: Skeleton) -> np.ndarray | None:
        """One frame of a stream as `lift_frame` takes it; None where there is too little.

        Args:
            known: `(Js, 3)` last place and confidence of each joint, NaN before the first.
            age: `(Js,)` frames since then.
            source: Their layout.
        """
        held = tuple(np.flatnonzero((age <= self.max_gap) & np.isfinite(known[:, 0])))
        joints = source
        if len(held) < source.num_joints:
            joints = make_skeleton(source.name, tuple(source.joints[joint] for joint in held))
            if missing_joints(joints, self.input_skeleton):
                return None
        return convert_joints(known[list(held)], joints, self.input_skeleton, confidence=True)

    def lift_frame(self, keypoints: np.ndarray, frame: int, camera: Camera, fps: float) -> np.ndarray:
        """`(J, 3)` pose of one frame of a short clip; for streams.

        The frames that the network samples are laid out from this one, so that its own 2D pose is always
        among them.

        Args:
            keypoints: `(F, J, 3)` of `complete_frame`.
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
        pose = self._predict(sequence, np.array([frame - skipped]), None)[0, :, :3]
        return pose - pose[self.root]


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
    focal = None if camera.focal_length is None else float(camera.focal_length[0])
    box = default_camera(size, size, focal)
    return moved, box


def load(
    weights: str | os.PathLike[str] = "general",
    config: str | os.PathLike[str] | TrainingConfig | None = None,
    arch: str | None = None,
    min_confidence: float = 0.3,
    max_gap: int = 10,
    normalization: str = "frame",
    backend: str | None = None,
    repair_sides: bool | None = None,
) -> Lifter:
    """A lifter with the model of a weight file, of any family, or with weights that come with the package.

        lifter = tf_pose3d.load()
        poses = lifter(keypoints_2d, width=1920, height=1080, fps=30, layout="coco_17")

    Args:
        weights: `.h5` file; a checkpoint of an original release (`.bin`, `.pth`, TensorFlow 1), which is
            converted on the way where it and `config` tell all; or `"general"`, the lifter for everybody, or
            `"general_frame"`, the same frame by frame, for streams.
        config, arch: See `tf_pose3d.load_model`.
        min_confidence, max_gap, normalization, repair_sides: See `Lifter`.
        backend: `"onnx"` or `"litert"`: the file that `tools/export.py` wrote beside the weights (`x.onnx`,
            `x.tflite`) is run by ONNX Runtime or LiteRT, without TensorFlow and Keras; None: NumPy for the
            lifters that ship, Keras for others.

    Raises:
        Pose3DError: As `tf_pose3d.load_model` and `Lifter`; no exported file, or no library that runs it.
    """
    network = load_network(weights, config, arch, backend)
    return make_lifter(network, None, min_confidence, max_gap, normalization, repair_sides)


def load_network(
    weights: str | os.PathLike[str],
    config: str | os.PathLike[str] | TrainingConfig | None = None,
    arch: str | None = None,
    backend: str | None = None,
) -> keras.Model | NumpyNetwork | ExportedNetwork:
    """The network of weights: the general lifter's in NumPy, which starts at once, others in Keras.

    Args:
        weights, config, arch, backend: As of `load`.

    Raises:
        Pose3DError: As `load`.
    """
    path = resolve_weights(weights)
    if backend is not None:
        from tf_pose3d.models.loading import load_config

        known = config if isinstance(config, TrainingConfig) else load_config(config, path, arch)
        return ExportedNetwork.read(path, known, backend)
    if config is None and is_general(path):
        return NumpyNetwork.read(path)
    require_tensorflow(f"lifting with {path}")
    from tf_pose3d.weights.opening import load_model

    return load_model(weights, config, arch)


def is_general(weights: Path) -> bool:
    """Whether a weight file holds a general lifter."""
    return weights.suffix == ".h5" and (read_config(weights) or {}).get("ARCH") == "General"


def make_lifter(
    model: keras.Model | NumpyNetwork | ExportedNetwork,
    config: TrainingConfig | None = None,
    min_confidence: float = 0.3,
    max_gap: int = 10,
    normalization: str = "frame",
    repair_sides: bool | None = None,
) -> Lifter:
    """The lifter that serves a model; arguments as for `Lifter`.

    Raises:
        Pose3DError: As `Lifter`.
    """
    kind = Lifter
    if getattr(config or model.config, "SPACE", None) == "image":
        from tf_pose3d.inference.image_lifter import ImageLifter

        kind = ImageLifter
    if hasattr(model, "lift_frames") or (isinstance(model, ExportedNetwork) and model.lifts_clips):
        # Builds on this module.
        from tf_pose3d.inference.clip_lifter import ClipLifter

        kind = ClipLifter
    return kind(model, config, min_confidence, max_gap, normalization, repair_sides)
