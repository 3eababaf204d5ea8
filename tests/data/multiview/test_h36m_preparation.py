"""Annotations and images made from what is downloaded are what the readers read."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import tensorflow as tf

from tf_pose3d.cli.prepare_multiview import main
from tf_pose3d.data.multiview.grouping import make_groups
from tf_pose3d.data.multiview.human36m import read_human36m_views
from tf_pose3d.data.multiview.mpi_inf_3dhp import JOINTS_OF_28, read_mpi_inf_3dhp_views
from tf_pose3d.data.multiview.records import project_points

savemat = pytest.importorskip("scipy.io").savemat

FRAMES = 4


def write_toolbox(root):
    """Folders of H36M-Toolbox for one recording of S1 and one of S9 in two cameras."""
    rng = np.random.default_rng(0)
    picture = tf.io.encode_jpeg(np.full((24, 24, 3), 90, np.uint8)).numpy()
    for subject in (1, 9):
        for camera in (1, 2):
            name = f"s_{subject:02}_act_02_subact_01_ca_{camera:02}"
            poses = rng.uniform(-700, 700, (FRAMES, 51)) + np.tile([0, 0, 5000], 17)
            (root / name).mkdir(parents=True)
            savemat(root / name / "matlab_meta.mat", {"Y3d_mono": poses.T, "num_images": [[FRAMES]]})
            for frame in range(FRAMES):
                (root / name / f"{name}_{frame + 1:06}.jpg").write_bytes(picture)
    with h5py.File(root / "cameras.h5", "w") as file:
        for subject in (1, 9):
            for number in (1, 2):
                group = file.create_group(f"subject{subject}/camera{number}")
                angle = number + subject
                turn = [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
                group["R"], group["T"] = np.array(turn).T, np.full((3, 1), 100.0 * number)
                group["f"], group["c"] = [[1100.0], [1120.0]], [[500.0], [510.0]]
                group["k"], group["p"] = np.zeros((3, 1)), np.zeros((2, 1))
                group["Name"] = np.array([[ord("5")]], np.uint16)


def test_human36m_from_the_toolbox_s_folders(tmp_path):
    write_toolbox(tmp_path)
    (tmp_path / "s_09_act_02_subact_01_ca_01" / "s_09_act_02_subact_01_ca_01_000004.jpg").unlink()
    assert main(["h36m", str(tmp_path)]) == 0
    train = read_human36m_views(tmp_path, "train")
    assert len(train) == 2 * FRAMES
    assert train.images.read(0).shape == (24, 24, 3)
    seen = project_points(train.pose_3d, train.cameras, train.camera)
    np.testing.assert_allclose(seen, train.keypoints_2d, atol=0.01)
    assert len(make_groups(train, [0, 1], [0, 1])) == 2
    # An image that does not exist has no annotation.
    assert len(read_human36m_views(tmp_path, "validation")) == 2 * FRAMES - 1
    # A second call finds the folders linked.
    assert main(["h36m", str(tmp_path)]) == 0


def test_what_is_not_there_is_named(tmp_path, capsys):
    assert main(["h36m", str(tmp_path)]) == 2
    assert "cameras.h5" in capsys.readouterr().err
    assert main(["mpi_inf_3dhp", str(tmp_path)]) == 2
    assert "S1/Seq1/annot.mat" in capsys.readouterr().err


CALIBRATION = """Skeletool Camera Calibration File V1.0
name          {number}
  sensor      10 10
  size        64 48
  animated    0
  intrinsic   60 0 32 0 0 62 24 0 0 0 1 0 0 0 0 1
  extrinsic   0 -1 0 10 1 0 0 20 0 0 1 {depth} 0 0 0 1
  radial      0
"""


def write_3dhp(root, subject):
    av = pytest.importorskip("av")
    folder = root / f"S{subject}" / "Seq1"
    (folder / "imageSequence").mkdir(parents=True)
    numbers = (0, 2, 7, 8)
    text = "".join(CALIBRATION.format(number=number, depth=3000 + number) for number in numbers)
    (folder / "camera.calibration").write_text(text)
    rng = np.random.default_rng(subject)
    cells = {"annot2": np.empty((9, 1), object), "annot3": np.empty((9, 1), object)}
    for number in range(9):
        pose = rng.normal([0, 0, 4000], 300, (FRAMES, 28, 3))
        cells["annot3"][number, 0] = pose.reshape(FRAMES, 84)
        pixels = pose[..., :2] / pose[..., 2:] * [60, 62] + [32, 24]
        cells["annot2"][number, 0] = pixels.reshape(FRAMES, 56)
    savemat(folder / "annot.mat", cells)
    for number in numbers:
        with av.open(str(folder / "imageSequence" / f"video_{number}.avi"), "w") as container:
            stream = container.add_stream("mpeg4", rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for frame in range(FRAMES + 2):
                image = np.full((48, 64, 3), 40 * frame, np.uint8)
                for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                    container.mux(packet)
            for packet in stream.encode():
                container.mux(packet)
    return cells


def test_3dhp_from_its_download(tmp_path):
    cells = write_3dhp(tmp_path, 1)
    write_3dhp(tmp_path, 8)
    assert main(["mpi_inf_3dhp", str(tmp_path)]) == 0
    train = read_mpi_inf_3dhp_views(tmp_path, "train")
    # The videos have more frames than there are poses.
    assert len(train) == 4 * FRAMES
    row = int(np.flatnonzero((train.view == 7) & (train.frame == 2))[0])
    assert abs(int(train.images.read(row).mean()) - 80) < 6
    expected = cells["annot2"][7, 0].reshape(FRAMES, 28, 2)[2, JOINTS_OF_28]
    np.testing.assert_allclose(train.keypoints_2d[row], expected, rtol=1e-5)
    seen = project_points(train.pose_3d, train.cameras, train.camera)
    np.testing.assert_allclose(seen, train.keypoints_2d, atol=0.02)
    assert len(make_groups(train, [0, 2, 7, 8], [0, 1, 2, 3])) == 1
    assert read_mpi_inf_3dhp_views(tmp_path, "validation").subjects == ("S8",)


def test_a_camera_without_intrinsics_and_a_damaged_video_are_named(tmp_path, capsys):
    write_3dhp(tmp_path, 1)
    folder = tmp_path / "S1" / "Seq1"
    text = (folder / "camera.calibration").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("  intrinsic")]
    (folder / "camera.calibration").write_text("\n".join(lines))
    assert main(["mpi_inf_3dhp", str(tmp_path)]) == 2
    assert "camera 0 has no intrinsic matrix" in capsys.readouterr().err
    (folder / "camera.calibration").write_text(text)
    (folder / "imageSequence" / "video_0.avi").write_bytes(b"no video")
    assert main(["mpi_inf_3dhp", str(tmp_path)]) == 2
    assert "video_0.avi" in capsys.readouterr().err
