"""The figures and findings of a report, from people and their rig."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tf_pose3d.multicamera.diagnosis import Finding, Geometry, diagnose, measure_geometry
from tf_pose3d.multicamera.known import mean_known, median_known
from tf_pose3d.multicamera.reconstruction import confident
from tf_pose3d.multicamera.report import CameraReport, PersonReport, Report
from tf_pose3d.multicamera.result import TriangulatedPerson
from tf_pose3d.multicamera.rig import Rig
from tf_pose3d.multicamera.swaps import exchange
from tf_pose3d.multicamera.timeline import Timeline
from tf_pose3d.multicamera.world import body_height
from tf_pose3d.skeleton import Skeleton

__all__ = ["judge", "make_report"]

Singles = npt.NDArray[np.float32]

# Metres: people are so tall.
_SHORTEST, _TALLEST = 0.6, 2.5


def judge(
    rig: Rig,
    keypoints: Singles,
    swapped: npt.NDArray[np.bool_],
    skeleton: Skeleton,
    min_confidence: float,
    poses: npt.NDArray[np.float32] | None,
) -> tuple[Geometry, list[Finding]]:
    """How well the rig fits, with sides put right, and what is wrong with it, with sides as the detectors
    gave them."""
    weights = confident(keypoints, min_confidence)
    geometry = measure_geometry(rig, keypoints, weights)
    raw = exchange(keypoints, skeleton, swapped) if swapped.any() else keypoints
    findings = diagnose(rig, raw, confident(raw, min_confidence), geometry, keypoints)
    if not findings and poses is not None:
        height = body_height(poses, skeleton)
        if np.isfinite(height) and not _SHORTEST <= height <= _TALLEST:
            findings = [_wrong_scale(rig, height, geometry.error)]
    return geometry, findings


def _wrong_scale(rig: Rig, height: float, error: float) -> Finding:
    units = {0.001: "millimetres", 0.01: "centimetres", 1000.0: "metres read as millimetres"}
    fitting = [words for factor, words in units.items() if _SHORTEST <= height * factor <= _TALLEST]
    what = f": its lengths seem to be {fitting[0]} (--camera_unit)" if fitting else ""
    text = (
        f"the person would be {height:.3g} m tall by the calibration of cameras {', '.join(rig.names)}{what}"
    )
    return Finding("unit", rig.names, text, error, error)


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
