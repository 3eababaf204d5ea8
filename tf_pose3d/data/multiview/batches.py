"""Batches of image crops: groups of views for DenseWarper, single images for its backbone."""

from __future__ import annotations

import abc
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tf_pose3d.data.multiview.crop import (
    apply_affine,
    crop_matrices,
    draw_augmentation,
    normalize_pixels,
    projection_matrices,
    warp,
)
from tf_pose3d.data.multiview.crop_spec import CropSpec
from tf_pose3d.data.multiview.grouping import ViewGroups
from tf_pose3d.data.multiview.records import MultiViewRecords
from tf_pose3d.data.steps import shuffled_entries, step_dataset
from tf_pose3d.errors import Pose3DError
from tf_pose3d.geometry.heatmaps import heatmap_targets

__all__ = ["ImageBatches", "SingleImages", "ViewGroupImages"]

# Streams of random numbers, so that no two draws of a step share a key.
_SHUFFLE, _AUGMENT = range(2)
_STREAMS = 8


class ImageBatches(abc.ABC):
    """Entries of a data set of images, by number, and batches of them.

    Everything random is a function of (seed, step).

    Args:
        records: The images; their joints are the batches'.
        spec: How they are cut.
        seed: Of every random draw.

    Attributes:
        failure: What is wrong with the image that stopped a pipeline, or None. TensorFlow replaces errors
            inside a pipeline by its own; whoever catches one of those raises this instead.
    """

    def __init__(self, records: MultiViewRecords, spec: CropSpec, seed: int = 0) -> None:
        self.records = records
        self.spec = spec
        self.seed = seed
        self.failure: Pose3DError | None = None
        self._tensors: dict[str, tf.Tensor] | None = None

    @abc.abstractmethod
    def __len__(self) -> int:
        """Number of entries."""

    @abc.abstractmethod
    def batch(self, entries: tf.Tensor, key: tf.Tensor | int = 0) -> dict[str, tf.Tensor]:
        """The batch dict of `(B,)` entries; `key` keys its random draws."""

    @property
    def num_centres(self) -> int:
        """Number of entries, by the name that `Windows` gives it."""
        return len(self)

    def notes(self) -> list[str]:
        """Lines about the data that the user should know; `Windows` has some."""
        return []

    def _tables(self) -> dict[str, np.ndarray]:
        """Arrays that batches gather from."""
        records = self.records
        return {
            "centre": records.centre,
            "width": records.box[:, 0],
            "keypoints_2d": records.keypoints_2d,
            "visible": records.visible,
        }

    def _constants(self) -> dict[str, tf.Tensor]:
        """The tables as tensors, made once and outside any graph."""
        if self._tensors is None:
            with tf.init_scope(), tf.device("CPU:0"):
                self._tensors = {name: tf.constant(table) for name, table in self._tables().items()}
        return self._tensors

    def _crops(self, records: tf.Tensor, key: tf.Tensor | int) -> tf.Tensor:
        """`(N, 2, 3)` crops of records, with random scale and rotation."""
        tables, spec = self._constants(), self.spec
        centre, width = tf.gather(tables["centre"], records), tf.gather(tables["width"], records)
        if not (spec.scale_factor or spec.rotation_factor):
            return crop_matrices(centre, width, tf.zeros_like(width), spec.image_size)
        keys = tf.stack([tf.constant(self.seed * _STREAMS + _AUGMENT, tf.int64), tf.cast(key, tf.int64)])
        scale, rotation = draw_augmentation(tf.shape(width)[0], keys, spec.scale_factor, spec.rotation_factor)
        return crop_matrices(centre, width * scale, rotation, spec.image_size)

    def _read(self, record: np.ndarray) -> np.ndarray:
        try:
            return self.records.images.read(int(record))
        except Pose3DError as error:
            self.failure = self.failure or error
            raise

    def _pixels(self, records: tf.Tensor, crops: tf.Tensor) -> tf.Tensor:
        """`(N, height, width, 3)` float32 network input of `(N,)` records."""
        spec = self.spec

        def one(arguments: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
            record, crop = arguments
            image = tf.numpy_function(self._read, [record], tf.uint8, stateful=False)
            image = tf.ensure_shape(image, [None, None, 3])
            return normalize_pixels(warp(image[None], crop[None], spec.image_size)[0], spec.bgr)

        shape = tf.TensorSpec([spec.image_size[1], spec.image_size[0], 3], tf.float32)
        return tf.map_fn(one, (records, crops), fn_output_signature=shape, parallel_iterations=8)

    def training_dataset(
        self,
        batch_size: int,
        first_step: int = 0,
        last_step: int | None = None,
        shards: int = 1,
        shard_ids: Sequence[int] = (0,),
    ) -> tf.data.Dataset:
        """Endless shuffled batches, beginning at any step; see `tf_pose3d.data.steps.step_dataset`."""
        self._constants()
        stream = self.seed * _STREAMS + _SHUFFLE
        return step_dataset(
            self.batch,
            lambda step: shuffled_entries(stream, step, batch_size, len(self)),
            batch_size,
            first_step,
            last_step,
            shards,
            shard_ids,
        )

    def ordered_batches(self, batch_size: int, count: int | None = None) -> tf.data.Dataset:
        """Batches over the entries in order, each once; the last may be smaller.

        Where all are equal, their size is known to what is traced for them.

        Args:
            batch_size: Entries per batch.
            count: Stop after this many entries; None: all.
        """
        count = len(self) if count is None else min(count, len(self))
        self._constants()

        def make(first: tf.Tensor) -> dict[str, tf.Tensor]:
            if count % batch_size == 0:
                entries = first + tf.range(batch_size, dtype=first.dtype)
            else:
                entries = tf.range(first, tf.minimum(first + batch_size, count))
            return self.batch(entries, first // batch_size)

        dataset = tf.data.Dataset.range(0, count, batch_size)
        return dataset.map(make, num_parallel_calls=2, deterministic=True).prefetch(2)


class SingleImages(ImageBatches):
    """Images of any data set with heat-map targets, for the backbone.

    Args:
        records, spec, seed: See `ImageBatches`.
        rows: The records to use; None: all.

    Batches hold `image (B, H, W, 3)`, `heatmaps (B, h, w, J)`, `weights (B, J)`, `keypoints_2d (B, J, 2)`
    heat-map pixels, `crop (B, 2, 3)` and `record (B,)`.
    """

    def __init__(
        self, records: MultiViewRecords, spec: CropSpec, seed: int = 0, rows: np.ndarray | None = None
    ) -> None:
        super().__init__(records, spec, seed)
        self.rows = np.arange(len(records)) if rows is None else np.asarray(rows)
        if not len(self.rows):
            raise Pose3DError(f"{records.source}: no images")

    def __len__(self) -> int:
        return len(self.rows)

    def _tables(self) -> dict[str, np.ndarray]:
        return {**super()._tables(), "rows": self.rows.astype(np.int32)}

    def batch(self, entries: tf.Tensor, key: tf.Tensor | int = 0) -> dict[str, tf.Tensor]:
        tables, spec = self._constants(), self.spec
        records = tf.gather(tables["rows"], entries)
        crops = self._crops(records, key)
        points = apply_affine(crops, tf.gather(tables["keypoints_2d"], records))
        visible = tf.gather(tables["visible"], records) & _inside(points, spec.image_size)
        keypoints = points / spec.stride
        heatmaps, weights = heatmap_targets(keypoints, visible, spec.heatmap_size, spec.sigma)
        return {
            "image": self._pixels(records, crops),
            "heatmaps": heatmaps,
            "weights": weights,
            "keypoints_2d": keypoints,
            "crop": crops,
            "record": records,
        }


class ViewGroupImages(ImageBatches):
    """Groups of interleaved views with cameras and 3D poses. V views, T frames, J joints.

    Args:
        records, spec, seed: See `ImageBatches`.
        groups: Over these records.

    Batches hold, all float32 but `visible` (bool) and `group`:
        `image (B, V, H, W, 3)`; `projection (B, V, 3, 4)` world (millimetres) to pixels of the network's
        input; `rotation (B, V, 3, 3)` world to camera; `translation (B, V, 3)` camera centre, millimetres;
        `intrinsics (B, V, 4)` fx, fy, cx, cy of the original image; `crop (B, V, 2, 3)` original image to
        network input; `keypoints_2d (B, T, V, J, 2)` true joints at each frame in each view, heat-map pixels;
        `visible (B, T, V, J)` annotated as visible and inside the crop; `pose_3d (B, T, J, 3)` world,
        millimetres; `group (B,)` numbers.

    Raises:
        Pose3DError: A camera of a group is not calibrated.
    """

    def __init__(self, records: MultiViewRecords, groups: ViewGroups, spec: CropSpec, seed: int = 0) -> None:
        super().__init__(records, spec, seed)
        self.groups = groups
        unknown = records.camera[groups.shown] < 0
        if unknown.any():
            record = int(groups.shown[unknown][0])
            raise Pose3DError(
                f"{records.source}: {records.images.name(record)}: camera {records.view[record]} of "
                f"{records.subjects[records.recording[record]]} has no intrinsics; only calibrated "
                "cameras can be triangulated"
            )

    def __len__(self) -> int:
        return len(self.groups)

    def _tables(self) -> dict[str, np.ndarray]:
        records, cameras = self.records, self.records.cameras
        return {
            **super()._tables(),
            "shown": self.groups.shown,
            "target": self.groups.target,
            # Where a view has no image of a frame, the joints' visibility is that of the image it shows.
            "every": np.where(self.groups.every < 0, self.groups.shown[:, None], self.groups.every),
            "pose_3d": records.pose_3d,
            "camera": records.camera,
            "rotation": cameras.rotation,
            "camera_centre": cameras.centre,
            "intrinsics": cameras.intrinsics,
        }

    def batch(self, entries: tf.Tensor, key: tf.Tensor | int = 0) -> dict[str, tf.Tensor]:
        tables, spec = self._constants(), self.spec
        shown = tf.gather(tables["shown"], entries)
        views = self.groups.shown.shape[1]
        flat = tf.reshape(shown, [-1])
        crops = self._crops(flat, key)
        image = self._pixels(flat, crops)
        image = tf.reshape(image, [-1, views, spec.image_size[1], spec.image_size[0], 3])
        crop = tf.reshape(crops, [-1, views, 2, 3])
        camera = tf.gather(tables["camera"], shown)
        rotation = tf.gather(tables["rotation"], camera)
        centre = tf.gather(tables["camera_centre"], camera)
        intrinsics = tf.gather(tables["intrinsics"], camera)
        pose = tf.gather(tables["pose_3d"], tf.gather(tables["target"], entries))
        # Pixels from points in the camera's frame: products of world coordinates would lose digits.
        offset = pose[:, :, None] - centre[:, None, :, None]
        seen = tf.linalg.matmul(offset, rotation[:, None], transpose_b=True)
        pixels = seen[..., :2] / seen[..., 2:] * intrinsics[:, None, :, None, :2]
        points = apply_affine(crop[:, None], pixels + intrinsics[:, None, :, None, 2:])
        annotated = tf.gather(tables["visible"], tf.gather(tables["every"], entries))
        return {
            "image": image,
            "projection": projection_matrices(rotation, centre, intrinsics, crop),
            "rotation": rotation,
            "translation": centre,
            "intrinsics": intrinsics,
            "crop": crop,
            "keypoints_2d": points / spec.stride,
            "visible": annotated & _inside(points, spec.image_size) & (seen[..., 2] > 0),
            "pose_3d": pose,
            "group": tf.cast(entries, tf.int32),
        }


def _inside(points: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Which of `(..., 2)` pixels lie in an image of this width and height; NaN does not."""
    limits = tf.constant(size, tf.float32)
    return tf.reduce_all((points >= 0) & (points < limits), axis=-1)
