"""What is wrong with a rig, told from what its views say of each other before anything is left out.

An error after exclusion hides a wrong rig: cameras that do not fit are simply excluded. So everything here is
measured over all confident keypoints. Where that is bad, each suspicion is tried: two cameras exchanged, one
turned, late, or in another unit, directions inverted. A suspicion is said where trying it out explains the
error, and with the figures before and after.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tf_pose3d.multicamera.agreement import Geometry, telling_frames
from tf_pose3d.multicamera.known import mean_known
from tf_pose3d.multicamera.rig import Rig
from tf_pose3d.multicamera.suspicions import Finding, exchanged, inverted, late, moved, other_unit

__all__ = ["diagnose"]

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

# A median error below this share of a person's size in the image, and so many pixels, is a detector's.
_SHARE, _PIXELS = 0.022, 3.0
# A camera stands out where its pairs are so many times worse than the pairs without it, and by such a share
# of a person's size.
_STANDS_OUT, _PLAINLY = 2.0, 0.012
# A cure explains an error that falls below this share.
_EXPLAINS = 0.6


def diagnose(
    rig: Rig, keypoints: Singles, weights: Floats, geometry: Geometry, repaired: Singles | None = None
) -> list[Finding]:
    """What is wrong with the rig, the likeliest first; empty where it fits.

    Args:
        rig: V cameras.
        keypoints: `(V, F, J, 3)` of one person, sides as the detector gave them.
        weights: `(V, F, J)`.
        geometry: Of `measure_geometry`.
        repaired: As `keypoints`, sides put right; None: they are so.
    """
    if not geometry.count or not np.isfinite(geometry.error):
        return []
    limit = max(_SHARE * geometry.size, _PIXELS)
    outlier = _stands_out(geometry)
    delayed = late(rig, keypoints if repaired is None else repaired, weights)
    if geometry.error <= limit and outlier is None:
        return delayed
    frames = telling_frames(keypoints, weights)
    views = len(rig)
    rays = rig.rays(keypoints[:, frames])
    weight = weights[:, frames]
    flat, flat_weight = rays.reshape(views, -1, 2), weight.reshape(views, -1)
    before = geometry.error
    tried = [
        *inverted(rig, flat, flat_weight),
        *exchanged(rig, keypoints[:, frames], flat_weight),
        *other_unit(rig, flat, flat_weight),
        *delayed,
        *moved(rig, flat, flat_weight),
    ]
    explaining = sorted(
        (finding for finding in tried if finding.after < _EXPLAINS * before), key=lambda f: f.after
    )
    if explaining:
        best = explaining[0]
        # Several cures may be as good: the one named first above is the simplest.
        for finding in tried:
            if finding.after <= 1.15 * best.after:
                return [finding]
        return [best]
    if outlier is not None:
        others = _without(geometry, outlier)
        text = (
            f"camera {rig.names[outlier]} does not fit the others: its pairs are off by "
            f"{mean_known(geometry.pairs[outlier]):.1f} px, those without it by {others:.1f} px"
        )
        return [Finding("geometry", (rig.names[outlier],), text, before, others)]
    if geometry.error <= limit:
        return []
    worst = int(np.nanargmax(np.nan_to_num(geometry.camera)))
    text = (
        f"the cameras do not fit each other: {before:.1f} px over all keypoints, expected below {limit:.1f} "
        f"px for people of {geometry.size:.0f} px; worst is camera {rig.names[worst]} with "
        f"{geometry.camera[worst]:.1f} px"
    )
    return [Finding("geometry", (rig.names[worst],), text, before, before)]


def _without(geometry: Geometry, view: int) -> float:
    others = np.delete(np.delete(geometry.pairs, view, axis=0), view, axis=1)
    return float(mean_known(others.ravel()))


def _stands_out(geometry: Geometry) -> int | None:
    """The camera whose pairs are far worse than those without it."""
    views = len(geometry.pairs)
    if views < 3:
        return None
    ratios = np.zeros(views)
    for view in range(views):
        own, others = float(mean_known(geometry.pairs[view])), _without(geometry, view)
        if np.isfinite(own) and np.isfinite(others) and own - others > max(_PLAINLY * geometry.size, 1.0):
            ratios[view] = own / max(others, 1e-6)
    worst = int(np.argmax(ratios))
    return worst if ratios[worst] > _STANDS_OUT else None
