"""D3DP's test: the mean of several poses, and the best of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_pose3d.data.clips import clip_frames
from tf_pose3d.data.windows import Windows
from tf_pose3d.evaluation.hypothesis_radii import radii_hold
from tf_pose3d.evaluation.metrics import mpjpe
from tf_pose3d.evaluation.protocols.metric_clips import MetricClipProtocol
from tf_pose3d.evaluation.protocols.uplift import Evaluation
from tf_pose3d.evaluation.protocols.videopose3d import format_results
from tf_pose3d.evaluation.tables import error_table
from tf_pose3d.geometry.hypotheses import best_seen_joints
from tf_pose3d.models.d3dp.config import D3DPConfig
from tf_pose3d.models.sequence_to_sequence import SequenceConfig
from tf_pose3d.progress import Progress

__all__ = ["HypothesesProtocol", "hypothesis_errors"]

_COLUMNS = {"p_agg": "P-Agg", "j_agg": "J-Agg", "p_best": "P-Best", "j_best": "J-Best"}


def hypothesis_errors(hypotheses: np.ndarray, target: np.ndarray) -> dict[str, np.ndarray]:
    """`(N,)` errors of each frame in the unit of the poses.

    Args:
        hypotheses: `(N, H, J, 3)`.
        target: `(N, J, 3)`, in the same frame.

    Returns:
        `p_agg` of the mean of the hypotheses; `p_best` of the best hypothesis of each frame; `j_best` of each
        joint's best. The last two need the truth.
    """
    count = hypotheses.shape[1]
    each = np.stack([mpjpe(hypotheses[:, index], target) for index in range(count)], axis=1)
    return {
        "p_agg": mpjpe(hypotheses.mean(axis=1), target).mean(axis=1),
        "p_best": each.mean(axis=2).min(axis=1),
        "j_best": each.min(axis=1).mean(axis=1),
    }


class HypothesesProtocol(MetricClipProtocol):
    """MixSTE's clips; VideoPose3D's metrics of the one pose, and MPJPE of all ways to it and of the best
    poses.

    P-Best takes the best hypothesis for each frame (the release: for each batch of clips, which depends on
    its size). J-Agg needs the true root and camera in the release; here the root is estimated and the
    camera a typical one, see `tf_pose3d.geometry.hypotheses`. With RADII in the config also what share of
    the joints lies within its radius.
    """

    def evaluate(
        self, model: keras.Model, config: SequenceConfig, data: Windows, show_progress: bool = False
    ) -> Iterator[Evaluation]:
        if isinstance(config, D3DPConfig):
            # The network is the trained one; how often it is asked is the evaluation's.
            model.follow(config)
        store = data.store
        frames, video = clip_frames(store.lengths, config.clip_frames, config.clip_frames, "shift")
        rows = frames + store.offsets[video][:, None]
        keypoints = store.arrays["keypoints_2d"]

        @tf.function(autograph=False)
        def run(clips: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            outputs = model({"keypoints_2d": clips}, training=False)
            hypotheses = outputs["pose_3d_hypotheses"]
            return hypotheses, outputs[model.spread_output], best_seen_joints(hypotheses, clips[..., :2])

        parts, given, chosen = [], [], []
        with Progress(len(rows), "evaluating") as progress:
            for mine in rows:
                held, one, best = run(tf.constant(keypoints[mine][None]))
                parts.append(np.swapaxes(held.numpy()[0], 0, 1))
                given.append(one.numpy()[0])
                chosen.append(best.numpy()[0])
                if show_progress:
                    progress.update()
        hypotheses = np.concatenate(parts)
        root = self.family.root_joint(config)
        targets = store.arrays["pose_3d"][rows.reshape(-1)]
        of_frame = np.repeat(video, frames.shape[1])
        given_poses = np.concatenate(given)
        poses = given_poses[..., :3]
        results: dict[str, Any] = {"all_frames": self._results(poses, targets, of_frame, store, root)}
        rooted = targets - targets[:, root : root + 1]
        errors = hypothesis_errors(hypotheses, rooted)
        errors["j_agg"] = mpjpe(np.concatenate(chosen), rooted).mean(axis=1)
        action = store.action_ids[of_frame]
        per_action = {
            name: {metric: float(1000 * values[action == index].mean()) for metric, values in errors.items()}
            for index, name in enumerate(store.actions)
            if (action == index).any()
        }
        results["hypotheses"] = {
            "count": hypotheses.shape[1],
            "per_action": per_action,
            "action_wise_average": {
                metric: float(np.mean([one[metric] for one in per_action.values()])) for metric in errors
            },
        }
        radii = getattr(config, "RADII", None)
        if radii is not None:
            held_share, radius = radii_hold(given_poses[..., 3], mpjpe(poses, rooted), radii, root)
            results["hypotheses"] |= {"cover": held_share, "radius": radius}
        yield Evaluation("", results, poses, targets, of_frame, frames.reshape(-1))

    def tables(self, evaluation: Evaluation, action_wise: bool = True) -> str:
        held = evaluation.results["hypotheses"]
        rows = {"Average": held["action_wise_average"]}
        if action_wise:
            rows = {**held["per_action"], **rows}
        table = error_table(
            list(rows),
            list(_COLUMNS.values()),
            [[row[metric] for metric in _COLUMNS] for row in rows.values()],
            corner="Action" if action_wise else "",
            title=f"MPJPE in mm of {held['count']} hypotheses: their mean, the joints that are seen best; "
            "the best pose, the best joints",
            summary_rows=1,
        )
        results = {name: part for name, part in evaluation.results.items() if name != "hypotheses"}
        cover = ""
        if "cover" in held:
            cover = f"\nradii of {held['radius']:.1f} mm on average hold {held['cover']:.1f} % of the joints"
        return f"{format_results(results, action_wise)}\n{table}{cover}"
