import errno

import av
import numpy as np
import pytest
from PIL import Image

from tf_pose3d.errors import Pose3DError
from tf_pose3d.render.video import VideoReader, write_mp4


def grey(picture):
    return float(np.asarray(picture).mean())


def test_frames_by_number(video):
    reader = VideoReader(video)
    assert (reader.width, reader.height, reader.fps) == (500, 500, 50.0)
    frames = list(reader.frames([0, 3, 7, 8, 20], (50, 40)))
    assert [frame.size for frame in frames] == [(50, 40)] * 3
    np.testing.assert_allclose([grey(frame) for frame in frames], [40, 70, 110], atol=3)


def test_frames_that_are_numbered_anew(video):
    """Where frames are not at even times, several numbers may be of one frame, and others of none."""
    reader = VideoReader(video)
    plain = [grey(frame) for frame in reader.frames(range(8), (50, 40))]
    other = reader.renumbered(np.array([0, 2, 2, 2, 5]))
    frames = [grey(frame) for frame in other.frames([0, 1, 3, 4, 5, 6], (50, 40))]
    assert frames == [plain[0], plain[2], plain[2], plain[5]]
    assert len(list(reader.frames(range(8), (50, 40)))) == 8
    assert VideoReader.of(other) is other
    assert VideoReader.of(video).path == video


def test_arrays_have_times(video):
    times, images = zip(*VideoReader(video).arrays("rgba"), strict=True)
    np.testing.assert_allclose(times, np.arange(len(times)) / 50, atol=1e-6)
    assert {image.shape for image in images} == {(500, 500, 4)}
    plain = [image for _, image in VideoReader(video).arrays()]
    np.testing.assert_array_equal([image[..., :3] for image in images], plain)


def test_shape_must_be_that_of_the_2d_poses(video):
    VideoReader(video).check_shape((1000, 1002))
    with pytest.raises(Pose3DError, match="is 500x500, but the 2D poses lie in an image of 1920x1080"):
        VideoReader(video).check_shape((1920, 1080))


def test_videos_that_cannot_be_read(video, tmp_path):
    with pytest.raises(Pose3DError, match=r"nothing\.mp4 does not exist"):
        VideoReader(tmp_path / "nothing.mp4")
    text = tmp_path / "text.mp4"
    text.write_text("not a video")
    with pytest.raises(Pose3DError, match=r"text\.mp4 cannot be read as a video"):
        VideoReader(text)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(video.read_bytes()[:600])
    with pytest.raises(Pose3DError, match=r"cut.mp4 (cannot be read as a video|is a video without frames)"):
        VideoReader(cut)


def test_frames_in_a_form_that_nothing_converts(video, monkeypatch):
    """As damaged headers announce."""
    reader = VideoReader(video)

    class Strange:
        rotation, time = 0, 0.0

        def to_image(self, **settings):
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")

        def to_ndarray(self, **settings):
            raise ValueError("Conversion to numpy array with format is not yet supported")

    monkeypatch.setattr(VideoReader, "_decode", lambda self: iter([Strange()]))
    message = "is damaged: a frame cannot be shown: "
    for read in (lambda: VideoReader(video), lambda: list(reader.frames([0], (8, 8)))):
        with pytest.raises(Pose3DError, match=message + "Operation not supported"):
            read()
    with pytest.raises(Pose3DError, match=message):
        list(reader.arrays())


def test_mp4_is_what_browsers_play(tmp_path):
    colours = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (250, 250, 250), (0, 0, 0)]
    path = tmp_path / "clip.mp4"
    assert write_mp4(path, (Image.new("RGB", (64, 48), colour) for colour in colours), 12.5, 500) == 5
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert float(stream.average_rate) == 12.5
        assert float(stream.duration * stream.time_base) == pytest.approx(5 / 12.5)
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    assert len(frames) == 5
    for frame, colour in zip(frames, colours, strict=True):
        np.testing.assert_allclose(frame.reshape(-1, 3).mean(axis=0), colour, atol=12)
    # The index comes before the pictures, so that playing can begin while loading.
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_bit_rate_counts(tmp_path):
    rng = np.random.default_rng(0)
    noise = [Image.fromarray(rng.integers(0, 256, (120, 160, 3), dtype=np.uint8)) for _ in range(25)]
    sizes = {}
    for bitrate in (200, 2000):
        write_mp4(tmp_path / "noise.mp4", noise, 25, bitrate)
        sizes[bitrate] = (tmp_path / "noise.mp4").stat().st_size
    assert sizes[200] < sizes[2000] / 3
