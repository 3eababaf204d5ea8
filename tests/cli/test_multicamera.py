import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import tf_pose3d
from tf_pose3d.cli.inference import main
from tf_pose3d.data.calibration import write_cameras

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """A folder with cam01_json to cam03_json of two people and Calib.toml; and the truth."""
    sys.path.insert(0, str(REPOSITORY / "tests"))
    try:
        from multicamera.conftest import Scenes
    finally:
        sys.path.pop(0)
    scenes = Scenes()
    folder = tmp_path_factory.mktemp("recording")
    rig = scenes.rig(3)
    truth = [scenes.walker(30, which) for which in (0, 1)]
    seen = [scenes.seen(rig, poses, seed=number) for number, poses in enumerate(truth)]
    scenes.write(folder, seen, rig)
    write_cameras(folder / "Calib.toml", rig.cameras)
    return folder, truth


def run(folder, *flags, inputs=("cam01_json", "cam02_json", "cam03_json")):
    paths = [str(folder / name) for name in inputs]
    return main(["--input", *paths, "--cameras", str(folder / "Calib.toml"), "--fps", "60", *map(str, flags)])


def test_files_are_written(recording, tmp_path, capsys):
    folder, truth = recording
    code = run(
        folder, "--output", tmp_path / "walk.trc", "--viz_output", tmp_path / "walk.html",
        "--report", tmp_path / "report.json", tmp_path / "report.txt",
    )  # fmt: skip
    assert code == 0
    lines = (tmp_path / "walk.trc").read_text().splitlines()
    assert lines[2].split("\t")[:5] == ["60", "60", "30", "26", "m"]
    names = [name for name in lines[3].split("\t")[2:] if name]
    values = [float(value or "nan") for value in lines[5].split("\t")[2:]]
    row = dict(zip(names, np.reshape(values, (-1, 3)), strict=True))
    # The one who is seen most; y is up.
    x, y, z = row["LShoulder"]
    close = [np.linalg.norm(poses[0, 5] - [z, x, y]) for poses in truth]
    assert min(close) < 0.02
    facts = json.loads((tmp_path / "report.json").read_text())
    assert facts["sound"]
    assert '"cameras":[{"name":"cam01"' in (tmp_path / "walk.html").read_text()
    said = capsys.readouterr()
    assert "wrote" in said.out
    assert said.err == ""


def test_a_file_for_each_person(recording, tmp_path):
    folder, truth = recording
    assert run(folder, "--people", "all", "--output", tmp_path / "walk.npz") == 0
    found = {}
    for number in (0, 1):
        with np.load(tmp_path / f"walk_{number}.npz") as file:
            distances = [np.nanmedian(np.linalg.norm(file["pose_3d"] - poses, axis=-1)) for poses in truth]
            found[int(np.argmin(distances))] = min(distances)
            assert file["views"].max() == 3
    assert sorted(found) == [0, 1]
    assert max(found.values()) < 0.01


@pytest.mark.parametrize("name", ["walk.json", "walk.csv", "walk.bvh", "walk.c3d", "walk.npy"])
def test_every_writer_takes_the_world(recording, tmp_path, name):
    assert run(recording[0], "--output", tmp_path / name) == 0
    assert (tmp_path / name).stat().st_size > 1000


@pytest.mark.parametrize("name", ["walk.glb", "walk.usda", "walk.mot"])
def test_animation_takes_the_stage(recording, tmp_path, capsys, name):
    assert run(recording[0], "--output", tmp_path / name, "--angles", tmp_path / "angles.csv") == 0
    said = capsys.readouterr().out
    assert f"{name}: bones of constant length" in said
    assert "where it was measured, the floor at 0" in said
    assert (tmp_path / name).stat().st_size > 1000
    header, first = (tmp_path / "angles.csv").read_text().splitlines()[:2]
    assert header.startswith("frame,seconds,pelvis_tilt")
    assert all(np.isfinite(float(cell)) for cell in first.split(","))


@pytest.mark.parametrize("placement", ["root", "camera", "floor", "world"])
def test_placements(recording, tmp_path, placement):
    flags = ("--people", "all", "--placement", placement, "--smooth", "rts", "--constant_bones")
    assert run(recording[0], *flags, "--output", tmp_path / "a.npz", "--viz_output", tmp_path / "a.png") == 0
    with np.load(tmp_path / "a_0.npz") as file:
        poses = file["pose_3d"]
        assert ("axes" in file) == (placement != "camera")
    lowest = np.fmin.reduce(poses[..., 2], axis=1)
    if placement == "root":
        assert np.nanmax(np.abs(poses[:, 19])) == 0
    elif placement == "camera":
        assert lowest.min() > 2
    elif placement == "floor":
        assert np.abs(lowest).max() < 1e-6
    else:
        assert abs(lowest.min()) < 0.05


def test_marker_files_hold_what_was_measured(recording, tmp_path):
    assert run(recording[0], "--output", tmp_path / "a.trc") == 0
    assert run(recording[0], "--output", tmp_path / "b.trc", "--raw") == 0
    one, other = ((tmp_path / name).read_text().splitlines()[1:] for name in ("a.trc", "b.trc"))
    assert one == other
    assert run(recording[0], "--output", tmp_path / "c.trc", "--constant_bones") == 0
    assert (tmp_path / "c.trc").read_text().splitlines()[1:] != one


def test_wrong_cameras_end_in_a_warning_and_with_strict_in_3(recording, tmp_path, capsys):
    folder, _ = recording
    text = (folder / "Calib.toml").read_text()
    swapped = text.replace('"cam01"', '"new"').replace('"cam02"', '"cam01"').replace('"new"', '"cam02"')
    (tmp_path / "Calib.toml").write_text(swapped)
    for name in ("cam01_json", "cam02_json", "cam03_json"):
        (tmp_path / name).symlink_to(folder / name)
    assert run(tmp_path, "--output", tmp_path / "walk.npz") == 0
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("inference.py: warning: cameras cam0")
    assert "exchanged" in last
    assert {"cam01", "cam02"} <= set(last.split())
    assert run(tmp_path, "--strict", "--output", tmp_path / "walk.npz") == 3


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "nothing to write"),
        (("--output", "x.docx"), "expected a name that ends in"),
        (("--report", "x.docx"), "expected a report"),
        (("--output", "x.npz", "--offsets", "cam02"), "expected VIEW=VALUE"),
        (("--output", "x.npz", "--offsets", "cam02=late"), "'late' is no number"),
        (("--output", "x.npz", "--offsets", "cam02=1", "cam02=2"), "given twice"),
        (("--output", "x.npz", "--offsets", "cam07=1"), "no view cam07"),
        (("--output", "x.npz", "--match", "cam01_json=cam09"), "no camera cam09"),
        (("--output", "x.npz", "--smooth", "kalman"), "butterworth"),
        (("--output", "x.npz", "--placement", "sky"), "invalid choice"),
        (("--output", "x.npz", "--level", "auto"), "unrecognized arguments"),
        (("--angles", "x.txt"), "clinical angles are written as .csv"),
        (("--output", "x.npz", "--detector", "eyes"), "expected one of blazepose"),
        (("--output", "x.npz", "--people", "nobody"), "no person of that id"),
        (("--output", "x.npz", "--speed", "9"), "unrecognized arguments"),
    ],
)
def test_bad_flags_are_one_line(recording, tmp_path, monkeypatch, capsys, flags, message):
    monkeypatch.chdir(tmp_path)
    assert run(recording[0], *flags) == 2
    said = capsys.readouterr().err.strip()
    assert message in said
    assert len(said.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_several_inputs_need_cameras(recording, capsys):
    folder, _ = recording
    assert main(["--input", str(folder / "cam01_json"), str(folder / "cam02_json"), "--output", "x.trc"]) == 2
    assert "with --cameras FILE" in capsys.readouterr().err


def test_tensorflow_is_not_started(recording, tmp_path):
    folder, _ = recording
    flags = ["--input", str(folder), "--cameras", str(folder / "Calib.toml"), "--output", "a.trc"]
    code = (
        "import sys; from tf_pose3d.cli.inference import main; "
        f"code = main({flags!r}); "
        "sys.exit(code or any(name in sys.modules for name in ('tensorflow', 'keras', 'scipy')))"
    )
    environment = {"PYTHONPATH": str(REPOSITORY), "PATH": ""}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=environment)


def test_camera_keys_and_groups_reach_the_reader(tmp_path, capsys):
    (tmp_path / "a.yml").write_text("%YAML:1.0\n---\ninner: [ 1, 2 ]\n")
    for name in ("one", "two"):
        (tmp_path / f"{name}.json").write_text("[]")
    inputs = ["--input", str(tmp_path / "one.json"), str(tmp_path / "two.json"), "--layout", "coco_17"]
    output = ["--output", str(tmp_path / "x.trc"), "--cameras", str(tmp_path / "a.yml")]
    opencv = ["--camera_format", "opencv", "--camera_keys", "matrix=outer"]
    assert main([*inputs, *output, *opencv]) == 2
    assert "has no outer for matrix; it has inner" in capsys.readouterr().err
    assert main([*inputs, *output, "--camera_format", "opencv", "--camera_group", "S1"]) == 2
    assert "group are for human36m files" in capsys.readouterr().err


class Recorded:
    """Stands in for a detector: finds what `recording` holds; a video's brightness says of which camera."""

    layout = "coco_17"
    folder = None

    def __init__(self, model=None):
        self.frame, self.video = 0, None

    def __call__(self, image, milliseconds):
        if self.video is None:
            camera = round(float(image.mean()) / 60)
            self.video = tf_pose3d.read_keypoints(
                Recorded.folder / f"cam0{camera}_json", width=1920, height=1080
            )
            Recorded.layout = self.video.skeleton.name
        frame, self.frame = self.frame, self.frame + 1
        people = [person for person in self.video.people if frame in person.frames]
        return [person.keypoints[np.searchsorted(person.frames, frame)] for person in people]


def test_videos_of_several_cameras(recording, tmp_path, monkeypatch, capsys):
    import av

    folder, _ = recording
    monkeypatch.setitem(sys.modules, "a_detector", SimpleNamespace(Recorded=Recorded))
    Recorded.folder = folder
    Recorded.layout = tf_pose3d.read_keypoints(folder / "cam01_json").skeleton.name
    for camera in (1, 2, 3):
        with av.open(str(tmp_path / f"cam0{camera}.mp4"), "w") as container:
            stream = container.add_stream("libx264", rate=60, options={"preset": "ultrafast"})
            stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
            for _ in range(30):
                image = np.full((1080, 1920, 3), 60 * camera, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
            container.mux(stream.encode())
    videos = [str(tmp_path / f"cam0{camera}.mp4") for camera in (1, 2, 3)]
    cameras = ["--cameras", str(folder / "Calib.toml"), "--fps", "60"]
    from_files, from_videos = tmp_path / "files.npz", tmp_path / "videos.npz"
    assert run(folder, "--output", from_files) == 0
    detector = ["--detector", "a_detector:Recorded"]
    assert main(["--input", *videos, *cameras, *detector, "--output", str(from_videos)]) == 0
    assert f"{videos[0]}: 30 frames" in capsys.readouterr().out
    with np.load(from_files) as expected, np.load(from_videos) as found:
        np.testing.assert_allclose(found["pose_3d"], expected["pose_3d"], atol=2e-3)
    # Videos are known as such, and not mixed with other files.
    monkeypatch.setenv("TF_POSE3D_DETECTOR", str(tmp_path / "none"))
    assert main(["--input", *videos, *cameras, "--output", str(from_videos)]) == 2
    assert "the command tf-pose3d-detector gets them" in capsys.readouterr().err
    mixed = [*videos[:2], str(folder / "cam03_json")]
    assert main(["--input", *mixed, *cameras, "--output", str(from_videos)]) == 2
    assert "is a video and" in capsys.readouterr().err
