"""The page in a headless browser: it opens, plays, scrubs, turns, fits a telephone, and logs no error."""

import shutil
import subprocess

import pytest

from tf_pose3d.render.html import html_document
from tf_pose3d.render.scene import make_scene

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
  }, 200);
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
    import json
    import re

    scene = make_scene(sequence, poses)
    text, _ = html_document(scene)
    page = tmp_path / "page.html"
    page.write_text(text.replace("<head>", "<head>" + _HANDS, 1), encoding="utf-8")
    command = [browser(), "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={size}"]
    command += ["--virtual-time-budget=4000", "--dump-dom", page.as_uri()]
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
