"""Predicting with LCN and evaluating it on windows of any data set."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as SequenceType
from typing import Any

import numpy as np
import tensorflow as tf

from tf_pose3d.camera import normalize_screen_coordinates
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.data.windows import Windows
from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.evaluate import Evaluation
from tf_pose3d.evaluation.human36m_protocol import evaluate_poses
from tf_pose3d.evaluation.lcn_protocol import mean_by_joint
from tf_pose3d.evaluation.metrics import mpjpe, pampjpe
from tf_pose3d.models.lcn.config import LCNConfig
from tf_pose3d.models.lcn.folded import FoldedLCN
from tf_pose3d.models.lcn.image_frame import camera_poses, image_poses
from tf_pose3d.models.lcn.model import LCN

__all__ = [
    "ImagePosePredictor",
    "evaluate_windows",
    "predict_image_poses",
    "screen_keypoints",
    "validate_windows",
    "window_labels",
]


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
        pose, camera = sequence.pose_2d.copy(), sequence.camera
        pose[..., :2] = normalize_screen_coordinates(pose[..., :2], camera.width, camera.height)
        poses.append(pose)
    return np.concatenate(poses)


def window_labels(windows: Windows) -> np.ndarray:
    """`(N, J, 3)` normalised image coordinates of all centres' true poses."""
    poses = _WindowPoses(windows)
    return np.asarray(image_poses(poses.targets.astype(np.float64), *poses.frame_facts()))


class _WindowPoses:
    """Inputs and true poses of the first centres of some windows, of all when `count` is None.

    Attributes:
        keypoints: `(N, J, C)` normalised.
        targets: `(N, J, 3)` metres, camera frame.
        cameras, root_depth, box_width: Of `image_frame.camera_poses`; the box width None where the data
            hold none.
    """

    def __init__(self, windows: Windows, count: int | None = None) -> None:
        store = windows.store
        if "keypoints_2d" not in store.arrays or "pose_3d" not in store.arrays:
            raise Pose3DError("LCN's evaluation needs 2D poses and true 3D poses")
        self.sequence, self.frame = (values[:count] for values in windows.centre_frames())
        rows = store.offsets[self.sequence] + self.frame
        self.keypoints = store.arrays["keypoints_2d"][rows]
        self.targets = store.arrays["pose_3d"][rows]
        self.actions = store.action_ids[self.sequence]
        self.cameras = store.intrinsics[self.sequence][:, [0, 2, 3, 4, 5]].astype(np.float64)
        depth, width = store.arrays.get("root_depth"), store.arrays.get("box_width")
        self.root_depth = (self.targets[:, 0, 2] if depth is None else depth[rows]).astype(np.float64)
        self.box_width = None if width is None else width[rows].astype(np.float64)

    def frame_facts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """What `camera_poses` and `image_poses` take after the poses."""
        return self.cameras, self.root_depth, self.box_width


def _predicted(
    model: LCN,
    config: LCNConfig,
    windows: Windows,
    poses: _WindowPoses,
    progress: Callable[[int], None] | None = None,
) -> np.ndarray:
    flip = windows.store.skeleton.flip_order if config.EVAL_FLIP else None
    return predict_image_poses(model, poses.keypoints, flip, config.BATCH_SIZE, progress)


def _errors_mm(pose: np.ndarray, poses: _WindowPoses, names: list[str]) -> dict[str, Any]:
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


def evaluate_windows(
    model: LCN, config: LCNConfig, windows: Windows, progress: Callable[[int], None] | None = None
) -> Evaluation:
    """Errors of the network on windows.

    Args:
        model: With its weights.
        config: Its config; EVAL_FLIP averages with mirrored predictions in the image frame, as the release.
        windows: Over the test sequences.
        progress: Called with the number of poses done since the last call.

    Returns:
        With `results["all_frames"]` as for every family (roots aligned), and `results["lcn"]`, by LCN's
        protocol (true root depth, no alignment): mm by `action` and `joint`, each also with `_protocol2`.

    Raises:
        Pose3DError: Windows without true poses.
    """
    poses = _WindowPoses(windows)
    image = _predicted(model, config, windows, poses, progress).astype(np.float64)
    pose = np.asarray(camera_poses(image, *poses.frame_facts()))
    names = windows.store.actions
    results = {
        "all_frames": evaluate_poses(pose, poses.targets, poses.actions, names, root=0),
        "lcn": _errors_mm(pose, poses, names),
    }
    centred = (pose - pose[:, :1]).astype(np.float32)
    return Evaluation("", results, centred, poses.targets, poses.sequence, poses.frame)


def validate_windows(model: LCN, config: LCNConfig, windows: Windows) -> dict[str, float]:
    """Metrics of the validation windows: `loss` in the image frame, and those of every family, in mm."""
    poses = _WindowPoses(windows, None if config.VALIDATION_EXAMPLES < 0 else config.VALIDATION_EXAMPLES)
    image = _predicted(model, config, windows, poses).astype(np.float64)
    labels = np.asarray(image_poses(poses.targets.astype(np.float64), *poses.frame_facts()))
    metrics = {"loss": float(np.square(image - labels).mean())}
    pose = np.asarray(camera_poses(image, *poses.frame_facts()))
    results = evaluate_poses(pose, poses.targets, poses.actions, windows.store.actions, root=0)
    for prefix, part in (("", "frame_wise"), ("AW-", "action_wise_average")):
        metrics.update({prefix + name.upper(): value for name, value in results[part].items()})
    return metrics
