"""PoseResNet and DenseWarper through the three programs, on drawn and on read images."""

from __future__ import annotations

import csv
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tf_pose3d.cli import eval as eval_program
from tf_pose3d.cli import inference as inference_program
from tf_pose3d.cli import train as train_program
from tf_pose3d.data.multiview.synthetic import synthetic_records
from tf_pose3d.models.loading import load_config

NETWORK = {
    "DATASET": "multiview_synthetic",
    "JOINTS": "h36m_17",
    "IMAGE_SIZE": [64, 64],
    "HEATMAP_SIZE": [16, 16],
    "SIGMA": 1.0,
    "NUM_LAYERS": 18,
    "STAGE_CHANNELS": [4, 4, 8, 8],
    "NUM_DECONV_FILTERS": [8, 8, 8],
    "BATCH_SIZE": 2,
    "EPOCHS": 1,
    "STEPS_PER_EPOCH": 2,
    "DATASET_VAL_3D_SUBSAMPLE_STEP": 60,
    "DATASET_TEST_3D_SUBSAMPLE_STEP": 40,
}
BACKBONE = {**NETWORK, "ARCH": "PoseResNet"}
WARPER = {
    **NETWORK,
    "ARCH": "DenseWarper",
    "WARPER_CHANNELS": 4,
    "WARPER_BLOCKS": 1,
    "DILATIONS": [1],
    "SELECTED_CAMS": [0, 3],
    "PATTERN": [0, 1],
    "MIN_CONFIDENCE": 0.0,
    "MIN_TRAINING_VIEWS": 2,
}


def write_config(folder, name, values):
    path = folder / f"{name}.json"
    path.write_text(json.dumps(values))
    return str(path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Folder with `pose2d` and `dw`, two runs of train.py, the second from the first's backbone."""
    folder = tmp_path_factory.mktemp("densewarper")
    config = write_config(folder, "pose2d", BACKBONE)
    unseen = ["--val_subset", "none"]
    assert train_program.main(["--config", config, "--out_dir", str(folder / "pose2d"), *unseen]) == 0
    backbone = str(folder / "pose2d" / "checkpoints" / "last_weights")
    config = write_config(folder, "dw", {**WARPER, "PRETRAINED": backbone})
    assert train_program.main(["--config", config, "--out_dir", str(folder / "dw"), *unseen]) == 0
    return folder


def test_both_stages_leave_weights(trained):
    for stage in ("pose2d", "dw"):
        files = {path.name for path in (trained / stage / "checkpoints").iterdir()}
        assert {"last_weights_0001.h5", "cp_0001.h5"} <= files


@pytest.mark.slow
def test_training_goes_on_where_it_stopped(trained, capsys):
    arguments = ["--config", str(trained / "dw.json"), "--out_dir", str(trained / "dw"), "--set", "EPOCHS=2"]
    assert train_program.main([*arguments, "--resume"]) == 0
    said = capsys.readouterr().out
    assert "continuing from" in said
    assert "MPJPE unwarped" in said
    assert (trained / "dw" / "checkpoints" / "best_weights_0002.h5").exists()


def test_eval_prints_the_release_s_lines_and_tables(trained, tmp_path, capsys):
    weights = str(trained / "dw" / "checkpoints" / "last_weights")
    out = {kind: tmp_path / f"out.{kind}" for kind in ("csv", "json", "npz")}
    arguments = ["--modelFile", weights, "--config", str(trained / "dw.json"), "--csv", str(out["csv"])]
    arguments += ["--json", str(out["json"]), "--predictions", str(out["npz"])]
    assert eval_program.main(arguments) == 0
    said = capsys.readouterr().out
    assert "MPJPE summary: j3d_DenseWarper " in said
    assert "MPJPE summary: j3d_unwarped " in said
    for word in ("by action", "Directions", "by joint", "l_wrist", "Detection rates", "2D accuracy"):
        assert word in said
    results = json.loads(out["json"].read_text())["evaluation_mm"]["all"]
    errors = results["j3d_DenseWarper"]
    assert f"j3d_DenseWarper {errors['mpjpe']:.2f}" in said
    with out["csv"].open() as file:
        rows = list(csv.reader(file))
    assert [row[0] for row in rows] == ["threshold", "0.075", "0.05", "0.025", "0.0125", "0.00625"]
    assert len(rows[0]) == 19
    arrays = np.load(out["npz"])
    groups = len(arrays["pose_3d"])
    assert arrays["pose_3d"].shape == (groups, 2, 17, 3)
    assert arrays["keypoints_2d"].shape == (groups, 2, 2, 17, 2)
    pose, target = arrays["pose_3d"], arrays["target"]
    distance = np.linalg.norm(pose - pose[:, :, :1] - target + target[:, :, :1], axis=-1)
    assert errors["mpjpe"] == pytest.approx(distance.mean(), rel=1e-3)


def test_eval_of_the_backbone_and_other_cameras(trained, capsys):
    weights = str(trained / "pose2d" / "checkpoints" / "last_weights")
    assert eval_program.main(["--weights", weights, "--cams", "1,2"]) == 0
    said = capsys.readouterr().out
    assert "0.0125 (25 mm)" in said
    assert eval_program.main(["--weights", weights, "--cams", "one"]) == 2
    assert "expected camera numbers" in capsys.readouterr().err
    weights = str(trained / "dw" / "checkpoints" / "last_weights")
    assert eval_program.main(["--weights", weights, "--cams", "0,1,2,3"]) == 2
    assert "PATTERN is [0, 1], expected a frame for each of the 4 cameras" in capsys.readouterr().err
    others = ["--cams", "0,1,2", "--set", "PATTERN=[0, 1, 2]"]
    assert eval_program.main(["--weights", weights, *others]) == 2
    assert "the weights are for 2 views" in capsys.readouterr().err
    assert eval_program.main(["--weights", weights, "--dataset", "h36m"]) == 2
    assert "expected multiview_h36m, multiview_3dhp or multiview_synthetic" in capsys.readouterr().err


@pytest.fixture
def views(tmp_path):
    """Images of one group in two views, and their cameras' file."""
    records = synthetic_records("S9", frames=2, actions=["Walking"])
    rows = [0, 7]
    entries, images = [], []
    for number, row in enumerate(rows):
        images.append(str(tmp_path / f"{number}.png"))
        (tmp_path / f"{number}.png").write_bytes(tf.io.encode_png(records.images.read(row)).numpy())
        view = records.view[row]
        fx, fy, cx, cy = records.cameras.intrinsics[view].tolist()
        half = records.box[row, 0] / 2
        left, top = records.centre[row] - half
        entries.append(
            {
                "R": records.cameras.rotation[view].tolist(),
                "T": records.cameras.centre[view].tolist(),
                **{"fx": fx, "fy": fy, "cx": cx, "cy": cy},
                "box": [float(left), float(top), float(left + 2 * half), float(top + 2 * half)],
            }
        )
    path = tmp_path / "cams.json"
    path.write_text(json.dumps(entries))
    return images, path, entries


def test_inference_lifts_a_group_of_image_files(trained, views, tmp_path):
    images, cameras, _ = views
    weights = str(trained / "dw" / "checkpoints" / "last_weights")
    out = [str(tmp_path / "pose.npz"), str(tmp_path / "pose.html")]
    arguments = ["--weights", weights, "--images", *images, "--cameras", str(cameras)]
    assert inference_program.main([*arguments, "--output", out[0], "--viz_output", out[1]]) == 0
    arrays = np.load(out[0])
    assert arrays["pose_3d"].shape == (2, 17, 3)
    assert (tmp_path / "pose.html").stat().st_size > 1000


def test_inference_names_what_is_wrong(trained, views, tmp_path, capsys):
    images, cameras, entries = views
    start = [
        "--weights",
        str(trained / "dw" / "checkpoints" / "last_weights"),
        "--output",
        str(tmp_path / "p.npz"),
    ]

    def complaint(*arguments):
        assert inference_program.main([*start, *arguments]) == 2
        text = capsys.readouterr().err
        assert text.count("\n") == 1
        return text

    assert "give --images" in complaint()
    assert "1 files, expected one for each of 2 views" in complaint(
        "--images", *images[:1], "--cameras", str(cameras)
    )
    broken = [entries[0], {key: value for key, value in entries[1].items() if key != "fx"}]
    cameras.write_text(json.dumps(broken))
    assert "camera 1 has no fx" in complaint("--images", *images, "--cameras", str(cameras))
    cameras.write_text(json.dumps([entries[0], {**entries[1], "box": [9, 9, 2, 2]}]))
    assert "camera 1: box must be left, top, right, bottom" in complaint(
        "--images", *images, "--cameras", str(cameras)
    )
    cameras.write_text(json.dumps(entries))
    (tmp_path / "1.png").write_bytes(b"no image")
    assert "1.png: no image, or truncated" in complaint("--images", *images, "--cameras", str(cameras))


def write_annotations(folder):
    """A Human3.6M of eight images, the last of which is cut off; gives the path of that."""
    picture = tf.io.encode_jpeg(np.full((60, 60, 3), 90, np.uint8)).numpy()
    camera = {"R": np.eye(3), "T": np.zeros((3, 1)), "fx": 60.0, "fy": 60.0, "cx": 30.0, "cy": 30.0}
    items = []
    for frame in range(1, 9):
        path = folder / "images" / "s_01" / f"s_01_{frame:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture if frame < 8 else picture[: len(picture) // 2])
        items.append(
            {
                "image": f"s_01/{path.name}",
                "joints_2d": np.full((17, 2), 30.0),
                "joints_3d": np.tile([0.0, 0.0, 4000.0], (17, 1)),
                "joints_vis": np.ones((17, 3)),
                "image_id": frame,
                "camera_id": 0,
                **{"subject": 1, "action": 2, "subaction": 1},
                "camera": camera,
                "center": (30.0, 30.0),
                "scale": (0.2, 0.2),
            }
        )
    (folder / "annot").mkdir()
    (folder / "annot" / "h36m_train.pkl").write_bytes(pickle.dumps(items, protocol=4))
    return path


def test_an_unreadable_image_stops_training_with_its_name(tmp_path, capsys):
    damaged = write_annotations(tmp_path)
    config = write_config(tmp_path, "c", {**BACKBONE, "DATASET": "multiview_h36m", "STEPS_PER_EPOCH": 40})
    arguments = ["--config", config, "--out_dir", str(tmp_path / "run"), "--data_root", str(tmp_path)]
    assert train_program.main([*arguments, "--val_subset", "none"]) == 2
    text = capsys.readouterr().err.splitlines()[-1]
    assert damaged.name in text
    assert "truncated" in text


def test_data_that_is_not_there_is_named(tmp_path, capsys):
    config = write_config(tmp_path, "c", {**WARPER, "DATASET": "multiview_h36m"})
    arguments = ["--config", config, "--out_dir", str(tmp_path / "run"), "--dataDir", str(tmp_path)]
    assert train_program.main(arguments) == 2
    assert "prepare_multiview.py h36m makes it" in capsys.readouterr().err
    assert train_program.main([*arguments, "--data_format", "tar"]) == 2
    assert "DATA_FORMAT" in capsys.readouterr().err


def test_the_quickstart_configs_are_whole_and_fit_together():
    folder = Path(__file__).parents[2] / "config"
    backbone, warper = (load_config(folder / f"{name}_quickstart.json") for name in ("pose2d", "densewarper"))
    for name, config in (("pose2d", backbone), ("densewarper", warper)):
        assert json.loads((folder / f"{name}_quickstart.json").read_text()) == config.to_dict()
    for key in ("IMAGE_SIZE", "JOINTS", "SIGMA", "NUM_LAYERS", "STAGE_CHANNELS", "NUM_DECONV_FILTERS", "BGR"):
        assert getattr(backbone, key) == getattr(warper, key)
    assert warper.PRETRAINED == "logs/pose2d_quickstart/checkpoints/last_weights"
