"""The figures and findings of a report, from people and their rig."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tf_pose3d.multicamera.agreement import Geometry, measure_geometry
from tf_pose3d.multicamera.diagnosis import diagnose
from tf_pose3d.multicamera.known import mean_known, median_known
from tf_pose3d.multicamera.reconstruction import confident
from tf_pose3d.multicamera.report import CameraReport, PersonReport, Report
from tf_pose3d.multicamera.result import TriangulatedPerson
from tf_pose3d.multicamera.rig import Rig, make_rig
from tf_pose3d.multicamera.suspicions import Finding
from tf_pose3d.multicamera.swaps import exchange
from tf_pose3d.multicamera.timeline import Timeline
from tf_pose3d.multicamera.triangulation import triangulate_linear
from tf_pose3d.multicamera.world import body_height
from tf_pose3d.skeleton import Skeleton

__all__ = ["in_metres", "judge", "make_report"]

Singles = npt.NDArray[np.float32]

# Metres: people are so tall.
_SHORTEST, _TALLEST = 0.6, 2.5
# Units in which a calibration may be where metres are stated; frames that tell.
_UNITS = {
    0.001: "millimetres (--camera_unit mm)",
    0.01: "centimetres (--camera_unit cm)",
    0.0254: "inches",
    1000.0: "metres that were read as millimetres (--camera_unit m)",
    100.0: "metres that were read as centimetres (--camera_unit m)",
}
_TELLING = 40


def judge(
    rig: Rig,
    keypoints: Singles,
    swapped: npt.NDArray[np.bool_],
    skeleton: Skeleton,
    min_confidence: float,
) -> tuple[Geometry, list[Finding]]:
    """How well the rig fits, with sides put right, and what is wrong with it, with sides as the detectors
    gave them.

    Args:
        rig: V cameras.
        keypoints: `(V, F, J, 3)` of one person, sides put right.
        swapped: `(V, F)` where they were exchanged.
        skeleton: Names the joints.
        min_confidence: Keypoints below count for nothing.
    """
    weights = confident(keypoints, min_confidence)
    geometry = measure_geometry(rig, keypoints, weights)
    raw = exchange(keypoints, skeleton, swapped) if swapped.any() else keypoints
    findings = diagnose(rig, raw, confident(raw, min_confidence), geometry, keypoints)
    return geometry, findings


def in_metres(
    rig: Rig, keypoints: Singles, skeleton: Skeleton, min_confidence: float
) -> tuple[Rig, list[Finding]]:
    """The rig with lengths in metres, where people's size tells that they are not, and what is to be said.

    Args:
        rig: V cameras.
        keypoints: `(V, F, J, 3)` of one person.
        skeleton: Names the joints.
        min_confidence: Keypoints below count for nothing.
    """
    frames = np.unique(np.linspace(0, keypoints.shape[1] - 1, _TELLING).astype(int))
    part = keypoints[:, frames]
    weights = confident(part, min_confidence).reshape(len(rig), -1)
    points = triangulate_linear(rig, rig.rays(part).reshape(len(rig), -1, 2), weights)
    height = body_height(points.reshape(len(frames), -1, 3), skeleton)
    if not np.isfinite(height) or _SHORTEST <= height <= _TALLEST:
        return rig, []
    fitting = [
        (factor, words) for factor, words in _UNITS.items() if _SHORTEST <= height * factor <= _TALLEST
    ]
    text = f"the person would be {height:.3g} m tall by the calibration of cameras {', '.join(rig.names)}"
    if not fitting:
        text += ", and of no human size in any unit: was it calibrated without a scale?"
        return rig, [Finding("unit", rig.names, text, np.nan, np.nan)]
    factor, words = fitting[0]
    text += f": its lengths are taken as {words}"
    return (
        make_rig([camera.scaled(factor) for camera in rig.cameras]),
        [Finding("unit", rig.names, text, np.nan, np.nan)],
    )


def make_report(
    rig: Rig,
    labels: tuple[str, ...],
    timeline: Timeline,
    people: Sequence[TriangulatedPerson],
    geometry: Geometry,
    findings: Sequence[Finding],
    method: str,
    min_confidence: float,
    notes: Sequence[str],
) -> Report:
    """The report of a triangulation.

    Args:
        rig: V cameras in the world of the people.
        labels: The views' names.
        timeline: Offsets and rates.
        people: Who was triangulated, the first of whom is judged.
        geometry, findings: Of `judge`.
        method: `"robust"` or `"pose2sim"`.
        min_confidence: Keypoints below count for nothing.
        notes: What was supposed.
    """
    cameras = []
    for view, (name, label) in enumerate(zip(rig.names, labels, strict=True)):
        excluded = seen = float("nan")
        swapped: set[int] = set()
        if people:
            weights = np.asarray(confident(people[0].keypoints[view], min_confidence) > 0)
            # Of a point that was found, a confident keypoint that did not help to make it was left out.
            told = np.asarray(weights & np.isfinite(people[0].pose_3d[..., 0]) & ~people[0].filled)
            excluded = float((told & ~people[0].used[view]).sum() / max(int(told.sum()), 1))
            rows = np.flatnonzero(people[0].present)
            seen = float(weights[rows].any(axis=1).mean()) if len(rows) else float("nan")
            for person in people:
                swapped |= set(person.frame[person.swapped[view]].tolist())
        cameras.append(
            CameraReport(
                name,
                label,
                float(geometry.camera[view]),
                excluded,
                seen,
                float(timeline.offsets[view]),
                float(timeline.steps[view]),
                tuple(sorted(swapped)),
            )
        )
    persons = []
    for person in people:
        found = np.isfinite(person.pose_3d[..., 0]) & ~person.filled
        there = person.frame[person.present]
        turned = {
            camera: tuple(person.frame[person.swapped[view]].tolist())
            for view, camera in enumerate(rig.names)
            if person.swapped[view].any()
        }
        persons.append(
            PersonReport(
                id=person.id,
                frames=len(there),
                first=int(there[0]) if len(there) else 0,
                last=int(there[-1]) if len(there) else 0,
                points=int(found.sum()),
                three_views=float((person.views_used[found] >= 3).mean()) if found.any() else float("nan"),
                error_px=float(mean_known(person.error.ravel())),
                height=body_height(person.pose_3d, person.skeleton),
                swapped=turned,
                filled=int(person.filled.sum()),
            )
        )
    distance = float("nan")
    if people:
        middle = median_known(people[0].pose_3d.reshape(-1, 3), axis=0)
        distance = float(np.median(np.linalg.norm(rig.centres - middle, axis=1) / rig.focal))
    return Report(
        cameras=tuple(cameras),
        people=tuple(persons),
        error_px=geometry.error,
        mean_error_px=geometry.mean,
        error_mm=1000 * geometry.error * distance,
        pairs=geometry.pairs,
        three_views=persons[0].three_views if persons else float("nan"),
        findings=tuple(findings),
        method=method,
        notes=tuple(notes),
    )
