"""`inference.py --input FOLDER --output_dir DIR`: every video and keypoint file of a folder, by workers."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tf_pose3d.errors import Pose3DError

if TYPE_CHECKING:
    import keras

    from tf_pose3d.cli.flags import Parser
    from tf_pose3d.cli.inference import Setup
    from tf_pose3d.inference.exported import ExportedNetwork
    from tf_pose3d.inference.folder.task import Assignment, Work
    from tf_pose3d.models.general.numpy_network import NumpyNetwork

__all__ = ["FolderTask", "add_folder_flags", "check_folder_flags", "lift_folder_input", "names_folder"]

Log = Callable[[str], None]

# What the program exits with where some files could not be lifted.
FAILURES = 1
_PICTURES = (".gif", ".mp4", ".png", ".html")
_ANGLES = "angles"
# Flags on which no result depends; those that name files count by what the files hold.
_DEFAULTS = {
    "formats": "npz",
    "workers": None,
    "threads": None,
    "shard": None,
    "engine": "processes",
    "file_timeout": None,
}
_NO_SETTINGS = {"input", "output_dir", "workers", "engine", "shard", "threads", "file_timeout", "gpu_id"}
# Of a lifter in a folder, where nothing is said.
_THREADS = 1
_FILES = ("weights", "config", "detector_model")
_WARNING = "inference.py: warning: "


def add_folder_flags(parser: Parser) -> None:
    """Flags of a folder run."""
    group = parser.add_argument_group("folder of videos and keypoint files (--input FOLDER --output_dir DIR)")
    group.add_argument(
        "--output_dir",
        metavar="DIR",
        help="lift every video, keypoint file and folder of frames in --input, each to files of its own "
        "there; a second start goes on; DIR/manifest.jsonl says what became of each",
    )
    group.add_argument(
        "--formats",
        default=_DEFAULTS["formats"],
        metavar="LIST",
        help="which files each input gives: endings of --output and --viz_output, and angles, e.g. npz,html",
    )
    group.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="lifters at a time (default: the number of cores, over --threads)",
    )
    group.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="of each lifter in a folder (default 1), on which the last digits depend; of the detector of a "
        "single video (default: one less than there are cores, at most 4)",
    )
    group.add_argument(
        "--shard", metavar="I/N", help="do the I-th of N parts, e.g. 3/16; the others are other runs'"
    )
    group.add_argument(
        "--engine",
        choices=("processes", "ray"),
        default=_DEFAULTS["engine"],
        help="workers: processes of this machine, or actors of a Ray cluster",
    )
    group.add_argument(
        "--file_timeout",
        type=float,
        metavar="SECONDS",
        help="a file in which nothing happens for so long has failed, and the others go on (default 600; 0: "
        "wait for ever)",
    )


def names_folder(arguments: Namespace) -> bool:
    """Whether the flags ask for a folder run.

    Raises:
        Pose3DError: They do not, and yet say how it shall go.
    """
    if arguments.output_dir is None:
        for name, default in _DEFAULTS.items():
            if name == "threads" and _has_detector(arguments):
                if arguments.threads is not None and arguments.threads < 1:
                    raise Pose3DError(f"--threads {arguments.threads}: expected 1 or more")
                continue
            if getattr(arguments, name) != default:
                raise Pose3DError(f"--{name} is for a folder: give --output_dir DIR, too")
    return arguments.output_dir is not None


def _has_detector(arguments: Namespace) -> bool:
    """Whether people are looked for in pictures."""
    from tf_pose3d.cli.webcam import names_webcam
    from tf_pose3d.inference.detectors import is_video

    if arguments.input is None or arguments.input == "-":
        return False
    return arguments.detector is not None or names_webcam(arguments.input) or is_video(arguments.input)


def _formats(text: str) -> tuple[str, ...]:
    """Endings of `--formats`, and `angles`.

    Raises:
        Pose3DError: One that nothing writes, or none.
    """
    from tf_pose3d.inference.writers import check_motion_file

    names = [name.strip().lower().lstrip(".") for name in text.split(",") if name.strip()]
    if not names:
        raise Pose3DError("--formats is empty, expected endings, e.g. npz,html")
    found = []
    for name in dict.fromkeys(names):
        if name == _ANGLES:
            found.append(name)
            continue
        if f".{name}" not in _PICTURES:
            try:
                check_motion_file(f"x.{name}")
            except Pose3DError as error:
                raise Pose3DError(f"--formats {name}: {error}") from None
        found.append(f".{name}")
    pictures = [ending for ending in found if ending in _PICTURES]
    if len(pictures) > 1:
        raise Pose3DError(f"--formats: {' and '.join(pictures)} are both pictures; one of them")
    return tuple(found)


def check_folder_flags(arguments: Namespace) -> None:
    """Finds flags that contradict each other before anything is read.

    Raises:
        Pose3DError: They do.
    """
    from tf_pose3d.cli.lift import check_input_flags
    from tf_pose3d.inference.folder.jobs import Shard

    if arguments.input is None:
        raise Pose3DError("--output_dir is for --input FOLDER: which folder?")
    if arguments.input == "-":
        raise Pose3DError("--output_dir: a stream (--input -) goes to --output -, not into a folder")
    for flag in ("output", "viz_output", "angles"):
        if getattr(arguments, flag) is not None:
            raise Pose3DError(
                f"--{flag} names one file; with --output_dir, --formats says which files are made"
            )
    for flag in ("viz_video", "demo"):
        if getattr(arguments, flag):
            raise Pose3DError(f"--{flag} is for one recording, not for --output_dir")
    if arguments.shard is not None:
        Shard.parse(arguments.shard)
    formats = _formats(arguments.formats)
    # As one input has it, but for the place, which is made when there is something to write.
    for output in _outputs(formats, Path(tempfile.gettempdir(), "x")):
        flags = Namespace(**{**vars(arguments), "input": os.devnull, **output})
        check_input_flags(flags)


def _outputs(formats: Sequence[str], stem: Path) -> list[dict[str, str]]:
    """Flags that name the files of one input; each is one pass over its poses, as `--output` is one file."""
    first: dict[str, str] = {}
    others = []
    for ending in formats:
        if ending == _ANGLES:
            first["angles"] = f"{stem}_angles.csv"
        elif ending in _PICTURES:
            first["viz_output"] = f"{stem}{ending}"
        elif "output" not in first:
            first["output"] = f"{stem}{ending}"
        else:
            others.append({"output": f"{stem}{ending}"})
    return [first, *others]


@dataclasses.dataclass(frozen=True)
class FolderTask:
    """Makes a lifter of the program's own arguments, in a worker.

    Attributes:
        arguments: Of the program.
        folder: Where it was started; relative paths begin there.
        settings, suffixed: See `tf_pose3d.inference.folder.task.Task`.
    """

    arguments: tuple[str, ...]
    folder: str
    settings: dict[str, Any]
    suffixed: bool

    def start(self) -> Work:
        from tf_pose3d.cli.inference import load_network, prepare

        os.chdir(self.folder)
        setup = prepare(self.arguments)
        network = load_network(setup.release, setup.arguments, setup.config, setup.weights)
        return _Lifting(setup, network)


class _Lifting:
    """One input after the other, as `inference.py --input FILE` does it."""

    def __init__(self, setup: Setup, network: keras.Model | NumpyNetwork | ExportedNetwork) -> None:
        from tf_pose3d.inference.lifter import make_lifter

        self._arguments = flags = setup.arguments
        self._formats = _formats(flags.formats)
        self._lifter = make_lifter(
            network,
            setup.config,
            flags.min_confidence,
            flags.max_gap,
            flags.normalization,
            flags.repair_sides,
        )

    def __call__(self, assignment: Assignment) -> dict[str, Any]:
        from tf_pose3d.cli.lift import lift_people, read_input, write_people
        from tf_pose3d.inference.detectors import DEFAULT_DETECTOR

        notes: list[str] = []
        said = io.StringIO()
        first, *others = [
            {"output": None, "viz_output": None, "angles": None, **output}
            for output in _outputs(self._formats, Path(assignment.folder) / assignment.stem)
        ]
        detector = None
        if assignment.kind == "video":
            detector = self._arguments.detector or DEFAULT_DETECTOR
        flags = Namespace(
            **{
                **vars(self._arguments),
                "input": assignment.path,
                "detector": detector,
                "threads": self._arguments.threads or _THREADS,
                **first,
            }
        )
        self._lifter.begin_anew()
        with contextlib.redirect_stderr(said):
            read = read_input(flags, notes.append)
            assert read is not None  # no stream
            people, suffixes, _ = lift_people(flags, self._lifter, read, notes.append)
            for output in (first, *others):
                write_people(Namespace(**{**vars(flags), **output}), people, suffixes, notes.append)
        warnings = [line.removeprefix(_WARNING) for line in said.getvalue().splitlines() if line.strip()]
        return {
            "frames": read[0].num_frames,
            "people": len(people),
            "notes": [line for line in dict.fromkeys(notes) if not line.startswith("wrote ")],
            "warnings": list(dict.fromkeys(warnings)),
        }


def _settings(setup: Setup) -> dict[str, Any]:
    """What the results depend on."""
    from tf_pose3d.inference.folder.task import file_mark

    values = {name: value for name, value in vars(setup.arguments).items() if name not in _NO_SETTINGS}
    for name in _FILES:
        values[name] = file_mark(setup.weights if name == "weights" else values.get(name))
    if setup.weights is not None and setup.arguments.backend is not None:
        from tf_pose3d.inference.runtimes import BACKENDS

        values["exported"] = file_mark(setup.weights.with_suffix(BACKENDS[setup.arguments.backend].ending))
    return {**{f"--{name}": value for name, value in values.items()}, **setup.config.to_dict()}


def lift_folder_input(arguments: Sequence[str], setup: Setup, log: Log) -> int:
    """Lifts what a folder holds.

    Args:
        arguments: Of the program.
        setup: What they say.
        log: Takes a line for the user.

    Returns:
        The exit code: 0; 1 where files failed; 128 + n where signal n ended the run early.

    Raises:
        Pose3DError: See `tf_pose3d.inference.folder.run.run_folder`.
    """
    from tf_pose3d.inference.folder.display import files
    from tf_pose3d.inference.folder.jobs import Shard
    from tf_pose3d.inference.folder.run import FILE_TIMEOUT, run_folder

    parsed = setup.arguments

    def warn(line: str) -> None:
        print(f"inference.py: {line}", file=sys.stderr, flush=True)

    result = run_folder(
        FolderTask(tuple(arguments), os.getcwd(), _settings(setup), parsed.people == "all"),
        parsed.input,
        parsed.output_dir,
        workers=parsed.workers,
        threads=_THREADS if parsed.threads is None else parsed.threads,
        shard=None if parsed.shard is None else Shard.parse(parsed.shard),
        engine=parsed.engine,
        file_timeout=FILE_TIMEOUT if parsed.file_timeout is None else parsed.file_timeout or None,
        log=log,
        warn=warn,
    )
    before = f", {result.skipped} were done before" if result.skipped else ""
    failed = f", {len(result.failed)} failed" if result.failed else ""
    log(f"{files(result.done)} lifted{before}{failed}; {result.manifest} says what became of each")
    if result.signal is not None:
        warn(f"interrupted: {files(result.left)} left; the same command goes on")
        return 128 + result.signal
    return FAILURES if result.failed else 0
