"""FBX files by way of Blender, where there is one; and how its lack is told."""

import os
import subprocess
import sys

import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.stage import run_stage
from tf_pose3d.inference.motion.steps import MotionSteps
from tf_pose3d.inference.writers import check_motion_file, write_motion

_READ = """
import sys
import bpy
kind, path, out = sys.argv[1:]
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.context.scene.render.fps = 50
if kind == "bvh":
    bpy.ops.import_anim.bvh(filepath=path, use_fps_scale=False, update_scene_fps=True)
elif kind == "glb":
    bpy.ops.import_scene.gltf(filepath=path)
else:
    bpy.ops.import_scene.fbx(filepath=path)
(armature,) = (thing for thing in bpy.data.objects if thing.type == "ARMATURE")
start = int(min(action.frame_range[0] for action in bpy.data.actions))
with open(out, "w") as file:
    for frame in range(5):
        bpy.context.scene.frame_set(start + frame)
        for name in ("Hips", "LeftLeg", "RightFoot", "LeftHand", "Head"):
            place = armature.matrix_world @ armature.pose.bones[name].head
            file.write(f"{place.x} {place.z} {-place.y}\\n")
"""


def blender():
    """A Python that has bpy; the test is skipped where there is none."""
    python = os.environ.get("TF_POSE3D_BPY", sys.executable)
    if subprocess.run([python, "-c", "import bpy"], capture_output=True).returncode:
        pytest.skip("there is no bpy")
    return python


def test_without_blender(monkeypatch, tmp_path, motion):
    bare = tmp_path / "python"
    bare.write_text("#!/bin/sh\nexit 1\n")
    bare.chmod(0o755)
    monkeypatch.setenv("TF_POSE3D_BPY", str(bare))
    with pytest.raises(Pose3DError, match=r'x\.fbx: writing \.fbx needs bpy .* pip install "\.\[fbx\]"'):
        check_motion_file("x.fbx")
    monkeypatch.setenv("TF_POSE3D_BPY", str(tmp_path / "nothing"))
    with pytest.raises(Pose3DError, match="is no Python that starts"):
        write_motion(tmp_path / "x.fbx", motion)
    assert not (tmp_path / "x.fbx").exists()


def test_a_blender_that_fails(monkeypatch, tmp_path, motion):
    failing = tmp_path / "python"
    failing.write_text('#!/bin/sh\n[ "$1" = -c ] && exit 0\necho "Error: no memory" >&2; exit 3\n')
    failing.chmod(0o755)
    monkeypatch.setenv("TF_POSE3D_BPY", str(failing))
    with pytest.raises(Pose3DError, match=r"x\.fbx: Blender failed: Error: no memory"):
        write_motion(tmp_path / "x.fbx", motion)
    assert not (tmp_path / "x.fbx").exists()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bvh", "glb", "fbx"])
def test_blender_reads_what_was_written(kind, motion, tmp_path, monkeypatch):
    python = blender()
    monkeypatch.setenv("TF_POSE3D_BPY", python)
    (staged,) = run_stage([motion], MotionSteps.for_file(f"walk.{kind}"))
    path = tmp_path / f"walk.{kind}"
    write_motion(path, staged.motion)
    (tmp_path / "read.py").write_text(_READ)
    command = [python, str(tmp_path / "read.py"), kind, str(path), str(tmp_path / "places.txt")]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    found = np.loadtxt(tmp_path / "places.txt").reshape(5, 5, 3)
    joints = [motion.skeleton.index(name) for name in ("pelvis", "l_knee", "r_ankle", "l_wrist", "head")]
    held = staged.motion.upright(staged.motion.held())[:, joints]
    np.testing.assert_allclose(found, held, atol=1e-3)
