"""Choose one recording of a data set by subject, action and camera."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as SequenceType
from typing import Any

from tf_pose3d.data.datasets import Dataset, Log, get_pose_dataset, read_sequences
from tf_pose3d.data.human36m import action_of, canonical_name
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.errors import Pose3DError

__all__ = ["choose_recording", "choose_sequence", "known_subjects", "require_subject"]


def choose_sequence(sequences: SequenceType[Sequence], action: str | None, camera: str) -> Sequence:
    """The sequence of one subject's action in one camera.

    Args:
        sequences: Of one subject.
        action: A recording (`"Walking 1"`), or an action, which means its first recording.
        camera: Number of the camera, counted from 0 in the data set's order, or its id.

    Raises:
        Pose3DError: There is no such recording or camera; the message lists those there are.
    """
    subject = sequences[0].subject
    names = list(dict.fromkeys(sequence.name for sequence in sequences))
    wanted = None if action is None else canonical_name(action)
    matches = [name for name in names if name == wanted] or [n for n in names if action_of(n) == wanted]
    if not matches:
        said = "needs an action" if action is None else f"{action!r} is none of {subject}'s"
        raise Pose3DError(f"--viz_action {said}; there are {', '.join(sorted(names))}")
    views = [sequence for sequence in sequences if sequence.name == matches[0]]
    ids = [view.camera.id if view.camera is not None else "" for view in views]
    if camera in ids:
        return views[ids.index(camera)]
    if camera.isdecimal() and int(camera) < len(views):
        return views[int(camera)]
    known = ", ".join(f"{number} ({name})" if name else str(number) for number, name in enumerate(ids))
    raise Pose3DError(
        f"--viz_camera {camera!r} is none of the cameras of {subject}, {matches[0]}; there are {known}"
    )


def known_subjects(record: Dataset) -> SequenceType[str]:
    """Whom `--viz_subject` may name; empty where only the file tells."""
    return record.subjects or (record.splits if len(record.splits) > 1 else ())


def require_subject(subject: str | None, subjects: SequenceType[str]) -> str:
    """One of some subjects.

    Raises:
        Pose3DError: It is none of them; the message lists them.
    """
    if subject is None:
        raise Pose3DError(f"--viz_subject needs a subject; there are {', '.join(subjects)}")
    if subject not in subjects:
        raise Pose3DError(f"--viz_subject {subject!r} is no subject; there are {', '.join(subjects)}")
    return subject


def choose_recording(
    dataset: str | Dataset,
    options: Mapping[str, Any] | None,
    skeleton: str,
    subject: str | None,
    action: str | None,
    camera: str,
    input_skeleton: str | None = None,
    log: Log | None = None,
) -> Sequence:
    """The recording that `--viz_subject`, `--viz_action` and `--viz_camera` name.

    Args:
        dataset: A name of `tf_pose3d.data.datasets.DATASETS`, or the record.
        options: Of its reader.
        skeleton: Joint layout to read it in.
        subject, action, camera: See `choose_sequence`.
        input_skeleton: Joint layout of its 2D poses; None: the same.
        log: Takes a line for the user.

    Raises:
        Pose3DError: There is no such subject, recording or camera; the message lists those there are.
    """
    record = get_pose_dataset(dataset)
    subjects = known_subjects(record)
    if not subjects:
        # The file names them.
        everyone = read_sequences(record, record.splits[0], options, skeleton, log, input_skeleton)
        subjects = list(dict.fromkeys(sequence.subject for sequence in everyone))
    subject = require_subject(subject, subjects)
    sequences = read_sequences(dataset, subject, options, skeleton, log, input_skeleton)
    return choose_sequence(sequences, action, camera)
