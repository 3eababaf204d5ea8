"""The live viewer: what it serves, to whom, and that it ends."""

import http.client
import json

import numpy as np
import pytest
from PIL import Image

from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.errors import Pose3DError
from tf_pose3d.render import make_scene
from tf_pose3d.render.live import LiveViewer


@pytest.fixture
def scene():
    sequence = synthetic_sequences(["S9"], frames=1, actions=["Walking"], skeleton="h36m_17")[0]
    return make_scene(sequence, sequence.pose_3d, ground_truth=False)


@pytest.fixture
def viewer(scene):
    viewer = LiveViewer(scene)
    yield viewer
    viewer.close()


def ask(viewer, path, host=None):
    connection = http.client.HTTPConnection("127.0.0.1", viewer.port, timeout=10)
    connection.putrequest("GET", path, skip_host=host is not None)
    if host is not None:
        connection.putheader("Host", host)
    connection.endheaders()
    return connection.getresponse()


def test_the_page(viewer):
    answer = ask(viewer, "/")
    text = answer.read().decode()
    assert answer.status == 200
    assert '"live":"poses"' in text
    assert "EventSource" in text
    assert viewer.url == f"http://127.0.0.1:{viewer.port}/"
    assert ask(viewer, "/etc/passwd").status == 404


def test_only_this_machines_own_pages(viewer):
    assert ask(viewer, "/", host=f"localhost:{viewer.port}").status == 200
    for host in ("example.com", f"example.com:{viewer.port}", ""):
        assert ask(viewer, "/", host=host).status == 403


def news_of(answer):
    while True:
        line = answer.readline()
        if line.startswith(b"data: "):
            return json.loads(line[6:])


def test_news_reach_the_page(viewer, scene):
    answer = ask(viewer, "/poses")
    assert answer.getheader("Content-Type") == "text/event-stream"
    viewer.show(4, scene, Image.new("RGB", (32, 18)))
    news = news_of(answer)
    assert news["frame"] == 4
    np.testing.assert_allclose(np.reshape(news["pose"], (17, 3)), scene.tracks[0].poses[0], atol=1e-4)
    np.testing.assert_allclose(np.reshape(news["pose_2d"], (17, 2)), scene.pose_2d[0], atol=0.06)
    assert news["image"].startswith("data:image/jpeg;base64,")
    viewer.show(5, None)
    assert news_of(answer) == {"frame": 5, "image": None}
    viewer.close()
    assert answer.read().strip() == b""


def test_a_port_that_is_taken(viewer, scene):
    with pytest.raises(Pose3DError, match=f"cannot listen at 127.0.0.1:{viewer.port}"):
        LiveViewer(scene, viewer.port)
    with pytest.raises(Pose3DError, match="cannot listen"):
        LiveViewer(scene, 99999)
