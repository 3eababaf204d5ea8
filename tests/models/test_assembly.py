"""Poses assembled in NumPy against the network's own."""

from __future__ import annotations

import numpy as np
import pytest

from tf_pose3d.models.general.assembly import KNEE_MARGIN, assemble_clip
from tf_pose3d.models.general.config import GeneralConfig
from tf_pose3d.models.loading import build_model
from tf_pose3d.skeleton import get_skeleton


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"KNEES_FORWARD": False},
        {"CONSTANT_BONES": False},
        {"CONSTANT_BONES": False, "KNEES_FORWARD": False},
    ],
)
def test_as_the_network_assembles(switches):
    model = build_model(GeneralConfig(WIDTH=16, BLOCKS=1, **switches))
    rng = np.random.default_rng(0)
    bones = rng.normal(size=(1, 200, 16, 3)).astype(np.float32)
    bones /= np.linalg.norm(bones, axis=-1, keepdims=True)
    kinds = 10 if model.settings["constant_bones"] else 0
    lengths = rng.normal(-1, 0.3, (1, 200, kinds)).astype(np.float32)
    raw = {"bones": bones, "log_lengths": lengths, "scale": np.ones((1, 200, 17), np.float32)}
    whole = np.asarray(model.assemble(raw, lengths.mean(axis=1, keepdims=True))["pose_3d_sequence"])[0]
    poses = assemble_clip(bones[0], lengths[0], model.settings)
    np.testing.assert_allclose(poses, whole, atol=2e-6)
    behind = _behind(poses)
    assert (behind.max() > 0.2) != model.settings["knees_forward"]
    assert not model.settings["knees_forward"] or behind.max() < KNEE_MARGIN + 1e-4


def _behind(poses: np.ndarray) -> np.ndarray:
    """How far knees lie behind the line from hip to ankle, metres."""
    skeleton = get_skeleton("h36m_17")
    at = {name: poses[:, skeleton.index(name)] for name in skeleton.joints}
    front = np.cross(at["l_hip"] - at["r_hip"], at["neck"] - at["pelvis"])
    front /= np.linalg.norm(front, axis=1, keepdims=True)
    sides = [at[f"{side}_knee"] - (at[f"{side}_hip"] + at[f"{side}_ankle"]) / 2 for side in "lr"]
    return np.stack([-np.sum(one * front, axis=1) for one in sides])
