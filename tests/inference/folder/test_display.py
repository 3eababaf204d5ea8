"""What a folder run shows while it goes on."""

import io

import pytest

from tf_pose3d.inference.folder import display
from tf_pose3d.inference.folder.display import Display, files


@pytest.fixture
def clock(monkeypatch):
    """Stands still until it is set."""
    monkeypatch.setattr(display.time, "monotonic", lambda: clock.now)
    clock = type("Clock", (), {"now": 100.0})
    return clock


def test_the_end_is_reckoned_by_bytes(clock):
    shown = Display(3, 1000, io.StringIO())
    assert shown.text() == "0/3 files, 0%, ETA not known yet"
    shown.begin("a", 100)
    shown.begin("b", 800)
    shown.end("a")
    clock.now += 10
    assert shown.text() == "1/3 files, 10%, ETA 1m 30s; now b"
    shown.stage("b", "detecting", 400, 800)
    assert shown.text() == "1/3 files, 50%, ETA 10s; now b detecting 50%"
    # A second pass over the same file does not set it back.
    shown.stage("b", "lifting", 80, 800)
    assert shown.text() == "1/3 files, 50%, ETA 10s; now b lifting 10%"
    shown.end("b", failed=True)
    assert shown.text() == "2/3 files, 1 failed, 90%, ETA 1s"
    assert shown.count() == "[2/3]"


def test_empty_files_count_by_number(clock):
    shown = Display(4, 0, io.StringIO())
    shown.begin("a", 0)
    shown.end("a")
    clock.now += 1
    assert shown.text() == "1/4 files, 25%, ETA 3s"


def test_a_file_that_tells_no_length_and_one_that_waits_again(clock):
    shown = Display(2, 100, io.StringIO())
    shown.begin("a", 50)
    shown.stage("a", "detecting", 70, 0)
    assert shown.text() == "0/2 files, 0%, ETA not known yet; now a detecting 70"
    shown.pause("a")
    shown.stage("a", "detecting", 71, 0)
    assert shown.text() == "0/2 files, 0%, ETA not known yet"


def test_lines_elsewhere_and_a_line_that_is_drawn_anew_on_a_terminal(clock):
    stream, printed = io.StringIO(), []
    with Display(2, 100, stream) as shown:
        shown.show()
        assert stream.getvalue() == ""
        clock.now += 11
        shown.show()
        shown.show()
    assert stream.getvalue() == "0/2 files, 0%, ETA not known yet\n"

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stream = Terminal()
    with Display(2, 100, stream) as shown:
        clock.now += 1
        shown.show()
        shown.print(printed.append, "done")
    assert stream.getvalue() == "\r\033[K0/2 files, 0%, ETA not known yet\r\033[K"
    assert printed == ["done"]


def test_words():
    assert [files(count) for count in (0, 1, 12_000)] == ["0 files", "1 file", "12,000 files"]
