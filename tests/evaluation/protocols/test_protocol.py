"""The error of a single recording, as each family's release reports errors."""

from __future__ import annotations

import numpy as np
import pytest

from tf_pose3d.evaluation.protocols import get_protocol
from tf_pose3d.models.family import families, get_family

# How `inference.py` says it; families that read no recording of one camera have none.
ALIGNED = ("uplift", "hoif", "hgcn", "semgcn", "martinez", "general")
AS_IT_IS = (
    *("videopose3d", "rie", "ehfusion", "poseformer"),
    *("mixste", "d3dp", "motionbert", "motionagformer"),
)


@pytest.fixture
def poses():
    """Predictions 30 mm beside the truth, their root 40 mm off across; the truth is not centred."""
    random = np.random.default_rng(0)
    truth = random.normal(size=(5, 17, 3))
    moved = truth - truth[:, :1] + [0.03, 0, 0]
    moved[:, 0] += [-0.03, 0.04, 0]
    return moved, truth + np.array([0, 0, 5.0])


def line_of(short, poses):
    moved, truth = poses
    return get_protocol(get_family(short)).recording_error(moved, truth, 0)


@pytest.mark.parametrize("short", ALIGNED)
def test_roots_are_aligned_where_the_release_aligns_them(short, poses):
    # All joints but the root are 30 mm along x and 40 mm along y from where they should be.
    assert line_of(short, poses).startswith(f"mean joint error (MPJPE) {16 / 17 * 50:.1f} mm, roots aligned")


@pytest.mark.parametrize("short", AS_IT_IS)
def test_the_predicted_root_counts_where_the_release_lets_it(short, poses):
    line = line_of(short, poses)
    assert line.startswith(
        f"mean joint error (MPJPE) {(16 * 30 + 40) / 17:.1f} mm, the predicted root as it is"
    )
    assert f"({16 / 17 * 50:.1f} mm with roots aligned)" in line


def test_strided_transformer_s_root_is_set_to_zero(poses):
    assert line_of("strided", poses).startswith(f"mean joint error (MPJPE) {16 * 30 / 17:.1f} mm")


def test_lcn_says_where_its_release_s_own_error_is(poses):
    assert "LCN's release reports it unaligned" in line_of("lcn", poses)


def test_every_family_that_reads_keypoints_is_told_here():
    told = {*ALIGNED, *AS_IT_IS, "strided", "lcn"}
    videos = {short for short in families() if get_family(short).protocol not in ("images", "multiview")}
    assert told == videos
