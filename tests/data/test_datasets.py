import subprocess
import sys
from pathlib import Path

import pytest

import tf_pose3d
from tf_pose3d.data.datasets import (
    DATASETS,
    ImageDataset,
    PoseDataset,
    dataset_of_file,
    get_dataset,
    get_image_dataset,
    get_pose_dataset,
    read_records,
    read_sequences,
)
from tf_pose3d.data.window_spec import WindowSpec
from tf_pose3d.data.windows import open_windows
from tf_pose3d.errors import Pose3DError


@pytest.mark.parametrize("name", DATASETS)
def test_every_line_of_the_table_is_a_record(name):
    record = get_dataset(name)
    assert record.name == name
    assert isinstance(record, (PoseDataset, ImageDataset)) or name == "motion"
    assert record.description
    assert "\n" not in record.description
    assert record.splits
    assert record.frame_rate > 0
    options = record.complete()
    assert set(options) == {option.name for option in record.options}
    assert all(option.help for option in record.options)


def test_what_other_code_asks_for_by_attribute():
    held = {name: get_dataset(name) for name in DATASETS}
    poses = {name: record for name, record in held.items() if isinstance(record, PoseDataset)}
    assert [name for name, one in held.items() if one.comes_as_pose_files] == [
        "h36m",
        "humaneva15",
        "humaneva20",
    ]
    assert [name for name, one in poses.items() if not one.has_test] == ["amass", "clips", "custom"]
    assert [name for name, one in poses.items() if not one.has_videos] == ["amass", "lcn"]
    assert len(poses["amass"].cameras) == 28
    assert not any(one.cameras for name, one in poses.items() if name != "amass")
    assert poses["humaneva15"].frame_rate == 60
    assert poses["lcn"].actions == poses["h36m"].actions


def test_flags_that_data_sets_share_are_one_option():
    by_flags = {}
    for name in DATASETS:
        for option in get_dataset(name).options:
            if option.flags:
                assert by_flags.setdefault(option.flags, option) == option


def test_public_list():
    listed = tf_pose3d.datasets()
    assert list(listed) == list(DATASETS)
    assert listed["h36m"].startswith("Human3.6M")


def test_the_table_is_read_without_tensorflow():
    code = "import sys, tf_pose3d; tf_pose3d.datasets(); sys.exit('tensorflow' in sys.modules)"
    root = Path(tf_pose3d.__file__).parents[1]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)


def test_unknown_names_and_options():
    with pytest.raises(Pose3DError, match=r"unknown data set 'coco' \(known: amass, clips, custom, h36m"):
        get_dataset("coco")
    with pytest.raises(Pose3DError, match="did you mean synthetic"):
        get_dataset("synthetics")
    with pytest.raises(Pose3DError, match=r"h36m has no option 'keypoint' \(did you mean keypoints"):
        get_dataset("h36m").complete({"keypoint": "gt"})
    with pytest.raises(Pose3DError, match="lcn: mode is 'dt', expected 'gt' or 'dt_ft'"):
        get_dataset("lcn").complete({"mode": "dt"})
    with pytest.raises(Pose3DError, match="multiview_h36m holds images"):
        get_pose_dataset("multiview_h36m")
    with pytest.raises(Pose3DError, match="synthetic holds poses"):
        get_image_dataset("synthetic")
    with pytest.raises(Pose3DError, match=r"unknown Human3\.6M split 'trian'"):
        read_sequences("synthetic", "trian")
    with pytest.raises(Pose3DError, match="--amass_path"):
        read_sequences("amass", "train")
    with pytest.raises(Pose3DError, match="neither it nor its human36 or h36m holds a folder annot"):
        read_records("multiview_h36m", "train", {"root": "nowhere"})


def test_options_reach_the_reader():
    sequences = read_sequences("synthetic", "S1", {"actions": ("Walking",), "frames": 7}, "h36m_16")
    assert len(sequences) == 4
    assert sequences[0].pose_3d.shape == (7, 16, 3)
    (records,) = [read_records("multiview_synthetic", "S1", {"actions": ("Eating",), "frames": 2})]
    assert len(records) == 8


def test_windows_take_frame_rate_and_ids_from_the_record():
    options = {"actions": ("Walking",), "frames": 5}
    windows = open_windows("synthetic", "S9", options, WindowSpec(frame_rate=25), "h36m_17")
    assert windows.spec.frame_rate == 50
    assert windows.store.subjects == list(get_dataset("h36m").subjects)
    assert windows.store.subject_ids.tolist() == [5] * 4


def test_data_set_of_a_file():
    assert dataset_of_file("x/data_3d_humaneva20.npz") == "humaneva20"
    assert dataset_of_file("data_3d_h36m.npz") == dataset_of_file("my_poses.npz") == "h36m"
    assert dataset_of_file("multiview_h36m.npz") == "h36m"
    assert dataset_of_file("amass.npz") == "h36m"


def test_files_by_name(tmp_path):
    h36m = get_dataset("h36m")
    assert h36m.files(h36m.complete()) == (
        Path("data/data_3d_h36m.npz"),
        Path("data/data_2d_h36m_cpn_ft_h36m_dbb.npz"),
    )
    (tmp_path / "data_2d_h36m_gt.npz").touch()
    path = tmp_path / "data_3d_h36m.npz"
    beside = h36m.complete({"path_3d": path, "keypoints": "gt"})
    assert h36m.files(beside) == (path, tmp_path / "data_2d_h36m_gt.npz")
    with pytest.raises(Pose3DError, match=r"--keypoints cpn: there is no .*; .* has gt"):
        h36m.files({**beside, "keypoints": "cpn"})
