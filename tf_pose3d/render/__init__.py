"""Pictures of skeletons: 2D input beside 3D poses, as .gif, .mp4, .png or an interactive .html.

`make_scene` turns a recording and its predicted poses into a scene, `draw` puts it into a file:

    scene = make_scene(sequence, poses, limit=100)
    draw(scene, "walking.mp4")
"""

from tf_pose3d.render.picture import FORMATS, check_picture, draw
from tf_pose3d.render.scene import Scene, SceneCamera, SceneView, Track, make_scene, select_frames

__all__ = [
    "FORMATS",
    "Scene",
    "SceneCamera",
    "SceneView",
    "Track",
    "check_picture",
    "draw",
    "make_scene",
    "select_frames",
]
