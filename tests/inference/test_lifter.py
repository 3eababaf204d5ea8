"""`tf_pose3d.load` and `Lifter` with models of every kind: single frames, windows, a typical body's size."""

import json

import numpy as np
import pytest

import tf_pose3d
from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.lifter import KeypointWarning, Lifter
from tf_pose3d.inference.lifting import lift_paths, lift_sequences
from tf_pose3d.inference.stream import PoseStream, lift_lines
from tf_pose3d.models.family import get_family
from tf_pose3d.models.lcn.config import LCNConfig
from tf_pose3d.models.loading import build_model, save_model
from tf_pose3d.models.martinez.family import MartinezFamily
from tf_pose3d.models.uplift_upsample.config import UpliftUpsampleConfig
from tf_pose3d.skeleton import joint_indices

CONFIGS = {
    "uplift": UpliftUpsampleConfig(
        SEQUENCE_LENGTH=9,
        SEQUENCE_STRIDE=5,
        MASK_STRIDE=[10],
        STRIDES=[3, 3],
        PADDINGS=[[1, 1], [0, 0]],
        SPATIAL_EMBED_DIM=8,
        TEMPORAL_EMBED_DIM=16,
        NUM_HEADS=2,
    ),
    "martinez": MartinezFamily.config_class(),
    "lcn": LCNConfig(CHANNELS=8, LAYERS=1),
    "videopose3d": get_family("videopose3d").config_class(FILTER_WIDTHS=[3, 3], CHANNELS=8),
    "rie": get_family("rie").config_class(FILTER_WIDTHS=[3, 3], CHANNELS=8),
    "ehfusion": get_family("ehfusion").config_class(FILTER_WIDTHS=[3, 3], CHANNELS=8),
    "strided": get_family("strided").config_class(FRAMES=9, STRIDES=[3, 3], CHANNELS=16, HIDDEN=16, LAYERS=2),
    "poseformer": get_family("poseformer").config_class(FRAMES=9, JOINT_DIM=8, LAYERS=1),
}


@pytest.fixture(scope="module")
def recording():
    return synthetic_sequences(["S9"], frames=60, actions=["WalkTogether"], skeleton="h36m_17")[0]


@pytest.fixture(scope="module")
def models():
    return {name: build_model(config) for name, config in CONFIGS.items()}


def image_size(recording):
    return {"width": recording.camera.width, "height": recording.camera.height}


@pytest.mark.filterwarnings("ignore::tf_pose3d.inference.lifter.KeypointWarning")
@pytest.mark.parametrize("name", CONFIGS)
def test_poses_of_any_family(models, recording, name):
    lifter = Lifter(models[name])
    poses = lifter(recording.pose_2d, **image_size(recording), layout="h36m_17")
    assert poses.shape == (60, lifter.skeleton.num_joints, 3)
    assert poses.dtype == np.float32
    assert np.isfinite(poses).all()
    assert (poses[:, lifter.root] == 0).all()
    again = Lifter(models[name], max_gap=0)
    np.testing.assert_array_equal(again(recording.pose_2d, **image_size(recording), layout="h36m_17"), poses)


@pytest.mark.filterwarnings("ignore::tf_pose3d.inference.lifter.KeypointWarning")
@pytest.mark.parametrize("name", ["uplift", "martinez"])
def test_as_the_evaluation_predicts(models, recording, name):
    config, family = CONFIGS[name], get_family(CONFIGS[name].ARCH)
    order = joint_indices("h36m_17", family.skeleton(config))
    sequence = synthetic_sequences(
        ["S9"], frames=60, actions=["WalkTogether"], skeleton=family.skeleton(config)
    )[0]
    (expected,) = lift_sequences(family, models[name], config, [sequence])
    expected = expected - expected[:, family.root_joint(config)][:, None]
    poses = Lifter(models[name])(recording.pose_2d[:, order], **image_size(recording))
    np.testing.assert_allclose(poses, expected, atol=1e-5)


@pytest.mark.parametrize("name", ["uplift", "videopose3d", "ehfusion", "strided"])
def test_long_clips_are_lifted_in_stretches(models, recording, name, monkeypatch):
    whole = Lifter(models[name]).lift(recording.pose_2d, **image_size(recording), layout="h36m_17").pose_3d
    for name_of_size in ("_CHUNK", "_SEQUENCE_CHUNK"):
        monkeypatch.setattr(f"tf_pose3d.inference.lifter.{name_of_size}", 3)
    parts = Lifter(models[name]).lift(recording.pose_2d, **image_size(recording), layout="h36m_17").pose_3d
    np.testing.assert_allclose(parts, whole, atol=1e-5)


def test_image_families_are_refused():
    config = get_family("densewarper").config_class()
    with pytest.raises(Pose3DError, match="reads images, not sequences of 2D poses"):
        Lifter(None, config)


def test_lcn_gives_a_typical_adult(models, recording):
    from tf_pose3d.anthropometry import typical_bones

    lifter = Lifter(models["lcn"])
    poses = lifter.lift(recording.pose_2d, **image_size(recording), layout="h36m_17").pose_3d
    bones = typical_bones(lifter.skeleton)
    lengths = sum(np.linalg.norm(poses[:, a] - poses[:, b], axis=-1) for a, b in bones)
    np.testing.assert_allclose(lengths, sum(bones.values()), rtol=1e-3)


@pytest.mark.filterwarnings("ignore::tf_pose3d.inference.lifter.KeypointWarning")
def test_repeated_calls_trace_once(models, recording):
    lifter = Lifter(models["uplift"])
    lifter(recording.pose_2d, **image_size(recording), layout="h36m_17")
    encode, lift = next(iter(lifter._predictor._compiled.values()))
    for frames in (60, 40, 13, 1):
        lifter(recording.pose_2d[:frames], **image_size(recording), layout="h36m_17")
    assert len(lifter._predictor._compiled) == 1
    assert encode.experimental_get_tracing_count() == lift.experimental_get_tracing_count() == 1


@pytest.mark.filterwarnings("ignore::tf_pose3d.inference.lifter.KeypointWarning")
@pytest.mark.parametrize("fps", [25, 30, 50, 59.94, 100])
def test_every_frame_gets_a_pose_at_any_rate(models, recording, fps):
    poses = Lifter(models["uplift"])(recording.pose_2d, **image_size(recording), fps=fps, layout="h36m_17")
    assert poses.shape == (60, 17, 3)
    assert np.isfinite(poses).all()
    # A family of single frames knows no time.
    single = Lifter(models["martinez"])
    expected = single(recording.pose_2d, **image_size(recording), layout="h36m_17")
    np.testing.assert_array_equal(
        single(recording.pose_2d, **image_size(recording), fps=fps, layout="h36m_17"), expected
    )


def test_missing_people_have_no_pose(models, recording):
    lifter = Lifter(models["martinez"], max_gap=5)
    points = np.concatenate([recording.pose_2d, np.ones((60, 17, 1), np.float32)], axis=2)
    points[10:14] = np.nan
    points[30:40] = np.nan
    person = lifter.lift(points, **image_size(recording), layout="h36m_17")
    assert np.flatnonzero(np.isnan(person.pose_3d).any(axis=(1, 2))).tolist() == list(range(30, 40))
    assert any("no person in 10 of 60 frames" in line for line in person.warnings)
    whole = lifter.lift(recording.pose_2d, **image_size(recording), layout="h36m_17").pose_3d
    np.testing.assert_array_equal(person.pose_3d[:10], whole[:10])


def test_warnings_of_a_call(models, recording):
    turned = recording.pose_2d.copy()
    turned[..., 1] = recording.camera.height - turned[..., 1]
    with pytest.warns(KeypointWarning, match="upside down"):
        Lifter(models["martinez"])(turned, **image_size(recording), layout="h36m_17")


@pytest.mark.filterwarnings("ignore::tf_pose3d.inference.lifter.KeypointWarning")
def test_box_normalization_moves_with_the_person(models, recording):
    lifter = Lifter(models["martinez"], normalization="box")
    poses = lifter(recording.pose_2d, 1000, 1000, layout="h36m_17")
    moved = lifter(recording.pose_2d + np.float32(700), 3000, 3000, layout="h36m_17", focal_length=1145)
    np.testing.assert_allclose(moved, poses, atol=2e-3)


def test_load(models, recording, tmp_path):
    save_model(models["martinez"], tmp_path / "x.h5")
    lifter = tf_pose3d.load(tmp_path / "x.h5", min_confidence=0.5)
    assert lifter.min_confidence == 0.5
    poses = lifter.lift(recording.pose_2d, **image_size(recording), layout="h36m_17").pose_3d
    expected = Lifter(models["martinez"]).lift(recording.pose_2d, **image_size(recording), layout="h36m_17")
    np.testing.assert_allclose(poses, expected.pose_3d, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layout": "coko_17"}, r"unknown joint layout 'coko_17': did you mean 'coco_17'\? Known: "),
        ({"layout": "openpose_25"}, r"shape \(60, 17, 2\), expected \(frames, 25, 2 or 3\)"),
        ({"width": 0}, "an image of 0x1002 pixels, expected both above 0"),
        ({"fps": 0}, "0 frames per second, expected a rate above 0"),
        ({"width": 200, "height": 150}, "of the joints lie outside the image of 200x150"),
    ],
)
def test_bad_calls(models, recording, changes, message):
    arguments = {"layout": "h36m_17", **image_size(recording), **changes}
    with pytest.raises(Pose3DError, match=message):
        Lifter(models["martinez"])(recording.pose_2d, **arguments)


def test_bad_settings(models):
    for changes, message in (
        ({"normalization": "circle"}, "normalization is 'circle', expected frame or box"),
        ({"min_confidence": 2}, "min_confidence is 2, expected 0 to 1"),
        ({"max_gap": -1}, "max_gap is -1, expected 0 or more"),
    ):
        with pytest.raises(Pose3DError, match=message):
            Lifter(models["martinez"], **changes)


def test_interrupted_work_keeps_what_is_done(models, recording, monkeypatch):
    monkeypatch.setattr("tf_pose3d.inference.lifter._CHUNK", 4)
    lifter = Lifter(models["uplift"])
    expected = lifter.lift(recording.pose_2d, **image_size(recording), layout="h36m_17").pose_3d
    predict, calls = lifter._predictor, []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return predict(*arguments)

    lifter._predictor = interrupted
    person = lifter.lift(recording.pose_2d, **image_size(recording), layout="h36m_17")
    assert person.interrupted
    # Eight predictions, five frames apart.
    assert len(person.pose_3d) == len(person.keypoints) == len(person.present) == 36
    np.testing.assert_allclose(person.pose_3d, expected[:36], atol=1e-6)
    calls[:] = [None, None]
    with pytest.raises(KeyboardInterrupt):
        lifter.lift(recording.pose_2d, **image_size(recording), layout="h36m_17")


def with_confidence(recording):
    return np.concatenate([recording.pose_2d, np.ones((60, 17, 1), np.float32)], axis=2)


@pytest.mark.parametrize("name", ["martinez", "lcn"])
def test_a_stream_of_single_frames_gives_the_same_poses(models, recording, name):
    lifter = Lifter(models[name])
    expected = lifter.lift(recording.pose_2d, **image_size(recording), layout="h36m_17").pose_3d
    stream = PoseStream(lifter, **image_size(recording), layout="h36m_17", delay=7)
    assert stream.delay == 0
    found = [ready for frame in with_confidence(recording) for ready in stream.push(frame)]
    assert [number for number, _ in found] == list(range(60))
    np.testing.assert_allclose(np.stack([pose for _, pose in found]), expected, atol=1e-4)
    assert list(stream.finish()) == []


def test_a_stream_with_all_the_future_gives_the_same_keyframes(models, recording):
    lifter = Lifter(models["uplift"])
    expected = lifter.lift(recording.pose_2d, **image_size(recording), layout="h36m_17").pose_3d
    stream = PoseStream(lifter, **image_size(recording), layout="h36m_17", delay=30)
    found = [ready for frame in with_confidence(recording) for ready in stream.push(frame)]
    assert len(found) == 30
    found += list(stream.finish())
    assert [number for number, _ in found] == list(range(60))
    # Frames whose whole window lies in the clip, and which have a 2D pose in it.
    for frame in (20, 30):
        np.testing.assert_allclose(found[frame][1], expected[frame], atol=1e-4)


def test_a_stream_holds_joints_for_a_while(models, recording):
    stream = PoseStream(Lifter(models["martinez"], max_gap=2), **image_size(recording), layout="h36m_17")
    frames = list(with_confidence(recording)[:3]) + [None] * 4 + [with_confidence(recording)[5]]
    poses = [pose for frame in frames for _, pose in stream.push(frame)]
    assert [pose is None for pose in poses] == [False] * 5 + [True, True, False]
    np.testing.assert_array_equal(poses[4], poses[2])


def test_lines(models, recording):
    lifter = Lifter(models["martinez"])
    frames = with_confidence(recording)[:4].tolist()
    lines = [json.dumps({"keypoints": frames[0], **image_size(recording), "layout": "h36m_17"}), "\n"]
    lines += [json.dumps(frames[1]), "null", json.dumps({"keypoints_2d": frames[3]})]
    out = [json.loads(line) for line in lift_lines(lines, lifter)]
    assert [line["frame"] for line in out] == [0, 1, 2, 3]
    expected = lifter.lift(recording.pose_2d[:4], **image_size(recording), layout="h36m_17").pose_3d
    np.testing.assert_allclose(out[3]["pose_3d"], expected[3], atol=1e-4)
    # Held from the frame before.
    assert out[2]["pose_3d"] == out[1]["pose_3d"]


def test_lines_of_detectors(models):
    lifter = Lifter(models["martinez"])
    random = np.random.default_rng(0)
    body = np.concatenate([random.uniform(300, 700, (25, 2)), np.ones((25, 1))], axis=1).ravel().tolist()
    openpose = json.dumps({"people": [{"pose_keypoints_2d": body}]})
    empty = json.dumps({"people": []})
    out = [json.loads(line) for line in lift_lines([empty, openpose], lifter, 1000, 1000)]
    assert out[0]["pose_3d"] is None
    assert np.shape(out[1]["pose_3d"]) == (16, 3)
    marks = [{"x": x, "y": y, "visibility": 1.0} for x, y in random.uniform(0.3, 0.7, (33, 2)).tolist()]
    (line,) = lift_lines([json.dumps({"pose_landmarks": marks})], lifter, 1000, 1000)
    assert np.shape(json.loads(line)["pose_3d"]) == (16, 3)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (['{"keypoints": [[1, 2'], "line 1 is cut off at character 20"),
        (["hello"], "line 1 is no JSON at character 0"),
        (['{"pose": 1}'], "line 1: an object without keypoints, people or pose_landmarks"),
        ([json.dumps([[1, 2, 1]] * 17)], "line 1 has 17 joints, expected .* layouts with 17: h36m_17"),
        ([json.dumps([[1, 2, 1]] * 25)], "line 1: no image size; give --width and --height"),
        (
            [
                json.dumps({"keypoints": [[1, 2, 1]] * 25, "width": 9, "height": 9}),
                json.dumps([[1, 2, 1]] * 24),
            ],
            "line 2: 24 keypoints, expected 25",
        ),
        (
            [
                json.dumps({"keypoints": [[1, 2, 1]] * 25, "width": 9, "height": 9}),
                json.dumps({"keypoints": [[1, 2, 1]] * 25, "width": 10, "height": 9}),
            ],
            "line 2: width 10, expected 9 as before: images of mixed sizes",
        ),
        (
            [json.dumps({"keypoints": [[1, 2, 50]] * 25, "width": 9, "height": 9})],
            "line 1: a confidence of 50, expected 0 to 1",
        ),
    ],
)
def test_bad_lines(models, lines, message):
    with pytest.raises(Pose3DError, match=message):
        list(lift_lines(lines, Lifter(models["martinez"])))


@pytest.fixture(scope="module")
def with_path():
    config = CONFIGS["videopose3d"].replace(TRAJECTORY=True)
    return build_model(config)


@pytest.mark.filterwarnings("ignore::tf_pose3d.inference.lifter.KeypointWarning")
def test_the_root_moves_as_its_network_says(with_path, recording, tmp_path):
    lifter = Lifter(with_path)
    size = image_size(recording)
    person = lifter.lift(recording.pose_2d, **size, layout="h36m_17")
    (poses,) = lift_sequences(lifter.family, with_path, lifter.config, [recording])
    (path,) = lift_paths(lifter.family, with_path, lifter.config, [recording])
    assert path.shape == (60, 3)
    assert np.ptp(path, axis=0).min() > 0
    np.testing.assert_allclose(person.pose_3d, poses - poses[:, :1], atol=1e-5)
    np.testing.assert_allclose(person.pose_3d + person.path[:, None], poses + path[:, None], atol=1e-5)
    person.save(tmp_path / "moving.npy")
    np.testing.assert_allclose(np.load(tmp_path / "moving.npy"), poses + path[:, None], atol=1e-5)
    person.save(tmp_path / "still.npy", placement="root")
    np.testing.assert_array_equal(np.load(tmp_path / "still.npy"), person.pose_3d)
    assert Lifter(build_model(CONFIGS["videopose3d"])).lift(recording.pose_2d, **size).path is None


@pytest.mark.filterwarnings("ignore::tf_pose3d.inference.lifter.KeypointWarning")
def test_the_path_at_another_rate_and_where_nobody_is(with_path, recording):
    points = recording.pose_2d.copy()
    points[20:40] = np.nan
    person = Lifter(with_path).lift(points, **image_size(recording), fps=30, layout="h36m_17")
    assert person.path.shape == (60, 3)
    np.testing.assert_array_equal(np.isnan(person.path[:, 0]), ~person.present)
    assert (~person.present).sum() == 20


@pytest.mark.filterwarnings("ignore::tf_pose3d.inference.lifter.KeypointWarning")
def test_a_box_hides_the_path(with_path, recording):
    person = Lifter(with_path, normalization="box").lift(recording.pose_2d, **image_size(recording))
    assert person.path is None
    assert any("the network of the root's path is left out" in line for line in person.warnings)
