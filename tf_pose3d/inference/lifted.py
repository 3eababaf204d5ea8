"""What lifting gives: one person's poses, to save, plot and look at."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence as SequenceType
from typing import TYPE_CHECKING

import numpy as np

from tf_pose3d.camera import Camera
from tf_pose3d.errors import Pose3DError
from tf_pose3d.extras import require_matplotlib
from tf_pose3d.inference.motion.constant_bones import fit_skeleton
from tf_pose3d.inference.motion.record import Motion
from tf_pose3d.inference.motion.smoothing import SHORTEST, smooth_positions
from tf_pose3d.inference.trajectory import place_poses
from tf_pose3d.inference.writers import check_motion_file, write_motion
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

    def smoothed(self, cutoff: float = 6.0) -> LiftedPerson:
        """The person without jitter: a Butterworth filter forwards and backwards, which delays nothing.

            lifter.lift(video).smoothed(6).with_constant_bones().save("walk.bvh")

        Args:
            cutoff: Hz; what is faster goes. 6 suits walking, 10 and more fast sports.

        Returns:
            Poses of which each run of frames without a gap is smoothed on its own; runs of fewer than 10
            frames stay as they are, which a warning says.

        Raises:
            Pose3DError: A cutoff that is not below half the frame rate.
        """
        poses, left = smooth_positions(self.pose_3d, self.present, self.fps, cutoff)
        said = self.warnings
        if left:
            said += (
                f"{left} of {int(self.present.sum())} frames with a pose are not smoothed: they lie in runs "
                f"of fewer than {SHORTEST} frames",
            )
        return dataclasses.replace(self, pose_3d=poses, warnings=said)

    def with_constant_bones(self) -> LiftedPerson:
        """The person as one skeleton whose bones have the same length in every frame and on both sides.

        Directions are fitted so that the joints lie as near as they can to where they were, see
        `tf_pose3d.inference.motion.constant_bones`; the root stays.
        """
        if not self.present.any():
            return self
        poses = self.pose_3d.copy()
        poses[self.present] = fit_skeleton(poses[self.present], self.skeleton)
        return dataclasses.replace(self, pose_3d=poses)

    def motion(self, placement: str = "root") -> Motion:
        """The poses as the record that writers take.

        Args:
            placement: `"root"`: each pose round its root; `"camera"`: in the camera's space, where they
                project onto their keypoints; `"floor"`: the lowest joint of each frame on y = 0.

        Raises:
            Pose3DError: An unknown placement.
        """
        return Motion(
            poses=place_poses(self.pose_3d, self.keypoints, self.present, self.camera, placement),
            skeleton=self.skeleton,
            root=self.root,
            fps=self.fps,
            camera=self.camera,
            keypoints=self.keypoints,
            subject=self.subject,
            name=self.name,
            uncertainty=self.uncertainty,
            frame=self.frame,
        )

    def save(self, path: str | os.PathLike[str], placement: str = "root") -> None:
        """Writes the poses; the file's ending says in which format, as for `inference.py --output`.

        Args:
            path: Ends in .npz, .npy, .json, .csv, .bvh, .trc or .c3d.
            placement: See `motion`.

        Raises:
            Pose3DError: Another ending or placement, a library that is not installed, frames that the format
                cannot hold, or a file that cannot be written.
        """
        path = os.fspath(path)
        check_motion_file(path, len(self.pose_3d))
        write_motion(path, self.motion(placement))

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
        motion = self.motion()
        return make_scene(motion.to_sequence(), motion.held(), self.root, downsample=downsample)

    def _repr_html_(self) -> str:
        """The interactive viewer, for notebooks; every n-th frame of clips with more than 3,000."""
        from tf_pose3d.render.html import html_document, notebook_frame

        text, _ = html_document(self.scene(max(-(-len(self.pose_3d) // _PAGE_FRAMES), 1)))
        return notebook_frame(text)
