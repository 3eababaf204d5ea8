"""DeepLabCut's tables, written as pandas writes them."""

import importlib.util
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

_SPEC = importlib.util.spec_from_file_location("made_up", Path(__file__).with_name("made_up.py"))
made_up = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(made_up)

# DeepLabCut's human model: 1 is right, 2 is left.
PARTS = {
    "ankle1": "r_ankle",
    "knee1": "r_knee",
    "hip1": "r_hip",
    "hip2": "l_hip",
    "knee2": "l_knee",
    "ankle2": "l_ankle",
    "wrist1": "r_wrist",
    "elbow1": "r_elbow",
    "shoulder1": "r_shoulder",
    "shoulder2": "l_shoulder",
    "elbow2": "l_elbow",
    "wrist2": "l_wrist",
}
COORDS = ("x", "y", "likelihood")


@pytest.fixture
def table(coco):
    """Columns, and `(F, C)` values."""
    from tf_pose3d.skeleton import get_skeleton

    order = [get_skeleton("coco_17").index(joint) for joint in PARTS.values()]
    values = np.concatenate([coco[:, order], np.full((made_up.FRAMES, len(PARTS), 1), 0.9)], axis=2)
    return [("net", part, coord) for part in PARTS for coord in COORDS], values.reshape(made_up.FRAMES, -1)


def check(video, table, frames=range(made_up.FRAMES)):
    assert video.format == "deeplabcut"
    assert set(video.skeleton.joints) == set(PARTS.values())
    assert video.people[0].frames.tolist() == list(frames)
    values = table[1].reshape(made_up.FRAMES, -1, 3)
    for place, joint in enumerate(PARTS.values()):
        got = video.people[0].keypoints[:, video.skeleton.index(joint)]
        np.testing.assert_allclose(got, values[:, place], atol=1e-3)


def index(group, name, levels, codes, names):
    group.attrs[f"{name}_variety"] = b"multi"
    group.attrs[f"{name}_nlevels"] = len(levels)
    for number, (level, code, title) in enumerate(zip(levels, codes, names, strict=True)):
        group[f"{name}_level{number}"] = np.array(level, "S")
        group[f"{name}_level{number}"].attrs["name"] = np.bytes_(title)
        group[f"{name}_label{number}"] = np.array(code, np.int8)


def codes_of(columns, number):
    level = list(dict.fromkeys(column[number] for column in columns))
    return level, [level.index(column[number]) for column in columns]


@pytest.mark.parametrize("labelled", [False, True])
def test_hdf5_as_fixed_table(tmp_path, table, labelled):
    """`DataFrame.to_hdf` as it is, as `CollectedData_*.h5`; labelled data have three columns of index."""
    columns, values = table
    with h5py.File(tmp_path / "k.h5", "w") as file:
        group = file.create_group("df_with_missing")
        group.attrs.update({"pandas_type": b"frame", "ndim": 2, "nblocks": 1, "encoding": b"UTF-8"})
        pairs = [codes_of(columns, number) for number in range(3)]
        for name in ("axis0", "block0_items"):
            index(
                group,
                name,
                [one[0] for one in pairs],
                [one[1] for one in pairs],
                ("scorer", "bodyparts", "coords"),
            )
        if labelled:
            images = [f"img{10 * frame:04d}.png" for frame in range(made_up.FRAMES)]
            codes = [[0] * made_up.FRAMES, [0] * made_up.FRAMES, list(range(made_up.FRAMES))]
            index(group, "axis1", [["labeled-data"], ["walk"], images], codes, ("", "", ""))
        else:
            group["axis1"] = np.arange(made_up.FRAMES)
            group.attrs["axis1_variety"] = b"regular"
        group["block0_values"] = values
    step = 10 if labelled else 1
    check(made_up.read(tmp_path / "k.h5"), table, range(0, step * made_up.FRAMES, step))


def test_hdf5_as_records(tmp_path, table):
    """`to_hdf(format="table")`, as `analyze_videos` writes its results."""
    columns, values = table
    records = np.zeros(made_up.FRAMES, [("index", "i8"), ("values_block_0", "f8", (values.shape[1],))])
    records["index"], records["values_block_0"] = np.arange(made_up.FRAMES), values
    with h5py.File(tmp_path / "k.h5", "w") as file:
        group = file.create_group("df_with_missing")
        group.attrs.update({"pandas_type": b"frame_table", "levels": 1})
        group["table"] = records
        group["table"].attrs["values_block_0_kind"] = np.bytes_(pickle.dumps(columns, protocol=0))
        group["table"].attrs["index_kind"] = b"integer"
    check(made_up.read(tmp_path / "k.h5"), table)


@pytest.mark.parametrize("before", [("labeled-data", "walk"), ()])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_csv_with_images_in_its_index(tmp_path, table, before, encoding):
    columns, values = table
    empty = [""] * len(before)
    lines = [
        ",".join([name, *empty, *(column[number] for column in columns)])
        for number, name in enumerate(("scorer", "bodyparts", "coords"))
    ]
    for frame, row in enumerate(values):
        image = f"img{frame:04d}.png" if before else f"labeled-data/walk/img{frame:04d}.png"
        lines.append(",".join([*before, image, *(f"{value:.4f}" for value in row)]))
    path = tmp_path / "CollectedData_me.csv"
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    check(made_up.read(path), table)
