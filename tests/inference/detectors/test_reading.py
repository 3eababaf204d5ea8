"""People in a video: what is decoded, and what becomes of videos that are damaged, turned or uneven."""

import threading
import time

import numpy as np
import pytest

import tf_pose3d
from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.detectors import Found, detect_people, is_video
from tf_pose3d.inference.detectors.reading import PeopleCollector, read_ahead

pytest.importorskip("av")


def test_videos_are_known_by_their_content(make_video, tmp_path):
    for name, codec in (
        ("a.mp4", "libx264"),
        ("a.mov", "libx264"),
        ("a.mkv", "libx264"),
        ("a.avi", "mpeg4"),
        ("a.ts", "libx264"),
    ):
        path = make_video(name, codec=codec, fps=25)
        other = path.rename(tmp_path / "clip")
        assert is_video(other), name
    for name, content in (("a.mp4", b"not a video"), ("b.json", b'[{"image_id": 0}]'), ("empty", b"")):
        (tmp_path / name).write_bytes(content)
        assert not is_video(tmp_path / name)
    assert not is_video(tmp_path)
    assert not is_video(tmp_path / "nowhere")


def test_every_frame_is_looked_at_in_order(make_video, spot):
    path = make_video(count=12, fps=10)
    video, interrupted = detect_people(path, spot)
    assert not interrupted
    assert (video.num_frames, video.fps, video.width, video.height) == (12, 10, 64, 48)
    assert [seconds for _, seconds in spot.seen] == pytest.approx([100 * n for n in range(12)])
    assert {shape for shape, _ in spot.seen} == {(48, 64, 3)}
    (person,) = video.people
    np.testing.assert_allclose(person.keypoints[:, 0, 0], 2 + np.arange(12), atol=0.4)
    assert not video.warnings


def test_a_telephones_rotation(make_video, spot):
    path = make_video(rotation=90)
    seen = []

    class Corner(type(spot)):
        def __call__(self, image, milliseconds):
            bright = np.argwhere(image[..., 0] > 200).mean(axis=0) / image.shape[:2]
            seen.append((image.shape, bright))
            return super().__call__(image, milliseconds)

    video, _ = detect_people(path, Corner())
    assert (video.width, video.height) == (48, 64)
    shape, (row, column) = seen[0]
    assert shape == (64, 48, 3)
    # The corner at the upper left lies where pictures of the same video have it.
    from tf_pose3d.render.video import VideoReader

    picture = np.asarray(next(VideoReader(path).frames([0], (48, 64))))[..., 0] > 200
    np.testing.assert_allclose([row, column], np.argwhere(picture).mean(axis=0) / (64, 48), atol=0.05)
    assert min(row, column) < 0.3 < 0.7 < max(row, column)


def test_uneven_frames_are_timed_by_their_stamps(make_video, spot):
    stamps = np.array([0, 100, 200, 400, 500, 600, 700, 1000, 1100, 1200]) / 1000
    path = make_video("uneven.mkv", times=stamps)
    video, _ = detect_people(path, spot)
    assert (video.num_frames, video.fps) == (13, 10)
    assert "timed by their stamps, as 13 at 10 per second" in video.notes[0]
    (person,) = video.people
    # Between frames 2 and 3 lies one more; the gap of 300 ms between 6 and 7 is longer than what is supposed.
    assert person.frames.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12]
    np.testing.assert_allclose(person.keypoints[:5, 0, 0], [2, 3, 4, 4.5, 5], atol=0.4)
    assert video.decoded.tolist()[:3] == [0, 1, 2]
    assert video.decoded[4] == 3
    assert video.decoded.tolist()[7:11] == [6, 6, 7, 7]
    # A rate that is given counts more than stamps.
    video, _ = detect_people(path, type(spot)(), fps=25)
    assert (video.num_frames, video.fps, video.decoded) == (10, 25, None)


def test_a_file_that_is_damaged_in_the_middle(make_video, spot, tmp_path):
    path = make_video("whole.mkv", count=60, size=(320, 240), fps=30)
    content = bytearray(path.read_bytes())
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(content[: len(content) // 2])
    video, _ = detect_people(cut, spot)
    assert 5 < video.num_frames < 55
    assert len(video.people[0].frames) == video.num_frames


def test_an_mp4_whose_end_is_missing(tmp_path, spot):
    import av

    path = tmp_path / "front.mp4"
    rng = np.random.default_rng(0)
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.gop_size = 1
        for _ in range(30):
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(rng.integers(0, 255, (48, 64, 3), np.uint8)))
            )
        container.mux(stream.encode())
    content = path.read_bytes()
    path.write_bytes(content[: int(0.6 * len(content))])
    video, _ = detect_people(path, spot)
    assert 5 < video.num_frames < 25
    (warning,) = video.warnings
    assert "kept" in warning
    assert str(video.num_frames) in warning


def test_damage_that_the_decoder_reports(make_video, spot, monkeypatch):
    path = make_video()
    from tf_pose3d.render.video import VideoReader

    whole = VideoReader.arrays

    def broken(self, pixels):
        for number, pair in enumerate(whole(self, pixels)):
            if number == 4:
                raise Pose3DError(f"{self.path} is damaged after frame 3: Invalid data")
            yield pair

    monkeypatch.setattr(VideoReader, "arrays", broken)
    video, _ = detect_people(path, spot)
    assert video.num_frames == 4
    assert "damaged after frame 3: Invalid data: the 4 frames before are kept" in video.warnings[0]


def test_a_size_that_changes(spot, tmp_path):
    """Two streams of MPEG-TS, one behind the other, as recorders leave them."""
    import av

    content = b""
    for size, count in (((64, 48), 6), ((96, 64), 6)):
        part = tmp_path / "part.ts"
        with av.open(str(part), "w") as container:
            stream = container.add_stream("mpeg2video", rate=25)
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            for _ in range(count):
                image = np.full((size[1], size[0], 3), 90, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
            container.mux(stream.encode())
        content += part.read_bytes()
    path = tmp_path / "both.ts"
    path.write_bytes(content)
    video, _ = detect_people(path, spot)
    assert (video.width, video.height) == (64, 48)
    assert 4 <= video.num_frames <= 6
    assert "is 96x64, those before 64x48" in video.warnings[0]


def test_videos_without_a_stream_or_frames(spot, tmp_path):
    import av

    sound = tmp_path / "sound.mkv"
    with av.open(str(sound), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(Pose3DError, match=r"sound\.mkv holds no video"):
        detect_people(sound, spot)
    with pytest.raises(Pose3DError, match=r"nowhere\.mp4 does not exist"):
        detect_people(tmp_path / "nowhere.mp4", spot)


def test_ids_of_the_detector_stay(make_video):
    class Two:
        layout = "coco_17"
        count = 0

        def __call__(self, image, milliseconds):
            self.count += 1
            points = np.full((17, 3), 0.5, np.float32)
            both = [Found(points, "b", points[:, :3] * self.count), Found(points, "a")]
            return both if self.count > 2 else both[:1]

    video, _ = detect_people(make_video(count=5), Two())
    first, second = video.people
    assert (first.id, second.id) == ("b", "a")
    assert first.frames.tolist() == [0, 1, 2, 3, 4]
    assert second.frames.tolist() == [2, 3, 4]
    np.testing.assert_allclose(first.detector_pose[:, 0, 0], 0.5 * np.arange(1, 6))
    assert second.detector_pose is None


def test_findings_that_are_never_sure_are_left_out():
    collector = PeopleCollector()
    # Findings count from the first on once the detector is sure, and where it never is of anybody.
    for frame in range(6):
        collector.add(
            [Found(np.ones((17, 3)), "a", sure=frame > 3), Found(np.ones((17, 3)), "b", sure=False)]
        )
    assert [(person.id, len(person.frames)) for person in collector.people()] == [("a", 6)]
    collector = PeopleCollector()
    collector.add([Found(np.ones((17, 3)), "b", sure=False)])
    assert [person.id for person in collector.people()] == ["b"]


def test_ids_for_some_only():
    collector = PeopleCollector()
    with pytest.raises(Pose3DError, match="ids for some people and none for others"):
        collector.add([Found(np.ones((17, 3)), "a"), np.ones((17, 3))])


def test_from_python(make_video, spot):
    path = make_video(count=6)
    video = tf_pose3d.read_keypoints(path, detector=spot, fps=20)
    assert (video.num_frames, video.fps, len(video.people)) == (6, 20, 1)
    with pytest.raises(Pose3DError, match="width 99"):
        tf_pose3d.read_keypoints(path, detector=type(spot)(), width=99)


def test_reading_ahead():
    made = []

    def items():
        for number in range(100):
            made.append(number)
            yield number

    ahead = read_ahead(items(), 3)
    assert next(ahead) == 0
    deadline = time.monotonic() + 5
    while len(made) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    # One was given, three wait, one more is in hand: no more frames are held, however long the video is.
    assert len(made) == 5
    assert list(ahead) == list(range(1, 100))


def test_reading_ahead_ends_with_its_reader():
    def items():
        yield from range(1000)
        raise AssertionError("nobody asked for so many")

    ahead = read_ahead(items(), 2)
    next(ahead)
    ahead.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "decoding"]

    def failing():
        yield 1
        raise Pose3DError("damaged")

    with pytest.raises(Pose3DError, match="damaged"):
        list(read_ahead(failing()))
