"""Real people of one video, cut out and pasted into pictures in which they walk past each other."""

from __future__ import annotations

import dataclasses

import numpy as np
from PIL import Image

from tf_pose3d.inference.detectors.networks import LandmarkNetwork
from tf_pose3d.inference.detectors.regions import Region, cut

_SIDE = 256
# What the mask's network is sure of.
_SOFT = 8.0


@dataclasses.dataclass
class Cutout:
    """A person in one frame.

    Attributes:
        image: `(S, S, 4)` float32: red, green, blue and how much of a pixel is the person, all 0 to 1.
        keypoints: `(33, 3)` in it.
        hips: `(2,)` the middle of the hips, likewise.
    """

    image: np.ndarray
    keypoints: np.ndarray
    hips: np.ndarray

    def mirrored(self) -> Cutout:
        side = self.image.shape[1]
        points = self.keypoints.copy()
        points[:, 0] = side - points[:, 0]
        # Left is right then.
        swap = np.arange(33)
        for left in (1, 2, 3, 7, 9, *range(11, 32, 2)):
            right = left + 3 if left < 4 else left + 1
            swap[[left, right]] = [right, left]
        return Cutout(self.image[:, ::-1], points[swap], self.hips * (-1, 1) + (side, 0))


def cut_out(network: LandmarkNetwork, image: np.ndarray, region: Region, scale: float) -> Cutout:
    """The person in a square of an `(H, W, 4)` image, as large as `scale` says."""
    found = network(image, region)
    upright = Region(found.region.x, found.region.y, found.region.size)
    picture = cut(image, upright, _SIDE, repeat_edges=True)
    logits = network._network(picture / 255, (2,))[0][..., 0]
    side = max(16, round(upright.size * scale))
    mask = Image.fromarray((255 / (1 + np.exp(-np.clip(logits * _SOFT / 8, -30, 30)))).astype(np.uint8))
    colours = cut(image, upright, side, repeat_edges=True) / 255
    alpha = np.asarray(mask.resize((side, side), Image.Resampling.BILINEAR), np.float32)[..., None] / 255
    corner = np.array([upright.x, upright.y]) - upright.size / 2
    factor = side / upright.size
    keypoints = found.keypoints.copy()
    keypoints[:, :2] = (keypoints[:, :2] - corner) * factor
    return Cutout(
        np.concatenate([colours, alpha], axis=-1),
        keypoints,
        keypoints[[23, 24], :2].mean(axis=0),
    )


def paste(picture: np.ndarray, person: Cutout, hips: np.ndarray) -> np.ndarray:
    """Pastes a person with the hips at a place; returns `(33, 3)` landmarks in the picture.

    Args:
        picture: `(H, W, 3)` float32, changed.
    """
    shift = np.rint(np.asarray(hips) - person.hips).astype(int)
    side = person.image.shape[0]
    height, width = picture.shape[:2]
    left, top = max(shift[0], 0), max(shift[1], 0)
    right, bottom = min(shift[0] + side, width), min(shift[1] + side, height)
    if left < right and top < bottom:
        part = person.image[top - shift[1] : bottom - shift[1], left - shift[0] : right - shift[0]]
        alpha = part[..., 3:]
        place = picture[top:bottom, left:right]
        place += alpha * (part[..., :3] - place)
    keypoints = person.keypoints.copy()
    keypoints[:, :2] += shift
    return keypoints
