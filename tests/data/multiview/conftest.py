"""Small data sets on disk in the layouts of the releases."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import tensorflow as tf

from tf_pose3d.data.multiview.synthetic import synthetic_records


def write_items(path, items):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(items, protocol=4))


def write_picture(path, value=90, size=(40, 48)):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tf.io.encode_jpeg(np.full((*size, 3), value, np.uint8)).numpy())


def toolbox_items(frames=8):
    """Items of H36M-Toolbox's form that hold the synthetic recordings of S1."""
    records = synthetic_records("S1", frames=frames, actions=["Walking", "Sitting"])
    cameras = [
        {
            "R": rotation.astype(np.float64),
            "T": centre[:, None].astype(np.float64),
            "fx": float(fx),
            "fy": float(fy),
            "cx": float(cx),
            "cy": float(cy),
        }
        for rotation, centre, (fx, fy, cx, cy) in zip(
            records.cameras.rotation, records.cameras.centre, records.cameras.intrinsics, strict=True
        )
    ]
    items = []
    for row in range(len(records)):
        camera = records.cameras
        view = records.view[row]
        seen = (records.pose_3d[row] - camera.centre[view]) @ camera.rotation[view].T
        action = {"Sitting": 9, "Walking": 14}[records.actions[records.recording[row]]]
        name = f"s_01_act_{action:02}_subact_01_ca_{view + 1:02}"
        items.append(
            {
                "image": f"{name}/{name}_{records.frame[row] + 1:06}.jpg",
                "joints_2d": records.keypoints_2d[row],
                "joints_3d": seen,
                "joints_vis": np.ones((17, 3)),
                "image_id": int(records.frame[row]) + 1,
                "subject": 1,
                "action": action,
                "subaction": 1,
                "camera_id": int(view),
                "camera": cameras[view],
                "center": tuple(records.centre[row].tolist()),
                "scale": tuple((records.box[row] / 200).tolist()),
            }
        )
    return items, records


@pytest.fixture
def toolbox(tmp_path):
    """(root, items, records) of a small Human3.6M with images in folders."""
    items, records = toolbox_items()
    for item in items:
        write_picture(tmp_path / "human36" / "images" / item["image"])
    write_items(tmp_path / "human36" / "annot" / "h36m_train.pkl", items)
    return tmp_path, items, records
