import base64
import dataclasses
import html
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from tf_pose3d.render.html import html_document, notebook_frame
from tf_pose3d.render.scene import SceneCamera, SceneView, make_scene


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


def test_several_cameras_and_people(sequence, poses):
    scene = make_scene(sequence, poses, limit=4)
    seen = scene.pose_2d.copy()
    seen[1, 3] = np.nan
    company = scene.tracks[0].poses[None] + np.float32([1, 0, 0])
    company[0, 2:] = np.nan
    view = SceneView("left", (640, 480), seen, scene.pose_2d + 1)
    camera = SceneCamera("left", np.array([0, -4.0, 1]), np.arange(12.0).reshape(4, 3))
    track = dataclasses.replace(scene.tracks[0], company=company)
    scene = dataclasses.replace(scene, tracks=(track,), views=(view, view), cameras=(camera,))
    images = [Image.new("RGB", (64, 48))] * 2
    content = embedded(html_document(scene.take(np.array([0, 1, 2])), None, [None, images])[0])
    held = content["views"][0]
    assert (held["name"], held["image_size"], held["images"]) == ("left", [640, 480], [])
    # What is missing is the lowest number of 16 bits.
    raw = np.frombuffer(base64.b64decode(held["pose_2d"]["data"]), "<i2").reshape(3, 17, 2)
    assert np.argwhere(raw == -32768)[:, :2].tolist() == [[1, 3], [1, 3]]
    np.testing.assert_allclose(unpack(held["projected"], 2), scene.pose_2d[:3] + 1, atol=0.07)
    assert len(content["views"][1]["images"]) == 2
    assert content["cameras"][0]["corners"][1] == [3, 4, 5]
    other = np.frombuffer(base64.b64decode(content["tracks"][0]["company"][0]["data"]), "<i2")
    assert (other.reshape(3, 17, 3)[2] == -32768).all()
    assert not (other.reshape(3, 17, 3)[:2] == -32768).any()


def test_uncertainty_curves_and_other_people(sequence, poses):
    count = len(poses)
    scene = make_scene(
        sequence,
        poses.astype(float),
        axes="world",
        standing=False,
        unsure=np.full((count, 17), 0.05),
        company=np.stack([poses + 1.0]),
        company_2d=sequence.pose_2d[None] + 5,
        curves={"knee_flexion_left": np.where(np.arange(count) == 1, np.nan, 12.34)},
    )
    text, _ = html_document(scene)
    content = embedded(text)
    (track,) = content["tracks"]
    np.testing.assert_allclose(unpack(track["unsure"], 1), 0.05, atol=3e-4)
    assert len(track["company"]) == 1
    (other,) = content["company_2d"]
    np.testing.assert_allclose(unpack(other, 2), scene.pose_2d + 5, atol=0.07)
    assert content["curves"]["knee_flexion_left"][:3] == [12.3, None, 12.3]
    np.testing.assert_allclose(scene.take(np.array([2, 1])).curves["knee_flexion_left"], [12.34, np.nan])


# Does what hands do and writes what it sees into the page's title.
_HANDS = """
<script>
const errors = [];
window.addEventListener("error", (event) => errors.push(event.message));
window.addEventListener("load", () => setTimeout(() => {
  const out = {}, find = (id) => document.getElementById(id);
  const canvas = document.querySelectorAll("figure canvas")[1];
  const picture = () => canvas.toDataURL();
  const pointer = (kind, x, y, more) => canvas.dispatchEvent(new PointerEvent(kind, {
    clientX: x, clientY: y, pointerId: 1, bubbles: true, ...more }));
  canvas.setPointerCapture = () => {};
  out.playing = find("play").textContent;
  find("play").click();
  out.paused = find("play").textContent;
  find("scrub").value = 3;
  find("scrub").dispatchEvent(new Event("input"));
  draw();
  out.frame = document.querySelector("figcaption").textContent;
  const before = picture();
  pointer("pointerdown", 100, 100); pointer("pointermove", 160, 110); pointer("pointerup", 160, 110);
  draw();
  out.turned = picture() !== before;
  find("reset").click(); draw();
  out.back = picture() === before;
  pointer("pointerdown", 100, 100); pointer("pointermove", 140, 100, { shiftKey: true });
  pointer("pointerup", 140, 100);
  draw();
  out.moved = picture() !== before;
  find("reset").click();
  let saved = "";
  const click = HTMLAnchorElement.prototype.click;
  HTMLAnchorElement.prototype.click = function () { saved = this.download; };
  find("png").click();
  setTimeout(() => {
    out.png = saved;
    const bar = find("controls").getBoundingClientRect();
    out.reachable = bar.top >= 0 && bar.bottom <= window.innerHeight + 1;
    out.used = document.querySelector("main").getBoundingClientRect().height / window.innerHeight;
    out.wide = document.documentElement.scrollWidth <= window.innerWidth;
    out.errors = errors;
    document.body.innerHTML = "<pre id=report>" + JSON.stringify(out) + "</pre>";
  }, 2000);
}, 300));
</script>
"""


def browser():
    """A headless Chromium; the test is skipped where there is none."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("there is no chromium (apt-get install chromium)")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("size", ["1440,900", "390,844"])
def test_hands_on_the_page(sequence, poses, tmp_path, size):
    scene = make_scene(sequence, poses)
    text, _ = html_document(scene)
    page = tmp_path / "page.html"
    page.write_text(text.replace("<head>", "<head>" + _HANDS, 1), encoding="utf-8")
    command = [browser(), "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={size}"]
    command += ["--virtual-time-budget=10000", "--dump-dom", page.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    report = json.loads(re.search(r'<pre id="report">(.*?)</pre>', dom, re.S)[1].replace("&amp;", "&"))
    assert report["errors"] == []
    assert (report["playing"], report["paused"]) == ("Pause", "Play")
    assert f"frame {scene.frames[3]}" in report["frame"]
    assert report["turned"]
    assert report["back"]
    assert report["moved"]
    assert report["png"].endswith(".png")
    assert report["reachable"]
    assert report["wide"]
    assert report["used"] > 0.95
