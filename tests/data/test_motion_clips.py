"""Motion files: what is read, and what is said about those that cannot be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tf_pose3d.data.motion_clips import load_motion, save_motion
from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import get_skeleton

BODY = get_skeleton("h36m_17")


def standing(frames: int = 10) -> np.ndarray:
    """`(frames, 17, 3)` of somebody who stands and sways."""
    heights = {"pelvis": 0.9, "hip": 0.9, "knee": 0.5, "ankle": 0.1, "spine": 1.1, "neck": 1.35}
    heights |= {"head": 1.5, "head_top": 1.65, "shoulder": 1.4, "elbow": 1.1, "wrist": 0.85}
    widths = {"hip": 0.1, "knee": 0.1, "ankle": 0.1, "shoulder": 0.18, "elbow": 0.2, "wrist": 0.22}
    pose = np.zeros((BODY.num_joints, 3), np.float32)
    for index, joint in enumerate(BODY.joints):
        kind = joint.split("_", 1)[1] if joint[:2] in ("l_", "r_") else joint
        side = {"l_": -1, "r_": 1}.get(joint[:2], 0)
        pose[index] = [side * widths.get(kind, 0), 0.02 if kind == "knee" else 0, heights[kind]]
    sway = 0.05 * np.sin(np.arange(frames) / 3)
    return (pose + sway[:, None, None] * np.array([0, 1, 0])).astype(np.float32)


def write(path: Path, **arrays: object) -> Path:
    np.savez(path, **{"positions": standing(), **arrays})
    return path


def test_file_without_names_is_one_clip(tmp_path: Path) -> None:
    clips = load_motion(write(tmp_path / "mine.npz"))
    assert len(clips) == 1
    assert clips.subjects.tolist() == ["mine"]
    np.testing.assert_array_equal(clips.clip(0), standing())


def test_other_layouts_are_turned_by_name(tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(17)
    path = write(
        tmp_path / "x.npz", positions=standing()[:, order], joints=np.array(BODY.joints)[order], fps=30.0
    )
    np.testing.assert_array_equal(load_motion(path).positions, standing())


def test_rates_are_resampled_and_said_once(tmp_path: Path) -> None:
    lines: list[str] = []
    clips = load_motion(write(tmp_path / "x.npz", positions=standing(121), fps=120.0), lines.append)
    assert len(lines) == 1
    assert "120 frames per second, resampled to 30" in lines[0]
    np.testing.assert_allclose(clips.positions, standing(121)[::4], atol=1e-6)


def test_folder_joins_its_files_and_what_is_saved_is_read(tmp_path: Path) -> None:
    write(tmp_path / "a.npz", subjects=np.array(["anna"]))
    write(tmp_path / "b.npz", positions=standing(7))
    clips = load_motion(tmp_path)
    assert clips.lengths.tolist() == [10, 7]
    assert clips.subjects.tolist() == ["anna", "b"]
    save_motion(tmp_path / "again.npz", clips)
    again = load_motion(tmp_path / "again.npz")
    np.testing.assert_array_equal(again.positions, clips.positions)
    rest, held = again.split(["anna"])
    assert rest.subjects.tolist() == ["b"]
    assert held.lengths.tolist() == [10]


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"positions": standing() * 1000}, "expected metres, about 0.4; are they millimetres"),
        ({"positions": standing()[..., [0, 2, 1]]}, "trunks point along y, expected z up"),
        ({"positions": standing()[:, :16]}, "16 joints without names, expected 17"),
        ({"joints": np.array(["Hips", *"abcdefghijklmnop"])}, "unknown joint 'Hips'"),
        ({"positions": standing()[..., :2]}, "expected (frames, joints, 3)"),
        ({"offsets": np.array([0, 5])}, "offsets must run from 0 to the 10 frames"),
        ({"positions": np.full((10, 17, 3), np.nan, np.float32)}, "no usable clip"),
        ({"fps": 0.0}, "fps is 0, expected 1 to 1000"),
        ({"subjects": np.array(["a", "b"])}, "subjects has shape (2,), expected one a clip, 1"),
    ],
)
def test_other_files_are_refused_by_what_is_wrong(tmp_path: Path, arrays: dict, said: str) -> None:
    path = write(tmp_path / "bad.npz", **arrays)
    with pytest.raises(Pose3DError) as error:
        load_motion(path)
    assert said in str(error.value)
    assert str(path) in str(error.value)


def test_missing_files_and_empty_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(Pose3DError, match="does not exist"):
        load_motion(tmp_path / "none.npz")
    with pytest.raises(Pose3DError, match=r"no \.npz file in this folder; docs/general\.md"):
        load_motion(tmp_path)


def test_people_to_hold_out_must_be_there(tmp_path: Path) -> None:
    clips = load_motion(write(tmp_path / "x.npz"))
    with pytest.raises(Pose3DError, match="no subject 'eve' to hold out; it has x"):
        clips.split(["eve"])
    with pytest.raises(Pose3DError, match="everybody is on one side"):
        clips.split(["x"])
