"""`inference.py --input FOLDER --output_dir DIR` from its flags to its files, with the shipped lifter."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tf_pose3d.cli.inference import main
from tf_pose3d.data.synthetic import synthetic_sequences

REPOSITORY = Path(__file__).resolve().parents[2]


def joints(points):
    return [value for x, y in points.tolist() for value in (x, y, 0.9)]


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Two clips of one person each, OpenPose's frames of two people, a damaged file and a text."""
    place = tmp_path_factory.mktemp("clips")
    (sequence,) = synthetic_sequences(["S9"], frames=40, actions=["Walking"], skeleton="h36m_17")[:1]
    size = {"width": sequence.camera.width, "height": sequence.camera.height}
    points = sequence.pose_2d.astype(np.float32)
    for name in ("walk.npz", "deep/walk.npz"):
        (place / name).parent.mkdir(exist_ok=True)
        np.savez(place / name, keypoints=points, fps=50, layout="h36m_17", **size)
        points = points[::-1] + 3
    (place / "frames").mkdir()
    for number in range(12):
        people = [{"pose_keypoints_2d": joints(points[number] + move)} for move in (0, 250)]
        frame = {"people": people, "canvas_width": size["width"], "canvas_height": size["height"]}
        (place / "frames" / f"x_{number:012d}_keypoints.json").write_text(json.dumps(frame))
    (place / "broken.json").write_text('[{"image_id": 0,')
    (place / "read.txt").write_text("read me")
    return place


def run(*arguments, code=0, threads="1"):
    """The program in a process of its own; its lines."""
    done = subprocess.run(
        [sys.executable, REPOSITORY / "inference.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads},
        check=False,
    )
    assert done.returncode == code, done.stderr
    return (done.stdout + done.stderr).splitlines()


def results(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".jsonl"
    }


def test_a_mixed_folder(clips, tmp_path):
    out = tmp_path / "out"
    layout = ("--layout", "coco_17", "--people", "all", "--formats", "npz,html,json")
    lines = run("--input", clips, "--output_dir", out, "--workers", 2, *layout, code=1)
    assert any("broken.json failed: " in line for line in lines)
    held = {
        line["file"]: line
        for line in map(json.loads, (out / "manifest.jsonl").read_text().splitlines())
        if "file" in line
    }
    assert {name: line["status"] for name, line in held.items()} == {
        "broken.json": "failed", "frames": "done", "deep/walk.npz": "done", "walk.npz": "done"
    }  # fmt: skip
    assert held["frames"]["people"] == 2
    assert held["frames"]["frames"] == 12
    assert set(results(out)) == {
        *(f"frames_{person}{ending}" for person in (0, 1) for ending in (".npz", ".html", ".json")),
        *(f"{stem}_0{ending}" for stem in ("walk", "deep/walk") for ending in (".npz", ".html", ".json")),
    }
    assert set(held["frames"]["outputs"]) == {name for name in results(out) if name.startswith("frames")}


def test_results_are_those_of_one_file_alone_whoever_makes_them(clips, tmp_path):
    formats = ("--formats", "npz,bvh", "--layout", "h36m_17")
    run("--input", clips, "--output_dir", tmp_path / "one", "--workers", 1, *formats, code=1)
    # By its name, the damaged file is the second's.
    run("--input", clips, "--output_dir", tmp_path / "parts", "--shard", "1/2", *formats)
    first = results(tmp_path / "parts")
    run("--input", clips, "--output_dir", tmp_path / "parts", "--shard", "2/2", *formats, code=1)
    run("--input", clips / "walk.npz", "--output", tmp_path / "walk.npz")
    expected = results(tmp_path / "one")
    assert set(expected) == {
        f"{stem}{ending}" for stem in ("walk", "deep/walk", "frames") for ending in (".npz", ".bvh")
    }
    assert results(tmp_path / "parts") == expected
    assert set(first) < set(expected)
    assert expected["walk.npz"] == (tmp_path / "walk.npz").read_bytes()


def test_a_second_start(clips, tmp_path, capsys):
    place = tmp_path / "in"
    place.mkdir()
    (place / "walk.npz").write_bytes((clips / "walk.npz").read_bytes())
    command = ["--input", str(place), "--output_dir", str(tmp_path / "out"), "--workers", "1"]
    assert main(command) == 0
    assert main(command) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[-2] == f"1 file, 1 done before: 0 to lift into {tmp_path / 'out'}"
    assert main([*command, "--smooth", "butterworth"]) == 0
    out = capsys.readouterr().out
    assert "1 file lifted under other settings (--smooth changed): again now" in out


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """A grey video of ten frames."""
    pytest.importorskip("av")
    from PIL import Image

    from tf_pose3d.render.video import write_mp4

    path = tmp_path_factory.mktemp("video") / "grey.mp4"
    write_mp4(path, [Image.new("RGB", (64, 48), (100, 100, 100))] * 10, 10)
    return path


@pytest.mark.parametrize(
    ("given", "alone", "worker"), [((), None, 1), (("--threads", "2"), 2, 2), (("--threads", "1"), 1, 1)]
)
def test_threads_reach_the_detector(video, tmp_path, monkeypatch, given, alone, worker):
    """Of a single video, and of a worker's, whatever their number and the machine's cores."""
    from tf_pose3d.cli import inference
    from tf_pose3d.cli.folder import FolderTask
    from tf_pose3d.inference import detectors
    from tf_pose3d.inference.folder.task import Assignment

    asked = []

    class Still:
        layout = "h36m_17"

        def __call__(self, image, milliseconds):
            points = np.full((17, 3), 20.0)
            points[:, 1] = np.linspace(2, 40, 17)
            return [points]

    def make(name, model, threads):
        asked.append(threads)
        return Still()

    monkeypatch.setattr(detectors, "make_detector", make)
    assert main(["--input", str(video), "--output", str(tmp_path / "x.npz"), *given]) == 0
    arguments = ("--input", str(video), "--output_dir", str(tmp_path / "out"), *given)
    setup = inference.prepare(arguments)
    task = FolderTask(arguments, os.getcwd(), {}, setup.arguments.people == "all")
    task.start()(Assignment(str(video), "video", "grey", str(tmp_path)))
    assert asked == [alone, worker]
    assert (tmp_path / "grey.npz").read_bytes() == (tmp_path / "x.npz").read_bytes()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--output_dir", "OUT"], "--output_dir is for --input FOLDER: which folder?"),
        (["--input", "-", "--output_dir", "OUT"], "a stream (--input -) goes to --output -"),
        (["--input", "IN", "--output_dir", "OUT", "--output", "x.npz"], "--output names one file"),
        (["--input", "IN", "--output_dir", "OUT", "--viz_output", "x.gif"], "--viz_output names one file"),
        (
            ["--input", "IN", "--output_dir", "OUT", "--viz_video", "x.mp4"],
            "--viz_video is for one recording",
        ),
        (["--input", "IN", "--output_dir", "OUT", "--shard", "0/4"], "expected 1/4 to 4/4"),
        (["--input", "IN", "--output_dir", "OUT", "--shard", "3"], "expected NUMBER/COUNT, e.g. 3/16"),
        (["--input", "IN", "--output_dir", "OUT", "--formats", "docx"], "--formats docx: "),
        (["--input", "IN", "--output_dir", "OUT", "--formats", ","], "--formats is empty"),
        (["--input", "IN", "--output_dir", "OUT", "--formats", "gif,html"], "both pictures"),
        (["--input", "IN", "--output_dir", "OUT", "--workers", "0"], "--workers 0: expected 1 or more"),
        (["--input", "IN", "--output_dir", "OUT", "--workers", "two"], "--workers"),
        (["--input", "IN", "--output_dir", "OUT", "--engine", "slurm"], "--engine"),
        (["--input", "IN", "--output_dir", "OUT", "--smooth", "magic"], "--smooth"),
        (["--input", "IN", "--output_dir", "IN"], "is the folder that is read"),
        (["--input", "nowhere", "--output_dir", "OUT"], "nowhere does not exist, expected a folder"),
        (["--input", "OUT", "--output_dir", "OTHER"], "holds no video and no keypoint file to lift"),
        (["--input", "IN", "--output_dir", "OUT", "--threads", "0"], "--threads 0: expected 1 or more"),
        (["--input", "IN", "--output_dir", "OUT", "--file_timeout", "-1"], "expected seconds, more than 0"),
        (["--input", "IN", "--output_dir", "OUT", "--file_timeout", "long"], "--file_timeout"),
        (["--input", "IN", "--workers", "2"], "--workers"),
        (["--input", "WALK", "--threads", "2"], "--threads is for a folder"),
        (["--input", "WALK", "--file_timeout", "9"], "--file_timeout is for a folder"),
        (["--input", "VIDEO", "--threads", "0"], "--threads 0: expected 1 or more"),
        (["--input", "SUB", "--output", "x.npz"], "a folder of clips is lifted with --output_dir"),
    ],
)
def test_wrong_flags(tmp_path, clips, video, capsys, flags, message):
    (tmp_path / "out").mkdir()
    places = {"IN": str(clips), "OUT": str(tmp_path / "out"), "OTHER": str(tmp_path / "other")}
    places |= {"SUB": str(clips / "deep"), "WALK": str(clips / "walk.npz"), "VIDEO": str(video)}
    assert main([places.get(flag, flag) for flag in flags]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "no --weights" not in line]
    assert message in line
    assert list(tmp_path.rglob("*")) == [tmp_path / "out"]
