"""Which frames of a video make up its clips, for networks that give a pose for every frame of a clip."""

from __future__ import annotations

import numpy as np

from tf_pose3d.errors import Pose3DError

__all__ = ["clip_frames", "clip_joins", "clip_notes", "covering_clips", "resampled_frames"]


def resampled_frames(length: int, count: int) -> np.ndarray:
    """`(count,)` frames of a video of `length` frames, evenly, each the whole frame before its time.

    The releases round up or down at random; this does not, so that a clip is the same each time.
    """
    return np.arange(count, dtype=np.int64) * length // count


def clip_frames(
    lengths: np.ndarray, clip: int, stride: int, tail: str = "drop"
) -> tuple[np.ndarray, np.ndarray]:
    """The clips of videos, video by video.

    Args:
        lengths: `(V,)` frames of each video.
        clip: Frames of a clip.
        stride: Frames from the first frame of a clip to that of the next.
        tail: What becomes of frames behind the last whole clip. `"drop"`: they are left out, shorter videos
            are resampled to one clip, and the last video of all is left out where it is shorter
            (MotionBERT). `"shift"`: the last clip is shifted back so far that it ends with the video; of
            shorter videos the last frame is repeated (MixSTE's test). `"pad"`: clips lie in the middle of a
            video whose first and last frame are repeated (MixSTE's training). `"resample"`: what is left is
            resampled to one clip (MotionAGFormer on MPI-INF-3DHP).

    Returns:
        `(n, clip)` frame numbers in their video, and `(n,)` which video.

    Raises:
        Pose3DError: No video gives a clip.
    """
    within = np.arange(clip, dtype=np.int64)
    frames, videos = [], []
    last = len(lengths) - 1
    for number, length in enumerate(int(value) for value in lengths):
        if not length:
            continue
        whole = np.arange(0, length - clip + 1, stride)
        if tail == "pad":
            count = max(-(-(length - clip) // stride), 0) + 1
            begins = np.arange(count) * stride - ((count - 1) * stride + clip - length) // 2
            mine = np.clip(begins[:, None] + within, 0, length - 1)
        elif tail == "resample":
            begins = np.arange(0, length, stride)
            mine = np.stack(
                [
                    begin + (within if begin + clip <= length else resampled_frames(length - begin, clip))
                    for begin in begins
                ]
            )
        elif length < clip:
            if tail == "drop" and number == last:
                continue
            mine = (resampled_frames(length, clip) if tail == "drop" else np.minimum(within, length - 1))[
                None
            ]
        else:
            if tail == "shift" and whole[-1] + clip < length:
                whole = np.append(whole, length - clip)
            mine = whole[:, None] + within
        frames.append(mine)
        videos.append(np.full(len(mine), number))
    if not frames:
        raise Pose3DError(f"no video gives a clip of {clip} frames")
    return np.concatenate(frames), np.concatenate(videos)


def covering_clips(length: int, clip: int, overlap: float = 0.0) -> np.ndarray:
    """`(n, clip)` frames of clips that hold every frame of a video.

    Args:
        length: Frames of the video.
        clip: Frames of a clip.
        overlap: Share of a clip that the next one holds, too; 0: side by side, the last one shifted back.
    """
    stride = max(round(clip * (1 - overlap)), 1)
    frames, _ = clip_frames(np.array([length]), clip, stride, "shift")
    return frames


def clip_joins(length: int, clip: int) -> np.ndarray:
    """`(n,)` frames that another clip gives than the frame before, where clips lie side by side."""
    begins = covering_clips(length, clip)[:, 0]
    joins = np.union1d(begins[1:], begins[:-1] + clip)
    return joins[joins < length]


def clip_notes(lengths: np.ndarray, clip: int, tail: str) -> list[str]:
    """Lines about videos that are shorter than a clip."""
    lengths = np.asarray(lengths)
    short = int((lengths < clip).sum())
    if not short:
        return []
    what = {
        "drop": "resampled to one clip, each frame the whole one before its time",
        "resample": "resampled to clips, each frame the whole one before its time",
        "shift": "their last frame is repeated",
        "pad": "their first and last frames are repeated",
    }[tail]
    left = ", the last of all left out" if tail == "drop" and lengths[-1] < clip else ""
    return [f"{short} of {len(lengths)} videos are shorter than the clip of {clip} frames: {what}{left}"]
