import numpy as np
import pytest

from tf_pose3d.data.amass import read_amass, split_patterns
from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import joint_indices


def recording(frames=5, joints=17, rate=50.0, seed=0):
    positions = np.random.default_rng(seed).normal(size=(frames, joints, 3)).astype(np.float32)
    return {"positions_3d": positions, "frame_rate": rate}


def save(folder, dataset, content):
    np.savez(folder / f"{dataset}.npz", positions_3d=np.array(content, dtype=object))


@pytest.fixture
def folder(tmp_path):
    save(tmp_path, "SFU", {"03": {"03_02": recording(), "03_01": recording()}})
    save(tmp_path, "KIT", {"3": {"walk": recording(rate=100)}})
    save(tmp_path, "CMU", {"02": {"02_01": recording()}, "01": {"01_01": recording(seed=3)}})
    return tmp_path


def test_order_names_and_frame(folder):
    sequences = read_amass(folder, "train")
    assert [(s.subject, s.name, s.action, s.fps) for s in sequences] == [
        ("CMU/02", "02_01", "02_01", 50),
        ("CMU/01", "01_01", "01_01", 50),
        ("KIT/3", "walk", "walk", 100),
    ]
    sequence = sequences[1]
    assert (sequence.world_frame, sequence.camera, sequence.pose_2d) == (True, None, None)
    assert sequence.skeleton.name == "uplift_17"
    expected = recording(seed=3)["positions_3d"][:, joint_indices("amass_17", "uplift_17")]
    np.testing.assert_array_equal(sequence.pose_3d, expected)
    assert sequence.pose_3d.dtype == np.float32


@pytest.mark.parametrize(
    ("split", "names"),
    [
        ("val", ["03_02", "03_01"]),
        ("train_debug", ["02_01", "01_01"]),
        ("val_debug", ["02_01", "01_01"]),
        ([("CMU", "01", ".*"), ("SFU", ".*", "03_01")], ["01_01", "03_01"]),
    ],
)
def test_splits(folder, split, names):
    assert [s.name for s in read_amass(folder, split)] == names


def test_patterns_match_whole_names(folder):
    save(folder, "CMU2", {"1": {"x": recording()}})
    assert {s.subject.split("/")[0] for s in read_amass(folder, "train")} == {"CMU", "KIT"}


def test_golden_frames(shared, golden):
    sequences = read_amass(shared / "golden/data/amass", "val")
    with np.load(golden / "sequences.npz") as file:
        windows, frames = file["amass/pose_world"], file["amass/frame"].astype(int)
    # The golden windows come from the first recording; their centre is the frame itself.
    center = windows.shape[1] // 2
    np.testing.assert_array_equal(sequences[0].pose_3d[frames], windows[:, center])


def test_unknown_split():
    with pytest.raises(Pose3DError, match=r"unknown AMASS split 'trian': did you mean 'train'\?"):
        split_patterns("trian")


def test_pattern_that_is_no_regular_expression(folder):
    with pytest.raises(Pose3DError, match=r"'\(CMU' is no regular expression for AMASS names"):
        read_amass(folder, [("(CMU", ".*", ".*")])


def test_frame_rates(tmp_path):
    save(tmp_path, "CMU", {"01": {"a": recording(rate=np.float64(120.0))}})
    assert read_amass(tmp_path, "train", frame_rate=60)[0].fps == 120
    assert read_amass(tmp_path, "train", frame_rate=120)[0].fps == 120
    for rate in (50, 100, 240):
        message = (
            rf"CMU.npz: 01, a has 120 frames per second, which is no whole multiple of the {rate} asked for"
        )
        with pytest.raises(Pose3DError, match=message):
            read_amass(tmp_path, "train", frame_rate=rate)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_coordinates_that_are_no_numbers(tmp_path, value):
    content = recording()
    content["positions_3d"][3, 0, 0] = value
    save(tmp_path, "CMU", {"01": {"a": content}})
    with pytest.raises(Pose3DError, match=r"CMU.npz: 01, a, frame 3 has NaN or infinite coordinates"):
        read_amass(tmp_path, "train")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (recording(joints=22), r"CMU.npz: 01, a has 22 joints, expected the 17 of amass_17"),
        (recording(rate=0), r"01, a has frame rate 0, expected a positive number"),
        (recording(rate="fast"), r"01, a has frame rate 'fast', expected a positive number"),
        ({"positions_3d": np.zeros((2, 17, 3))}, r"01, a must be a dict with positions_3d and frame_rate"),
        (np.zeros((2, 17, 3)), r"01, a must be a dict with positions_3d and frame_rate"),
        ({"positions_3d": None, "frame_rate": 50}, r"01, a holds a NoneType, expected an array"),
    ],
)
def test_bad_content(tmp_path, content, message):
    save(tmp_path, "CMU", {"01": {"a": content}})
    with pytest.raises(Pose3DError, match=message) as raised:
        read_amass(tmp_path, "train")
    assert "\n" not in str(raised.value)


def test_nothing_there(folder, tmp_path_factory):
    with pytest.raises(Pose3DError, match=r"nowhere is no folder, expected one with AMASS npz files"):
        read_amass(folder / "nowhere", "train")
    with pytest.raises(Pose3DError, match=r"has nothing for the AMASS split 'train'; it holds no npz files"):
        read_amass(tmp_path_factory.mktemp("empty"), "train")
    (folder / "SFU.npz").unlink()
    with pytest.raises(Pose3DError, match=r"split 'val'; it holds CMU.npz, KIT.npz"):
        read_amass(folder, "val")
    with pytest.raises(Pose3DError, match=r"split CMU/07/.\*; it holds CMU.npz, KIT.npz"):
        read_amass(folder, [("CMU", "07", ".*")])


def test_missing_key(tmp_path):
    np.savez(tmp_path / "CMU.npz", poses=np.zeros(3))
    with pytest.raises(Pose3DError, match=r"CMU.npz has no positions_3d; it holds poses"):
        read_amass(tmp_path, "train")
