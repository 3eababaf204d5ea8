"""Calibration from a person who moves before the cameras: places, lenses, scale, and which way is up.

Keypoints of the same joint in the same frame are correspondences. Pairs of cameras give essential matrices,
of the best of which points and further cameras follow (`structure`); all is adjusted together (`bundle`),
lenses too; the person's stature gives the scale (`stature`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from tf_pose3d.calibration.bundle import Adjusted, adjust, point_layout
from tf_pose3d.calibration.stature import in_person_world, person_world
from tf_pose3d.calibration.structure import EXTRINSICS, reconstructed
from tf_pose3d.data.calibration.evidence import triangulated
from tf_pose3d.data.calibration.record import CalibratedCamera, camera_from_vectors
from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import Skeleton

__all__ = ["PeopleCalibration", "calibrate_from_people", "guessed_camera"]

Floats = npt.NDArray[np.float64]
Log = Callable[[str], None]

# Of a lens from a file, good to some percent; of one that is guessed. Pixels are of the image's longer side.
_KNOWN_LENS = {"focal": 0.05, "cx": 0.01, "cy": 0.01}
_GUESSED_LENS = {"focal": 0.5, "cx": 0.01, "cy": 0.01, "k1": 0.2, "k2": 0.1}
# Focal lengths over the image's longer side: wide action cameras to short telephoto lenses.
_FOCALS = (0.5, 0.65, 0.85, 1.15, 1.6)
# Points of the first reconstruction and of the last adjustment.
_FIRST_POINTS, _LAST_POINTS = 2000, 5000
_LEAST_CONFIDENCE = 0.3
# A side is exchanged in a view if exchanging it back makes the error that much smaller.
_EXCHANGED = 0.4


@dataclasses.dataclass(frozen=True)
class PeopleCalibration:
    """What a moving person tells of cameras.

    Attributes:
        cameras: C cameras, metres, z up.
        poses: `(F, J, 3)` the person, metres; NaN where fewer than two cameras see a joint.
        error: Median reprojection error over all views, pixels.
        per_camera: `(C,)` the same of each camera.
        notes: What was found, one line each.
    """

    cameras: tuple[CalibratedCamera, ...]
    poses: Floats
    error: float
    per_camera: Floats
    notes: tuple[str, ...]


def guessed_camera(name: str, size: tuple[int, int], focal: float = 0.9) -> CalibratedCamera:
    """A camera about whose lens nothing is known.

    Args:
        name: Its name.
        size: Width and height of its images in pixels.
        focal: Focal length over the longer side.
    """
    length = focal * max(size)
    matrix = [[length, 0.0, (size[0] - 1) / 2], [0.0, length, (size[1] - 1) / 2], [0.0, 0.0, 1.0]]
    return camera_from_vectors(name, size, matrix, [0.0] * 5, np.zeros(3), np.zeros(3))


def calibrate_from_people(
    keypoints: npt.ArrayLike,
    skeleton: Skeleton,
    cameras: Sequence[CalibratedCamera],
    stature: float,
    guessed: bool = False,
    seed: int = 0,
    log: Log | None = None,
) -> PeopleCalibration:
    """Cameras from one person's keypoints.

    Args:
        keypoints: `(C, F, J, 3)` pixels x, y and confidence of one person at the same times; 0 or NaN where
            missing.
        skeleton: Names the J joints.
        cameras: C cameras with their lenses (good to about 5 %) and sizes; where they stand is ignored.
        stature: Of the person, metres.
        guessed: Whether the lenses are guesses (`guessed_camera`): then several focal lengths are tried.
        seed: Of random samples.
        log: Called with progress.

    Raises:
        Pose3DError: Fewer than two cameras, a camera without size, or keypoints that tell too little.
    """
    table = np.array(keypoints, np.float64)
    _check(table, skeleton, cameras, stature)
    log = log or (lambda line: None)
    confidence = np.nan_to_num(table[..., 2])
    there = np.isfinite(table[..., :2]).all(axis=-1) & (confidence >= _LEAST_CONFIDENCE)
    weights = np.where(there, confidence, 0.0)
    pixels = np.where(there[..., None], table[..., :2], 0.0)
    starts = [list(cameras)]
    if guessed:
        starts = [
            [guessed_camera(camera.name, camera.size or (0, 0), focal) for camera in cameras]
            for focal in _FOCALS
        ]
    best, believed, noise = _first(starts, pixels, weights, guessed, seed, log)
    notes = []
    turned_back = np.zeros(len(cameras), int)
    for _ in range(len(cameras)):
        exchanged = _exchanged(best, pixels, weights, skeleton, noise)
        if not exchanged.any():
            break
        order = list(skeleton.flip_order)
        pixels = np.where(exchanged[:, :, None, None], pixels[:, :, order], pixels)
        weights = np.where(exchanged[:, :, None], weights[:, :, order], weights)
        turned_back += exchanged.sum(axis=1)
        best, noise = _adjusted(best, believed, pixels, weights, guessed, noise, _FIRST_POINTS)[:2]
    for camera, count in zip(cameras, turned_back, strict=True):
        if count:
            notes.append(f"camera {camera.name}: left and right exchanged in {count} frames, turned back")
    best, noise, adjusted = _adjusted(best, believed, pixels, weights, guessed, noise, _LAST_POINTS)
    shape = (*pixels.shape[1:3], 3)
    flat = triangulated(best, _flat(pixels), _flat(weights))
    world = person_world(flat.reshape(shape), skeleton, stature)
    placed = in_person_world(best, world)
    per_camera = np.array([float(np.nanmedian(part)) for part in adjusted.errors])
    notes.append(world.evidence)
    for camera, start in zip(placed, cameras, strict=True):
        change = camera.matrix[0, 0] / start.matrix[0, 0] - 1
        if not guessed and abs(change) > 0.1:
            notes.append(
                f"camera {camera.name}: the focal length changed by {100 * change:+.0f} % from the file's"
            )
    return PeopleCalibration(
        tuple(placed),
        world.points(flat.reshape(shape)),
        float(np.nanmedian(adjusted.errors)),
        per_camera,
        tuple(notes),
    )


def _check(table: Floats, skeleton: Skeleton, cameras: Sequence[CalibratedCamera], stature: float) -> None:
    if table.ndim != 4 or table.shape[0] != len(cameras) or table.shape[2:] != (skeleton.num_joints, 3):
        raise Pose3DError(
            f"keypoints have the shape {table.shape}, expected ({len(cameras)} cameras, frames, "
            f"{skeleton.num_joints}, 3)"
        )
    if len(cameras) < 2:
        raise Pose3DError("one camera cannot be placed by people alone: give the keypoints of two or more")
    for camera in cameras:
        if camera.size is None:
            raise Pose3DError(f"camera {camera.name}: its image size is needed (--width, --height)")
    if not 0.4 <= stature <= 2.6:
        raise Pose3DError(f"a stature of {stature:g} m, expected metres, e.g. 1.78")


def _flat(values: Floats) -> Floats:
    """`(C, F, J, ...)` to `(C, F * J, ...)`."""
    return values.reshape(values.shape[0], -1, *values.shape[3:])


def _spread_of(cameras: Sequence[CalibratedCamera], guessed: bool) -> list[dict[str, float]]:
    """What each lens may do: its numbers in pixels of its own image."""
    held = _GUESSED_LENS if guessed else _KNOWN_LENS
    return [
        {
            name: value * (max(camera.size or (1, 1)) if name in ("cx", "cy") else 1.0)
            for name, value in held.items()
        }
        for camera in cameras
    ]


def _chosen(weights: Floats, count: int) -> npt.NDArray[np.intp]:
    """Points that two or more cameras see, whole frames spread over the clip."""
    several = (weights > 0).sum(axis=0) >= 2
    frames = np.flatnonzero(several.any(axis=1))
    if several.sum() < 50:
        raise Pose3DError(
            f"only {int(several.sum())} joints are seen by two cameras at once: are the keypoints of the "
            "same time?"
        )
    per_frame = several.sum() / len(frames)
    picked = frames[
        np.linspace(0, len(frames) - 1, max(1, min(len(frames), int(count / per_frame)))).astype(int)
    ]
    kept = np.zeros_like(several)
    kept[picked] = several[picked]
    return np.flatnonzero(kept)


def _first(
    starts: Sequence[Sequence[CalibratedCamera]],
    pixels: Floats,
    weights: Floats,
    guessed: bool,
    seed: int,
    log: Log,
) -> tuple[list[CalibratedCamera], Sequence[CalibratedCamera], float]:
    """The reconstruction whose error is smallest, the lenses it began with, and its noise in pixels."""
    index = _chosen(weights, _FIRST_POINTS)
    some, some_weights = _flat(pixels)[:, index], _flat(weights)[:, index]
    best: tuple[float, list[CalibratedCamera], Sequence[CalibratedCamera]] | None = None
    failure: Pose3DError | None = None
    for start in starts:
        tolerance = 0.006 * float(np.mean([max(camera.size or (1, 1)) for camera in start]))
        spread = _spread_of(start, guessed)
        try:
            draws = np.random.default_rng(seed)
            cameras, _ = reconstructed(start, some, some_weights, tolerance, spread, draws)
        except Pose3DError as error:
            failure = error
            continue
        cameras, noise, _ = _adjusted(cameras, start, pixels, weights, guessed, tolerance / 2, _FIRST_POINTS)
        log(f"focal length of about {start[0].matrix[0, 0]:.0f} px: errors of {noise:.2f} px")
        if best is None or noise < best[0]:
            best = noise, cameras, start
    if best is None:
        assert failure is not None
        raise failure
    return best[1], best[2], best[0]


def _adjusted(
    cameras: Sequence[CalibratedCamera],
    believed: Sequence[CalibratedCamera],
    pixels: Floats,
    weights: Floats,
    guessed: bool,
    noise: float,
    count: int,
) -> tuple[list[CalibratedCamera], float, Adjusted]:
    """All together, by errors of the size that they turn out to have; the noise is per coordinate."""
    index = _chosen(weights, count)
    some, some_weights = _flat(pixels)[:, index], _flat(weights)[:, index]
    spread = [
        (EXTRINSICS if number else {}) | lens for number, lens in enumerate(_spread_of(cameras, guessed))
    ]
    result, repeats = None, 1.0
    for _ in range(2):
        points = triangulated(cameras, some, some_weights)
        there = np.isfinite(points).all(axis=1)
        result = adjust(
            cameras,
            points[there],
            point_layout(),
            some[:, there, None],
            some_weights[:, there, None] / (repeats * noise**2),
            spread,
            loss=3 * noise,
            steps=20,
            believed=believed,
        )
        cameras = list(result.cameras)
        # The median distance of a normal distribution in the plane is 1.18 standard deviations.
        noise = max(float(np.nanmedian(result.errors)) / 1.18, 0.05)
        repeats = _repeats(cameras, result, some[:, there], index[there], weights.shape[2])
    assert result is not None
    return list(cameras), noise, result


def _repeats(
    cameras: Sequence[CalibratedCamera],
    result: Adjusted,
    pixels: Floats,
    index: npt.NDArray[np.intp],
    joints: int,
) -> float:
    """How many errors in a row say the same: detectors err for long in one direction.

    The integrated time of correlation of the errors over the frames that were used: 1 for errors without
    memory. Without it, thousands of errors of one kind would outweigh what is known of the lenses.
    """
    frames, places = np.unique(index // joints, return_inverse=True)
    errors = np.full((len(cameras), len(frames), joints, 2), np.nan)
    seen = np.isfinite(result.errors[..., 0])
    for number, camera in enumerate(cameras):
        wrong = np.where(seen[number, :, None], camera.project(result.blocks) - pixels[number], np.nan)
        errors[number, places, index % joints] = wrong
    size = np.abs(errors).max(axis=-1, keepdims=True)
    errors = np.where(size < 5 * np.nanmedian(size), errors, np.nan)
    power = np.nanmean(errors**2)
    total = 1.0
    for lag in range(1, len(frames) // 2):
        product = errors[:, lag:] * errors[:, :-lag]
        if np.isfinite(product).sum() < 100:
            break
        correlation = float(np.nanmean(product) / power)
        if correlation < 0.05:
            break
        total += 2 * correlation
    return total


def _exchanged(
    cameras: Sequence[CalibratedCamera], pixels: Floats, weights: Floats, skeleton: Skeleton, noise: float
) -> npt.NDArray[np.bool_]:
    """`(C, F)` where a detector took left for right: against the points of all other cameras."""
    gain = np.zeros(pixels.shape[:2])
    if len(cameras) < 3 or not skeleton.left:
        return gain > 0
    sided = [*skeleton.left, *skeleton.right]
    order = np.array(skeleton.flip_order)
    for number, camera in enumerate(cameras):
        others = [other for other in range(len(cameras)) if other != number]
        points = triangulated(
            [cameras[other] for other in others], _flat(pixels[others]), _flat(weights[others])
        )
        image = camera.project(points).reshape(pixels.shape[1:])
        there = np.where(weights[number] > 0, 0.0, np.nan)
        kept = np.linalg.norm(image - pixels[number], axis=-1) + there
        turned = np.linalg.norm(image - pixels[number][:, order], axis=-1) + there[:, order]
        both = np.isfinite(kept[:, sided]) & np.isfinite(turned[:, sided])
        enough = np.flatnonzero(both.sum(axis=1) >= 4)
        for frame in enough:
            used = np.array(sided)[both[frame]]
            before, after = np.median(kept[frame, used]), np.median(turned[frame, used])
            if before > 4 * noise and after < _EXCHANGED * before:
                gain[number, frame] = before / max(after, noise)
    # A camera that is exchanged spoils the points of the others: one at a time.
    return (gain > 0) & (gain == gain.max(axis=0))
