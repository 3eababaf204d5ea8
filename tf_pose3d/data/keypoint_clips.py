"""Clips of 2D poses alone, of many people in the wild: PoseTrack and InstaVariety, as MotionBERT is
pre-trained.

Zhu et al., "MotionBERT: a unified perspective on learning human motion representations", ICCV 2023, and its
release.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence as SequenceType
from pathlib import Path

import numpy as np
import tensorflow as tf

from tf_pose3d.data.checks import coordinate_array, real_numbers
from tf_pose3d.data.clips import clip_frames
from tf_pose3d.data.keypoint_noise import synthetic_keypoints
from tf_pose3d.data.steps import shuffled_entries, step_dataset
from tf_pose3d.data.window_spec import KeypointSource, WindowSpec
from tf_pose3d.errors import Pose3DError, shown
from tf_pose3d.json_text import decode_text, parse_json
from tf_pose3d.skeleton import get_skeleton
from tf_pose3d.types import Parsed

__all__ = [
    "FurtherExamples",
    "KeypointClips",
    "crop_clips",
    "open_keypoint_clips",
    "read_instavariety",
    "read_posetrack",
]

# Which joints of PoseTrack's, in the order of its annotations, make those of h36m_17: one, or the middle of
# two.
_HIPS, _NECK = (11, 12), 1
_POSETRACK = {
    **{1: 12, 2: 14, 3: 16, 4: 11, 5: 13, 6: 15, 8: _NECK, 9: 0, 10: 2},
    **{11: 5, 12: 7, 13: 9, 14: 6, 15: 8, 16: 10},
}
_TRACK_FRAMES, _FEWEST_JOINTS = 30, 306
_INSTA_FRAMES, _INSTA_STRIDE = 81, 27
# Share of the box's longer side that becomes the square from -1 to 1.
_SCALES = (0.25, 1.0)
_ORDER, _MIRROR, _SCALE, _NOISE = range(4)


@dataclasses.dataclass(frozen=True)
class FurtherExamples:
    """Examples that come before the others in each epoch from one on.

    Attributes:
        examples: They.
        first_epoch: Counted from 1.
    """

    examples: KeypointClips
    first_epoch: int


def crop_clips(clips: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    """Clips in the square round everything that was found in them, from -1 to 1, beyond which all is clipped.

    Args:
        clips: `(B, F, J, 3)` x, y and confidence; joints of confidence 0 do not count.
        scale: `(B,)` side of the square over the longer side of the box.

    Returns:
        The same shape; zeros where fewer than four joints were found.
    """
    found = clips[..., 2:] != 0
    points = clips[..., :2]
    low = tf.reduce_min(tf.where(found, points, np.inf), axis=(1, 2))
    high = tf.reduce_max(tf.where(found, points, -np.inf), axis=(1, 2))
    side = tf.reduce_max(high - low, axis=-1) * scale
    count = tf.reduce_sum(tf.cast(found[..., 0], tf.int32), axis=(1, 2))
    good = (count >= 4) & (side > 0)
    middle = tf.where(good[:, None], (low + high) / 2, 0.0)[:, None, None]
    half = tf.where(good, side, 2.0)[:, None, None, None] / 2
    cropped = tf.concat([(points - middle) / half, clips[..., 2:]], axis=-1)
    cropped = tf.clip_by_value(cropped, -1.0, 1.0)
    return tf.where(good[:, None, None, None], cropped, 0.0)


def posetrack_to_h36m(poses: np.ndarray) -> np.ndarray:
    """`(F, 17, 3)` of h36m_17 from PoseTrack's 17 joints; pelvis and spine are as sure as the less sure of
    their two."""
    result = np.zeros_like(poses)
    for joint, source in _POSETRACK.items():
        result[:, joint] = poses[:, source]
    result[:, 0] = poses[:, list(_HIPS)].mean(axis=1)
    result[:, 7] = (result[:, 0] + result[:, 8]) / 2
    result[:, 0, 2] = poses[:, list(_HIPS), 2].min(axis=1)
    result[:, 7, 2] = np.minimum(result[:, 0, 2], result[:, 8, 2])
    return result


def read_posetrack(folder: str | Path, seed: int = 0) -> np.ndarray:
    """`(N, 30, 17, 3)` clips of PoseTrack 2018's annotations, cropped, in h36m_17's joints.

    Of each track the first 30 poses, where there are as many, most joints are annotated and the pelvis
    always is.

    Args:
        folder: Of `*.json` with `annotations`, each with `track_id` and 51 `keypoints`.
        seed: Of the crops' sizes, one draw a clip, as in the release.

    Raises:
        Pose3DError: No such files, other content, or no track that is good.
    """
    folder = Path(folder)
    files = sorted(folder.glob("*.json"))
    if not files:
        raise Pose3DError(f"{folder} holds no .json, expected those of posetrack18_annotations/train")
    random = np.random.RandomState(seed)
    clips = []
    for file in files:
        for track in _tracks(file):
            if len(track) < _TRACK_FRAMES:
                continue
            clip = np.stack(track[:_TRACK_FRAMES])
            if clip[..., 2].sum() <= _FEWEST_JOINTS:
                continue
            ratio = np.float32(random.uniform(*_SCALES))
            cropped = crop_clips(tf.constant(clip[None]), tf.constant([ratio])).numpy()[0]
            clip = posetrack_to_h36m(cropped)
            clip[clip[..., 2] == 0] = 0
            if clip[:, 0, 2].sum() >= _TRACK_FRAMES:
                clips.append(clip)
    if not clips:
        raise Pose3DError(f"{folder}: no track has {_TRACK_FRAMES} poses with the pelvis in each")
    return np.stack(clips)


def _tracks(file: Path) -> list[list[np.ndarray]]:
    content = parse_json(decode_text(file.read_bytes(), file), file)
    annotations = content.get("annotations") if isinstance(content, dict) else None
    if not isinstance(annotations, list):
        raise Pose3DError(f"{file} has no list of annotations, expected PoseTrack's")
    tracks: dict[Parsed, list[np.ndarray]] = {}
    for number, one in enumerate(annotations):
        held = one if isinstance(one, dict) else {}
        keypoints = coordinate_array(held.get("keypoints"))
        if keypoints is None or keypoints.size != 51 or not isinstance(held.get("track_id"), (int, str)):
            raise Pose3DError(f"{file}: annotation {number} needs a track_id and 17 keypoints of 3 numbers")
        pose = keypoints.reshape(17, 3).astype(np.float32)
        tracks.setdefault(held["track_id"], []).append(pose)
    return list(tracks.values())


def _array(path: Path) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise Pose3DError(f"{path} is no .npy file of numbers: {error}") from None


def read_instavariety(folder: str | Path) -> np.ndarray:
    """`(N, 81, 17, 3)` clips of InstaVariety's detections, not cropped; clips begin every 27 frames.

    Args:
        folder: Of `motion_all.npy (R, 17, 3)`, in h36m_17's joints with confidences, and `id_all.npy (R,)`,
            the video of each row.

    Raises:
        Pose3DError: A file that is missing or holds something else, or no clip that begins with a pelvis.
    """
    folder = Path(folder)
    for name in ("motion_all.npy", "id_all.npy"):
        if not (folder / name).is_file():
            raise Pose3DError(f"{folder} has no {name}, expected motion_all.npy and id_all.npy")
    motion = coordinate_array(_array(folder / "motion_all.npy"))
    videos = real_numbers(_array(folder / "id_all.npy"))
    if motion is None or motion.ndim != 3 or motion.shape[1:] != (17, 3):
        held = "other than finite numbers" if motion is None else f"of shape {motion.shape}"
        raise Pose3DError(f"{folder / 'motion_all.npy'} is {held}, expected (rows, 17, 3)")
    if videos is None or videos.shape != motion.shape[:1]:
        held = shown(videos) if videos is None else f"of shape {videos.shape}"
        raise Pose3DError(f"{folder / 'id_all.npy'} is {held}, expected {len(motion)} numbers")
    begins = np.concatenate([[0], np.flatnonzero(np.diff(videos)) + 1])
    lengths = np.diff(np.concatenate([begins, [len(videos)]]))
    frames, video = clip_frames(lengths, _INSTA_FRAMES, _INSTA_STRIDE, "drop")
    clips = motion[frames + begins[video][:, None]].astype(np.float32)
    clips = clips[clips[:, 0, 0, 2] > 0]
    if not len(clips):
        raise Pose3DError(f"{folder}: no clip of {_INSTA_FRAMES} frames begins with a pelvis that was found")
    return clips


class KeypointClips:
    """Clips to train on by their 2D poses alone.

    Args:
        clips: `(N, F, 17, 3)` of h36m_17.
        source: What they are.
        spec: Says which keypoints are hidden, and whether half of the clips are mirrored.
        seed: Of every draw.
    """

    def __init__(self, clips: np.ndarray, source: KeypointSource, spec: WindowSpec, seed: int = 0) -> None:
        self.clips, self.source, self.spec, self.seed = clips, source, spec, seed

    def __len__(self) -> int:
        return len(self.clips)

    def notes(self) -> list[str]:
        """What the user should know."""
        frames = self.clips.shape[1]
        said = f"{len(self)} clips of {frames} frames of 2D poses ({self.source.kind})"
        return [f"{said}, from epoch {self.source.first_epoch} on"]

    def _key(self, stream: int, step: tf.Tensor) -> tf.Tensor:
        return tf.stack([tf.constant(self.seed * 8 + stream, tf.int64), tf.cast(step, tf.int64)])

    def batch(self, indices: tf.Tensor, step: tf.Tensor) -> dict[str, tf.Tensor]:
        """`keypoints_2d (B, F, 17, 3)`, what the network reads, and `keypoints_true`, what was annotated."""
        clips = tf.gather(tf.constant(self.clips), indices)
        count = tf.shape(indices)[0]
        if self.source.crop:
            scale = tf.random.stateless_uniform([count], self._key(_SCALE, step), *_SCALES)
            clips = crop_clips(clips, scale)
            clips = tf.where(clips[..., 2:] == 0, 0.0, clips)
        if self.spec.mirror == "random":
            image = tf.gather(clips, list(get_skeleton("h36m_17").flip_order), axis=2) * [-1.0, 1.0, 1.0]
            mirrored = tf.random.stateless_uniform([count], self._key(_MIRROR, step)) < 0.5
            clips = tf.where(mirrored[:, None, None, None], image, clips)
        made = clips
        noise = self.spec.noise and self.source.noise
        if noise or self.spec.mask_joints or self.spec.mask_frames:
            key = self._key(_NOISE, step)
            made = synthetic_keypoints(clips, None, key, noise, self.spec.mask_joints, self.spec.mask_frames)
        return {"keypoints_2d": made, "keypoints_true": clips}

    def training_dataset(
        self,
        batch_size: int,
        first_step: int = 0,
        last_step: int | None = None,
        shards: int = 1,
        shard_ids: SequenceType[int] = (0,),
    ) -> tf.data.Dataset:
        """Endless shuffled batches, beginning at any step; see `tf_pose3d.data.windows.Windows`."""
        stream = self.seed * 8 + _ORDER
        return step_dataset(
            self.batch,
            lambda step: shuffled_entries(stream, step, batch_size, len(self)),
            batch_size,
            first_step,
            last_step,
            shards,
            shard_ids,
        )


def open_keypoint_clips(spec: WindowSpec, seed: int = 0) -> list[FurtherExamples]:
    """The clips of 2D poses alone that a spec names.

    Raises:
        Pose3DError: As `read_posetrack` and `read_instavariety`.
    """
    found = []
    for number, source in enumerate(spec.keypoint_sources):
        if source.kind == "posetrack":
            clips = read_posetrack(source.path, seed)
        else:
            clips = read_instavariety(source.path)
        if clips.shape[1] > spec.length:
            raise Pose3DError(
                f"{source.path}: clips of {clips.shape[1]} frames, the network reads at most {spec.length}"
            )
        # Other streams of draws than the windows', and than one another's.
        made = KeypointClips(clips, source, spec, seed + 1009 * (number + 1))
        found.append(FurtherExamples(made, source.first_epoch))
    return found
