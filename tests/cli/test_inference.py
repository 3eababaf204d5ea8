"""`inference.py` from its flags to its files, with an untrained model on a small data set."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tf_pose3d.camera import camera_to_world
from tf_pose3d.cli.inference import infer, main
from tf_pose3d.cli.releases.release import Release
from tf_pose3d.cli.releases.uplift import UpliftRelease
from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.loading import build_model, save_model
from tf_pose3d.models.uplift_upsample.config import UpliftUpsampleConfig

REPOSITORY = Path(__file__).resolve().parents[2]
RECORDING = ["--viz_subject", "S11", "--viz_action", "Walking", "--viz_camera", "0"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    config = UpliftUpsampleConfig.load(REPOSITORY / "config" / "quickstart.json")
    path = tmp_path_factory.mktemp("weights") / "model.h5"
    save_model(build_model(config.replace(TEMPORAL_EMBED_DIM=32, DATASET=None)), path)
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data folder of 30 frames of two recordings of S11 in the layout of Human3.6M's files."""
    folder = tmp_path_factory.mktemp("data")
    world, pixels = {}, {}
    for sequence in synthetic_sequences(
        ["S11"], frames=30, actions=["Walking", "Eating"], skeleton="h36m_17"
    ):
        camera = sequence.camera
        world[sequence.name] = camera_to_world(sequence.pose_3d, camera.orientation, camera.translation)
        pixels.setdefault(sequence.name, []).append(sequence.pose_2d)
    for name, key, content in (
        ("data_3d_h36m.npz", "positions_3d", world),
        ("data_2d_h36m_gt.npz", "positions_2d", pixels),
    ):
        box = np.empty((), object)
        box[()] = {"S11": content}
        np.savez(folder / name, **{key: box})
    return folder


@pytest.fixture
def run(weights, data):
    """Runs the program; returns its lines."""

    def run(*flags):
        lines = []
        dataset = ["--dataset", str(data / "data_3d_h36m.npz"), "--keypoints", "gt"]
        infer(["--weights", str(weights), *dataset, *map(str, flags)], log=lines.append)
        return lines

    return run


def test_gif_of_the_frames_asked_for(run, tmp_path):
    output = tmp_path / "output.gif"
    lines = run(*RECORDING, "--viz_output", output, "--viz_size", 1, "--viz_downsample", 2, "--viz_limit", 7)
    assert Image.open(output).n_frames == 7
    assert Image.open(output).size == (300, 100)
    assert lines[0] == "S11, Walking, camera 54138969: 30 frames"
    assert lines[-1] == f"wrote {output}: 7 frames, 25 per second"


def test_no_ground_truth_and_flags_with_dashes(run, tmp_path):
    output = tmp_path / "output.png"
    run(*RECORDING, "--viz-output", output, "--viz-size", 1, "--viz-limit=1", "--viz-no-ground-truth")
    assert Image.open(output).size == (200, 100)


def test_poses_are_exported(run, tmp_path):
    run(*RECORDING, "--viz_export", tmp_path / "poses.npz")
    with np.load(tmp_path / "poses.npz", allow_pickle=False) as held:
        assert held["pose_3d"].shape == held["target"].shape == (30, 17, 3)
        assert str(held["action"]) == "Walking"


def test_synthetic_recording_over_its_video(weights, tmp_path):
    import av

    video = tmp_path / "video.mp4"
    with av.open(str(video), "w") as container:
        stream = container.add_stream("libx264", rate=50)
        stream.width, stream.height, stream.pix_fmt = 200, 200, "yuv420p"
        for _ in range(4):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((200, 200, 3), np.uint8))))
        container.mux(stream.encode())
    lines = []
    output = tmp_path / "output.html"
    flags = ["--dataset", "synthetic", "--viz_output", str(output), "--viz_video", str(video)]
    infer(["--weights", str(weights), *RECORDING, *flags, "--viz_size", "1"], log=lines.append)
    assert lines[-1] == f"wrote {output}: 4 of 500 frames, 50 per second"
    assert output.read_text().count("data:image/jpeg") == 4


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "nothing to write"),
        (["--viz_output", "x.gif"], "--viz_subject needs a subject; there are S1"),
        (["--viz_output", "x.gif", "--viz_subject", "S3"], "there are S1, S5"),
        (["--viz_output", "x.gif", "--viz_subject", "S9"], "has no subject S9; it has S11"),
        (
            ["--viz_output", "x.gif", "--viz_subject", "S11", "--viz_action", "Run"],
            "there are Eating, Walking",
        ),
        ([*RECORDING[:4], "--viz_output", "x.gif", "--viz_camera", "9"], r"there are 0 \(54138969\)"),
        ([*RECORDING, "--viz_output", "x.bmp"], "ends in .gif, .mp4, .png, .html"),
        ([*RECORDING, "--viz_output", "x.gif", "--viz_skip", "30"], "has 30 frames; leaving out 30"),
        ([*RECORDING, "--viz_output", "x.gif", "--viz_downsample", "0"], "every 0th frame"),
        ([*RECORDING, "--viz_output", "x.gif", "--viz_video", "no.mp4"], "no.mp4 does not exist"),
        ([*RECORDING, "--viz_output", "x.gif", "--viz_size", "99"], "size 99"),
        ([*RECORDING, "--output", "x.txt"], "x.txt: expected a name that ends in .npz"),
        ([*RECORDING, "--output", "x.csv", "--angles", "x.csv"], "x.csv is a file that another flag writes"),
        (
            [*RECORDING, "--output", "x.npz", "--keypoints", "cpn"],
            "there is no .*data_2d_h36m_cpn.npz; .* has gt",
        ),
    ],
)
def test_bad_input(run, tmp_path, monkeypatch, flags, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Pose3DError, match=message):
        run(*flags)
    assert not list(tmp_path.iterdir())


def test_output_must_not_be_an_input(run, data, tmp_path):
    before = (data / "data_3d_h36m.npz").read_bytes()
    with pytest.raises(Pose3DError, match="is a file that is read"):
        run(*RECORDING, "--output", data / "data_3d_h36m.npz")
    assert (data / "data_3d_h36m.npz").read_bytes() == before
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"a video")
    with pytest.raises(Pose3DError, match="is a file that is read"):
        run(*RECORDING, "--viz_output", clip, "--viz_video", clip)
    with pytest.raises(Pose3DError, match="--dataset_2d and --keypoints both name 2D poses"):
        run(*RECORDING, "--output", tmp_path / "x.npz", "--dataset_2d", data / "data_2d_h36m_gt.npz")


def test_errors_are_one_line(weights, capsys):
    assert main(["--weights", str(weights), "--viz_output", "x.gif", "--dataset", "synthetic"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("inference.py: error: --viz_subject needs a subject")
    assert err.count("\n") == 1
    assert main(["--arch", "uplift"]) == 2
    assert "UpliftUpsampleTransformer needs --weights" in capsys.readouterr().err


def test_a_release_may_do_its_own_work(weights, monkeypatch):
    seen = []

    def own(self: Release, arguments, config, model, log) -> bool:
        seen.append((arguments.output, config.ARCH, model.config.ARCH))
        return True

    monkeypatch.setattr(UpliftRelease, "lifts_recordings", lambda self, arguments, config: False)
    monkeypatch.setattr(UpliftRelease, "infer", own)
    infer(["--weights", str(weights), "--output", "x.pkl"])
    assert seen == [("x.pkl", "UpliftUpsampleTransformer", "UpliftUpsampleTransformer")]


def test_recordings_take_the_stage_by_their_cameras_orientation(run, tmp_path):
    run(*RECORDING, "--output", tmp_path / "plain.npz")
    flags = ["--smooth", "rts:8", "--placement", "world"]
    lines = run(*RECORDING, "--output", tmp_path / "level.npz", "--angles", tmp_path / "angles.csv", *flags)
    assert (tmp_path / "angles.csv").read_text().startswith("frame,seconds,pelvis_tilt")
    no_feet = "no angles of the ankles, as no joint tells how feet are held"
    assert lines[-1] == f"wrote {tmp_path / 'angles.csv'}: {no_feet}"
    plain, level = np.load(tmp_path / "plain.npz"), np.load(tmp_path / "level.npz")
    assert str(level["level_by"]) == "camera"
    assert "axes" not in plain
    assert level["root_uncertainty_mm"].shape == plain["pose_3d"].shape[:1]
    with pytest.raises(Pose3DError, match="--level --camera_pitch: a camera's pitch or roll turns"):
        run(*RECORDING, "--output", tmp_path / "x.npz", "--camera_pitch", 5, "--level", "off")


def test_the_shipped_lifter_is_chosen_before_any_framework_starts():
    code = (
        "import sys; from tf_pose3d.cli.demo import shipped_arguments\n"
        "assert shipped_arguments(['--input', 'x.json'])[1] == 'general'\n"
        "assert shipped_arguments(['--input', 'x.json', '--mask-type', 'locally_connected'])[1] == ''\n"
        "assert not {'keras', 'tensorflow', 'h5py'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY)
