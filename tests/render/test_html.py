import base64
import dataclasses
import html
import json
import re

import numpy as np
import pytest

from tf_pose3d.render.html import html_document, notebook_frame
from tf_pose3d.render.scene import make_scene


def embedded(text):
    return json.loads(re.search(r'<script id="scene" type="application/json">(.*?)</script>', text, re.S)[1])


def unpack(packed, width):
    values = np.frombuffer(base64.b64decode(packed["data"]), "<i2") * packed["step"]
    return values.reshape(-1, 17, width)


def test_page_holds_every_pose(sequence, poses):
    scene = make_scene(sequence, poses, skip=2, downsample=3)
    text, count = html_document(scene)
    content = embedded(text)
    assert count == len(scene) == len(content["frames"])
    assert content["frames"] == scene.frames.tolist()
    np.testing.assert_allclose(unpack(content["pose_2d"], 2), scene.pose_2d, atol=0.07)
    for track, held in zip(scene.tracks, content["tracks"], strict=True):
        np.testing.assert_allclose(unpack(held["poses"], 3), track.poses, atol=3e-4)
    np.testing.assert_allclose(content["tracks"][0]["error_mm"], scene.tracks[0].error_mm, atol=0.01)


def test_page_needs_no_network(sequence, poses):
    text, _ = html_document(make_scene(sequence, poses, limit=2))
    assert not re.search(r"https?://|\bsrc=|<link|@import|fetch\(|XMLHttpRequest|import\(", text)


@pytest.mark.parametrize("name", ['</script><script>alert("1")</script>', "<!--<script>", "{{SCENE}}\u2028"])
def test_names_cannot_break_out_of_the_page(sequence, poses, name):
    scene = dataclasses.replace(make_scene(sequence, poses, limit=1), title=name)
    text, _ = html_document(scene)
    block = re.search(r'<script id="scene" type="application/json">(.*?)</script>', text, re.S)[1]
    assert "<" not in block
    assert json.loads(block)["title"] == name


def test_names_that_are_no_utf_8(sequence, poses):
    scene = dataclasses.replace(make_scene(sequence, poses, limit=1), title="caf\udce9")
    text, _ = html_document(scene)
    assert embedded(text.encode("utf-8").decode("utf-8"))["title"] == "caf?"


def test_a_page_for_a_notebook_keeps_to_its_own_frame():
    frame = notebook_frame('<p class="a">&amp;</p></iframe>')
    held = re.fullmatch(r'<iframe srcdoc="([^"]*)" sandbox="allow-scripts" style="[^"]*"></iframe>', frame)
    assert html.unescape(held[1]) == '<p class="a">&amp;</p></iframe>'


def test_poses_that_are_far_off_or_no_numbers(sequence, poses):
    wild = poses.copy()
    wild[0, 3] = np.nan
    wild[1] *= 1e3
    scene = make_scene(sequence, wild, limit=2)
    held = unpack(embedded(html_document(scene)[0])["tracks"][0]["poses"], 3)
    expected = np.nan_to_num(scene.tracks[0].poses)
    np.testing.assert_allclose(held, expected, atol=np.abs(expected).max() / 32767)
