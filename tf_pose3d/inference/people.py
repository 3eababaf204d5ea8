"""Who is who: link detections of single frames to people, and choose whom to lift."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.keypoints import KeypointVideo, Person

__all__ = [
    "CHOICES",
    "choose_people",
    "file_suffixes",
    "group_by_id",
    "handover_warnings",
    "handovers",
    "link_detections",
]

CHOICES = ("largest", "confident", "all")

# A person may be lost for so many frames and still be known again.
_LONGEST_LOSS = 30
# Mean distance of joints between two detections of one person, in diagonals of the earlier one's box.
_FARTHEST = 0.5


def group_by_id(detections: Iterable[tuple[int, str, np.ndarray]]) -> tuple[Person, ...]:
    """People of detections whose ids the detector gave.

    Args:
        detections: (frame, id, `(J, 3)` keypoints) in any order, no id twice in a frame.
    """
    found: dict[str, dict[int, np.ndarray]] = {}
    for frame, person, keypoints in detections:
        if np.isfinite(keypoints[:, 0]).any():
            found.setdefault(person, {})[frame] = keypoints
    return tuple(_person(person, sorted(frames.items())) for person, frames in found.items())


def _person(name: str, detections: Sequence[tuple[int, np.ndarray]]) -> Person:
    frames = np.array([frame for frame, _ in detections], np.int64)
    return Person(name, frames, np.stack([keypoints for _, keypoints in detections]))


def _boxes(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(N, 2)` lowest and highest coordinates of `(N, J, 2)` points, at least one of each known."""
    known = np.isfinite(points[..., :1])
    return np.where(known, points, np.inf).min(axis=1), np.where(known, points, -np.inf).max(axis=1)


def _near_pairs(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of detections that may be of one person.

    Args:
        before: `(A, J, 2)`, NaN where missing.
        after: `(N, J, 2)`.

    Returns:
        Their rows in `before` and in `after`, and the mean distance of the joints that both have, over the
        diagonal of the earlier one's box, at most `_FARTHEST`; the nearest pair first.
    """
    (low, high), (low_after, high_after) = _boxes(before), _boxes(after)
    diagonal = np.maximum(np.linalg.norm(high - low, axis=1), 1.0)
    # No joint is nearer than the boxes are: hundreds of people meet in every frame, few of them closely.
    gap = np.maximum(low[:, None] - high_after[None], low_after[None] - high[:, None]).max(axis=-1)
    i, j = np.nonzero(gap <= _FARTHEST * diagonal[:, None])
    step = before[i] - after[j]
    shared = np.isfinite(step[..., 0])
    apart = np.sqrt(np.square(np.where(shared[..., None], step, 0)).sum(axis=-1)).sum(axis=1)
    count = shared.sum(axis=1)
    distance = np.where(count > 0, apart / np.maximum(count, 1) / diagonal[i], np.inf)
    near = distance <= _FARTHEST
    i, j, distance = i[near], j[near], distance[near]
    order = np.lexsort((j, i, distance))
    return i[order], j[order], distance[order]


def _apart(before: np.ndarray, after: np.ndarray) -> float:
    """`_distances` of one detection `(J, 3)` and another."""
    held = before[:, 0] == before[:, 0]
    box = before[held, :2]
    step = (after[:, :2] - before[:, :2])[held]
    step = step[step[:, 0] == step[:, 0]]
    if not len(step):
        return np.inf
    width, height = (box.max(axis=0) - box.min(axis=0)).tolist()
    return float(np.sqrt((step * step).sum(axis=1)).mean()) / max(
        (width * width + height * height) ** 0.5, 1.0
    )


def link_detections(detections: Iterable[tuple[int, list[np.ndarray]]]) -> tuple[Person, ...]:
    """People of detections without ids: each joins the nearest person of the frames before.

    Nearness is the mean distance of the joints that both have, over the diagonal of the person's box; above
    a half, or after 30 frames out of sight, a detection begins a new person. The nearest pair is joined
    first.

    Args:
        detections: (frame, keypoints `(J, 3)` of everyone in it), frames increasing.

    Returns:
        People numbered from 0 in the order of their first frames.
    """
    links: list[list[tuple[int, np.ndarray]]] = []
    # Numbers of the links that may go on; whoever was lost for longer stays lost.
    active: list[int] = []
    for frame, everyone in detections:
        found = [keypoints for keypoints in everyone if np.isfinite(keypoints[:, 0]).any()]
        active = [link for link in active if frame - links[link][-1][0] <= _LONGEST_LOSS]
        placed: set[int] = set()
        if len(active) == len(found) == 1:
            # Most files hold one person.
            if _apart(links[active[0]][-1][1], found[0]) <= _FARTHEST:
                links[active[0]].append((frame, found[0]))
                placed.add(0)
        elif active and found:
            before = np.stack([links[link][-1][1] for link in active])
            i, j, _ = _near_pairs(before[..., :2], np.stack(found)[..., :2])
            taken: set[int] = set()
            for a, b in zip(i.tolist(), j.tolist(), strict=True):
                if a not in taken and b not in placed:
                    links[active[a]].append((frame, found[b]))
                    taken.add(a)
                    placed.add(b)
        for number, keypoints in enumerate(found):
            if number not in placed:
                active.append(len(links))
                links.append([(frame, keypoints)])
    return tuple(_person(str(number), link) for number, link in enumerate(links))


def handovers(people: Sequence[Person]) -> list[tuple[Person, Person]]:
    """Pairs of people of whom the second seems to be the first under another id.

    The second begins within 30 frames after the first ends, at the same place (as `link_detections`
    measures).
    """
    begins = sorted(people, key=lambda person: int(person.frames[0]))
    starts = np.array([person.frames[0] for person in begins], np.int64)
    pairs = []
    for person in people:
        end = int(person.frames[-1])
        low, high = np.searchsorted(starts, [end + 1, end + 1 + _LONGEST_LOSS])
        candidates = begins[low:high]
        if not candidates:
            continue
        after = np.stack([other.keypoints[0, :, :2] for other in candidates])
        _, near, _ = _near_pairs(person.keypoints[-1:, :, :2], after)
        if len(near):
            pairs.append((person, candidates[int(near[0])]))
    return pairs


def handover_warnings(video: KeypointVideo, chosen: Sequence[Person]) -> list[str]:
    """What to say where someone who was chosen goes on, or came before, under another id.

    Args:
        video: What the detector found.
        chosen: The people who are lifted.
    """
    ids = {person.id for person in chosen}
    pairs = [pair for pair in handovers(video.people) if pair[0].id in ids or pair[1].id in ids]
    numbers = video.numbers()
    said = [
        f"person {first.id} ends at frame {numbers[first.frames[-1]]}, and another id, {second.id}, "
        f"continues there "
        f"from frame {numbers[second.frames[0]]}: the same person? (--people {second.id}, or --people all)"
        for first, second in pairs[:5]
    ]
    if len(pairs) > 5:
        said.append(f"{len(pairs) - 5} more people end where another id continues")
    return said


# Bytes of a file's name, so that name, extension and this together stay below what file systems take.
_LONGEST_SUFFIX = 60


def file_suffixes(people: Sequence[Person]) -> list[str]:
    """A different ending for each person's files, made of their id: `_0`, `_anna`.

    Ids may be names that someone gave, with characters that files cannot have: these become `_`. Endings
    that would be the same (`p 1` and `p/1`, `A` and `a` where the file system does not tell them apart) get a
    number.
    """
    taken: set[str] = set()
    suffixes = []
    for person in people:
        start = re.sub(r"[^\w.-]+", "_", person.id).encode("utf-8", "ignore")[:_LONGEST_SUFFIX]
        plain = start.decode("utf-8", "ignore") or "person"
        suffix, number = f"_{plain}", 1
        while suffix.casefold() in taken:
            number += 1
            suffix = f"_{plain}_{number}"
        taken.add(suffix.casefold())
        suffixes.append(suffix)
    return suffixes


def choose_people(video: KeypointVideo, choice: str = "largest") -> list[Person]:
    """The people to lift.

    Args:
        video: What the detector found.
        choice: `"largest"`: the one whose box, summed over the frames, is largest; `"confident"`: whose
            confidence, summed over the frames, is highest; `"all"`; else the id of one person.

    Raises:
        Pose3DError: There are no people, or none has this id; the message lists those there are.
    """
    people = list(video.people)
    if not people:
        raise Pose3DError(
            f"{video.source}: no people in any of its {video.num_frames} frames; is the detector's threshold "
            "too high?"
        )
    if choice == "all":
        return people
    if choice == "largest":
        return [max(people, key=lambda person: len(person.frames) * person.size())]
    if choice == "confident":
        return [max(people, key=lambda person: len(person.frames) * person.confidence())]
    chosen = [person for person in people if person.id == choice]
    if not chosen:
        known = ", ".join(person.id[:40] for person in people[:20])
        raise Pose3DError(
            f"--people {choice}: no person of that id in {video.source}; there are {known}, or give "
            f"{', '.join(CHOICES)}"
        )
    return chosen
