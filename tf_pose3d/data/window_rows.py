"""Where the tokens of a window lie in its video: the arithmetic alone, for TensorFlow and for NumPy."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from tf_pose3d.data.frame_store import FrameStore
from tf_pose3d.data.window_spec import WindowSpec
from tf_pose3d.types import Tensor

__all__ = ["token_positions", "window_batch"]


def token_positions(
    spec: WindowSpec, frame: Tensor, length: Tensor, stride: Tensor, token: Tensor, numbers: ModuleType
) -> tuple[Tensor, Tensor]:
    """Frames of a video that the tokens of windows read.

    Token k lies `stride` frames behind token k - 1. Tokens outside the video take the nearest token inside.

    Args:
        spec: How windows are cut.
        frame: `(B, 1)` integers, the windows' own frames.
        length: `(B, 1)` frames of their videos.
        stride: `(B, 1)` frames between tokens.
        token: `(1, N)` 0 to N - 1.
        numbers: `numpy` or `tensorflow`, for their `maximum` and `minimum`.

    Returns:
        `(B, N)` frame numbers, and whether the token itself lies in the video.
    """
    reach = (spec.length - 1) * stride
    begin = frame - (reach if spec.causal else reach // 2)
    first = numbers.maximum(0, -(begin // stride))
    last = numbers.minimum(spec.length - 1, (length - 1 - begin) // stride)
    inside = (token >= first) & (token <= last)
    position = begin + numbers.maximum(numbers.minimum(token, last), first) * stride
    # A stride may miss a very short video altogether; then its nearest frame serves.
    return numbers.maximum(numbers.minimum(position, length - 1), 0), inside


def window_batch(store: FrameStore, spec: WindowSpec, frames: np.ndarray) -> dict[str, np.ndarray]:
    """What `Windows.batch` gives for frames of a store's only video, in NumPy.

    Args:
        store: With a row of zeros where the spec pads with zeros.
        spec: How windows are cut; nothing in it is drawn at random.
        frames: `(B,)` the windows' own frames.

    Returns:
        The batch dict, without what names a window: keypoints_2d `(B, N, J, C)`, intrinsics `(B, 11)`,
        pad_mask `(B, N)`, with `mask_strides` stride_mask `(B, N)`, and per-frame quantities.

    Raises:
        ValueError: Several s_in, or a mask that is shifted at random.
    """
    frame = np.asarray(frames, np.int64)[:, None]
    token = np.arange(spec.length)[None]
    multiple = int(store.multiples[0])
    stride = spec.stride * multiple
    rows, inside = token_positions(spec, frame, store.lengths[:1, None], stride, token, np)
    batch: dict[str, np.ndarray] = {"pad_mask": inside.astype(np.float32)}
    if spec.mask_strides is not None:
        if len(spec.mask_strides) > 1 or spec.shift_mask:
            raise ValueError("windows without randomness have one s_in and a mask that stays")
        offset = (token - spec.target_token) * stride + (frame if spec.align_mask else 0 * frame)
        batch["stride_mask"] = offset % (spec.mask_strides[0] * multiple) == 0
    if store.zero_row is not None:
        rows = np.where(inside, rows, store.zero_row)
    batch["intrinsics"] = np.repeat(store.intrinsics, len(frame), axis=0)
    return {**batch, **{name: values[rows] for name, values in store.arrays.items()}}
