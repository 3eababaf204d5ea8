import io
import zipfile

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from tf_pose3d.camera import project_pixels
from tf_pose3d.cli.prepare_human36m import main, prepare_human36m
from tf_pose3d.data.archive import load_archive
from tf_pose3d.data.human36m import ACTIONS, SUBJECTS, read_human36m
from tf_pose3d.data.human36m_preparation import FILE_2D, FILE_3D, prepare, read_archive, read_source
from tf_pose3d.errors import Pose3DError

# As in the data set's own files.
RAW_ACTIONS = [{"Photo": "TakingPhoto", "WalkDog": "WalkingDog"}.get(action, action) for action in ACTIONS]
TAKES = [f"{action}{take}" for action in RAW_ACTIONS for take in ("", " 1")]


def world(subject, name, frames=3):
    """`(F, 32, 3)` millimetres near the middle of the room."""
    rng = np.random.default_rng([SUBJECTS.index(subject), TAKES.index(name)])
    return rng.uniform([-800, -800, 0], [800, 800, 1800], (frames, 32, 3))


def hdf5(millimetres):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["3D_positions"] = millimetres.transpose(1, 2, 0).reshape(96, -1)
    return buffer.getvalue()


@pytest.fixture
def archive(tmp_path):
    """Writes an `h36m.zip`; `changes` maps (subject, recording) to other content, None for none."""

    def write(changes=(), subjects=SUBJECTS):
        changes, path = dict(changes), tmp_path / "h36m.zip"
        with zipfile.ZipFile(path, "w") as file:
            for subject in subjects:
                for name in TAKES:
                    content = changes.get((subject, name), hdf5(world(subject, name)))
                    if content is not None:
                        file.writestr(f"h36m/{subject}/MyPoses/3D_positions/{name}.h5", content)
        return path

    return write


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    for subject in SUBJECTS:
        place = folder / subject / "MyPoseFeatures" / "D3_Positions"
        place.mkdir(parents=True)
        for name in TAKES:
            cell = np.empty((1, 1), object)
            cell[0, 0] = world(subject, name).reshape(-1, 96)
            savemat(place / f"{name}.cdf.mat", {"data": cell})
    return folder


def check(folder):
    content = load_archive(folder / FILE_3D)["positions_3d"]
    assert list(content) == list(SUBJECTS)
    assert {subject: len(names) for subject, names in content.items()} == {
        subject: 29 if subject == "S11" else 30 for subject in SUBJECTS
    }
    assert "Directions" not in content["S11"]
    assert "Directions 1" in content["S11"]
    assert {"Photo", "Photo 1", "WalkDog", "WalkDog 1"} <= set(content["S1"])
    np.testing.assert_allclose(content["S5"]["Photo 1"], world("S5", "TakingPhoto 1") / 1000, rtol=1e-6)
    assert content["S5"]["Photo 1"].dtype == np.float32
    flat = load_archive(folder / FILE_2D)
    assert flat["metadata"] == {
        "layout_name": "h36m",
        "num_joints": 17,
        "keypoints_symmetry": [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]],
    }
    sequences = read_human36m(folder / FILE_3D, folder / FILE_2D, SUBJECTS, "h36m_17")
    assert len(sequences) == 4 * (7 * 30 - 1)
    for sequence in sequences[::37]:
        np.testing.assert_allclose(
            sequence.pose_2d, project_pixels(sequence.pose_3d, sequence.camera), atol=2e-3
        )


def test_from_archive(archive, tmp_path, capsys):
    prepare_human36m(["--from-archive", str(archive()), "--out", str(tmp_path / "data")])
    check(tmp_path / "data")
    out, err = capsys.readouterr()
    assert f"wrote {tmp_path / 'data' / FILE_2D}" in out
    assert "reading: 210/210" in err


def test_from_source(source, tmp_path):
    prepare_human36m(["--from-source", str(source), "--out", str(tmp_path)])
    check(tmp_path)


def test_projection_is_that_of_the_published_file(shared, archive, tmp_path):
    held = load_archive(shared / "data" / "cmu" / FILE_3D)["positions_3d"]
    pixels = load_archive(shared / "data" / "cmu" / FILE_2D)["positions_2d"]
    slices = {(s, "Walking"): hdf5(1000 * held[s]["Walking"][:20].astype(float)) for s in ("S1", "S9")}
    prepare(read_archive(archive(slices)), tmp_path / "data")
    made = load_archive(tmp_path / "data" / FILE_2D)["positions_2d"]
    for subject in ("S1", "S9"):
        for video, expected in zip(made[subject]["Walking"], pixels[subject]["Walking"], strict=True):
            np.testing.assert_allclose(video, expected[:20], atol=1e-3)


def test_incomplete_archives(archive):
    path = archive(subjects=("S1", "S5", "S6", "S7"))
    with pytest.raises(Pose3DError, match="has no recordings of S8, S9, S11"):
        read_archive(path)
    path = archive({("S6", "Walking 1"): None})
    with pytest.raises(
        Pose3DError, match=r"has 29 recordings of S6, expected 30 .*; there are 1 of Walking$"
    ):
        read_archive(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"junk", "S7, Eating is truncated or damaged"),
        (hdf5(np.zeros((4, 32, 3)))[:900], "S7, Eating is truncated or damaged"),
        (hdf5(np.full((4, 32, 3), np.nan)), "S7, Eating, frame 0 has NaN"),
    ],
)
def test_recordings_that_cannot_be_read(archive, content, message):
    path = archive({("S7", "Eating"): content})
    with pytest.raises(Pose3DError, match=message):
        read_archive(path)


def test_other_contents_of_hdf5_files(archive):
    for values, key, message in (
        (np.zeros((17 * 3, 5)), "3D_positions", r"holds \(51, 5\), expected numbers \(96, frames\)"),
        (np.zeros((96, 5)), "positions", "has no 3D_positions; it holds positions"),
    ):
        buffer = io.BytesIO()
        with h5py.File(buffer, "w") as file:
            file[key] = values
        path = archive({("S1", "Posing"): buffer.getvalue()})
        with pytest.raises(Pose3DError, match=message):
            read_archive(path)


def test_paths_that_are_not_what_they_should_be(tmp_path):
    with pytest.raises(Pose3DError, match="does not exist"):
        read_archive(tmp_path / "h36m.zip")
    (tmp_path / "h36m.zip").write_text("no zip")
    with pytest.raises(Pose3DError, match="no zip file"):
        read_archive(tmp_path / "h36m.zip")
    with pytest.raises(Pose3DError, match="is not a folder"):
        read_source(tmp_path / "nowhere")
    with pytest.raises(Pose3DError, match=r"no recordings of S1, S5, .*cdf\.mat"):
        read_source(tmp_path)


def test_damaged_source(source, tmp_path):
    import shutil

    copy = shutil.copytree(source, tmp_path / "copy")
    target = copy / "S8" / "MyPoseFeatures" / "D3_Positions" / "Posing.cdf.mat"
    target.write_bytes(b"MATLAB 5.0 nonsense")
    with pytest.raises(Pose3DError, match=r"S8, Posing .* is no MATLAB file or is damaged"):
        read_source(copy)
    savemat(target, {"other": np.zeros(3)})
    with pytest.raises(Pose3DError, match=r"S8, Posing .* has no cell named data"):
        read_source(copy)


def test_files_are_there_both_or_neither_and_never_replaced_unasked(archive, tmp_path, monkeypatch, capsys):
    flags = ["--from-archive", str(archive()), "--out", str(tmp_path / "data")]

    def fail(*arguments, **content):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez_compressed", fail)
        assert main(flags) == 2
    assert "No space left" in capsys.readouterr().err
    assert not list((tmp_path / "data").iterdir())
    assert main(flags) == 0
    assert main(flags) == 2
    assert "data_3d_h36m.npz exists already" in capsys.readouterr().err
    assert main([*flags, "--overwrite"]) == 0
