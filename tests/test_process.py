import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

# Page faults that twenty blocks of 64 MB cost, each freed before the next; numpy takes them from malloc.
FAULTS = """
import resource, sys
import numpy as np
from tf_pose3d.process import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
def count():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
np.ones(2**24, np.float32)
start = count()
for _ in range(20):
    np.ones(2**24, np.float32)
print(count() - start)
"""


def run(code, *arguments, **environment):
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "TF_ENABLE"))
    }
    process = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**kept, "PYTHONPATH": str(REPOSITORY), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return process.stdout.split()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator only")
def test_freed_memory_is_used_again():
    default, kept = (int(run(FAULTS, how)[0]) for how in ("default", "keep"))
    assert kept < default / 5


@pytest.mark.parametrize(("given", "expected"), [({}, "1"), ({"TF_ENABLE_ONEDNN_OPTS": "0"}, "0")])
def test_the_environment_wins(given, expected):
    code = (
        "import os; from tf_pose3d.process import tune_process; tune_process(); "
        "print(os.environ['TF_ENABLE_ONEDNN_OPTS'])"
    )
    assert run(code, **given) == [expected]


def test_nothing_is_promised_once_tensorflow_runs():
    code = (
        "import sys, os; sys.modules['tensorflow'] = sys; from tf_pose3d.process import tune_process; "
        "tune_process(); print('TF_ENABLE_ONEDNN_OPTS' in os.environ)"
    )
    assert run(code) == ["False"]
