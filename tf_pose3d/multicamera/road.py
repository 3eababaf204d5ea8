"""`tf_pose3d.triangulate`: keypoints of several views and their calibration to people in metres."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tf_pose3d.data.calibration import Calibration, fitted_to_images, read_calibration, settled
from tf_pose3d.errors import Pose3DError
from tf_pose3d.multicamera.association import associate
from tf_pose3d.multicamera.detections import ViewDetections, dense_views
from tf_pose3d.multicamera.diagnosis import Finding, Geometry, diagnose, measure_geometry, median_error
from tf_pose3d.multicamera.filling import fill_single_views
from tf_pose3d.multicamera.inputs import ViewClip, Views, match_names, read_views, view_clips
from tf_pose3d.multicamera.known import mean_known, median_known
from tf_pose3d.multicamera.pose2sim import Pose2SimRule, fill_gaps, triangulate_pose2sim
from tf_pose3d.multicamera.reconstruction import Options, PersonPoints, confident, reconstruct
from tf_pose3d.multicamera.report import CameraReport, PersonReport, Report
from tf_pose3d.multicamera.result import TriangulatedPerson, Triangulation
from tf_pose3d.multicamera.rig import Rig, make_rig
from tf_pose3d.multicamera.swaps import exchange
from tf_pose3d.multicamera.synchronisation import synchronise
from tf_pose3d.multicamera.timeline import Timeline, make_timeline, on_timeline, view_rates
from tf_pose3d.multicamera.world import body_height, find_placement
from tf_pose3d.skeleton import Skeleton

__all__ = ["METHODS", "triangulate"]

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
PathLike = str | os.PathLike[str]

METHODS = ("robust", "pose2sim")
# Frames that the geometry is judged by: the beginning of a longer clip tells enough.
_JUDGED = 20_000
# Orders of cameras that are tried to propose one where names tell nothing.
_MOST_ORDERS = 5040
# Metres: people are so tall.
_SHORTEST, _TALLEST = 0.6, 2.5


@dataclasses.dataclass(frozen=True)
class _Settings:
    """The arguments of `triangulate` that are passed on."""

    people: str
    method: str
    world: str
    options: Options
    rule: Pose2SimRule
    fill: bool


def triangulate(
    views: Views,
    cameras: PathLike | Sequence[PathLike] | Calibration,
    *,
    people: str = "largest",
    layout: str | None = None,
    input_format: str | None = None,
    camera_format: str | None = None,
    camera_unit: str | None = None,
    match: Mapping[str, str] | None = None,
    fps: float | None = None,
    rates: Mapping[str, float] | None = None,
    offsets: Mapping[str, float] | None = None,
    sync: str | None = None,
    method: str = "robust",
    min_confidence: float = 0.3,
    min_views: int = 2,
    repair_sides: bool = True,
    refine: bool = True,
    fill: bool = False,
    world: str = "auto",
) -> Triangulation:
    """People in metres from keypoints of several calibrated cameras.

        poses = tf_pose3d.triangulate(["cam01_json", "cam02_json"], cameras="Calib.toml")
        poses.pose_3d      # (F, J, 3) metres, world, z up; NaN where fewer than two views agree
        print(poses.report)

    Args:
        views: One file or folder of keypoints of any known format a view, patterns among them; or a mapping
            of names to such, to `KeypointVideo`s or to arrays `(F, J, 3)` of x, y and confidence.
        cameras: Calibration files of any known format, or what `read_calibration` gave. Matched to views by
            name.
        people: `"largest"`: whoever is seen most; `"all"`; or the id of one.
        layout: Name of the joint layout where files do not tell.
        input_format: Format of the keypoints; None: by content.
        camera_format, camera_unit: Format and unit (`"m"`, `"cm"`, `"mm"`) of the calibration; None: by
            content.
        match: View -> camera, where names do not tell.
        fps: Frames per second of all views; None: the files', else 30.
        rates: View -> its own frames per second.
        offsets: View -> frame of the common time at which its frame 0 lies: 7 for a camera that began to
            record seven frames late.
        sync: `"auto"`: find offsets, and rates where unknown, from the geometry. None: frame numbers count.
        method: `"robust"`, or `"pose2sim"`: Pose2Sim's rule, see `tf_pose3d.multicamera.pose2sim`.
        min_confidence: Keypoints below count as missing.
        min_views: Views that a joint needs.
        repair_sides: Put right sides that a detector exchanged in a view.
        refine: Bundle adjustment of the poses, see `tf_pose3d.multicamera.refinement`.
        fill: Joints that only one view sees are filled with the general lifter's pose, and marked. Needs
            TensorFlow.
        world: `"auto"`, `"calibration"` or `"person"`: see `tf_pose3d.multicamera.world.find_placement`.

    Raises:
        Pose3DError: Files that cannot be read, views without a camera, fewer than two views, or arguments
            that mean nothing.
    """
    if method not in METHODS:
        raise Pose3DError(f"method {method!r}, expected one of {', '.join(METHODS)}")
    if sync not in (None, "auto"):
        raise Pose3DError(f"sync {sync!r}, expected 'auto', or None for the frame numbers")
    if sync is not None and offsets:
        raise Pose3DError("sync='auto' finds the offsets: give offsets or sync, not both")
    if min_views < 2:
        raise Pose3DError(f"min_views {min_views}: a point needs two views or more")
    if not 0 <= min_confidence <= 1:
        raise Pose3DError(f"min_confidence {min_confidence:g}, expected 0 to 1")
    calibration = (
        cameras if isinstance(cameras, Calibration) else read_calibration(cameras, camera_format, camera_unit)
    )
    clips, skeleton = view_clips(read_views(views, layout=layout, input_format=input_format))
    notes = [f"{clip.label}: {note}" for clip in clips for note in clip.notes]
    warnings = [f"{clip.label}: {warning}" for clip in clips for warning in clip.warnings]
    clips, calibration, said = _matched(clips, calibration, match, min_confidence)
    notes += said
    rate, said = view_rates(clips, fps, rates)
    notes += said
    begins = _given_offsets(clips, offsets)
    if sync == "auto":
        rate, begins, said, doubts = _synchronised(calibration, clips, rate, rates, fps, min_confidence)
        notes += said
        warnings += doubts
    timeline = make_timeline(clips, rate, begins)
    detections = [on_timeline(clip, view, timeline) for view, clip in enumerate(clips)]
    main = _main_keypoints(clips, detections, timeline)
    before = len(calibration.notes)
    sizes = [clip.size for clip in clips]
    calibration = settled(fitted_to_images(calibration, sizes, main), main)
    notes += calibration.notes[:before]
    warnings += calibration.notes[before:]
    rig = make_rig(calibration.cameras)
    labels = tuple(clip.label for clip in clips)
    name = clips[0].label
    del clips
    settings = _Settings(
        people,
        method,
        world,
        Options(min_confidence, min_views, repair_sides, refine),
        Pose2SimRule(likelihood_threshold=min_confidence, min_cameras=min_views),
        fill,
    )
    return _solved(rig, detections, timeline, skeleton, labels, main, settings, notes, warnings, name)


def _given_offsets(clips: Sequence[ViewClip], offsets: Mapping[str, float] | None) -> Floats:
    labels = [clip.label for clip in clips]
    begins = np.zeros(len(clips))
    for label, offset in (offsets or {}).items():
        if label not in labels:
            raise Pose3DError(
                f"offset {label}={offset:g}: there is no view {label}; there are {', '.join(labels)}"
            )
        if not np.isfinite(offset):
            raise Pose3DError(f"offset {label}={offset}: expected a number of frames")
        begins[labels.index(label)] = offset
    return begins


def _matched(
    clips: list[ViewClip],
    calibration: Calibration,
    match: Mapping[str, str] | None,
    min_confidence: float,
) -> tuple[list[ViewClip], Calibration, list[str]]:
    """The views and the cameras in their order.

    Raises:
        Pose3DError: A view without a camera, or fewer than two views; it proposes what fits where that is
            plain.
    """
    labels = [clip.label for clip in clips]
    if len(clips) < 2:
        what = f"one view ({labels[0]})" if clips else "no view"
        raise Pose3DError(f"{what}: triangulation needs keypoints of two calibrated cameras or more")
    if len(calibration.cameras) < 2:
        raise Pose3DError(
            f"{calibration.source} holds one camera ({', '.join(calibration.names)}) for {len(clips)} views: "
            "triangulation needs two or more"
        )
    found = match_names(labels, calibration.names, match)
    without = [label for label, camera in zip(labels, found, strict=True) if camera is None]
    counts = (
        f"{len(calibration.cameras)} cameras ({', '.join(calibration.names)}) for {len(labels)} views "
        f"({', '.join(labels)})"
    )
    if without:
        proposal = _proposal(clips, calibration, found, min_confidence)
        one = len(without) == 1
        raise Pose3DError(
            f"{calibration.source}: {counts}: view{'' if one else 's'} {', '.join(without)} "
            f"{'matches' if one else 'match'} no camera by name; rename, or give --match "
            f"VIEW=CAMERA{proposal}"
        )
    chosen = [calibration.names[camera] for camera in found if camera is not None]
    notes = []
    rest = [name for name in calibration.names if name not in chosen]
    if rest:
        notes.append(f"{counts}: {', '.join(rest)} {'is' if len(rest) == 1 else 'are'} not used")
    empty = [clip.label for clip in clips if not len(clip.number)]
    if empty:
        kept = [row for row, clip in enumerate(clips) if len(clip.number)]
        if len(kept) < 2:
            raise Pose3DError(
                f"{', '.join(empty)}: no person in any frame; triangulation needs two views with someone in "
                "them"
            )
        notes.append(f"{', '.join(empty)}: no person in any frame")
    return clips, calibration.select(chosen), notes


def _proposal(
    clips: list[ViewClip], calibration: Calibration, found: list[int | None], min_confidence: float
) -> str:
    """What fits where names do not tell, for the error's message; empty where that is not plain."""
    open_views = [view for view, camera in enumerate(found) if camera is None]
    spare = [camera for camera in range(len(calibration.cameras)) if camera not in found]
    if len(spare) < len(open_views):
        return ""
    count = 1
    for number in range(len(open_views)):
        count *= len(spare) - number
    timeline = make_timeline(clips, np.ones(len(clips)), np.zeros(len(clips)))
    detections = [on_timeline(clip, view, timeline) for view, clip in enumerate(clips)]
    keypoints = _main_keypoints(clips, detections, timeline)[:, :_JUDGED]
    weights = confident(keypoints, min_confidence)
    frames = np.flatnonzero(((weights > 0).sum(axis=2) > 2).sum(axis=0) >= 2)
    if count > _MOST_ORDERS or not len(frames):
        return ""
    frames = frames[np.unique(np.linspace(0, len(frames) - 1, 24).astype(int))]
    keypoints, weights = keypoints[:, frames], weights[:, frames].reshape(len(clips), -1)
    errors = []
    for order in itertools.permutations(spare, len(open_views)):
        cameras = [
            calibration.cameras[
                camera if (camera := found[view]) is not None else order[open_views.index(view)]
            ]
            for view in range(len(clips))
        ]
        rig = make_rig(cameras)
        rays = rig.rays(keypoints).reshape(len(clips), -1, 2)
        errors.append((median_error(rig, rays, weights), order))
    errors.sort()
    pairs = [
        f"{clips[view].label}={calibration.names[camera]}"
        for view, camera in zip(open_views, errors[0][1], strict=True)
    ]
    other = f", any other order {errors[1][0]:.1f} px or more" if len(errors) > 1 else ""
    return f"; likeliest by the reprojection error ({errors[0][0]:.1f} px{other}): --match {' '.join(pairs)}"


def _synchronised(
    calibration: Calibration,
    clips: Sequence[ViewClip],
    rate: Floats,
    rates: Mapping[str, float] | None,
    fps: float | None,
    min_confidence: float,
) -> tuple[Floats, Floats, list[str], list[str]]:
    """Rates, offsets, and what is to be said."""
    rig = make_rig(calibration.cameras)
    told = bool(rates) or fps is not None or any(clip.fps is not None for clip in clips)
    # One rate for all says nothing of a camera that is slower: only different ones do.
    steps = rate.max() / rate if told and len(set(rate.tolist())) > 1 else None
    found = synchronise(rig, clips, steps, min_confidence=min_confidence)
    fastest = float(rate.max())
    words = []
    for clip, offset, step in zip(clips, found.offsets, found.steps, strict=True):
        slower = f" at a rate of 1/{step:g}" if step > 1 else ""
        words.append(f"{clip.label} {offset:g}{slower}")
    notes = [f"offsets by geometry, in frames of the fastest camera: {', '.join(words)}"]
    doubts = [
        f"{clips[view].label}: its offset is not sure: no pair of views tells it sharply (too little motion, "
        f"or a camera that does not fit)"
        for view in found.unsure
    ]
    return fastest / found.steps, found.offsets, notes, doubts


def _main_keypoints(
    clips: Sequence[ViewClip], detections: Sequence[ViewDetections], timeline: Timeline
) -> Singles:
    """`(V, F, J, 3)` of whoever is seen most in each view, at most `_JUDGED` frames: tells rigs before people
    do."""
    parts = []
    for clip, view in zip(clips, detections, strict=True):
        keep = np.ones(len(view), bool)
        if len(clip.track) == len(view) and len(clip.track):
            who, count = np.unique(clip.track, return_counts=True)
            if view.crowd > 1:
                keep = clip.track == who[np.argmax(count)]
        keep &= view.frame < _JUDGED
        _, first = np.unique(view.frame[keep], return_index=True)
        rows = np.flatnonzero(keep)[first]
        parts.append(ViewDetections(view.frame[rows], view.keypoints[rows]))
    return dense_views(parts, None, min(timeline.count, _JUDGED))


def _solved(
    rig: Rig,
    detections: list[ViewDetections],
    timeline: Timeline,
    skeleton: Skeleton,
    labels: tuple[str, ...],
    main: Singles,
    settings: _Settings,
    notes: list[str],
    warnings: list[str],
    name: str,
) -> Triangulation:
    everyone: list[npt.NDArray[np.int64] | None]
    if max(view.crowd for view in detections) <= 1:
        everyone = [None]
    else:
        everyone = list(associate(rig, detections, skeleton, timeline.count, settings.options.min_confidence))
    chosen = _chosen(everyone, settings.people)
    points: list[tuple[str, PersonPoints]] = []
    for number in chosen:
        keypoints = dense_views(detections, everyone[number], timeline.count)
        points.append((str(number), _points(rig, keypoints, skeleton, timeline, settings)))
    points = [(who, person) for who, person in points if np.isfinite(person.pose_3d).any()]
    if settings.people not in ("largest", "all") and not points:
        raise Pose3DError(f"--people {settings.people}: this person is seen by no two cameras at once")
    judged, sides = main, np.zeros(main.shape[:2], bool)
    if points:
        first = points[0][1]
        judged, sides = first.keypoints[:, :_JUDGED], first.swapped[:, :_JUDGED]
    geometry, findings = _judged(rig, judged, sides, skeleton, settings, points)
    placement = find_placement(rig, [person.pose_3d for _, person in points], skeleton, settings.world)
    if placement.note:
        notes = [*notes, placement.note]
    placed = placement.rig(rig)
    people = []
    for who, person in points:
        filled = np.zeros(person.pose_3d.shape[:2], bool)
        pose = placement.points(person.pose_3d)
        if settings.fill:
            pose, filled = fill_single_views(placed, person.keypoints, pose, skeleton, timeline.fps)
        people.append(
            TriangulatedPerson(
                id=who,
                pose_3d=pose,
                keypoints=person.keypoints,
                used=person.used,
                error_px=person.error,
                swapped=person.swapped,
                filled=filled,
                skeleton=skeleton,
                fps=timeline.fps,
                frame=timeline.numbers,
                name=name,
                zeros=settings.method == "pose2sim",
            )
        )
    if not people:
        warnings = [*warnings, "no person is seen by two cameras at once: there is nothing to write"]
    report = _report(placed, labels, timeline, people, geometry, findings, settings, notes)
    return Triangulation(
        tuple(people), placed, labels, skeleton, timeline, report, tuple(notes), tuple(warnings)
    )


def _chosen(everyone: Sequence[npt.NDArray[np.int64] | None], choice: str) -> list[int]:
    if choice == "all":
        return list(range(len(everyone)))
    if choice in ("largest", "confident"):
        return [0] if everyone else []
    if choice.isdecimal() and int(choice) < len(everyone):
        return [int(choice)]
    known = ", ".join(str(number) for number in range(len(everyone)))
    raise Pose3DError(f"--people {choice}: no person of that id; there are {known}, or give largest or all")


def _points(
    rig: Rig, keypoints: Singles, skeleton: Skeleton, timeline: Timeline, settings: _Settings
) -> PersonPoints:
    if settings.method == "robust":
        return reconstruct(rig, keypoints, skeleton, settings.options, timeline.steps)
    position, mean, used = triangulate_pose2sim(rig, keypoints, settings.rule)
    filled, kept = fill_gaps(position, mean, settings.rule)
    outside = np.ones(len(filled), bool)
    outside[kept] = False
    filled[outside] = np.nan
    error = np.where(used, mean, np.nan)
    return PersonPoints(
        filled.astype(np.float32),
        keypoints,
        used,
        error.astype(np.float32),
        np.zeros(keypoints.shape[:2], bool),
    )


def _judged(
    rig: Rig,
    keypoints: Singles,
    swapped: npt.NDArray[np.bool_],
    skeleton: Skeleton,
    settings: _Settings,
    points: Sequence[tuple[str, PersonPoints]],
) -> tuple[Geometry, list[Finding]]:
    """How well the rig fits, with sides put right, and what is wrong with it, with sides as the detectors
    gave them."""
    weights = confident(keypoints, settings.options.min_confidence)
    geometry = measure_geometry(rig, keypoints, weights)
    raw = exchange(keypoints, skeleton, swapped) if swapped.any() else keypoints
    findings = diagnose(rig, raw, confident(raw, settings.options.min_confidence), geometry)
    if not findings and points:
        height = body_height(points[0][1].pose_3d, skeleton)
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


def _report(
    rig: Rig,
    labels: tuple[str, ...],
    timeline: Timeline,
    people: Sequence[TriangulatedPerson],
    geometry: Geometry,
    findings: Sequence[Finding],
    settings: _Settings,
    notes: Sequence[str],
) -> Report:
    cameras = []
    least = settings.options.min_confidence
    for view, (name, label) in enumerate(zip(rig.names, labels, strict=True)):
        excluded = seen = float("nan")
        swapped: set[int] = set()
        if people:
            weights = np.asarray(confident(people[0].keypoints[view], least) > 0)
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
        method=settings.method,
        notes=tuple(notes),
    )
