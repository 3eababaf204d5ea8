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
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MALLOC_", "TF_ENABLE", "TF_NUM"))
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


SHARE = """
import os, sys
os.sched_getaffinity = lambda _: set(range(int(sys.argv[1])))
from tf_pose3d.process import share_cores
share_cores(None if sys.argv[2] == "None" else int(sys.argv[2]))
print(*(os.environ.get(f"TF_NUM_{kind}OP_THREADS", "-") for kind in ("INTRA", "INTER")))
"""


@pytest.mark.parametrize(
    ("cores", "branches", "given", "expected"),
    [
        (2, 2, {}, ["1", "2"]),
        (2, 1, {}, ["-", "-"]),
        (1, 1, {}, ["-", "-"]),
        (4, 2, {}, ["-", "-"]),
        (4, None, {}, ["1", "4"]),
        (1, None, {}, ["-", "-"]),
        (2, 2, {"TF_NUM_INTRAOP_THREADS": "2"}, ["2", "-"]),
    ],
)
def test_each_branch_has_a_core_where_there_are_as_many(cores, branches, given, expected):
    assert run(SHARE, str(cores), str(branches), **given) == expected


@pytest.mark.parametrize(("config", "expected"), [("motionagformer_xs", ["1"]), ("mixste_243", ["-"])])
def test_programs_share_the_cores_as_their_family_has_them(config, expected):
    code = (
        "import os, sys; os.sched_getaffinity = lambda _: {0, 1}\n"
        "from tf_pose3d.cli.program import parse\n"
        "from tf_pose3d.cli.train import make_parser\n"
        "parse(make_parser, ['--config', sys.argv[1], '--out_dir', 'out'], 'train')\n"
        "print(os.environ.get('TF_NUM_INTRAOP_THREADS', '-'))"
    )
    assert run(code, config) == expected


@pytest.mark.parametrize(
    ("config", "flags", "expected"),
    [("hgcn_gt", [], ["1"]), ("hgcn_gt", ["--jit_compile"], ["-"]), ("videopose3d_243", [], ["-"])],
)
def test_single_frames_are_lifted_in_parts_unless_xla_is_asked_for(config, flags, expected):
    code = (
        "import os, sys; os.sched_getaffinity = lambda _: {0, 1}\n"
        "from tf_pose3d.cli.program import parse\n"
        "from tf_pose3d.cli.eval import make_parser\n"
        "parse(make_parser, ['--config', *sys.argv[1:]], 'eval')\n"
        "print(os.environ.get('TF_NUM_INTRAOP_THREADS', '-'))"
    )
    assert run(code, config, *flags) == expected


@pytest.mark.parametrize(
    ("given", "chosen", "expected"),
    [
        ({}, (0, 0), "1"),
        ({"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "3"}, (0, 0), "3"),
        ({"TF_NUM_INTRAOP_THREADS": "2", "TF_NUM_INTEROP_THREADS": "3"}, (0, 0), "1"),
        ({"TF_NUM_INTRAOP_THREADS": "2"}, (1, 4), "4"),
        ({"TF_NUM_INTRAOP_THREADS": "1"}, (0, 0), "1"),
    ],
)
def test_how_many_cores_work_apart(given, chosen, expected):
    code = (
        "import sys, tensorflow as tf\n"
        "tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[1]))\n"
        "tf.config.threading.set_inter_op_parallelism_threads(int(sys.argv[2]))\n"
        "from tf_pose3d.process import cores_apart; print(cores_apart())"
    )
    assert run(code, *map(str, chosen), **given) == [expected]
