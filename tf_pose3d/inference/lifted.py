"""What lifting gives: one person's poses, to save, plot and look at."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence as SequenceType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tf_pose3d.camera import Camera
from tf_pose3d.errors import Pose3DError
from tf_pose3d.extras import require_matplotlib
from tf_pose3d.inference.motion.angles import clinical_angles
from tf_pose3d.inference.motion.record import Motion
from tf_pose3d.inference.motion.rig import Rig, fit_rig
from tf_pose3d.inference.motion.stage import StagedMotion, run_stage
from tf_pose3d.inference.motion.steps import MotionSteps
from tf_pose3d.inference.trajectory import focal_is_supposed
from tf_pose3d.inference.writers import check_motion_file, write_motion
from tf_pose3d.inference.writers.angles_csv import angle_curves
from tf_pose3d.render import Scene, make_scene
from tf_pose3d.skeleton import Skeleton

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["LiftedPerson"]

# A notebook keeps the pages of all its cells in one file: longer clips are thinned out for it.
_PAGE_FRAMES = 3000


@dataclasses.dataclass(frozen=True, repr=False)
class LiftedPerson:
    """One person's poses and what they were made from.

    A notebook shows it as the interactive viewer. `save` writes it in any of the formats of `inference.py
    --output`, `plot` draws it with matplotlib:

        person = lifter.lift(tf_pose3d.read_keypoints("keypoints.json"))
        person.save("walk.bvh")
        person.plot().savefig("walk.png")

    Attributes:
        pose_3d: `(F, J, 3)` float32 metres, root-centred, camera frame (x right, y down, z away); NaN where
            not `present`.
        keypoints: `(F, J, 3)` float32: the 2D poses that were lifted, pixels and confidence.
        present: `(F,)` bool: the person was found, or was lost for a short time only.
        skeleton: Names the J joints.
        root: Index of the root joint.
        camera: Image size and focal length that were supposed.
        fps: Frames per second.
        warnings: What looks wrong, one line each.
        interrupted: Whether Ctrl-C stopped the work; then there are fewer frames than were asked for.
        subject: Names the person where there are several; else empty.
        name: Names the recording, e.g. the file's name; may be empty.
        uncertainty: `(F, J)` float32 millimetres: the true joint, seen from the root, is within it nine times
            of ten; NaN where not `present`. None: the model does not say.
        frame: `(F,)` int64: the number of each frame in the detector's file; None: they are counted from 0.
        pose_image: `(F, J, 3)` float32: what a network of the normalised image gives, see `ImageLifter`;
            NaN where not `present`. None: the network is another.
        path: `(F, 3)` float32 metres, camera frame: added to `pose_3d` it puts the person where the network
            of the root's path says; NaN where not `present`. None: the model has no such network.
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
    subject: str = ""
    name: str = ""
    uncertainty: np.ndarray | None = None
    frame: np.ndarray | None = None
    pose_image: np.ndarray | None = None
    path: np.ndarray | None = None

    def __repr__(self) -> str:
        frames, missing = len(self.pose_3d), int((~self.present).sum())
        parts = [
            f"{frames} frames ({frames / self.fps:.2f} s at {self.fps:g} per second)",
            self.skeleton.name,
        ]
        if missing:
            parts.append(f"{missing} frames without a pose")
        if self.warnings:
            parts.append(f"{len(self.warnings)} warning" + "s" * (len(self.warnings) != 1))
        if self.interrupted:
            parts.append("interrupted")
        return f"<LiftedPerson {self._label}: {', '.join(parts)}>"

    @property
    def _label(self) -> str:
        return ", ".join(filter(None, (self.name, self.subject))) or "without a name"

    def smoothed(self, cutoff: float = 6.0, method: str = "butterworth") -> LiftedPerson:
        """The person without jitter, by a filter that delays nothing.

            lifter.lift(video).smoothed(6).with_constant_bones().save("walk.bvh")

        Args:
            cutoff: Hz; what is faster goes. 6 suits walking, 10 and more fast sports.
            method: `"butterworth"`, forwards and backwards, or `"rts"`, a Rauch-Tung-Striebel smoother that
                trusts each frame as far as the lifter does.

        Returns:
            Poses of which each run of frames without a gap is smoothed on its own; runs of fewer than 10
            frames stay as they are, which a warning says.

        Raises:
            Pose3DError: A cutoff that is not below half the frame rate, or another method.
        """
        return self._after(MotionSteps(smooth=f"{method}:{cutoff:g}"))

    def with_constant_bones(self) -> LiftedPerson:
        """The person as one skeleton whose bones have the same length in every frame and on both sides.

        Directions are fitted so that the joints lie as near as they can to where they were, see
        `tf_pose3d.inference.motion.constant_bones`; the root stays.
        """
        return self._after(MotionSteps(constant_bones=True))

    def _after(self, steps: MotionSteps) -> LiftedPerson:
        if not self.present.any():
            return self
        staged = self.staged(steps)
        return dataclasses.replace(
            self, pose_3d=staged.motion.poses, warnings=(*self.warnings, *staged.warnings)
        )

    def motion(self, placement: str = "root") -> Motion:
        """The poses as the record that writers take.

        Args:
            placement: `"root"`: each pose round its root; `"camera"`: in the camera's space, where the
                network of the root's path says, else where they project onto their keypoints; `"floor"`:
                the lowest joint of each frame on y = 0; `"world"`: level, on the floor, on the path that
                the person walks.

        Raises:
            Pose3DError: An unknown placement.
        """
        level = "auto" if placement == "world" else "off"
        return self.staged(MotionSteps(placement=placement, level=level)).motion

    def staged(self, steps: MotionSteps) -> StagedMotion:
        """The poses after the stage between lifting and writing, see `tf_pose3d.inference.motion.stage`.

        Raises:
            Pose3DError: A step that these poses do not allow.
        """
        steps = dataclasses.replace(
            steps, focal_known=steps.focal_known or not focal_is_supposed(self.camera)
        )
        (staged,) = run_stage([self.unplaced()], steps)
        return staged

    def unplaced(self) -> Motion:
        """The poses as they were lifted, as the record that the stage takes."""
        return Motion(
            poses=self.pose_3d,
            skeleton=self.skeleton,
            root=self.root,
            fps=self.fps,
            camera=self.camera,
            keypoints=self.keypoints,
            subject=self.subject,
            name=self.name,
            uncertainty=self.uncertainty,
            frame=self.frame,
            pose_image=self.pose_image,
            path=self.path,
        )

    def to_rotations(self, level: str = "auto", placement: str = "root") -> Rig:
        """Joint rotations of one skeleton, as animation programs take them; y up, z backwards.

            rig = person.to_rotations()
            rig.names, rig.parents, rig.quaternions()  # (F, joints, 4) w x y z, relative to the parent

        The skeleton, its rest pose and what rotations it cannot see: `tf_pose3d.inference.motion.rig`. Frames
        without a pose repeat the last that has one.

        Args:
            level, placement: See `tf_pose3d.inference.motion.steps.MotionSteps`.

        Raises:
            Pose3DError: No frame has a pose, or the layout has no pelvis that carries both hips and a spine.
        """
        if not self.present.any():
            raise Pose3DError(f"{self._label}: none of the {len(self.present)} frames has a pose")
        motion = self.staged(MotionSteps(constant_bones=True, level=level, placement=placement)).motion
        return fit_rig(motion.upright(motion.held()), motion.skeleton, motion.fps)

    def save(
        self,
        path: str | os.PathLike[str],
        placement: str | None = None,
        *,
        raw: bool = False,
        smooth: str | None = None,
        constant_bones: bool = False,
        level: str | None = None,
        camera_pitch: float | None = None,
        camera_roll: float | None = None,
        stature: float | None = None,
        bvh_names: str = "mixamo",
    ) -> None:
        """Writes the poses; the file's ending says in which format, as for `inference.py --output`.

            person.save("walk.glb", "world", smooth="rts", stature=1.78)

        Args:
            path: Ends as one of `tf_pose3d.inference.writers.WRITERS`.
            placement: See `motion`; None: the format's own. Files for animation and laboratories are level,
                of one skeleton and on the floor; `.npz`, `.npy`, `.json` and `.csv` hold the poses as they
                were lifted.
            raw: Do nothing but what is asked for, whatever the format.
            smooth: `"butterworth:6"` or `"rts:4"`.
            constant_bones: Fit one skeleton.
            level: `"auto"` or `"off"`: turn poses to a world with z up.
            camera_pitch, camera_roll: Degrees by which the camera looks down and is turned clockwise.
            stature: Metres of the person.
            bvh_names: Whose names bones bear: `"mixamo"`, `"cmu"` or `"h36m"`.

        Raises:
            Pose3DError: Another ending or placement, steps that contradict each other, a library that is not
                installed, frames that the format cannot hold, or a file that cannot be written.
        """
        path = os.fspath(path)
        check_motion_file(path, len(self.pose_3d))
        steps = MotionSteps.for_file(
            path,
            raw=raw,
            smooth=smooth,
            constant_bones=constant_bones,
            level=level,
            pitch=camera_pitch,
            roll=camera_roll,
            placement=placement,
            stature=stature,
        )
        motion = dataclasses.replace(self.staged(steps).motion, bone_names=bvh_names)
        write_motion(path, motion)

    def angles(self, level: str = "auto") -> dict[str, npt.NDArray[np.float64]]:
        """Joint angles as clinicians count them, `(F,)` degrees by name; NaN where not `present`.

        Definitions, their sources and what joints alone cannot tell: `tf_pose3d.inference.motion.angles`.

        Args:
            level: See `tf_pose3d.inference.motion.steps.MotionSteps`.

        Raises:
            Pose3DError: As `to_rotations`.
        """
        found = clinical_angles(self.to_rotations(level))
        return {name: np.where(self.present, values, np.nan) for name, values in found.items()}

    def plot(self, frames: int | SequenceType[int] | None = None, azimuth: float | None = None) -> Figure:
        """Draws frames in 3D, side by side, with matplotlib (the extra `plots`).

        Args:
            frames: Number of one frame, or of several; None: six that are spread over the clip.
            azimuth: Degrees from the camera's x axis to the side from which they are seen; None: from the
                camera.

        Returns:
            A figure, not registered with pyplot: a notebook shows it, `savefig` writes it.

        Raises:
            Pose3DError: matplotlib is not installed, or a frame does not exist or has no pose.
        """
        require_matplotlib()
        # Imports matplotlib.
        from tf_pose3d.render.plot import plot_scene

        numbers = self._frame_numbers(frames)
        return plot_scene(self.scene().take(numbers), azimuth)

    def _frame_numbers(self, frames: int | SequenceType[int] | None) -> np.ndarray:
        """Numbers of frames with poses, checked."""
        if frames is None:
            seen = np.flatnonzero(self.present)
            if not len(seen):
                raise Pose3DError(f"{self._label}: none of the {len(self.present)} frames has a pose")
            return seen[np.unique(np.linspace(0, len(seen) - 1, min(len(seen), 6)).round().astype(int))]
        numbers = np.atleast_1d(np.asarray(frames))
        if numbers.ndim != 1 or not len(numbers) or not np.issubdtype(numbers.dtype, np.integer):
            raise Pose3DError(f"frames is {frames!r}, expected the number of a frame, or of several")
        for number in numbers:
            if not 0 <= number < len(self.present):
                raise Pose3DError(
                    f"{self._label}: there is no frame {number}, expected 0 to {len(self.present) - 1}"
                )
            if not self.present[number]:
                raise Pose3DError(f"{self._label}: frame {number} has no pose")
        return numbers

    def scene(self, downsample: int = 1) -> Scene:
        """The clip as `tf_pose3d.render.draw` takes it; frames without a pose repeat the last that has one.

        Args:
            downsample: Show every n-th frame.
        """
        motion = self.staged(MotionSteps.for_file(".html")).motion if self.present.any() else self.motion()
        return make_scene(
            motion.to_sequence(),
            motion.held(),
            self.root,
            downsample=downsample,
            axes="world" if motion.world else "camera",
            unsure=None if motion.uncertainty is None else motion.uncertainty / 1000,
            curves=angle_curves(motion),
        )

    def _repr_html_(self) -> str:
        """The interactive viewer, for notebooks; every n-th frame of clips with more than 3,000."""
        from tf_pose3d.render.html import html_document, notebook_frame

        text, _ = html_document(self.scene(max(-(-len(self.pose_3d) // _PAGE_FRAMES), 1)))
        return notebook_frame(text)
