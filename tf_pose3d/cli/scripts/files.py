"""Files that a release's command names, as they lie here."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from tf_pose3d.errors import Pose3DError

__all__ = ["find_file", "is_pytorch", "refuse_pytorch_state", "run_folder"]


def find_file(flag: str, name: str, folders: Sequence[str | Path], notes: list[str]) -> str:
    """The weights that a release's flag names.

    Looked for in the folders, then as a path, then with `.h5` instead of the release's extension, which
    this package's own training writes; a prefix of a path will do as well.

    Args:
        flag: As the user spelled it, for messages.
        name: Its value.
        folders: The release's folder of checkpoints, and others that may hold it.
        notes: Takes a line where the file is another than named.

    Raises:
        Pose3DError: There is no such file, with the places.
    """
    places = [*(Path(folder) / name for folder in folders), Path(name)]
    for place in places:
        if place.exists() or list(place.parent.glob(f"{place.name}*.h5")):
            return str(place)
    for place in places:
        ours = place.with_suffix(".h5")
        if place.suffix and ours.is_file():
            notes.append(f"{flag} {name}: {ours}, which this package's training wrote, stands for it")
            return str(ours)
    raise Pose3DError(f"{flag} {name}: no such file; looked for {', '.join(map(str, places))}")


def is_pytorch(path: str) -> bool:
    """Whether a file of weights is a PyTorch checkpoint."""
    from tf_pose3d.weight_files.hdf5 import kind_of_weights

    return kind_of_weights(path) == "pytorch"


def refuse_pytorch_state(flag: str, name: str) -> None:
    """Refuses to resume a run of the release itself.

    Raises:
        Pose3DError: The file is named as PyTorch's checkpoints are.
    """
    if name.endswith((".bin", ".pth", ".tar", ".tr", ".pt")):
        raise Pose3DError(
            f"{flag} {name}: a run of the release cannot be resumed here, as only weights are converted and "
            f"no optimizer's state; train.py --weights {name} starts a new run from them, and {flag} takes "
            "this package's checkpoints, cp_*.h5"
        )


def run_folder(parent: str, name: str = "") -> str:
    """A new folder in that of all runs, by the time as the releases name theirs."""
    return str(Path(parent) / f"{time.strftime('%m%d_%H%M_%S')}{name}")
