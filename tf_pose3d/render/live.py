"""The viewer's page of poses as they come, served to this machine's own browser."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.render.html import data_uri, html_document
from tf_pose3d.render.scene import Scene

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["LiveViewer"]

# This machine alone.
_HOST = "127.0.0.1"
# Seconds after which a page without news is told so, and one that was closed is noticed.
_BEAT = 5.0


class LiveViewer:
    """A page that shows the newest pose; who is slow leaves some out.

    Args:
        scene: One frame, for the skeleton, the size of the image and the view.
        port: To listen at; 0: any that is free.

    Attributes:
        url: Of the page.

    Raises:
        Pose3DError: The port is taken.
    """

    def __init__(self, scene: Scene, port: int = 0) -> None:
        self._page = html_document(scene, live="poses")[0].encode("utf-8")
        self._changed = threading.Condition()
        self._news, self._number, self._closed = b"", 0, False
        viewer = self

        class Handler(_Handler):
            owner = viewer

        try:
            self._server = ThreadingHTTPServer((_HOST, port), Handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise Pose3DError(f"the viewer cannot listen at {_HOST}:{port}: {reason}") from None
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://{_HOST}:{self.port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, name="viewer", daemon=True)
        self._thread.start()

    def show(self, frame: int, scene: Scene | None, picture: Image | None = None) -> None:
        """Shows a frame.

        Args:
            frame: Its number.
            scene: One frame with the same skeleton; None: nobody was seen.
            picture: What the camera saw, RGB.
        """
        news: dict[str, Any] = {"frame": frame, "image": None if picture is None else data_uri(picture)}
        if scene is not None:
            news["pose"] = _plain(scene.tracks[0].poses[0], 4)
            news["pose_2d"] = _plain(scene.pose_2d[0], 1)
        text = json.dumps(news, separators=(",", ":"))
        with self._changed:
            self._news, self._number = text.encode(), self._number + 1
            self._changed.notify_all()

    def next_news(self, known: int) -> tuple[bytes, int] | None:
        """What was shown last and its number, once that is another than `known`; None at the end.

        Empty after a while without any.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._number != known, _BEAT)
            if self._closed:
                return None
            return (self._news if self._number != known else b""), self._number

    @property
    def page(self) -> bytes:
        """The page, HTML in UTF-8."""
        return self._page

    def close(self) -> None:
        """Ends the server; pages that are open stay as they are."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


def _plain(values: np.ndarray, digits: int) -> list[float | None]:
    """Numbers in a row, null for NaN."""
    numbers = np.asarray(values, np.float64).reshape(-1).round(digits)
    return [None if np.isnan(number) else float(number) for number in numbers]


class _Handler(BaseHTTPRequestHandler):
    owner: LiveViewer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        # Pages of other sites that point their name at this machine are not for them to read.
        host = self.headers.get("Host", "")
        if host not in (f"{_HOST}:{self.owner.port}", f"localhost:{self.owner.port}"):
            self.send_error(403)
        elif self.path == "/":
            self._answer("text/html; charset=utf-8", len(self.owner.page))
            self.wfile.write(self.owner.page)
        elif self.path == "/poses":
            self._answer("text/event-stream", None)
            self._stream()
        else:
            self.send_error(404)

    def _answer(self, kind: str, size: int | None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        if size is None:
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(size))
        self.end_headers()

    def _stream(self) -> None:
        number = 0
        self.close_connection = True
        try:
            while (news := self.owner.next_news(number)) is not None:
                text, number = news
                self.wfile.write(b"data: " + text + b"\n\n" if text else b": waiting\n\n")
                self.wfile.flush()
        except (BrokenPipeError, ConnectionError):
            # The page was closed.
            return

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing of requests."""
