"""Write one person's 2D joints in the formats of the detectors that `inference.py --input` reads.

Only for trials: the joints are known points, not detections. `detector_points` makes the face that motion
capture lacks.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tf_pose3d.skeleton import get_skeleton

__all__ = ["WRITERS", "detector_points", "write"]


def detector_points(poses, layout):
    """`(F, J, 3)` of a detector's layout from `(F, 32, 3)` poses in the layout `h36m_32`, any frame.

    Ears lie two thirds of the way from neck to head top, 7 cm to either side; eyes between them and the
    nose; hands and feet are the nearest points of the motion.
    """
    held = {name: poses[:, index] for index, name in enumerate(get_skeleton("h36m_32").joints)}
    held["nose"] = held["head"]
    across = held["l_shoulder"] - held["r_shoulder"]
    across = across / np.linalg.norm(across, axis=1, keepdims=True)
    ears = held["neck"] + (held["head_top"] - held["neck"]) * 2 / 3
    eyes = (held["nose"] + ears) / 2
    for side, sign in (("l", 1), ("r", -1)):
        held[f"{side}_ear"] = ears + sign * 0.07 * across
        for name, width in (("eye", 0.03), ("eye_inner", 0.02), ("eye_outer", 0.04)):
            held[f"{side}_{name}"] = eyes + sign * width * across
        held[f"{side}_mouth"] = held["nose"] + sign * 0.02 * across
        for name in ("pinky", "index"):
            held[f"{side}_{name}"] = held[f"{side}_hand"]
        held[f"{side}_heel"] = held[f"{side}_ankle"]
        for name in ("big_toe", "small_toe", "foot_index"):
            held[f"{side}_{name}"] = held[f"{side}_toe"]
    return np.stack([held[name] for name in get_skeleton(layout).joints], axis=1)


def _rows(points):
    """`(F, J, 3)` as lists, missing joints as zeros."""
    return np.nan_to_num(points).round(3).tolist()


def _flat(pose):
    return [value for joint in pose for value in joint]


def _write_json(path, content):
    Path(path).write_text(json.dumps(content))
    return path


def write_array(path, points, width, height, fps, layout):
    np.savez(path, keypoints=points, width=width, height=height, fps=fps, layout=layout)
    return path


def write_videopose3d(path, points, width, height, fps, layout):
    metadata = {
        "layout_name": "coco",
        "num_joints": 17,
        "keypoints_symmetry": [[1, 3, 5, 7, 9, 11, 13, 15], [2, 4, 6, 8, 10, 12, 14, 16]],
        "video_metadata": {"clip.mp4": {"w": width, "h": height, "fps": fps}},
    }
    content = {"clip.mp4": {"custom": [points[..., :2].astype(np.float32)]}}
    np.savez(path, positions_2d=np.array(content, object), metadata=np.array(metadata, object))
    return path


def detectron2_scores(confidence):
    """Scores like those of real files: 0.01 to 4.7, most of them below 0.3, and no probabilities."""
    return 0.01 + 4.69 * np.clip(confidence, 0, 1) ** 6


def write_detectron2(path, points, width, height, fps, layout):
    boxes, keypoints = np.empty(len(points), object), np.empty(len(points), object)
    for frame, pose in enumerate(np.nan_to_num(points).astype(np.float32)):
        scores = np.where(pose[:, 2] > 0, detectron2_scores(pose[:, 2]), 0).astype(np.float32)
        rows = np.stack([pose[:, 0], pose[:, 1], np.zeros(len(pose), np.float32), scores])
        box = np.concatenate([pose[:, :2].min(axis=0), pose[:, :2].max(axis=0), [0.99]])
        boxes[frame] = [[], box[None].astype(np.float32)]
        keypoints[frame] = [[], rows[None]]
    metadata = np.array({"w": width, "h": height}, object)
    np.savez(path, boxes=boxes, keypoints=keypoints, segments=np.full(len(points), None), metadata=metadata)
    return path


def write_openpose(path, points, width, height, fps, layout):
    Path(path).mkdir()
    for frame, pose in enumerate(_rows(points)):
        people = [{"person_id": [-1], "pose_keypoints_2d": _flat(pose)}] if any(_flat(pose)) else []
        _write_json(Path(path) / f"clip_{frame:012d}_keypoints.json", {"version": 1.3, "people": people})
    return path


def write_coco(path, points, width, height, fps, layout):
    return _write_json(
        path,
        [
            {"image_id": frame + 1, "category_id": 1, "keypoints": _flat(pose), "score": 0.9}
            for frame, pose in enumerate(_rows(points))
            if any(_flat(pose))
        ],
    )


def write_alphapose(path, points, width, height, fps, layout):
    return _write_json(
        path,
        [
            {
                "image_id": f"{frame}.jpg",
                "category_id": 1,
                "keypoints": _flat(pose),
                "score": 2.9,
                "box": [0, 0, width, height],
                "idx": 1,
            }
            for frame, pose in enumerate(_rows(points))
            if any(_flat(pose))
        ],
    )


def write_mmpose(path, points, width, height, fps, layout):
    return _write_json(
        path,
        [
            {
                "frame_id": frame,
                "instances": [
                    {
                        "keypoints": [joint[:2] for joint in pose],
                        "keypoint_scores": [joint[2] for joint in pose],
                        "bbox": [[0, 0, width, height]],
                        "bbox_score": 0.9,
                    }
                ]
                if any(_flat(pose))
                else [],
            }
            for frame, pose in enumerate(_rows(points))
        ],
    )


def write_mediapipe(path, points, width, height, fps, layout):
    frames = []
    for pose in np.nan_to_num(points).tolist():
        marks = [{"x": x / width, "y": y / height, "z": 0.0, "visibility": c} for x, y, c in pose]
        frames.append({"pose_landmarks": marks if any(_flat(pose)) else None})
    return _write_json(path, {"width": width, "height": height, "fps": fps, "frames": frames})


def write_deeplabcut(path, points, width, height, fps, layout):
    sides = {"l": "left_", "r": "right_"}
    names = [sides[name[0]] + name[2:] if name[1:2] == "_" else name for name in get_skeleton(layout).joints]
    columns = [(name, coordinate) for name in names for coordinate in ("x", "y", "likelihood")]
    lines = [
        ",".join(["scorer", *["model"] * len(columns)]),
        ",".join(["bodyparts", *[name for name, _ in columns]]),
        ",".join(["coords", *[coordinate for _, coordinate in columns]]),
    ]
    lines += [",".join([str(frame), *map(str, _flat(pose))]) for frame, pose in enumerate(_rows(points))]
    Path(path).write_text("\n".join(lines) + "\n")
    return path


# Label -> (layout, file name, writer).
WRITERS = {
    "npz array, coco_17": ("coco_17", "array.npz", write_array),
    "VideoPose3D custom npz": ("coco_17", "data_2d_custom_clip.npz", write_videopose3d),
    "OpenPose BODY_25": ("openpose_25", "openpose_25", write_openpose),
    "OpenPose COCO_18": ("openpose_18", "openpose_18", write_openpose),
    "COCO results": ("coco_17", "coco.json", write_coco),
    "MMPose": ("coco_17", "mmpose.json", write_mmpose),
    "AlphaPose": ("coco_17", "alphapose-results.json", write_alphapose),
    "AlphaPose, Halpe 26": ("halpe_26", "alphapose-halpe.json", write_alphapose),
    "Detectron2": ("coco_17", "clip.mp4.npz", write_detectron2),
    "MediaPipe": ("mediapipe_33", "mediapipe.json", write_mediapipe),
    "DeepLabCut CSV": ("coco_17", "deeplabcut.csv", write_deeplabcut),
}


def write(label, folder, points, width, height, fps):
    """Writes `(F, J, 3)` pixels and confidence in the layout of `WRITERS[label]`; returns the path."""
    layout, name, writer = WRITERS[label]
    return writer(Path(folder) / name, points, width, height, fps, layout)
