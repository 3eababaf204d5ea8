"""FBX files, written by Blender as a Python module (bpy, the extra `fbx`) in a process of its own.

bpy is under the GPL, large, and made for single versions of Python (wheels for 3.11 and 3.13): this package
never imports it. `TF_POSE3D_BPY` names another Python that has it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tf_pose3d.errors import Pose3DError
from tf_pose3d.extras import install_command
from tf_pose3d.files import staged
from tf_pose3d.inference.motion.record import Motion
from tf_pose3d.inference.writers.glb import glb_bytes
from tf_pose3d.inference.writers.rigged import check_frames, rig_of

__all__ = ["check", "write"]

_PYTHON = "TF_POSE3D_BPY"
_SECONDS = 600
# Reads the .glb and writes the .fbx; runs where bpy is.
_SCRIPT = """
import sys
import bpy

source, target, fps = sys.argv[1], sys.argv[2], float(sys.argv[3])
bpy.ops.wm.read_factory_settings(use_empty=True)
scene = bpy.context.scene
scene.render.fps = max(round(fps), 1)
scene.render.fps_base = max(round(fps), 1) / fps
bpy.ops.import_scene.gltf(filepath=source)
# The importer draws bones as a shape of its own, which is no part of the motion.
for thing in list(bpy.data.objects):
    if thing.type == "MESH" and not any(held.type == "ARMATURE" for held in thing.modifiers):
        bpy.data.objects.remove(thing)
ends = [action.frame_range[1] for action in bpy.data.actions]
scene.frame_start, scene.frame_end = 0, int(round(max(ends, default=0)))
bpy.ops.export_scene.fbx(
    filepath=target,
    object_types={"ARMATURE", "MESH"},
    add_leaf_bones=False,
    bake_anim=True,
    bake_anim_use_nla_strips=False,
    bake_anim_use_all_actions=False,
    bake_anim_simplify_factor=0.0,
)
"""


def check(path: Path, num_frames: int | None = None) -> None:
    """Checks that there is a frame, and a Python that has bpy.

    Raises:
        Pose3DError: There is none.
    """
    check_frames(path, num_frames)
    _require_bpy(path)


def _python() -> str:
    return os.environ.get(_PYTHON) or sys.executable


def _require_bpy(path: Path) -> None:
    look = "import importlib.util, sys; sys.exit(importlib.util.find_spec('bpy') is None)"
    try:
        found = subprocess.run([_python(), "-c", look], capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Pose3DError(f"{path}: {_PYTHON}={_python()} is no Python that starts: {error}") from None
    if not found:
        raise Pose3DError(
            f"{path}: writing .fbx needs bpy (Blender, GPL; Python 3.11 or 3.13), which is not installed: "
            f"{install_command('fbx')}, or name a Python that has it by {_PYTHON}"
        )


def write(path: Path, motion: Motion) -> None:
    """Writes what `.glb` holds as FBX; frames without a pose repeat the last.

    Raises:
        Pose3DError: As `tf_pose3d.inference.writers.rigged.rig_of`, or Blender fails.
    """
    rig = rig_of(path, motion)
    _require_bpy(path)
    with tempfile.TemporaryDirectory() as folder, staged(path) as temporary:
        source, script = Path(folder) / "motion.glb", Path(folder) / "export.py"
        target = Path(folder) / "motion.fbx"
        source.write_bytes(glb_bytes(rig, motion.bone_names))
        script.write_text(_SCRIPT, encoding="utf-8")
        command = [_python(), str(script), str(source), str(target), f"{rig.fps:.9g}"]
        try:
            ran = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            raise Pose3DError(f"{path}: Blender took longer than {_SECONDS} seconds") from None
        if ran.returncode or not target.exists():
            said = (ran.stderr or ran.stdout).strip().splitlines()
            raise Pose3DError(
                f"{path}: Blender failed: {said[-1] if said else f'exit code {ran.returncode}'}"
            )
        temporary.write_bytes(target.read_bytes())
