import io

import numpy as np
import pytest
from PIL import Image, ImageSequence

from tf_pose3d.render import style
from tf_pose3d.render.gif import common_palette, frame_delays, write_gif


def test_delays_keep_the_speed():
    assert frame_delays(4, 25) == [4, 4, 4, 4]
    assert frame_delays(6, 30) == [3, 4, 3, 3, 4, 3]
    for fps in (12.5, 16.6667, 23.976, 29.97, 50):
        delays = frame_delays(300, fps)
        assert sum(delays) == pytest.approx(300 * 100 / fps, abs=0.5)
        assert max(delays) - min(delays) <= 1


def pictures(count, size=(60, 40)):
    rng = np.random.default_rng(0)
    for number in range(count):
        picture = Image.new("RGB", size, style.PAPER)
        picture.paste(style.LEFT, (number, 5, number + 10, 20))
        picture.paste(tuple(int(v) for v in rng.integers(0, 256, 3)), (40, 20, 60, 40))
        yield picture


@pytest.mark.parametrize("common", [True, False])
def test_every_picture_comes_back(common):
    expected = [np.asarray(picture) for picture in pictures(9)]
    palette = common_palette(list(pictures(9)), style.PALETTE) if common else None
    file = io.BytesIO()
    assert write_gif(file, pictures(9), frame_delays(9, 30), palette, style.PALETTE) == 9
    read = Image.open(file)
    assert read.n_frames == 9
    assert read.info["loop"] == 0
    durations = []
    for frame, wanted in zip(ImageSequence.Iterator(read), expected, strict=True):
        durations.append(frame.info["duration"])
        shown = np.asarray(frame.convert("RGB")).astype(int)
        assert np.abs(shown - wanted).max() <= 8
        np.testing.assert_array_equal(shown[10, 30], style.PAPER)
    assert durations == [10 * delay for delay in frame_delays(9, 30)]


def test_pictures_that_do_not_change_are_frames_of_their_own():
    still = next(pictures(1))
    file = io.BytesIO()
    assert write_gif(file, [still] * 3, [4, 4, 4], common_palette([still])) == 3
    read = Image.open(file)
    assert read.n_frames == 3
    read.seek(2)
    np.testing.assert_allclose(np.asarray(read.convert("RGB")), np.asarray(still), atol=8)


def test_pictures_of_more_than_a_megapixel():
    rng = np.random.default_rng(1)
    noise = Image.fromarray(rng.integers(0, 256, (1000, 1100, 3), dtype=np.uint8))
    file = io.BytesIO()
    write_gif(file, [noise], [4], common_palette([noise]))
    assert np.abs(np.asarray(Image.open(file).convert("RGB")).astype(int) - np.asarray(noise)).mean() < 25
