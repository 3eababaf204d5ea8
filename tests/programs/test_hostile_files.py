"""Inputs that once broke a reader, each made here from a sound file: what is said of them, or read from them.

The kinds are those of tests/programs/test_fuzz.py; here stands what is right for each.
"""

from __future__ import annotations

import json
import resource
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tf_pose3d.data.archive import load_archive
from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.formats import ReadOptions, read_keypoints
from tf_pose3d.inference.keypoints import Person
from tf_pose3d.inference.people import file_suffixes

TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

from fuzzing.table import READERS  # noqa: E402

# Python 3.13 takes thousands of levels.
DEEP, DIGITS = "[" * 200_000, "9" * 5000
HUGE = 10**400


def edited_json(change):
    def edit(content):
        value = json.loads(content)
        changed = change(value)
        return json.dumps(value if changed is None else changed).encode()

    return edit


def replaced(old, new):
    def edit(content):
        assert old.encode() in content
        return content.replace(old.encode(), new.encode(), 1)

    return edit


def edited_npz(**changes):
    def edit(content):
        import io

        with np.load(io.BytesIO(content), allow_pickle=True) as file:
            arrays = dict(file)
        for name, value in changes.items():
            if value is None:
                arrays.pop(name)
            else:
                arrays[name] = value
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        return buffer.getvalue()

    return edit


def boxed(value):
    box = np.empty((), object)
    box[()] = value
    return box


def first(value, *keys):
    for key in keys[:-1]:
        value = value[key]
    return value, keys[-1]


def put(new, *keys):
    def change(value):
        part, key = first(value, *keys)
        part[key] = new

    return edited_json(change)


# Reader of the table -> (what is done to its sample, what is said).
CASES = [
    ("COCO results", replaced("[{", f"[{DEEP}{{"), "is nested too deeply, expected arrays"),
    (
        "COCO results",
        replaced('"image_id": 1', f'"image_id": {DIGITS}'),
        "a number of more than 4300 digits at line 1",
    ),
    (
        "COCO results",
        put(HUGE, 0, "keypoints", 3),
        "detection 0: a number of hundreds of digits among the keypoints",
    ),
    ("AlphaPose", put(HUGE, 2, "keypoints", 3), "a number of hundreds of digits among the keypoints"),
    ("AlphaPose", put(1e39, 2, "keypoints", 3), r"x of joint 1 is 1e\+39, expected pixels"),
    ("COCO annotations", put([[1]], "images", 2, "id"), "image 2 is .*, expected an object with an id"),
    ("COCO annotations", put(1, "images", 2), "image 2 is 1, expected an object with an id"),
    ("COCO annotations", put(3, "images", 2, "id"), "two images have id 3, expected one id for each"),
    ("COCO annotations", put(8, "annotations", 1), "annotation 1 is 8, expected an object with image_id"),
    (
        "COCO annotations",
        put({"a": 1}, "annotations", 1, "keypoints", 2),
        "keypoints must be numbers.* not {'a': 1}",
    ),
    ("MMPose", put(10**9, 5, "frame_id"), "frame 1000000000 comes .* frames after frame 4, expected at most"),
    ("MMPose", put(HUGE, 1, "frame_id"), "frame_id is 1000.*, expected a whole number from 0 on"),
    ("MMPose", put(HUGE, 1, "instances", 0, "keypoints", 0, 0), "a number of hundreds of digits"),
    ("MediaPipe", put("²", "fps"), "fps is '²', expected a number above 0"),
    ("MediaPipe", put(DEEP, "frames"), "keypoints in none of the known formats"),
    ("DeepLabCut CSV", replaced("\n0,", "\n" + "x" * 200_000 + ","), "line 4: field larger than field limit"),
    ("npz array, coco_17", edited_npz(fps=np.array(b"xy")), "fps is b'xy', expected a number above 0"),
    ("npz array, coco_17", edited_npz(height=boxed({"a": 1})), "height is {'a': 1}, expected a whole number"),
    ("npz array, coco_17", edited_npz(height=boxed(HUGE)), "height is 1000.*, expected a whole number"),
    ("npz array, coco_17", edited_npz(layout=np.array("cocoa")), r"array\.npz: unknown joint layout 'cocoa'"),
    ("Detectron2", edited_npz(metadata=boxed({"w": 1000, "h": np.inf})), "h is inf, expected a whole number"),
    ("Detectron2", edited_npz(metadata=boxed({"w": [0], "h": 1})), r"w is \[0\], expected a whole number"),
    (
        "Detectron2",
        edited_npz(keypoints=np.array(np.nan)),
        r"keypoints are (array\()?nan\)?, expected one entry per frame",
    ),
    ("npy", replaced("{'descr'", "{(((((("), r"people\.npy is truncated or damaged"),
    ("cameras of views, JSON", put(HUGE, 1, "T", 0), "T is 1000.*, expected a finite number"),
    ("cameras of views, JSON", put(1e39, 1, "T", 0), r"T is 1e\+39, expected a finite number"),
    (
        "config .json",
        put(float("inf"), "ARCH"),
        r"config\.json: ARCH is inf, expected the name of a model family",
    ),
    (
        "config .json",
        put("VideoPoseD", "ARCH"),
        r"config\.json: unknown model family 'VideoPoseD' \(did you mean",
    ),
    (
        "config .json",
        replaced('"BATCH_SIZE": 256', f'"BATCH_SIZE": {DIGITS}'),
        "a number of more than 4300 digits",
    ),
    (
        "config .txt",
        replaced("BATCH_SIZE 256", f"BATCH_SIZE {DEEP}"),
        r"line \d: BATCH_SIZE has no JSON value",
    ),
    (
        "config .txt",
        replaced("BATCH_SIZE 256", f"BATCH_SIZE {DIGITS}"),
        r"line \d: BATCH_SIZE has no JSON value",
    ),
    (
        "motion npz",
        edited_npz(offsets=np.array([0, 2.5, 5])),
        "offsets must be whole numbers from 0 to the 5",
    ),
    ("motion npz", edited_npz(weights=np.array([1, np.nan])), "weights must be one number from 0 on a clip"),
    (
        "3DHP camera.calibration",
        replaced("name          2", "name          two"),
        "a camera named 'two', expected",
    ),
    (
        "3DHP camera.calibration",
        replaced("name          2", "name          0"),
        "a camera named '0', expected each",
    ),
    (
        "BMP image",
        lambda content: content[:18] + b"\0\0\1\0" * 2 + content[26:],
        "an image of 65536 x 65536 pixels",
    ),
    (
        "PNG image",
        lambda content: content[:16] + b"\0\1\0\0" * 2 + content[24:],
        "an image of 65536 x 65536 pixels",
    ),
]


@pytest.mark.parametrize(
    ("reader", "edit", "message"), CASES, ids=[f"{n} {case[0]}" for n, case in enumerate(CASES)]
)
def test_it_is_refused_in_one_line(tmp_path, reader, edit, message):
    reader = next(one for one in READERS if one.name == reader)
    path = reader.make(tmp_path)
    reader.read(path)
    path.write_bytes(edit(path.read_bytes()))
    with pytest.raises(Pose3DError, match=message) as caught:
        reader.read(path)
    said = str(caught.value)
    assert path.name in said
    assert "\n" not in said
    assert len(said) < 1000


def test_a_tensorflow_checkpoint_whose_text_is_damaged(tmp_path):
    reader = next(one for one in READERS if one.name == "TensorFlow 1 checkpoint")
    path = reader.make(tmp_path)
    for text in (
        b'model_checkpoint_path: "\xff\xfe"\n',
        b'model_checkpoint_path: "' + b"x" * 5000 + b'"\n',
        b"\0" * 9,
    ):
        (path / "checkpoint").write_bytes(text)
        assert set(reader.read(path).tensors) == {"w1/weight", "w1/bias", "batch_norm1/num_batches_tracked"}


def test_frames_that_are_listed_out_of_order(tmp_path):
    """Poses land at the frames that they are of."""
    frames = [
        {
            "frame_id": number,
            "instances": [
                {"keypoints": [[100 + number, 200 + j] for j in range(17)], "keypoint_scores": [1] * 17}
            ],
        }
        for number in (2, 0, 1, 3)
    ]
    path = tmp_path / "k.json"
    path.write_text(json.dumps(frames))
    video = read_keypoints(path, None, ReadOptions(width=1000, height=1000))
    person = video.people[0]
    assert person.frames.tolist() == [0, 1, 2, 3]
    assert person.keypoints[:, 0, 0].tolist() == [100, 101, 102, 103]


def test_ids_of_people_as_parts_of_file_names():
    points = np.zeros((1, 17, 3), np.float32)
    ids = [
        "p 1",
        "p/1",
        "p_1",
        "../../x",
        "/etc/passwd",
        "..",
        "",
        "b" * 9999,
        "a\nb",
        "\udce9",
        "<!--",
        "CON",
    ]
    suffixes = file_suffixes([Person(name, np.zeros(1, np.int64), points) for name in ids])
    assert len({suffix.lower() for suffix in suffixes}) == len(ids)
    for suffix in suffixes:
        assert "/" not in suffix
        assert suffix.isprintable()
        assert len(suffix) < 120
        assert not suffix.startswith("..")


@pytest.mark.parametrize("name", ["a\nb.json", "caf\udce9.json", "<!--<script>alert(1).json", "a\tb.json"])
def test_names_of_files(tmp_path, name):
    """They are read, and messages about them stay on one line."""
    reader = next(one for one in READERS if one.name == "COCO results")
    content = reader.make(tmp_path).read_bytes()
    path = tmp_path / name
    path.write_bytes(content)
    assert len(reader.read(path).people) == 1
    path.write_bytes(content[:-5])
    with pytest.raises(Pose3DError, match="is cut off at line 1"):
        reader.read(path)


def by(name, beside=None):
    """Reads a file by one of the trials' readers; `beside`: in the place of that file of its sample."""
    reader = next(one for one in READERS if one.name == name)

    def read(path):
        if beside is None:
            return reader.read(path)
        sample = reader.make(path.parent)
        shutil.copyfile(path, sample / beside)
        return reader.read(sample)

    return read


def checkpoint_of_four(path):
    import keras

    from tf_pose3d.training.checkpoints import load_checkpoint

    groups = {
        "loss": [keras.Variable(np.float32(0))],
        "model": [keras.Variable(np.zeros((3, 4), np.float32)) for _ in range(4)],
    }
    return load_checkpoint(path, groups)


# Kinds of files of which cases were kept that once broke their reader, and what reads them.
KEPT = {
    **dict.fromkeys(
        ("alphapose", "array_npz", "coco", "coco_annot", "deeplabcut", "detectron2", "mediapipe", "mmpose"),
        by("COCO results"),
    ),
    **dict.fromkeys(("npy", "openpose", "videopose3d"), by("COCO results")),
    "cameras": by("cameras of views, JSON"),
    "checkpoint": checkpoint_of_four,
    "config_json": by("config .json"),
    "config_txt": by("config .txt"),
    "h36m_2d": by("Human3.6M npz", "data_2d_h36m_gt.npz"),
    "humaneva": by("HumanEva npz", "data_2d_humaneva15_gt.npz"),
    "lcn_items": by("LCN items", "h36m_test.pkl"),
    "pth_a": by("PyTorch, zip"),
    "pth_b": by("PyTorch, zip"),
    "stream": by("stream of JSON lines"),
    "tf1": by("TensorFlow 1 checkpoint"),
}


def refusal_of(read, path):
    """What is said of a file that is refused, in one line; empty of one that is read; in little memory."""
    start, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        read(path)
        said = ""
    except Pose3DError as error:
        said = str(error) or "nothing"
    assert "\n" not in said
    assert len(said) < 1500
    assert time.process_time() - start < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000
    return said


@pytest.fixture(scope="session")
def kept(shared):
    folder = shared / "cases" / "reliability"
    if not folder.is_dir():
        pytest.skip(f"no cases at {folder}")
    return folder


@pytest.mark.parametrize("kind", KEPT)
def test_kept_cases(kept, tmp_path, kind):
    cases = sorted(kept.glob(f"fuzz-{kind}_*_*"))
    cases = [case for case in cases if case.name.removeprefix(f"fuzz-{kind}_").count("_") == 1]
    assert cases
    for case in cases:
        place = tmp_path / case.name
        shutil.copytree(case, place)
        (path,) = (part for part in place.iterdir() if part.name != "info.json")
        said = refusal_of(KEPT[kind], path)
        # Those that were accepted though they hold NaN or no training state.
        assert said or "_odd_" not in case.name


def test_every_kept_case_has_a_reader(kept):
    kinds = {case.name.removeprefix("fuzz-").rsplit("_", 2)[0] for case in kept.glob("fuzz-*")}
    assert kinds == KEPT.keys()


@pytest.mark.parametrize("name", ["pth-build-oob", "pickle-memory-bomb", "pickle-exponential", "pickle-memo"])
def test_kept_pickles(kept, name):
    read = by("PyTorch, zip") if name.startswith("pth") else load_archive
    paths = sorted((kept / name).iterdir())
    assert paths
    for path in paths:
        said = refusal_of(read, path)
        assert said or path.name == "sane.pth"


@pytest.mark.parametrize(
    "name",
    ["id-collision", "id-long", "id-traversal", "coco-duplicate-image-id", "html", "newline-name"],
)
def test_kept_names(kept, name):
    (path,) = (kept / name).glob("**/*.json")
    refusal_of(by("COCO results"), path)
