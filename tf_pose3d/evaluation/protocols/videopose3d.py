"""The evaluation protocol of VideoPose3D's release and those that build on it.

Predicted poses are taken as they are, true ones are root-centred. Errors are averaged over an action's
frames, then over actions with equal weight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import keras
import numpy as np
import numpy.typing as npt

from tf_pose3d.data.windows import Windows
from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.metrics import mpjpe, mpjve, nmpjpe, pampjpe
from tf_pose3d.evaluation.prediction import predict_poses
from tf_pose3d.evaluation.protocols.protocol import Protocol
from tf_pose3d.evaluation.protocols.uplift import Evaluation, save_window_predictions
from tf_pose3d.evaluation.tables import error_table
from tf_pose3d.models.video import VideoConfig
from tf_pose3d.progress import Progress

__all__ = ["COLUMNS", "VideoPose3DProtocol", "evaluate_videos", "evaluate_windows", "format_results"]

# Key of a metric in the results -> heading of its column.
COLUMNS = {"mpjpe": "MPJPE", "pampjpe": "P-MPJPE", "nmpjpe": "N-MPJPE", "mpjve": "MPJVE"}

_MILLIMETRES = 1000.0


ConfigT = TypeVar("ConfigT", bound=VideoConfig)


class VideoPose3DProtocol(Protocol[ConfigT, Windows, Evaluation]):
    """MPJPE, P-MPJPE, N-MPJPE and velocity error of all frames, by action, and by subject where asked for."""

    def predict(
        self,
        model: keras.Model,
        config: ConfigT,
        data: Windows,
        indices: np.ndarray | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> np.ndarray:
        """`(n, J, 3)` poses of windows, metres, relative to the root, camera frame.

        Args:
            model: With its weights.
            config: Its config.
            data: The windows.
            indices: `(n,)` indices of windows in increasing order; None: all.
            progress: Called with the number of windows done since the last call.
        """
        return predict_poses(
            model,
            data,
            config.BATCH_SIZE,
            indices,
            flip=config.EVAL_FLIP,
            jit_compile=config.JIT_COMPILE,
            progress=progress,
            overlap=config.overlap,
        )

    def evaluate(
        self, model: keras.Model, config: ConfigT, data: Windows, show_progress: bool = False
    ) -> Iterator[Evaluation]:
        sequence, frame = data.centre_frames()
        with Progress(data.num_centres, "evaluating") as progress:
            count = (lambda done: progress.update(steps=done)) if show_progress else None
            poses = self.predict(model, config, data, progress=count)
        targets = data.store.arrays["pose_3d"][data.store.offsets[sequence] + frame]
        root = self.family.root_joint(config)
        results = evaluate_windows(poses, targets, data, root=root, by_subject=config.BY_SUBJECT)
        yield Evaluation("", results, poses, targets, sequence, frame)

    def validate(
        self, model: keras.Model, config: ConfigT, data: Windows, action_wise: bool = True
    ) -> dict[str, float]:
        count = data.num_centres if config.VALIDATION_EXAMPLES < 0 else config.VALIDATION_EXAMPLES
        indices = np.arange(count)
        sequence, frame = data.centre_frames(indices)
        targets = data.store.arrays["pose_3d"][data.store.offsets[sequence] + frame]
        poses = self.predict(model, config, data, indices)
        root = self.family.root_joint(config)
        overall = evaluate_windows(poses, targets, data, root=root, indices=indices)["all_frames"]
        metrics = {"loss": overall["frame_wise"]["mpjpe"] / 1000}
        parts = [("", "frame_wise"), ("AW-", "action_wise_average")][: 2 if action_wise else 1]
        for prefix, part in parts:
            values = {prefix + name.upper(): value for name, value in overall[part].items()}
            # Videos of one frame have no velocity.
            metrics.update({name: value for name, value in values.items() if value is not None})
        return metrics

    def tables(self, evaluation: Evaluation, action_wise: bool = True) -> str:
        return format_results(evaluation.results, action_wise)

    def recording_error(self, poses: npt.NDArray[Any], truth: npt.NDArray[Any], root: int) -> str:
        """As the base class; the predicted root stays where it is, and its error counts."""
        error = 1000 * mpjpe(poses, truth - truth[:, root : root + 1]).mean()
        aligned = 1000 * mpjpe(poses, truth, root=root).mean()
        return (
            f"mean joint error (MPJPE) {error:.1f} mm, the predicted root as it is, as the family's release "
            f"reports it ({aligned:.1f} mm with roots aligned)"
        )

    def save_predictions(self, path: str | Path, evaluations: Sequence[Evaluation], data: Windows) -> None:
        save_window_predictions(path, evaluations, data)


def evaluate_videos(
    pred: np.ndarray, target: np.ndarray, video: np.ndarray, groups: Sequence[str], root: int
) -> dict[str, Any]:
    """Errors over all frames, by group of videos, and averaged over groups with equal weight.

    Args:
        pred: `(N, J, 3)` predicted poses in metres, relative to the root.
        target: `(N, J, 3)` true poses in metres, in the same frame up to translation.
        video: `(N,)` number of each frame's video; frames of a video lie side by side in their order.
        groups: Of each video, e.g. its action.
        root: The joint at which the true poses are centred.

    Returns:
        ```
        {"frame_wise": {"mpjpe": mm, "pampjpe": mm, "nmpjpe": mm, "mpjve": mm per frame},
         "action_wise_average": {the same},
         "per_action": {group: {the same}},
         "frames": {"total": N, "per_action": {group: count}}}
        ```
        A video of one frame has no velocity and does not enter MPJVE, which is None where no video does.

    Raises:
        Pose3DError: There is no pose, or shapes differ.
    """
    pred, target, video = np.asarray(pred), np.asarray(target), np.asarray(video)
    if len(pred) == 0:
        raise Pose3DError("there is no pose to evaluate")
    target = target - target[:, root : root + 1]
    errors = {
        "mpjpe": mpjpe(pred, target).mean(1) * _MILLIMETRES,
        "pampjpe": pampjpe(pred, target).mean(1) * _MILLIMETRES,
        "nmpjpe": nmpjpe(pred, target, root=None).mean(1) * _MILLIMETRES,
        "mpjve": _velocity_errors(pred, target, video) * _MILLIMETRES,
    }
    group = np.array([groups[number] for number in video])
    names = list(dict.fromkeys(group.tolist()))
    per_action = {name: _means(errors, group == name) for name in names}
    return {
        "frame_wise": _means(errors, np.ones(len(pred), bool)),
        "action_wise_average": {
            metric: _mean([mean for means in per_action.values() if (mean := means[metric]) is not None])
            for metric in errors
        },
        "per_action": per_action,
        "frames": {
            "total": len(pred),
            "per_action": {name: int((group == name).sum()) for name in names},
        },
    }


def _velocity_errors(pred: np.ndarray, target: np.ndarray, video: np.ndarray) -> np.ndarray:
    """`(N,)`: each frame gets its video's mean velocity error; NaN where a video has one frame."""
    result = np.full(len(pred), np.nan)
    begins = np.flatnonzero(np.concatenate([[True], np.diff(video) != 0]))
    for begin, end in zip(begins, [*begins[1:], len(video)], strict=True):
        if end - begin > 1:
            result[begin:end] = mpjve(pred[begin:end], target[begin:end])
    return result


def _mean(values: Sequence[float] | np.ndarray) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _means(errors: Mapping[str, np.ndarray], rows: np.ndarray) -> dict[str, float | None]:
    means = {metric: _mean(values[rows]) for metric, values in errors.items()}
    velocity = errors["mpjve"][rows]
    # A prediction that is not finite is an error and stays NaN; a video of one frame is none.
    finite = np.isfinite(errors["mpjpe"][rows]).all()
    means["mpjve"] = _mean(velocity[~np.isnan(velocity)]) if finite else float("nan")
    return means


def evaluate_windows(
    poses: np.ndarray,
    targets: np.ndarray,
    windows: Windows,
    root: int,
    by_subject: bool = False,
    indices: np.ndarray | None = None,
) -> dict[str, Any]:
    """`evaluate_videos` of the predictions for windows, by action.

    Args:
        poses, targets: `(N, J, 3)`, see `evaluate_videos`.
        windows: Where they come from.
        root: The joint at which the true poses are centred.
        by_subject: Also report each subject.
        indices: `(N,)` indices of the windows; None: all.

    Returns:
        `{"all_frames": results}`, and with `by_subject` an entry per subject.
    """
    store = windows.store
    video, _ = windows.centre_frames(indices)
    actions = [store.actions[index] for index in store.action_ids]
    results = {"all_frames": evaluate_videos(poses, targets, video, actions, root)}
    if by_subject:
        subject = store.subject_ids[video]
        for index in dict.fromkeys(subject.tolist()):
            rows = subject == index
            results[store.subjects[index]] = evaluate_videos(
                poses[rows], targets[rows], video[rows], actions, root
            )
    return results


def format_results(results: Mapping[str, Mapping[str, Any]], action_wise: bool = True) -> str:
    """Tables of what `evaluate_windows` returns."""
    blocks = []
    for part, values in results.items():
        where = "all frames" if part == "all_frames" else f"subject {part}"
        rows = {"All frames": values["frame_wise"]}
        if action_wise:
            rows = {**values["per_action"], "Average": values["action_wise_average"], **rows}
        table = error_table(
            list(rows),
            list(COLUMNS.values()),
            [[row[metric] for metric in COLUMNS] for row in rows.values()],
            corner="Action" if action_wise else "",
            title=f"Errors in mm (MPJVE: mm per frame), {where}",
            summary_rows=2 if action_wise else 0,
        )
        blocks.append(str(table))
    return "\n".join(blocks)
