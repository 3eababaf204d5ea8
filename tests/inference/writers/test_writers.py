"""The table of writers: every ending is written and refused by its own rules, whole or not at all."""

import dataclasses
import importlib
import inspect

import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.writers import WRITERS, check_motion_file, write_motion


def skip_without_library(suffix):
    if suffix == ".c3d":
        pytest.importorskip("ezc3d")
    if suffix == ".rrd":
        pytest.skip("holds the time of writing: test_rrd.py")
    if suffix == ".fbx":
        pytest.skip("Blender takes its time: test_fbx.py")


def test_other_endings_are_refused(motion):
    message = r"poses\.txt: expected a name that ends in \.npz, .* or \.rrd"
    with pytest.raises(Pose3DError, match=message):
        check_motion_file("poses.txt")
    with pytest.raises(Pose3DError, match=message):
        write_motion("poses.txt", motion)


@pytest.mark.parametrize("module", sorted(set(WRITERS.values())))
def test_modules_offer_what_the_table_promises(module):
    writer = importlib.import_module(module)
    assert list(inspect.signature(writer.check).parameters) == ["path", "num_frames"]
    assert list(inspect.signature(writer.write).parameters) == ["path", "motion"]


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_ending_is_written_again_to_the_same_bytes(motion, tmp_path, suffix):
    skip_without_library(suffix)
    path = tmp_path / f"poses{suffix.upper()}"
    check_motion_file(path, motion.num_frames)
    write_motion(path, motion)
    first = path.read_bytes()
    write_motion(path, dataclasses.replace(motion))
    assert len(first) > 200
    assert path.read_bytes() == first
    assert [held.name for held in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_missing_folder_is_said(motion, tmp_path, suffix):
    skip_without_library(suffix)
    with pytest.raises(Pose3DError, match="there is no folder"):
        write_motion(tmp_path / "none" / f"poses{suffix}", motion)
