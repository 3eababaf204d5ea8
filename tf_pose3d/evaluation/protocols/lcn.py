"""LCN's protocol, on windows of any data set: the true depth of the root, and no alignment."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from collections.abc import Sequence as SequenceType
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tf_pose3d.anthropometry import typical_bones
from tf_pose3d.camera import normalize_screen_coordinates
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.data.windows import Windows
from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.image_space import (
    FrameErrors,
    image_space_metrics,
    image_space_results,
    image_space_table,
    is_left_out,
)
from tf_pose3d.evaluation.lcn_results import mean_by_joint
from tf_pose3d.evaluation.metrics import mpjpe, pampjpe
from tf_pose3d.evaluation.protocols.uplift import Evaluation, UpliftProtocol, evaluate_poses
from tf_pose3d.evaluation.tables import error_table
from tf_pose3d.models.family import Family
from tf_pose3d.models.lcn.config import LCNConfig
from tf_pose3d.models.lcn.folded import FoldedLCN
from tf_pose3d.models.lcn.image_frame import camera_poses, typical_root_depth
from tf_pose3d.models.lcn.labels import WindowPoses
from tf_pose3d.models.lcn.model import LCN
from tf_pose3d.progress import Progress

__all__ = ["ImagePosePredictor", "LCNProtocol", "predict_image_poses", "screen_keypoints"]


class ImagePosePredictor:
    """The network's output for any number of poses, compiled once.

    Its weights are a copy: training the network further does not change it.

    Args:
        model: A built network.
        channels: Numbers per joint of the keypoints that it will be given.
        flip_order: Order of the joints after mirroring, to average with the mirrored prediction for the
            mirrored input; None: no mirroring.

    Attributes:
        model: As given.
    """

    def __init__(self, model: LCN, channels: int, flip_order: tuple[int, ...] | None = None) -> None:
        self.model = model
        folded = FoldedLCN(model)
        signs = tf.constant([-1.0] + [1.0] * (channels - 1))

        @tf.function(input_signature=[tf.TensorSpec((None, model.num_joints, channels))], autograph=False)
        def predict(batch: tf.Tensor) -> tf.Tensor:
            poses = folded(batch)
            if flip_order is None:
                return poses
            mirrored = folded(tf.gather(batch, flip_order, axis=1) * signs)
            return (poses + tf.gather(mirrored, flip_order, axis=1) * tf.constant([-1.0, 1.0, 1.0])) / 2

        self._predict = predict

    def __call__(
        self, keypoints: np.ndarray, batch_size: int = 200, progress: Callable[[int], None] | None = None
    ) -> np.ndarray:
        """`(N, J, 3)` float32 normalised image coordinates of `(N, J, C)` normalised keypoints.

        Args:
            keypoints: The poses.
            batch_size: Poses at once.
            progress: Called with the number of poses done since the last call.
        """
        result = np.empty((*keypoints.shape[:2], 3), np.float32)
        for begin in range(0, len(keypoints), batch_size):
            part = keypoints[begin : begin + batch_size]
            result[begin : begin + len(part)] = self._predict(part).numpy()
            if progress is not None:
                progress(len(part))
        return result


def predict_image_poses(
    model: LCN,
    keypoints: np.ndarray,
    flip_order: tuple[int, ...] | None = None,
    batch_size: int = 200,
    progress: Callable[[int], None] | None = None,
) -> np.ndarray:
    """The network's output for many poses; see `ImagePosePredictor`."""
    return ImagePosePredictor(model, keypoints.shape[2], flip_order)(keypoints, batch_size, progress)


def screen_keypoints(sequences: SequenceType[Sequence]) -> np.ndarray:
    """`(N, J, C)` float32: the 2D poses of sequences end to end, normalised, confidences as they are."""
    poses = []
    for sequence in sequences:
        if sequence.pose_2d is None or sequence.camera is None:
            raise ValueError(f"{sequence.label}: no 2D poses or no camera")
        pose, camera = sequence.pose_2d.copy(), sequence.camera
        pose[..., :2] = normalize_screen_coordinates(pose[..., :2], camera.width, camera.height)
        poses.append(pose)
    return np.concatenate(poses)


def _predicted(
    model: LCN,
    config: LCNConfig,
    windows: Windows,
    poses: WindowPoses,
    progress: Callable[[int], None] | None = None,
) -> np.ndarray:
    flip = windows.store.skeleton.flip_order if config.EVAL_FLIP else None
    return predict_image_poses(model, poses.keypoints, flip, config.BATCH_SIZE, progress)


def _errors_mm(pose: np.ndarray, poses: WindowPoses, names: list[str]) -> dict[str, Any]:
    """LCN's own tables: no alignment, and Procrustes that may reflect."""
    tables: dict[str, Any] = {}
    for suffix, errors in (
        ("", mpjpe(pose, poses.targets)),
        ("_protocol2", pampjpe(pose, poses.targets, reflection=True)),
    ):
        errors = 1000 * errors
        means = {
            name: float(errors[poses.actions == number].mean())
            for number, name in enumerate(names)
            if (poses.actions == number).any()
        }
        tables[f"action{suffix}"] = {**means, "avg": float(np.mean(list(means.values())))}
        tables[f"joint{suffix}"] = mean_by_joint(errors)
    return tables


class LCNProtocol(UpliftProtocol[LCNConfig]):
    """LCN's own tables beside those of every family; predictions are averaged in the image frame."""

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        self._image_poses: ImagePosePredictor | None = None

    def evaluate(
        self, model: keras.Model, config: LCNConfig, data: Windows, show_progress: bool = False
    ) -> Iterator[Evaluation]:
        """Errors with `results["all_frames"]` as for every family (roots aligned), and `results["lcn"]`.

        `lcn` holds, by LCN's protocol, mm by `action` and `joint`, each also with `_protocol2`.

        Of data with poses of the image (`h36m_sh`) instead `results["image_space"]`, as MotionBERT tests.

        Raises:
            Pose3DError: Windows without true poses.
        """
        if "image_scale" in data.store.arrays:
            found, centred, rows = self._image_space(model, config, data, None, show_progress)
            sequence, frame = data.centre_frames()
            targets = data.store.arrays["pose_3d"][rows]
            yield Evaluation("", {"image_space": found}, centred, targets, sequence, frame)
            return
        poses = WindowPoses(data)
        with Progress(data.num_centres, "evaluating") as progress:
            count = (lambda done: progress.update(steps=done)) if show_progress else None
            image = _predicted(model, config, data, poses, count).astype(np.float64)
        pose = np.asarray(camera_poses(image, *poses.frame_facts()))
        names = data.store.actions
        results = {
            "all_frames": evaluate_poses(pose, poses.targets, poses.actions, names, root=0),
            "lcn": _errors_mm(pose, poses, names),
        }
        centred = (pose - pose[:, :1]).astype(np.float32)
        yield Evaluation("", results, centred, poses.targets, poses.sequence, poses.frame)

    def validate(
        self, model: keras.Model, config: LCNConfig, data: Windows, action_wise: bool = True
    ) -> dict[str, float]:
        """`loss` in the image frame, and the metrics of every family, in mm."""
        if "image_scale" in data.store.arrays:
            wanted = None if config.VALIDATION_EXAMPLES < 0 else config.VALIDATION_EXAMPLES
            return image_space_metrics(self._image_space(model, config, data, wanted)[0], action_wise)
        poses = WindowPoses(data, None if config.VALIDATION_EXAMPLES < 0 else config.VALIDATION_EXAMPLES)
        image = _predicted(model, config, data, poses).astype(np.float64)
        metrics = {"loss": float(np.square(image - poses.labels()).mean())}
        pose = np.asarray(camera_poses(image, *poses.frame_facts()))
        results = evaluate_poses(pose, poses.targets, poses.actions, data.store.actions, root=0)
        for prefix, part in (("", "frame_wise"), ("AW-", "action_wise_average")):
            metrics.update({prefix + name.upper(): value for name, value in results[part].items()})
        return metrics

    def _image_space(
        self,
        model: keras.Model,
        config: LCNConfig,
        data: Windows,
        wanted: int | None,
        show_progress: bool = False,
    ) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
        """Results, root-relative poses `(n, J, 3)` in metres and the rows of their frames."""
        store = data.store
        sequence, frame = (values[:wanted] for values in data.centre_frames())
        rows = store.offsets[sequence] + frame
        flip = store.skeleton.flip_order if config.EVAL_FLIP else None
        with Progress(len(rows), "evaluating") as progress:
            count = (lambda done: progress.update(steps=done)) if show_progress else None
            image = predict_image_poses(
                model, store.arrays["keypoints_2d"][rows], flip, config.BATCH_SIZE, count
            )
        poses = (image - image[:, :1]) * store.arrays["image_scale"][rows][:, None, None]
        targets = store.arrays["pose_3d"][rows]
        targets = targets - targets[:, :1]
        errors = FrameErrors(store.num_frames, poses.shape[1])
        kept = [not is_left_out(name) for name in store.names]
        for number in np.unique(sequence[np.array(kept)[sequence]]):
            mine = sequence == number
            errors.add(rows[mine], 1000 * poses[mine], 1000 * targets[mine])
        if not errors.count.any():
            raise Pose3DError("no frame to test is left")
        of_frame = np.repeat(np.arange(len(store.lengths)), store.lengths)
        left_out = [name for name, good in zip(store.names, kept, strict=True) if not good]
        results = image_space_results(errors, store.action_ids[of_frame], store.actions, left_out)
        return results, poses.astype(np.float32), rows

    def tables(self, evaluation: Evaluation, action_wise: bool = True) -> str:
        if "image_space" in evaluation.results:
            return image_space_table(evaluation.results["image_space"], action_wise)
        general = {name: part for name, part in evaluation.results.items() if name != "lcn"}
        blocks = [super().tables(dataclasses.replace(evaluation, results=general), action_wise)]
        tables = evaluation.results["lcn"]
        for rows in ("action", "joint") if action_wise else ():
            first, second = tables[rows], tables[f"{rows}_protocol2"]
            table = error_table(
                list(first),
                ["MPJPE", "P-MPJPE"],
                [[first[name], second[name]] for name in first],
                corner=rows.capitalize(),
                title=f"LCN's protocol, mm by {rows}: true root depth, unaligned; aligned with reflection",
                summary_rows=1,
            )
            blocks.append(str(table))
        return "\n".join(blocks)

    def recording_error(self, poses: npt.NDArray[Any], truth: npt.NDArray[Any], root: int) -> str:
        """With roots aligned: the release's own error needs each item's box and true root depth."""
        error = 1000 * mpjpe(poses, truth, root=root).mean()
        return (
            f"mean joint error (MPJPE) {error:.1f} mm, roots aligned; LCN's release reports it unaligned, by "
            "the true root depth: eval.py does"
        )

    def complete_sequence(self, model: LCN, config: LCNConfig, sequence: Sequence) -> Sequence:
        """Adds the root's depth at which the predicted pose has the bones of a typical adult."""
        if sequence.camera is None:
            raise ValueError(f"{sequence.label}: no camera")
        keypoints = screen_keypoints([sequence])
        # Kept, as a stream asks for one frame after another.
        if self._image_poses is None or self._image_poses.model is not model:
            flip = sequence.skeleton.flip_order if config.EVAL_FLIP else None
            self._image_poses = ImagePosePredictor(model, keypoints.shape[2], flip)
        pose_image = self._image_poses(keypoints, config.BATCH_SIZE)
        bones = typical_bones(sequence.skeleton)
        depth = typical_root_depth(pose_image, sequence.camera.intrinsics(), bones)
        return dataclasses.replace(sequence, per_frame={"root_depth": depth[:, None]})
