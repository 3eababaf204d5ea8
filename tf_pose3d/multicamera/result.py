"""What several cameras gave: people in metres, what is known about each point, and the rig that saw them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.angles import clinical_angles
from tf_pose3d.inference.motion.record import Motion
from tf_pose3d.inference.motion.rig import Rig as JointRig
from tf_pose3d.inference.motion.stage import StagedMotion, run_stage
from tf_pose3d.inference.motion.steps import MotionSteps
from tf_pose3d.inference.writers import check_motion_file, write_motion
from tf_pose3d.inference.writers.rigged import rig_of
from tf_pose3d.multicamera.known import mean_known
from tf_pose3d.multicamera.report import Report
from tf_pose3d.multicamera.rig import Rig
from tf_pose3d.multicamera.timeline import Timeline
from tf_pose3d.skeleton import Skeleton

__all__ = ["TriangulatedPerson", "Triangulation"]

Singles = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class TriangulatedPerson:
    """One person in space.

    Attributes:
        id: A number, in the order of how much of them was seen; identities stay over the clip.
        pose_3d: `(F, J, 3)` float32 metres, world, z up; NaN where fewer than two views agree on a joint.
        keypoints: `(V, F, J, 3)` float32 pixels and confidence of the person in each view, sides put right.
        used: `(V, F, J)` the views that made each point.
        error_px: `(V, F, J)` float32 pixels from each confident keypoint to the point's image, lens
            distortion taken out; also of keypoints that were left out. NaN where there is none.
        swapped: `(V, F)` frames in which left and right of a view were exchanged, and put back.
        filled: `(F, J)` joints that no two views saw, from the lifter; see `fill` of `triangulate`.
        skeleton: Names the J joints.
        fps: Frames per second.
        frame: `(F,)` int64: number of each frame.
        name: Names the recording.
        zeros: Write joints that were never found as 0 0 0, as Pose2Sim does.
        viewpoint: `(3, 3)` rotation and `(3,)` metres from the world to the first view's camera, for
            placement `"camera"`.
    """

    id: str
    pose_3d: Singles
    keypoints: Singles
    used: Bools
    error_px: Singles
    swapped: Bools
    filled: Bools
    skeleton: Skeleton
    fps: float
    frame: npt.NDArray[np.int64]
    name: str = ""
    zeros: bool = False
    viewpoint: tuple[np.ndarray, np.ndarray] | None = None

    def __repr__(self) -> str:
        seen = int(self.present.sum())
        return (
            f"<TriangulatedPerson {self.id}: {seen} of {len(self.pose_3d)} frames, {self.skeleton.name}, "
            f"mean error {float(mean_known(self.error.ravel())):.1f} px>"
        )

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.array(self.pose_3d, dtype=dtype)

    @property
    def present(self) -> Bools:
        """`(F,)` whether any joint was found."""
        return np.asarray(np.isfinite(self.pose_3d[..., 0]).any(axis=1))

    @property
    def error(self) -> Singles:
        """`(F, J)` mean pixels over the views that made a point; NaN where there is none."""
        return mean_known(np.where(self.used, self.error_px, np.nan), axis=0).astype(np.float32)

    @property
    def views_used(self) -> npt.NDArray[np.int64]:
        """`(F, J)` how many views made each point."""
        return self.used.sum(axis=0)

    @property
    def confidence(self) -> Singles:
        """`(F, J)` mean confidence of the keypoints that made a point, 0 where there is none."""
        total = np.where(self.used, np.nan_to_num(self.keypoints[..., 2]), 0.0).sum(axis=0)
        return (total / np.maximum(self.views_used, 1)).astype(np.float32)

    def motion(self, placement: str | None = None) -> Motion:
        """The poses as the record that writers take.

        Args:
            placement: None: where they were measured, in the world, z up; others as for lifted poses:
                `"root"`: each pose round its root; `"camera"`: in the axes and the space of the first view's
                camera; `"floor"`: in place, the lowest joint of each frame on the floor; `"world"`: where
                they were measured, the floor at 0 where feet rest.

        Raises:
            Pose3DError: An unknown placement.
        """
        return self.staged(MotionSteps.for_measured("", placement=placement)).motion

    def staged(self, steps: MotionSteps) -> StagedMotion:
        """The poses after the stage between lifting and writing, see `tf_pose3d.inference.motion.stage`.

        Raises:
            Pose3DError: A step that these poses do not allow.
        """
        (staged,) = run_stage([self.unplaced()], steps)
        return staged

    def unplaced(self) -> Motion:
        """The poses as they were measured, as the record that the stage takes."""
        return Motion(
            poses=self.pose_3d,
            skeleton=self.skeleton,
            root=self.skeleton.root,
            fps=self.fps,
            subject="" if self.id == "0" else f"person {self.id}",
            name=self.name,
            frame=self.frame,
            world=True,
            level="calibration",
            placement="world",
            zeros=self.zeros,
            viewpoint=self.viewpoint,
            error_px=self.error,
            views=self.views_used,
            filled=self.filled if self.filled.any() else None,
        )

    def to_rotations(self, placement: str = "world") -> JointRig:
        """Joint rotations of one skeleton, as animation programs take them, see `LiftedPerson.to_rotations`.

        Args:
            placement: See `motion`.

        Raises:
            Pose3DError: No frame has a pose, or the layout has no pelvis and none can be made.
        """
        steps = MotionSteps.for_measured("rotations.bvh", placement=placement)
        return rig_of(Path(f"person {self.id}"), self.staged(steps).motion)

    def angles(self) -> dict[str, npt.NDArray[np.float64]]:
        """Joint angles as clinicians count them, `(F,)` degrees by name; NaN where not `present`.

        Raises:
            Pose3DError: As `to_rotations`.
        """
        found = clinical_angles(self.to_rotations())
        return {name: np.where(self.present, values, np.nan) for name, values in found.items()}

    def save(
        self,
        path: str | Path,
        placement: str | None = None,
        *,
        raw: bool = False,
        smooth: str | None = None,
        constant_bones: bool = False,
        bvh_names: str = "mixamo",
    ) -> None:
        """Writes the poses; the file's ending says in which format, as for `inference.py --output`.

            person.save("walk.glb", smooth="rts")

        Args:
            path: Ends as one of `tf_pose3d.inference.writers.WRITERS`.
            placement: See `motion`; None: where they were measured; files for animation are of one skeleton,
                on the floor, with feet at rest locked.
            raw: Do nothing but what is asked for, whatever the format.
            smooth: `"butterworth:6"` or `"rts:4"`.
            constant_bones: Fit one skeleton.
            bvh_names: Whose names bones bear: `"mixamo"`, `"cmu"` or `"h36m"`.

        Raises:
            Pose3DError: Another ending or placement, steps that these poses do not allow, or what the writer
                finds wrong.
        """
        check_motion_file(path, len(self.pose_3d))
        steps = MotionSteps.for_measured(
            path, raw=raw, smooth=smooth, constant_bones=constant_bones, placement=placement
        )
        write_motion(path, dataclasses.replace(self.staged(steps).motion, bone_names=bvh_names))


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Triangulation:
    """What several cameras gave.

        poses = tf_pose3d.triangulate(views, cameras="Calib.toml")
        poses.pose_3d, poses.error, poses.views_used, poses.confidence  # of the one person
        poses.people[1].save("second.trc")
        print(poses.report)

    Attributes:
        people: Who was asked for, the one seen most first.
        rig: The cameras in the order of the views, in the world of the poses.
        labels: The views' names.
        skeleton: Names the J joints.
        timeline: Frames and rates.
        report: How good it is, and what is wrong.
        notes: What was supposed, one line each.
        warnings: What looks wrong with the input, one line each.
    """

    people: tuple[TriangulatedPerson, ...]
    rig: Rig
    labels: tuple[str, ...]
    skeleton: Skeleton
    timeline: Timeline
    report: Report
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return (
            f"<Triangulation of {len(self.labels)} views: {len(self.people)} people, {self.timeline.count} "
            f"frames at {self.timeline.fps:g} per second>"
        )

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.array(self.pose_3d, dtype=dtype)

    def _repr_html_(self) -> str:
        """The interactive viewer, for notebooks; every n-th frame of clips with more than 3,000."""
        from tf_pose3d.multicamera.pictures import triangulation_scene
        from tf_pose3d.render.html import html_document, notebook_frame

        scene = triangulation_scene(self, downsample=max(-(-self.timeline.count // 3000), 1))
        return notebook_frame(html_document(scene)[0])

    @property
    def person(self) -> TriangulatedPerson:
        """The first person.

        Raises:
            Pose3DError: There is none.
        """
        if not self.people:
            raise Pose3DError("no person is seen by two cameras at once")
        return self.people[0]

    @property
    def pose_3d(self) -> Singles:
        """`(F, J, 3)` of the first person, see `TriangulatedPerson`."""
        return self.person.pose_3d

    @property
    def error(self) -> Singles:
        """`(F, J)` pixels, of the first person."""
        return self.person.error

    @property
    def views_used(self) -> npt.NDArray[np.int64]:
        """`(F, J)` views, of the first person."""
        return self.person.views_used

    @property
    def confidence(self) -> Singles:
        """`(F, J)`, of the first person."""
        return self.person.confidence
