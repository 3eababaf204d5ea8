"""What can be known without a network is said before TensorFlow starts, which takes seconds."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

# Arguments -> a part of the message, or of the help.
_EXPORTED = ["--input", "keypoints.json", "--width", "9", "--height", "9", "--output", "a.npz"]
# What is wrong with a flag that the exported file cannot follow, where something can run it at all.
_FLIP = "EVAL_FLIP" if importlib.util.find_spec("onnxruntime") else 'pip install ".[lite]"'
_RELEASED = str(Path(__file__).parents[1] / "golden/videopose3d/dilated/pretrained_h36m_cpn.bin")
_SAID = ["--weights", _RELEASED, "--set", "INPUT_SKELETON=h36m_17", "--set", "CAUSAL=false"]
_AMASS = ["--config", "amass_351", "--dataset", "amass", "--dataset_val", "synthetic"]
_TOO_FAST = ["--smooth", "butterworth:99"]
_RATED = ["--input", "rated.npz", "--output", "a.bvh"]
COMMANDS = {
    "inference": [
        (["--input", "missing.json", "--output", "a.npz"], "missing.json"),
        (["--input", "keypoints.json", "--output", "a.xyz"], ".xyz"),
        (["--input", "keypoints.json", "--output", "a.npz"], "--width"),
        (["--input", "keypoints.json", "--width", "9", "--height", "9"], "nothing to write"),
        (["--input", "damaged.json", "--output", "a.npz"], "damaged.json"),
        (["--input", ".", "--output_dir", "."], "is the folder that is read"),
        (["--input", "nowhere", "--output_dir", "out"], "nowhere does not exist"),
        (["--input", "clip.mp4", "--output", "a.npz"], "tf-pose3d-detector"),
        (["--input", "97"], "there is no webcam 97"),
        (["--weights", "missing.h5", "--input", "keypoints.json", "--output", "a.npz"], "missing.h5"),
        (["--arch", "hoif", "--viz_subject", "S11", "--viz_output", "a.gif"], "--weights"),
        (["--arch", "nobody", "--input", "keypoints.json"], "nobody"),
        (["--arch", "videopose3d", "--help"], "--architecture"),
        (["--unknown"], "--unknown"),
        ([*_EXPORTED, "--weights", "general", "--backend", "caffe"], "expected onnx or litert"),
        ([*_EXPORTED, "--weights", "general", "--backend", "litert"], "--format tflite"),
        (
            ["--weights", "general", "--backend", "onnx", "--viz_subject", "S1", "--output", "a.npz"],
            "--input",
        ),
        ([*_EXPORTED, "--weights", "general", "--backend", "onnx", "--set", "EVAL_FLIP=false"], _FLIP),
        ([*_EXPORTED, "--weights", _RELEASED], "which does not tell INPUT_SKELETON"),
        (
            [*_SAID, "--dataset", "custom", "-k", "mine", "--viz-subject", "a.mp4", "--viz-output", "a.png"],
            "there is no data/data_2d_custom_mine.npz",
        ),
        (
            [*_SAID, "--dataset", "synthetic", "--viz-subject", "S3", "--viz-output", "a.png"],
            "there are S1, S5",
        ),
        ([*_SAID, "--input", "missing.json", "--output", "a.npz"], "missing.json"),
        # Of the rate that is given, of the file's, and of the one that is supposed.
        ([*_EXPORTED, *_SAID, *_TOO_FAST, "--fps", "30"], "99 Hz at 30 frames per second, expected above 0"),
        ([*_RATED, *_SAID, *_TOO_FAST], "99 Hz at 25 frames per second, expected above 0 and below 12.5"),
        ([*_EXPORTED, *_SAID, *_TOO_FAST], "99 Hz at 50 frames per second, expected above 0 and below 25"),
        ([*_EXPORTED, *_SAID, "--smooth", "rts:15", "--fps", "30"], "15 Hz at 30 frames per second"),
        (
            ["--input", ".", "--output_dir", "out", *_SAID, *_TOO_FAST, "--fps", "30"],
            "99 Hz at 30 frames per second",
        ),
        (
            [
                "--input",
                "a.json",
                "b.json",
                "--cameras",
                "c.toml",
                "--output",
                "a.npz",
                *_TOO_FAST,
                "--fps",
                "30",
            ],
            "99 Hz at 30 frames per second",
        ),
    ],
    "eval": [
        (["--arch", "hoif"], "nothing to evaluate"),
        (["--arch", "hoif", "--weights", "missing.h5"], "missing.h5"),
        (["--arch", "lcn", "--help"], "--protocol2"),
        (["--weights", _RELEASED, "--dataset", "missing.npz"], "which does not tell INPUT_SKELETON"),
        ([*_SAID, "--dataset", "missing.npz"], "missing.npz does not exist"),
        ([*_SAID, "--dataset", "synthetic", "--test_subset", "S99"], "unknown Human3.6M split 'S99'"),
        ([*_SAID, "--dataset", "mpi_inf_3dhp"], "data_test_3dhp.npz does not exist"),
        (["--weights", "general", "--dataset", "motion"], "no motion is named"),
        (["--weights", "general", "--motion", "missing.npz"], "missing.npz does not exist"),
        ([*_SAID, "--dataset", "synthetic", "--actions", "Flying"], "action 'Flying' matches nothing"),
        ([*_SAID, "--set", "CHANNELS=7", "--dataset", "missing.npz"], "has CHANNELS 16, not 7"),
    ],
    "train": [
        (["--config", "nobody", "--out_dir", "out"], "nobody"),
        (["--config", "quickstart"], "--out_dir"),
        (["--config", "quickstart", "--out_dir", "out", "--dataset", "h36m"], "does not exist"),
        (["--config", "quickstart", "--out_dir", "out", "--set", "EPOCHS=-1"], "EPOCHS"),
        (["--config", "quickstart", "--out_dir", "out", "--dataset", "nothing"], "nothing"),
        (["--config", "general", "--out_dir", "out", "--motion", "missing"], "missing does not exist"),
        (["--config", "lcn_gt", "--out_dir", "out"], "h36m_train.pkl does not exist"),
        (["--config", "motionbert", "--out_dir", "out"], "h36m_sh_conf_cam_source_final.pkl does not exist"),
        (["--config", "motionbert_pretrain", "--out_dir", "out"], "expected sliced clips"),
        ([*_AMASS, "--out_dir", "out"], "--amass_path"),
        ([*_AMASS, "--out_dir", "out", "--amass_path", "nowhere"], "nowhere is no folder"),
        (["--config", "videopose3d_3dhp", "--out_dir", "out"], "data_train_3dhp.npz does not exist"),
        (["--config", "densewarper_h36m", "--out_dir", "out"], "tools/prepare_multiview.py h36m makes it"),
        (["--config", "densewarper_3dhp", "--out_dir", "out"], "prepare_multiview.py mpi_inf_3dhp makes it"),
        (["--config", "quickstart", "--out_dir", "out", "--train_subset", "S99"], "split 'S99'"),
        (["--config", "quickstart", "--out_dir", "out", "--val_subset", "S98"], "split 'S98'"),
        (["--config", "quickstart", "--out_dir", "out", "--test_subset", "S97"], "split 'S97'"),
        (["--config", "quickstart", "--out_dir", "out", "--continue_training"], "no checkpoint"),
        (["--config", "quickstart", "--out_dir", "clip.mp4"], "clip.mp4 is a file"),
        (["--config", "quickstart", "--out_dir", "out", "--strategy", "many"], "'many'"),
        (["--arch", "uplift", "--help"], "MASK_STRIDE"),
        (["--arch", "densewarper", "--help"], "--cams"),
        ([*_SAID, "--out_dir", "out", "--dataset", "missing.npz"], "missing.npz does not exist"),
    ],
}

CODE = """
import contextlib, importlib, io, json, sys
for program, commands in json.load(sys.stdin).items():
    main = importlib.import_module(f"tf_pose3d.cli.{program}").main
    for arguments, expected in commands:
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            try:
                code = main(arguments)
            except SystemExit as stop:
                code = stop.code
        print(json.dumps([program, arguments, expected, code, out.getvalue(), "tensorflow" in sys.modules]))
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What each command gave, all in one process."""
    folder = tmp_path_factory.mktemp("commands")
    points = [number for joint in range(17) for number in (100.0 + joint, 90.0 + 2 * joint, 0.9)]
    detection = {"image_id": 0, "category_id": 1, "keypoints": points, "score": 0.9}
    (folder / "keypoints.json").write_text(json.dumps([detection]))
    image = {"width": 90, "height": 90, "fps": 25.0, "layout": "coco_17"}
    np.savez(folder / "rated.npz", keypoints=np.ones((20, 17, 2)) + np.arange(17)[:, None], **image)
    (folder / "clip.mp4").write_bytes(bytes([0, 0, 0, 24]) + b"ftypisom" + bytes(500))
    (folder / "damaged.json").write_text('[{"image_id": 0,')
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        input=json.dumps(COMMANDS),
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "TF_POSE3D_DETECTOR": str(folder / "none")},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_messages(results):
    assert len(results) == sum(map(len, COMMANDS.values()))
    for program, arguments, expected, code, text, _ in results:
        assert expected in text, (program, arguments, text)
        assert code == (0 if "--help" in arguments else 2), (program, arguments)


def test_tensorflow_has_not_started(results):
    assert not any(started for *_, started in results)
