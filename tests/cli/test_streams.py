"""Programs whose standard streams are closed, full, or read by nobody."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
# A program that prints much, or what it is told, and nothing of TensorFlow.
PROGRAM = """
import sys
from tf_pose3d.cli.program import run_program
from tf_pose3d.errors import Pose3DError

def main(arguments):
    if sys.argv[1] == "print":
        for number in range(20000):
            print("a line of results", number)
    elif sys.argv[1] == "name":
        print(sys.argv[2])
        raise Pose3DError(f"{sys.argv[2]}: no such\\nfile")
    elif sys.argv[1] == "read":
        print(len(sys.stdin.read()))
    elif sys.argv[1] == "open":
        with open(sys.argv[2], "w") as file:
            print("results")
            print("more", file=sys.stderr)
            assert file.fileno() > 2
    elif sys.argv[1] == "memory":
        bytearray(1 << 62)

sys.exit(run_program("x.py", main))
"""


def shell(command, *arguments, encoding="utf-8"):
    """Runs `PROGRAM` within a shell's command; returns exit code, output and errors."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONIOENCODING": encoding}
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}", sys.executable, PROGRAM, *arguments],
        capture_output=True,
        env=environment,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


def test_output_that_nobody_reads_to_its_end():
    code, out, err = shell('"$0" -c "$1" print | head -1')
    assert (code, out, err) == (141, b"a line of results 0\n", b"")


def test_closed_output_and_errors(tmp_path):
    assert shell('"$0" -c "$1" print >&-') == (0, b"", b"")
    path = str(tmp_path / "x.txt")
    assert shell('"$0" -c "$1" open "$2" >&- 2>&- <&-', path) == (0, b"", b"")
    # What was printed has not gone into the file that was opened.
    assert Path(path).read_bytes() == b""
    code, _, err = shell('"$0" -c "$1" name gone >&-')
    assert (code, err) == (2, b"x.py: error: gone: no such file\n")


def test_closed_input():
    assert shell('"$0" -c "$1" read <&-') == (0, b"0\n", b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")
def test_a_full_disk_behind_the_output():
    code, _, err = shell('"$0" -c "$1" print > /dev/full')
    assert code == 2
    assert err == b"x.py: error: standard output or input: No space left on device\n"


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_names_in_another_encoding(encoding):
    code, out, err = shell('"$0" -c "$1" name "$2"', b"caf\xe9-\xc3\xa9.json", encoding=encoding)
    assert code == 2
    assert out.startswith(b"caf\\udce9-")
    assert err.startswith(b"x.py: error: caf\\udce9-")
    assert err.count(b"\n") == 1


def test_not_enough_memory():
    code, _, err = shell('"$0" -c "$1" memory')
    assert (code, err.startswith(b"x.py: error: there is not enough memory"), err.count(b"\n")) == (
        2,
        True,
        1,
    )
