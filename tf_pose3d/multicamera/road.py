"""`tf_pose3d.triangulate`: keypoints of several views and their calibration to people in metres."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tf_pose3d.data.calibration import Calibration, fitted_to_images, read_calibration, settled
from tf_pose3d.errors import Pose3DError
from tf_pose3d.multicamera.association import associate
from tf_pose3d.multicamera.detections import ViewDetections, dense_views
from tf_pose3d.multicamera.filling import fill_single_views
from tf_pose3d.multicamera.inputs import ViewClip, Views, read_views, view_clips
from tf_pose3d.multicamera.judgement import in_metres, judge, make_report
from tf_pose3d.multicamera.matching import JUDGED, main_keypoints, match_cameras
from tf_pose3d.multicamera.pose2sim import Pose2SimRule, fill_gaps, triangulate_pose2sim
from tf_pose3d.multicamera.reconstruction import Options, PersonPoints, reconstruct
from tf_pose3d.multicamera.result import TriangulatedPerson, Triangulation
from tf_pose3d.multicamera.rig import Rig, make_rig
from tf_pose3d.multicamera.suspicions import Finding
from tf_pose3d.multicamera.synchronisation import synchronise
from tf_pose3d.multicamera.timeline import Timeline, make_timeline, on_timeline, view_rates
from tf_pose3d.multicamera.world import find_placement
from tf_pose3d.skeleton import Skeleton

__all__ = ["METHODS", "triangulate"]

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
PathLike = str | os.PathLike[str]

METHODS = ("robust", "pose2sim")
# Frames that tell how a calibration is meant.
_TELLING = 60


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
        rates: View or camera -> its own frames per second.
        offsets: View or camera -> frame of the common time at which its frame 0 lies: 7 for a camera that
            began to record seven frames late.
        sync: `"auto"`: find offsets, and rates where unknown, from the geometry. None: frame numbers count.
        method: `"robust"`, or `"pose2sim"`: Pose2Sim's rule, see `tf_pose3d.multicamera.pose2sim`.
        min_confidence: Keypoints below count as missing.
        min_views: Views that a joint needs.
        repair_sides: Put right sides that a detector exchanged in a view.
        refine: Bundle adjustment of the poses, see `tf_pose3d.multicamera.refinement`.
        fill: Joints that only one view sees are filled with the general lifter's pose, and marked.
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
    clips, calibration, said = match_cameras(clips, calibration, match, min_confidence)
    notes += said
    rates, offsets = (_by_view(given, clips, calibration) for given in (rates, offsets))
    rate, said = view_rates(clips, fps, rates)
    notes += said
    begins = _given_offsets(clips, offsets)
    if sync == "auto":
        rate, begins, said, doubts = _synchronised(calibration, clips, rate, rates, fps, min_confidence)
        notes += said
        warnings += doubts
    notes += _different_lengths(clips)
    timeline = make_timeline(clips, rate, begins)
    detections = [on_timeline(clip, view, timeline) for view, clip in enumerate(clips)]
    main = main_keypoints(clips, detections, timeline, make_rig(calibration.cameras))
    before = len(calibration.notes)
    sizes = [clip.size for clip in clips]
    told = main[:, np.unique(np.linspace(0, main.shape[1] - 1, _TELLING).astype(int))]
    calibration = settled(fitted_to_images(calibration, sizes, told), told)
    notes += calibration.notes[:before]
    warnings += calibration.notes[before:]
    odd_unit: list[Finding] = []
    if calibration.unit != "m" and not calibration.unit_stated:
        text = f"{calibration.source}: lengths are taken as {calibration.unit}, not as metres"
        if calibration.usual_unit == "m":
            text += (
                f", which files of this kind hold: cameras {', '.join(calibration.names)} "
                f"(--camera_unit {calibration.unit})"
            )
            odd_unit = [Finding("unit", calibration.names, text, np.nan, np.nan)]
        else:
            warnings.append(text)
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
    return _solved(
        rig, detections, timeline, skeleton, labels, main, settings, notes, warnings, name, odd_unit
    )


def _different_lengths(clips: Sequence[ViewClip]) -> list[str]:
    """A note where views have other frames than each other; empty where all have the same."""
    ranges = [
        f"{len(clip.numbers)} ({clip.numbers[0]} to {clip.numbers[-1]})" if len(clip.numbers) else "none"
        for clip in clips
    ]
    if len(set(ranges)) < 2:
        return []
    words = ", ".join(f"{clip.label} {held}" for clip, held in zip(clips, ranges, strict=True))
    return [f"views have different frames: {words}; equal numbers are one moment, what is missing stays so"]


def _by_view(
    given: Mapping[str, float] | None, clips: Sequence[ViewClip], calibration: Calibration
) -> dict[str, float]:
    """What was given by the names of views or of their cameras, by those of the views."""
    labels = [clip.label for clip in clips]
    views = dict(zip(calibration.names, labels, strict=True))
    return {name if name in labels else views.get(name, name): value for name, value in (given or {}).items()}


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
    odd_unit: list[Finding],
) -> Triangulation:
    rig, scale = in_metres(rig, main, skeleton, settings.options.min_confidence)
    scale = scale or odd_unit
    everyone: list[npt.NDArray[np.int64] | None]
    if max(view.crowd for view in detections) <= 1:
        everyone = [None]
    else:
        everyone = list(associate(rig, detections, skeleton, timeline.count, settings.options.min_confidence))
    chosen = _chosen(everyone, settings.people)
    points: list[tuple[str, PersonPoints]] = []
    for number in chosen:
        keypoints = dense_views(detections, everyone[number], timeline.count)
        if number == chosen[-1]:
            # An hour of them is as large as what is made of it.
            detections.clear()
        points.append((str(number), _points(rig, keypoints, skeleton, timeline, settings)))
    points = [(who, person) for who, person in points if np.isfinite(person.pose_3d).any()]
    if settings.people not in ("largest", "all") and not points:
        raise Pose3DError(f"--people {settings.people}: this person is seen by no two cameras at once")
    judged, sides = main, np.zeros(main.shape[:2], bool)
    if points:
        first = points[0][1]
        judged, sides = first.keypoints[:, :JUDGED], first.swapped[:, :JUDGED]
    least = settings.options.min_confidence
    geometry, findings = judge(rig, judged, sides, skeleton, least)
    if findings and findings[0].kind == "geometry":
        # People who were put together by a wrong rig may be several: whoever meets best tells more.
        other, told = judge(rig, main, np.zeros(main.shape[:2], bool), skeleton, least)
        if told and told[0].kind != "geometry":
            geometry, findings = other, told
    findings = findings or scale
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
                viewpoint=(placed.cameras[0].rotation, placed.cameras[0].translation),
            )
        )
    if not people:
        warnings = [*warnings, "no person is seen by two cameras at once: there is nothing to write"]
    report = make_report(placed, labels, timeline, people, geometry, findings, settings.method, least, notes)
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
