"""What is known of each image of a data set, column by column."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tf_pose3d.data.multiview.images import ImageSource, ImageSources
from tf_pose3d.errors import Pose3DError

__all__ = ["Calibrations", "MultiViewRecords", "join_records", "project_points"]


@dataclasses.dataclass(frozen=True)
class Calibrations:
    """Pinhole cameras; lens distortion is left out, as DenseWarper's release does.

    Attributes:
        names: C names for messages.
        rotation: `(C, 3, 3)` float32, world to camera.
        centre: `(C, 3)` float32 camera centres, world, millimetres.
        intrinsics: `(C, 4)` float32 fx, fy, cx, cy, pixels of the original image.
    """

    names: tuple[str, ...]
    rotation: np.ndarray
    centre: np.ndarray
    intrinsics: np.ndarray

    def __post_init__(self) -> None:
        for field in ("rotation", "centre", "intrinsics"):
            values = getattr(self, field)
            finite = np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
            if not finite.all():
                name = self.names[int(np.argmin(finite))]
                raise Pose3DError(f"camera {name}: its {field} must be finite numbers")
        fine = (self.intrinsics[:, :2] > 0).all(axis=1)
        if not fine.all():
            worst = int(np.argmin(fine))
            raise Pose3DError(
                f"camera {self.names[worst]}: focal lengths are {self.intrinsics[worst, :2].tolist()}, "
                "expected positive numbers of pixels"
            )


def project_points(points: np.ndarray, cameras: Calibrations, camera: np.ndarray) -> np.ndarray:
    """Pixels of the original image.

    Args:
        points: `(N, J, 3)` world, millimetres.
        cameras: C cameras.
        camera: `(N,)` which camera sees each pose.

    Returns:
        `(N, J, 2)` float32.
    """
    centred = points.astype(np.float64) - cameras.centre[camera, None]
    seen = np.einsum("nij,nkj->nki", cameras.rotation[camera].astype(np.float64), centred)
    intrinsics = cameras.intrinsics[camera, None]
    return (seen[..., :2] / seen[..., 2:] * intrinsics[..., :2] + intrinsics[..., 2:]).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class MultiViewRecords:
    """Images with their annotations. N images, J joints.

    Attributes:
        source: Names the data set or its file in messages.
        images: N images.
        joints: J joint names as in `tf_pose3d.skeleton`.
        view: `(N,)` int32, the data set's number of the camera.
        frame: `(N,)` int32 frame of the recording, from 0.
        recording: `(N,)` int32 index into `subjects`, `actions` and `takes`.
        camera: `(N,)` int32 index into `cameras`; -1 where the camera is not known.
        keypoints_2d: `(N, J, 2)` float32 pixels of the original image.
        visible: `(N, J)` bool, which of them are annotated and in sight.
        pose_3d: `(N, J, 3)` float32 world, millimetres; NaN where there is none.
        centre: `(N, 2)` float32 middle of the person's box, pixels.
        box: `(N, 2)` float32 width and height of that box, pixels.
        cameras: Calibrated cameras.
        subjects, actions, takes: Names of the recordings' subject and action, and of the recording itself.
    """

    source: str
    images: ImageSource
    joints: tuple[str, ...]
    view: np.ndarray
    frame: np.ndarray
    recording: np.ndarray
    camera: np.ndarray
    keypoints_2d: np.ndarray
    visible: np.ndarray
    pose_3d: np.ndarray
    centre: np.ndarray
    box: np.ndarray
    cameras: Calibrations
    subjects: tuple[str, ...]
    actions: tuple[str, ...]
    takes: tuple[str, ...]

    def __post_init__(self) -> None:
        fine = np.isfinite(self.centre).all(axis=1) & np.isfinite(self.box).all(axis=1)
        fine &= (self.box > 0).all(axis=1)
        if not fine.all():
            number = int(np.argmin(fine))
            raise Pose3DError(
                f"{self.source}: {self.images.name(number)}: the person's box has no finite, positive size"
            )

    def __len__(self) -> int:
        return len(self.view)

    def with_joints(self, joints: Sequence[str]) -> MultiViewRecords:
        """The same images with other joints; joints that are not annotated are zero and not visible."""
        index = np.array([self.joints.index(joint) if joint in self.joints else -1 for joint in joints])
        if (index < 0).all():
            raise Pose3DError(f"{self.source} has none of the joints {', '.join(joints)}")
        held = index >= 0

        def picked(values: np.ndarray, missing: float) -> np.ndarray:
            result = np.full((len(values), len(joints), *values.shape[2:]), missing, values.dtype)
            result[:, held] = values[:, index[held]]
            return result

        return dataclasses.replace(
            self,
            joints=tuple(joints),
            keypoints_2d=picked(self.keypoints_2d, 0),
            visible=picked(self.visible, False),
            pose_3d=picked(self.pose_3d, np.nan),
        )


def join_records(parts: Sequence[MultiViewRecords]) -> MultiViewRecords:
    """Records of several data sets, one after another; all have the same joints.

    Raises:
        Pose3DError: Other joints.
    """
    first = parts[0]
    if len(parts) == 1:
        return first
    for part in parts[1:]:
        if part.joints != first.joints:
            raise Pose3DError(f"{part.source} has other joints than {first.source}")
    recordings = np.cumsum([0, *(len(part.takes) for part in parts)])
    cameras = np.cumsum([0, *(len(part.cameras.names) for part in parts)])
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("view", "frame", "keypoints_2d", "visible", "pose_3d", "centre", "box")
    }
    return MultiViewRecords(
        source=", ".join(part.source for part in parts),
        images=ImageSources([part.images for part in parts]),
        joints=first.joints,
        recording=np.concatenate(
            [part.recording + offset for part, offset in zip(parts, recordings, strict=False)]
        ),
        camera=np.concatenate(
            [
                np.where(part.camera < 0, -1, part.camera + offset)
                for part, offset in zip(parts, cameras, strict=False)
            ]
        ),
        cameras=Calibrations(
            names=sum((part.cameras.names for part in parts), ()),
            **{
                name: np.concatenate([getattr(part.cameras, name) for part in parts])
                for name in ("rotation", "centre", "intrinsics")
            },
        ),
        subjects=sum((part.subjects for part in parts), ()),
        actions=sum((part.actions for part in parts), ()),
        takes=sum((part.takes for part in parts), ()),
        **columns,
    )
