"""SLEAP's analysis files (`.analysis.h5`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.formats.assembly import make_video_of_tracks
from tf_pose3d.inference.formats.deeplabcut import named_parts
from tf_pose3d.inference.formats.source import ReadOptions, Source
from tf_pose3d.inference.keypoints import KeypointVideo

if TYPE_CHECKING:
    import h5py

__all__ = ["matches", "read"]


def matches(source: Source) -> bool:
    """Whether this is an HDF5 file with `tracks` and `node_names`."""
    if source.kind != "hdf5":
        return False
    from tf_pose3d.inference.formats.pandas_hdf5 import hdf5_file

    with hdf5_file(source) as file:
        return {"tracks", "node_names"} <= set(file)


def read(source: Source, options: ReadOptions) -> KeypointVideo:
    """Reads `tracks` `(tracks, 2, nodes, frames)`, and `point_scores` `(tracks, nodes, frames)` where they
    are.

    SLEAP writes its arrays in MATLAB's order, the last axis first; Python's order, as sleap-io can write, is
    read, too. Nodes are matched by name, people are `track_names`. Frames are counted from 0.

    Raises:
        Pose3DError: Another structure, no node with a known name.
    """
    if not matches(source):
        raise Pose3DError(f"{source} has no tracks and node_names, as SLEAP's analysis files")
    from tf_pose3d.inference.formats.pandas_hdf5 import hdf5_file, hdf5_values

    where = str(source)
    with hdf5_file(source) as file:
        names = [_text(name) for name in np.ravel(hdf5_values(file, "node_names", where))]
        tracks = hdf5_values(file, "tracks", where)
        scores = hdf5_values(file, "point_scores", where) if "point_scores" in file else None
        people = _names(file, where)
    points = _ordered(tracks, len(names), where)
    count, frames = points.shape[:2]
    if scores is None or not scores.size:
        held = np.ones((count, frames, len(names)))
    elif scores.shape == (count, len(names), frames):
        held = scores.transpose(0, 2, 1)
    elif scores.shape == (frames, len(names), count):
        held = scores.transpose(2, 0, 1)
    else:
        raise Pose3DError(
            f"{where}: point_scores of shape {scores.shape} beside tracks of shape {tracks.shape}"
        )
    # Points that a person set have no score.
    points = np.concatenate([points, np.where(np.isnan(held), 1.0, held)[..., None]], axis=-1)
    known = named_parts(names, where)
    points = points[:, :, [names.index(name) for name in known]]
    if len(people) != count or len(set(people)) != count:
        people = [str(number) for number in range(count)]
    return make_video_of_tracks(
        source,
        "sleap",
        dict(zip(people, points, strict=True)),
        None,
        options,
        {},
        names=known,
    )


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _names(file: h5py.File, where: str) -> list[str]:
    if "track_names" not in file:
        return []
    from tf_pose3d.inference.formats.pandas_hdf5 import hdf5_values

    return [_text(name) for name in np.ravel(hdf5_values(file, "track_names", where))]


def _ordered(tracks: np.ndarray, nodes: int, where: str) -> np.ndarray:
    """`(tracks, frames, nodes, 2)`."""
    if tracks.ndim != 4 or tracks.dtype.kind not in "fiu" or not tracks.size:
        raise Pose3DError(f"{where}: tracks of shape {tracks.shape}, expected (tracks, 2, nodes, frames)")
    if tracks.shape[1:3] == (2, nodes):
        ordered = tracks.transpose(0, 3, 2, 1)
    elif tracks.shape[1:3] == (nodes, 2):
        ordered = tracks.transpose(3, 0, 1, 2)
    else:
        raise Pose3DError(
            f"{where}: tracks of shape {tracks.shape} with {nodes} nodes, expected (tracks, 2, nodes, frames)"
        )
    if np.isinf(ordered).any():
        raise Pose3DError(f"{where}: an infinite number among the tracks")
    return ordered.astype(np.float64)
