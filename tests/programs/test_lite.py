"""tf-pose3d-lite, the distribution without TensorFlow: built, and run where neither it nor Keras is."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
# Distributions of the present environment that the new one has, too: dependencies, and those of `[lite]`.
NEEDED = ("numpy", "h5py", "prettytable", "wcwidth", "PyYAML")
LITE = ("onnxruntime", "flatbuffers", "protobuf", "packaging")


def run(*command, **settings):
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=600, **settings
    )


def link_distribution(name, site):
    """Links what a distribution of the present environment installed."""
    distribution = importlib.metadata.distribution(name)
    source = Path(str(distribution.locate_file(""))).resolve()
    tops = {
        Path(str(file)).parts[0] for file in distribution.files or [] if ".." not in Path(str(file)).parts
    }
    for top in tops - {"__pycache__", "google"}:
        (site / top).symlink_to(source / top)
    if "google" in tops:
        # Shared by many distributions: protobuf's part alone.
        (site / "google").mkdir(exist_ok=True)
        (site / "google" / "protobuf").symlink_to(source / "google" / "protobuf")


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """The folder of programs of an environment with the built wheel and no TensorFlow."""
    folder = tmp_path_factory.mktemp("lite")
    tool = REPOSITORY / "tools" / "build_lite.py"
    built = run(sys.executable, tool, "--out", folder / "dist", "--no_build_isolation")
    assert built.returncode == 0, built.stderr
    assert built.stdout.startswith("wrote ")
    (wheel,) = (folder / "dist").glob("tf_pose3d_lite-*.whl")
    assert run(sys.executable, "-m", "venv", "--without-pip", folder / "venv").returncode == 0
    python = folder / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python]
    installed = run(*pip, "install", "-q", "--no-deps", wheel)
    assert installed.returncode == 0, installed.stderr
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip())
    for name in NEEDED:
        link_distribution(name, site)
    try:
        for name in LITE:
            importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        pass
    else:
        for name in LITE:
            link_distribution(name, site)
    # Nothing of what it is without.
    found = run(
        python, "-c", "import importlib.util as u; print(*map(u.find_spec, ['tensorflow', 'keras', 'absl']))"
    )
    assert found.stdout.split() == ["None"] * 3, found
    return python.parent


@pytest.fixture
def elsewhere(programs, tmp_path):
    """Runs a program of that environment in a folder with nothing but keypoints."""
    rng = np.random.default_rng(0)
    points = rng.uniform(300, 900, (1, 17, 2)) + 20 * np.sin(rng.uniform(0, 6, (60, 17, 2)))
    detections = [
        {
            "image_id": frame,
            "category_id": 1,
            "score": 0.9,
            "keypoints": np.concatenate([joints, np.full((17, 1), 0.9)], axis=1).round(2).ravel().tolist(),
        }
        for frame, joints in enumerate(points)
    ]
    (tmp_path / "keypoints.json").write_text(json.dumps(detections))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def start(program, *arguments, **settings):
        done = run(programs / program, *arguments, cwd=tmp_path, env=environment, **settings)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return start


INPUT = ("--input", "keypoints.json", "--width", "1200", "--height", "1200", "--fps", "30")


@pytest.mark.slow
def test_the_shipped_lifter(elsewhere, tmp_path):
    done = elsewhere("tf-pose3d-inference", *INPUT, "--output", "poses.npz")
    assert done.returncode == 0, done.stderr
    done = elsewhere("tf-pose3d-inference", *INPUT, "--output", "walk.bvh", "--viz_output", "walk.html")
    assert done.returncode == 0, done.stderr
    here = run(sys.executable, REPOSITORY / "inference.py", *INPUT, "--output", "here.npz", cwd=tmp_path)
    assert here.returncode == 0, here.stderr
    with np.load(tmp_path / "poses.npz") as found, np.load(tmp_path / "here.npz") as expected:
        np.testing.assert_allclose(found["pose_3d"], expected["pose_3d"], atol=1e-4)
    code = (
        "import sys, tf_pose3d; lifter = tf_pose3d.load(); "
        "print(lifter.lift(tf_pose3d.read_keypoints('keypoints.json'), 1200, 1200, 30).pose_3d.shape, "
        "'keras' in sys.modules)"
    )
    done = elsewhere("python", "-c", code)
    assert done.stdout.split("\n")[0] == "(60, 17, 3) False", done


@pytest.mark.slow
def test_a_stream(elsewhere):
    line = json.dumps(
        {"width": 900, "height": 900, "keypoints": [[100 + 9 * n, 80 + 20 * n, 1] for n in range(17)]}
    )
    done = elsewhere(
        "tf-pose3d-inference", "--input", "-", "--output", "-", "--layout", "coco_17", input=f"{line}\n" * 5
    )
    assert done.returncode == 0, done.stderr
    assert [json.loads(out)["frame"] for out in done.stdout.splitlines()] == list(range(5))


@pytest.mark.slow
def test_exported_weights(elsewhere, tmp_path):
    pytest.importorskip("tf2onnx")
    from tf_pose3d.inference.export import export_model
    from tf_pose3d.inference.lifter import load
    from tf_pose3d.inference.reading import read_keypoints
    from tf_pose3d.models.loading import build_model, save_model

    model = build_model("martinez")
    save_model(model, tmp_path / "x.h5")
    export_model(model, tmp_path / "x.onnx", "onnx")
    done = elsewhere(
        "tf-pose3d-inference", *INPUT, "--weights", "x.h5", "--backend", "onnx", "--output", "a.npz"
    )
    assert done.returncode == 0, done.stderr
    assert "x.onnx is run by ONNX Runtime" in done.stderr
    video = read_keypoints(tmp_path / "keypoints.json")
    expected = load(tmp_path / "x.h5").lift(video, 1200, 1200, 30).pose_3d
    with np.load(tmp_path / "a.npz") as found:
        np.testing.assert_allclose(found["pose_3d"], expected, atol=1e-4)
    done = elsewhere("tf-pose3d-inference", *INPUT, "--weights", "x.h5", "--output", "a.npz")
    assert done.returncode == 2
    assert "needs TensorFlow and Keras, which are not installed: pip install" in done.stderr
    assert "--backend" in done.stderr


@pytest.mark.slow
def test_what_needs_tensorflow_says_so(elsewhere):
    for command in (
        ["tf-pose3d-train", "--config", "quickstart", "--out_dir", "out"],
        ["tf-pose3d-eval", "--arch", "martinez", "--weights", "keypoints.json"],
        ["tf-pose3d-export", "--weights", "keypoints.json", "--format", "onnx"],
    ):
        done = elsewhere(*command)
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert "error: " in line
    done = elsewhere("tf-pose3d-train", "--config", "quickstart", "--out_dir", "out")
    expected = 'needs TensorFlow and Keras, which are not installed: pip install "absl-py>=2.0" "keras>=3.15"'
    assert expected in done.stderr
    code = "import tf_pose3d\ntry: {}\nexcept tf_pose3d.Pose3DError as error: print(error)"
    for call in ("tf_pose3d.train", "tf_pose3d.build_model('martinez')", "tf_pose3d.losses"):
        assert "needs TensorFlow and Keras" in elsewhere("python", "-c", code.format(call)).stdout, call
    done = elsewhere("tf-pose3d-inference", *INPUT, "--viz_output", "a.mp4")
    assert 'which is not installed: pip install "av>=13" "pillow>=10.1"' in done.stderr
