"""What tools call a joint's score, as a confidence from 0 to 1.

`--min_confidence` means the same for every format because every tool's score comes through one of these:

* `PEAK`: a heat map's or SimCC's peak. About 0 to 1 for most networks; OpenPose's and RSN's reach 1.3,
  RTMPose's and RTMW's unnormalised peaks 8. The tools themselves compare it with a threshold of about 0.3 and
  call zero and below no joint. Confidence is the peak cut at 1.
* `REGION`: Detectron2's softmax over a region's heat map, which its authors multiply with the region's size:
  0.01 to 4.7 for good joints, no probability, and ignored by VideoPose3D. Confidence is s / (s + 0.005),
  which keeps the order and puts what the tool draws (above 0.05) above 0.9.
* `LOGIT`: MediaPipe's visibility, a probability, or in some versions its logit: where a file has values
  beyond 0 to 1 all of them are logits.

Sources: see docs/lifting.md.
"""

from __future__ import annotations

import enum

import numpy as np

from tf_pose3d.errors import Pose3DError

__all__ = ["Score", "check_confidences", "confidences", "looks_like_regions"]

_LOWEST_PEAK, _HIGHEST_PEAK = -10.0, 30.0
_HIGHEST_REGION = 1e4
_LARGEST_LOGIT = 200.0
_REGION_HALF = 0.005


class Score(enum.Enum):
    """What a format's scores are; see the module."""

    PEAK = "peak"
    REGION = "region"
    LOGIT = "logit"


def looks_like_regions(scores: np.ndarray) -> bool:
    """Whether scores of a format that many tools write (COCO's results) are Detectron2's.

    Peaks lie above 1 only for networks whose good joints all do; Detectron2's reach 4 while most stay below a
    half.

    Args:
        scores: `(...)` of all detections of a file; NaN where missing.
    """
    known = scores[np.isfinite(scores) & (scores > 0)]
    return bool(known.size >= 34 and known.max() > 1.5 and np.median(known) < 0.5)


def confidences(scores: np.ndarray, kind: Score) -> tuple[np.ndarray, np.ndarray]:
    """Confidences of the scores of one file.

    Args:
        scores: `(...)`; NaN where there is none.
        kind: What they are.

    Returns:
        Confidences from 0 to 1 as float32, 0 where the joint was not found; and `(...)` bool, true where a
        score cannot be one of this kind.
    """
    known = np.isfinite(scores)
    value = np.where(known, scores, 0.0)
    if kind is Score.REGION:
        wrong = known & ((value < -_HIGHEST_REGION) | (value > _HIGHEST_REGION))
        positive = np.maximum(value, 0)
        confidence = positive / (positive + _REGION_HALF)
    elif kind is Score.LOGIT and bool(((value < -1e-6) | (value > 1 + 1e-6)).any()):
        wrong = known & (np.abs(value) > _LARGEST_LOGIT)
        confidence = np.where(known, 1 / (1 + np.exp(-np.clip(value, -50, 50))), 0)
    else:
        wrong = known & ((value < _LOWEST_PEAK) | (value > _HIGHEST_PEAK))
        confidence = np.clip(value, 0, 1)
    return confidence.astype(np.float32), wrong | np.isinf(scores)


def check_confidences(scores: np.ndarray, kind: Score, where: str) -> np.ndarray:
    """`confidences` of one array.

    Raises:
        Pose3DError: A score that cannot be one.
    """
    found, wrong = confidences(scores, kind)
    if wrong.any():
        raise Pose3DError(
            f"{where}: a confidence of {scores[wrong].flat[0]:g}, expected 0 to 1 as a joint's third number"
        )
    return found
