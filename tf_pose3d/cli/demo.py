"""What `inference.py` does without `--weights`: the shipped lifter, and `--demo`, a made-up clip."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

    from tf_pose3d.config import TrainingConfig
    from tf_pose3d.data.sequence import Sequence as PoseSequence

__all__ = ["DEFAULT_WEIGHTS", "lift_demo", "shipped_arguments"]

# What lifts where nobody says otherwise; see `tf_pose3d.files.shipped_weights`.
DEFAULT_WEIGHTS = "general"

_SUBJECT, _ACTION, _FRAMES = "S9", "WalkTogether", 150


def shipped_arguments(arguments: Sequence[str] | None, shared: Collection[str] = ()) -> tuple[list[str], str]:
    """The arguments, with the shipped lifter where nothing says whose weights to take, and its name or "".

    That is so for keypoints, videos, streams and `--demo`; flags that tell a family, `--arch` and `--config`
    ask for that family's weights.

    Args:
        arguments: Those of `inference.py`.
        shared: Spellings of the flags that all families share.
    """
    from tf_pose3d.cli.flags import underscored
    from tf_pose3d.cli.scripts.table import told_families
    from tf_pose3d.cli.webcam import names_webcam

    given = list(sys.argv[1:] if arguments is None else arguments)
    names = {underscored(argument).partition("=")[0] for argument in given}
    says = names & {"--weights", "-h", "--help", "--arch", "--config"}
    if says or not names & {"--input", "--output_dir", "--demo"}:
        return given, ""
    if told_families(names - set(shared), "inference"):
        return given, ""
    # A stream is lifted as it comes, and so is a webcam that nothing records.
    values = {given[number - 1]: text for number, text in enumerate(given) if number}
    values |= dict(argument.split("=", 1) for argument in given if argument.startswith("--input="))
    watched = names_webcam(values.get("--input")) and not names & {"--output", "--viz_output", "--angles"}
    streamed = watched or any(argument in ("--input=-", "--output=-") for argument in given) or "-" in given
    name = "general_frame" if streamed else DEFAULT_WEIGHTS
    return [*given, "--weights", name], name


def _demo_clip() -> tuple[PoseSequence, str]:
    """A sequence of a made-up person, and the layout of its keypoints."""
    from tf_pose3d.data.synthetic import synthetic_sequences

    sequences = synthetic_sequences([_SUBJECT], frames=_FRAMES, actions=[_ACTION], skeleton="h36m_17")
    return sequences[0], "h36m_17"


def lift_demo(
    arguments: Namespace, config: TrainingConfig, model: keras.Model, log: Callable[[str], None]
) -> int:
    """Lifts the clip, says how far off it is, and writes `demo.html` and `demo.gif`, or `--viz_output`.

    Returns:
        The exit code.

    Raises:
        Pose3DError: Files that cannot be written.
    """
    from tf_pose3d.cli.motion_flags import motion_steps, stage_for_file
    from tf_pose3d.cli.pictures import check_output, check_pictures, draw_pictures
    from tf_pose3d.evaluation.metrics import mpjpe
    from tf_pose3d.inference.lifter import make_lifter
    from tf_pose3d.inference.motion import Motion
    from tf_pose3d.inference.writers import write_motion
    from tf_pose3d.skeleton import joint_indices

    sequence, layout = _demo_clip()
    lifter = make_lifter(model, config)
    camera = sequence.camera
    # Synthetic sequences have a camera and both poses.
    assert camera is not None
    assert sequence.pose_2d is not None
    assert sequence.pose_3d is not None
    poses = lifter(sequence.pose_2d, camera.width, camera.height, sequence.fps, layout)
    order = joint_indices(layout, lifter.skeleton)
    truth = sequence.pose_3d[:, order]
    sequence = type(sequence)(
        subject="demo",
        action=sequence.action,
        name=sequence.name,
        skeleton=lifter.skeleton,
        fps=sequence.fps,
        camera=camera,
        pose_2d=sequence.pose_2d[:, order],
        pose_3d=truth,
    )
    error = 1000 * mpjpe(poses, truth, root=lifter.root).mean()
    log(f"{len(poses)} frames of a made-up person walking: mean joint error (MPJPE) {error:.1f} mm")
    pictures = ["demo.html", "demo.gif"] if arguments.viz_output is None else [arguments.viz_output]
    for path in pictures:
        flags = Namespace(**{**vars(arguments), "viz_output": path})
        if path.endswith(".gif") and arguments.viz_downsample == 1:
            flags.viz_downsample, flags.viz_size = 2, min(flags.viz_size, 3.0)
        check_output("--viz_output", path, [arguments.weights])
        check_pictures(flags, sequence)
        draw_pictures(flags, sequence, poses, lifter.root, log)
    if arguments.output is not None:
        steps = motion_steps(arguments, arguments.output)
        motion = Motion.from_sequence(sequence, poses, lifter.root)
        (staged,) = stage_for_file([motion], arguments, steps, arguments.output, log, log)
        write_motion(arguments.output, staged)
        log(f"wrote {arguments.output}")
    return 0
