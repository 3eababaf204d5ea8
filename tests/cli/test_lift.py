"""`inference.py --input` and `--demo` from flags to files; bad input ends in one line and no file."""

import importlib.util
import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from tf_pose3d.camera import project_pixels
from tf_pose3d.cli.inference import main
from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.inference.detectors import detect_people
from tf_pose3d.models.loading import build_model, save_model
from tf_pose3d.models.martinez.family import MartinezFamily
from tf_pose3d.skeleton import get_skeleton

_PATH = Path(__file__).resolve().parents[2] / "tools" / "keypoint_writers.py"
_SPEC = importlib.util.spec_from_file_location("keypoint_writers", _PATH)
writers = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(writers)

FRAMES = 24


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "model.h5"
    keras.utils.set_random_seed(0)
    save_model(build_model(MartinezFamily.config_class()), path)
    return path


@pytest.fixture(scope="module")
def clip():
    """`(F, 17, 3)` COCO keypoints of a person who walks, in an image of 1000 x 1002."""
    sequence = synthetic_sequences(["S9"], frames=FRAMES, actions=["Walking"], skeleton="h36m_17")[0]
    held = dict(zip(sequence.skeleton.joints, np.moveaxis(sequence.pose_3d, 1, 0), strict=True))
    missing = {"hips_end": "pelvis", "foot": "ankle", "toe": "ankle", "clavicle": "neck"}

    def place(joint):
        side, point = (joint[:2], joint[2:]) if joint[1] == "_" else ("", joint)
        near = missing.get(point, "wrist")
        return held.get(joint, held.get(side + near, held.get(near)))

    poses = np.stack([place(joint) for joint in get_skeleton("h36m_32").joints], axis=1)
    pixels = project_pixels(writers.detector_points(poses, "coco_17"), sequence.camera)
    return np.concatenate([pixels, np.full((FRAMES, 17, 1), 0.9)], axis=2).astype(np.float32)


@pytest.fixture
def run(weights, tmp_path, monkeypatch, capfd):
    """Runs the program in an empty folder; gives (exit code, lines on stdout, lines on stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*flags):
        given = list(map(str, flags))
        code = main(given if "--demo" in given else ["--weights", str(weights), *given])
        out, err = capfd.readouterr()
        noise = ("lifting", "drawing", "detecting", "inference.py: warning")
        return code, out.splitlines(), [line for line in err.splitlines() if not line.startswith(noise)]

    return run


def write(label, folder, clip, fps=25):
    return writers.write(label, folder, clip, 1000, 1002, fps)


SIZE = ["--width", 1000, "--height", 1002]


@pytest.mark.parametrize("label", ["OpenPose BODY_25", "COCO results"])
def test_poses_and_pages(run, tmp_path, clip, label):
    points = clip if label == "COCO results" else np.full((FRAMES, 25, 3), 0.9, np.float32)
    if label != "COCO results":
        order = get_skeleton("openpose_25")
        for joint in order.joints:
            if joint in get_skeleton("coco_17").joints:
                points[:, order.index(joint)] = clip[:, get_skeleton("coco_17").index(joint)]
        for joint, parts in {"neck": "shoulder", "pelvis": "hip"}.items():
            sides = [clip[:, get_skeleton("coco_17").index(f"{side}_{parts}")] for side in "lr"]
            points[:, order.index(joint)] = sum(sides) / 2
        for joint in range(19, 25):
            points[:, joint] = points[:, order.index("l_ankle" if joint < 22 else "r_ankle")]
    path = write(label, tmp_path, points)
    code, out, err = run("--input", path, *SIZE, "--output", "pose.npz", "--viz_output", "pose.html")
    assert (code, err) == (0, [])
    assert "does not tell its frame rate: taken as 50 per second" in out[0]
    assert f"{FRAMES} frames of 1000x1002 at 50 per second, person 0 of 1" in out[1]
    assert out[-1] == f"wrote pose.html: {FRAMES} frames, 50 per second"
    with np.load("pose.npz", allow_pickle=False) as held:
        assert held["pose_3d"].shape == (FRAMES, 16, 3)
        assert held["present"].all()
        assert (int(held["width"]), int(held["height"])) == (1000, 1002)


def test_placements(run, tmp_path, clip):
    path = write("npz array, coco_17", tmp_path, clip)
    poses = {}
    for placement in ("root", "camera", "floor"):
        code, _, err = run("--input", path, "--output", f"{placement}.npy", "--placement", placement)
        assert (code, err) == (0, [])
        poses[placement] = np.load(f"{placement}.npy")
    assert (poses["root"][:, 0] == 0).all()
    np.testing.assert_allclose(
        poses["camera"] - poses["camera"][:, :1], poses["root"], atol=1e-4 * np.abs(poses["camera"]).max()
    )
    np.testing.assert_allclose(poses["floor"][..., 1].max(axis=1), 0, atol=1e-6)


@pytest.mark.parametrize("suffix", [".json", ".csv", ".bvh", ".trc", ".c3d"])
def test_every_format_of_poses(run, tmp_path, clip, suffix):
    path = write("npz array, coco_17", tmp_path, clip)
    code, out, err = run("--input", path, "--output", f"pose{suffix}")
    assert (code, err, out[-1]) == (0, [], f"wrote pose{suffix}")
    assert Path(f"pose{suffix}").stat().st_size > 1000


@pytest.mark.parametrize(("suffix", "said"), [(".npz", True), (".bvh", False)])
def test_names_of_bones_that_a_file_lacks(weights, tmp_path, clip, capfd, suffix, said):
    path = write("npz array, coco_17", tmp_path, clip)
    flags = ["--input", str(path), "--output", str(tmp_path / f"pose{suffix}"), "--bvh_names", "cmu"]
    assert main(["--weights", str(weights), *flags]) == 0
    assert ("--bvh_names cmu is without effect" in capfd.readouterr().err) == said


def test_smooth_poses_of_one_skeleton(run, tmp_path, clip):
    path = write("COCO results", tmp_path, clip)
    flags = ["--input", path, *SIZE, "--fps", 50]
    code, _, err = run(*flags, "--output", "plain.npy")
    assert (code, err) == (0, [])
    steps = ["--smooth", "butterworth:5"]
    code, out, err = run(*flags, "--output", "smooth.npy", *steps)
    assert (code, err) == (0, [])
    assert "smooth.npy: smoothed (Butterworth, 5 Hz)" in out
    jitter = [np.abs(np.diff(np.load(f"{name}.npy"), 2, axis=0)).mean() for name in ("plain", "smooth")]
    assert jitter[1] < jitter[0]
    code, out, err = run(
        *flags, "--output", "even.npy", "--viz_output", "even.html", *steps, "--constant_bones"
    )
    assert (code, err) == (0, [])
    assert "even.npy: smoothed (Butterworth, 5 Hz), bones of constant length" in out
    assert any(line.startswith("even.html: smoothed (Butterworth, 5 Hz), bones of") for line in out)
    even = np.load("even.npy")
    lengths = np.linalg.norm(even[:, 1:3] - even[:, :2], axis=-1)
    np.testing.assert_allclose(lengths, lengths[:1].repeat(len(even), axis=0), rtol=1e-3)


def test_all_people(run, tmp_path, clip):
    small = clip.copy()
    small[..., :2] = small[..., :2] / 2 + [600, 20]
    # The second person leaves after half of the clip.
    detections = [
        {"image_id": frame, "keypoints": pose.ravel().tolist()}
        for number, person in enumerate((clip, small))
        for frame, pose in enumerate(person[: FRAMES // (1 + number)])
    ]
    (tmp_path / "two.json").write_text(json.dumps(detections, default=float))
    code, out, err = run("--input", "two.json", *SIZE, "--people", "all", "--output", "p.npz")
    assert (code, err) == (0, [])
    assert out[-2:] == ["wrote p_0.npz", "wrote p_1.npz"]
    with np.load("p_1.npz") as held:
        assert held["present"].tolist() == [True] * (FRAMES // 2) + [False] * (FRAMES // 2)
        assert np.isnan(held["pose_3d"][-1]).all()
    code, _, err = run("--input", "two.json", *SIZE, "--people", "5", "--output", "p.npz")
    assert code == 2
    assert "no person of that id in two.json; there are 0, 1" in err[0]


def test_no_people_in_some_frames_is_said(run, tmp_path, clip, capfd, weights):
    clip = clip.copy()
    clip[3:15] = np.nan
    path = write("AlphaPose", tmp_path, clip)
    main(
        [
            "--weights",
            str(weights),
            "--input",
            str(path),
            "--width",
            "1000",
            "--height",
            "1002",
            "--output",
            "x.npy",
        ]
    )
    assert "inference.py: warning: no person in 12 of 24 frames" in capfd.readouterr().err
    assert np.isnan(np.load("x.npy")).all(axis=(1, 2)).sum() == 12


def stream(clip):
    return io.StringIO("".join(json.dumps(frame) + "\n" for frame in clip.tolist()))


def test_a_stream(run, clip, monkeypatch):
    monkeypatch.setattr(sys, "stdin", stream(clip))
    code, out, err = run("--input", "-", "--output", "-", *SIZE, "--layout", "coco_17")
    assert (code, err) == (0, [])
    assert [json.loads(line)["frame"] for line in out] == list(range(FRAMES))


def test_a_stream_without_jitter(run, clip, monkeypatch):
    poses = {}
    for name, flags in (("plain", []), ("smooth", ["--smooth", "one_euro:1:1"])):
        monkeypatch.setattr(sys, "stdin", stream(clip))
        code, out, _ = run("--input", "-", "--output", "-", *SIZE, "--layout", "coco_17", *flags)
        assert code == 0
        poses[name] = np.array([json.loads(line)["pose_3d"] for line in out])
    np.testing.assert_array_equal(poses["plain"][0], poses["smooth"][0])
    jitter = [np.abs(np.diff(held, 2, axis=0)).mean() for held in poses.values()]
    assert jitter[1] < 0.7 * jitter[0]


def test_everyone_in_one_world(run, tmp_path, clip):
    shifted = clip.copy()
    shifted[..., 0] += 150
    detections = [
        {"image_id": frame, "keypoints": pose.ravel().tolist()}
        for person in (clip, shifted)
        for frame, pose in enumerate(person)
    ]
    Path("two.json").write_text(json.dumps(detections, default=float))
    flags = ["--input", "two.json", *SIZE, "--fps", 50, "--people", "all", "--placement", "world"]
    flags += ["--focal_length", 1000, "--camera_pitch", 5]
    code, out, _ = run(*flags, "--output", "p.npz", "--viz_output", "p.html", "--angles", "a.csv")
    assert code == 0
    # What was done to both is said once, what was done to one with their name.
    said = [line for line in out if line.startswith("p.npz: ")]
    assert said[0].startswith("p.npz: level by the camera's given angles")
    assert all("level by" not in line and line.startswith("p.npz: person ") for line in said[1:])
    assert len(said) == 3
    files = [np.load(f"p_{number}.npz") for number in range(2)]
    assert {str(held["level_by"]) for held in files} == {"angles"}
    np.testing.assert_allclose(files[0]["pose_3d"][0, 0, :2], 0, atol=1e-5)
    assert np.abs(files[1]["pose_3d"][0, 0, :2]).max() > 0.05
    assert "p.html: 2 people in one picture, in one space" in out
    assert Path("p.html").exists()
    assert Path("a_0.csv").exists()
    assert Path("a_1.csv").exists()
    code, out, _ = run(*flags, "--viz_output", "p.png", "--viz_limit", 2)
    assert code == 0
    assert "p.png: 2 people in one picture, in one space" in out
    assert not Path("p_0.png").exists()


def test_an_interrupted_stream_keeps_what_is_written(run, clip, monkeypatch):
    def lines():
        yield from list(stream(clip))[:5]
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "stdin", lines())
    code, out, err = run("--input", "-", "--output", "-", *SIZE, "--layout", "coco_17")
    assert (code, len(out)) == (130, 5)
    assert err == ["inference.py: interrupted after 5 frames, all of them written"]


def test_an_interrupted_clip_keeps_what_is_done(run, tmp_path, clip, monkeypatch):
    monkeypatch.setattr("tf_pose3d.inference.lifter._CHUNK", 10)
    from tf_pose3d.evaluation.prediction import Predictor

    predict, calls = Predictor.__call__, []

    def interrupted(self, *arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return predict(self, *arguments)

    monkeypatch.setattr(Predictor, "__call__", interrupted)
    path = write("npz array, coco_17", tmp_path, clip)
    code, out, _ = run("--input", path, "--output", "pose.npy")
    assert code == 130
    assert f"interrupted: the first 10 of {FRAMES} frames are kept" in out
    assert len(np.load("pose.npy")) == 10


def a_video(path, frames):
    import av

    with av.open(str(path), "w") as container:
        held = container.add_stream("libx264", rate=25)
        held.width, held.height, held.pix_fmt = 1000, 1000, "yuv420p"
        for _ in range(frames):
            container.mux(held.encode(av.VideoFrame.from_ndarray(np.zeros((1000, 1000, 3), np.uint8))))
        container.mux(held.encode())
    return path


class Fixed:
    """Stands in for a detector: the same person in every frame."""

    layout = "coco_17"

    def __init__(self, model=None):
        self.seen = []

    def __call__(self, image, milliseconds):
        self.seen.append((image.shape, milliseconds))
        if Fixed.pose is None:
            raise KeyboardInterrupt
        return [Fixed.pose]


def test_a_video(run, tmp_path, clip, monkeypatch):
    monkeypatch.setitem(sys.modules, "a_detector", SimpleNamespace(Fixed=Fixed))
    Fixed.pose = clip[0]
    a_video(tmp_path / "clip.mp4", 6)
    flags = [
        "--input",
        "clip.mp4",
        "--detector",
        "a_detector:Fixed",
        "--output",
        "pose.npz",
        "--viz_output",
        "pose.html",
    ]
    code, out, err = run(*flags)
    assert (code, err) == (0, [])
    assert "clip.mp4: video, coco_17, 6 frames of 1000x1000 at 25 per second, person 0 of 1" in out
    # The video itself lies under the keypoints.
    assert Path("pose.html").read_text().count("data:image/jpeg") == 6
    detector = Fixed()
    video, interrupted = detect_people(tmp_path / "clip.mp4", detector)
    assert (video.num_frames, interrupted) == (6, False)
    assert detector.seen[2] == ((1000, 1000, 3), 80)
    Fixed.pose = None
    assert run(*flags)[0] == 130


def test_a_video_without_frames(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "a_detector", SimpleNamespace(Fixed=Fixed))
    a_video(tmp_path / "none.mp4", 0)
    code, _, err = run("--input", "none.mp4", "--detector", "a_detector:Fixed", "--output", "x.npz")
    assert code == 2
    assert len(err) == 1
    assert "none.mp4" in err[0]
    code, _, err = run("--input", "nowhere.mp4", "--detector", "a_detector:Fixed", "--output", "x.npz")
    assert (code, err) == (2, ["inference.py: error: nowhere.mp4 does not exist, expected a video file"])


def test_a_cutoff_that_the_video_cannot_show(run, tmp_path, monkeypatch):
    """The video's header tells before anybody is looked for."""

    class Idle(Fixed):
        def __call__(self, image, milliseconds):
            raise AssertionError

    monkeypatch.setitem(sys.modules, "a_detector", SimpleNamespace(Idle=Idle))
    a_video(tmp_path / "clip.mp4", 3)
    flags = ["--detector", "a_detector:Idle", "--output", "x.npz", "--smooth", "rts:99"]
    code, _, err = run("--input", "clip.mp4", *flags)
    assert (code, len(err)) == (2, 1)
    assert "a cutoff of 99 Hz at 25 frames per second, expected above 0 and below 12.5" in err[0]


def test_videos_need_the_networks_once(run, tmp_path, monkeypatch):
    monkeypatch.setenv("TF_POSE3D_DETECTOR", str(tmp_path / "none"))
    a_video(tmp_path / "clip.mp4", 3)
    code, _, err = run("--input", "clip.mp4", "--output", "x.npz")
    assert code == 2
    assert len(err) == 1
    assert "the command tf-pose3d-detector gets them, once" in err[0]
    code, _, err = run("--input", "clip.mp4", "--detector", "mediapipe", "--output", "x.npz")
    assert code == 2
    assert "is replaced by --detector blazepose" in err[0]


@pytest.fixture
def bad(tmp_path, clip):
    """Files that are wrong in one way each."""
    write("COCO results", tmp_path, clip)
    good = json.loads((tmp_path / "coco.json").read_text())

    def changed(name, change):
        content = json.loads(json.dumps(good))
        change(content)
        (tmp_path / name).write_text(json.dumps(content))

    (tmp_path / "empty.json").write_text("")
    (tmp_path / "cut.json").write_text((tmp_path / "coco.json").read_text()[:3000])
    changed("joints.json", lambda content: content[5].update(keypoints=[1.0] * 48))
    changed(
        "outside.json",
        lambda content: [
            d.update(keypoints=[v * 9 if i % 3 < 2 else v for i, v in enumerate(d["keypoints"])])
            for d in content
        ],
    )
    changed("confident.json", lambda content: content[2]["keypoints"].__setitem__(2, 87))
    (tmp_path / "nobody.json").write_text(json.dumps([{"version": 1.3, "people": []}] * 9))
    sizes = [{"id": i, "file_name": f"{i}.jpg", "width": 640 + i // 5, "height": 480} for i in range(10)]
    (tmp_path / "sizes.json").write_text(json.dumps({"images": sizes, "annotations": []}))
    np.save(tmp_path / "seventeen.npy", clip)
    return tmp_path


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["empty.json"], ["empty.json is empty"]),
        (["cut.json"], ["cut.json is cut off at line 1, character", "copy or make it again"]),
        (["joints.json"], ["joints.json, detection 5: 16 keypoints, expected 17"]),
        (["outside.json"], ["outside.json:", "of the joints lie outside the image of 1000x1002"]),
        (["confident.json"], ["confident.json, detection 2: a confidence of 87, expected 0 to 1"]),
        (["nobody.json"], ["nobody.json: no people in any of its 9 frames"]),
        (["sizes.json"], ["sizes.json: images of mixed sizes (640x480 and 641x480 ...)"]),
        (["seventeen.npy"], ["seventeen.npy has 17 joints", "coco_17 (--layout)"]),
        (["seventeen.npy", "--layout", "kinect"], ["unknown joint layout 'kinect'", "Known: ", "coco_17"]),
        (["coco.json", "--input_format", "kinect"], ["unknown input format 'kinect', expected one of"]),
        (["nowhere.json"], ["nowhere.json does not exist"]),
        (["coco.json", "--detector", "kinect"], ["--detector kinect: expected one of blazepose"]),
        (["coco.json", "--min_confidence", "0.95"], ["no joint in any of its 24 frames has a confidence"]),
        (["coco.json", "--fps", "-3"], ["-3 frames per second, expected a rate above 0"]),
    ],
)
def test_bad_input(run, bad, flags, words):
    before = set(bad.iterdir())
    code, _, err = run("--input", *flags, *SIZE, "--output", "x.npz")
    assert code == 2
    assert len(err) == 1
    assert err[0].startswith("inference.py: error: ")
    for word in words:
        assert word in err[0]
    assert set(bad.iterdir()) == before


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (["--input", "coco.json"], "nothing to write"),
        (
            ["--input", "coco.json", "--output", "x.npz"],
            "does not tell the image size; give --width and --height",
        ),
        (["--input", "coco.json", "--output", "coco.json"], "--output coco.json is a file that is read"),
        (
            ["--input", "coco.json", "--viz_output", "x.bmp", *SIZE],
            "x.bmp: expected a picture whose name ends in",
        ),
        (["--input", "coco.json", "--output", "x.txt"], "x.txt: expected a name that ends in .npz"),
        (["--input", "-", "--output", "x.npz"], "a stream goes from --input -, or a webcam, to --output -"),
        (["--input", "-", "--output", "-", "--viz_output", "x.gif"], "a stream is not drawn"),
        (
            ["--input", "-", "--output", "-", "--constant_bones"],
            "--constant_bones needs the whole clip, which a stream never has",
        ),
        (["--input", "-", "--output", "-", "--smooth", "rts"], "of a stream: expected one_euro"),
        (["--input", "coco.json", "--output", "x.npz", "--smooth", "one_euro"], "is for streams"),
        (
            ["--input", "coco.json", "--output", "x.bvh", "--raw", "--level", "auto"],
            "--raw: raw poses are not",
        ),
        (["--input", "coco.json", "--output", "x.bvh", "--stature", "178"], "a stature of 178 metres"),
        (
            ["--input", "coco.json", "--output", "x.npz", "--placement", "camera", "--level", "auto"],
            "placement camera leaves poses in the camera's space",
        ),
        (["--input", "coco.json", "--output", "x.bvh", "--camera_pitch", "95"], "pitch of 95 degrees"),
        (
            ["--input", "coco.json", "--output", "x.csv", "--angles", "./x.csv", *SIZE],
            "--angles ./x.csv is a file that another flag writes; name another",
        ),
        (["--demo", "--angles", "a.csv"], "--demo shows poses as they are: without --angles"),
        (["--input", "-", "--output", "-", "--angles", "a.csv"], "--angles needs the whole clip"),
        (["--input", "-", "--output", "-", "--repair_sides"], "--repair_sides needs the whole clip"),
        (["--input", "coco.json", "--output", "x.npz", "--repair_sides", "maybe"], "'maybe'"),
        (["--demo", "--smooth", "butterworth"], "--demo shows poses as they are"),
        (
            ["--input", "coco.json", "--output", "x.npz", "--smooth", "kalman"],
            "expected butterworth or rts",
        ),
    ],
)
def test_bad_flags(run, bad, flags, word):
    before = set(bad.iterdir())
    code, _, err = run(*flags)
    assert (code, len(err)) == (2, 1)
    assert word in err[0]
    assert set(bad.iterdir()) == before


def test_an_empty_stream(run, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    code, out, err = run("--input", "-", "--output", "-")
    assert (code, out) == (2, [])
    assert "standard input: no lines" in err[0]


def test_the_demo_needs_nothing(run):
    code, out, err = run("--demo", "--viz_limit", 4)
    assert (code, err) == (0, ["inference.py: no --weights: the shipped lifter general, see docs/general.md"])
    assert float(out[0].rsplit("(MPJPE) ", 1)[1].split()[0]) < 110
    assert Path("demo.html").stat().st_size > 10_000
    assert Path("demo.gif").read_bytes()[:6] == b"GIF89a"


def test_the_video_tells_size_and_rate(weights, clip, tmp_path, capfd):
    av = pytest.importorskip("av")
    video = tmp_path / "clip.mp4"
    with av.open(str(video), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height = 1000, 1002
        for _ in range(2 * FRAMES):
            container.mux(stream.encode(av.VideoFrame(1000, 1002, "yuv420p")))
        container.mux(stream.encode())
    marks = [
        [
            {"x": x / 1000, "y": y / 1002, "visibility": 0.9}
            for x, y in np.resize(pose[:, :2], (33, 2)).tolist()
        ]
        for pose in clip
    ]
    source = tmp_path / "marks.json"
    source.write_text(json.dumps(marks))
    output = tmp_path / "o.npz"
    flags = ["--weights", str(weights), "--input", str(source), "--output", str(output)]
    assert main([*flags]) == 2
    assert "give its size by --width and --height" in capfd.readouterr().err
    assert main([*flags, "--viz_video", str(video)]) == 0
    captured = capfd.readouterr()
    assert "1000x1002, 25 per second, as" in captured.out
    assert f"has {FRAMES} frames, {video} {2 * FRAMES}: was every frame detected" in captured.err
    held = np.load(output)
    assert (int(held["width"]), int(held["height"]), float(held["fps"])) == (1000, 1002, 25)
    # What is said goes before what the video tells.
    assert (
        main([*flags, "--viz_video", str(video), "--fps", "50", "--width", "1000", "--height", "1002"]) == 0
    )
    assert float(np.load(output)["fps"]) == 50
    assert "was every frame" not in capfd.readouterr().err
