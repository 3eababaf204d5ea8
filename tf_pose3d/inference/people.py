"""Who is who: link detections of single frames to people, and choose whom to lift."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.keypoints import KeypointVideo, Person

__all__ = ["CHOICES", "choose_people", "group_by_id", "link_detections"]

CHOICES = ("largest", "confident", "all")

# A person may be lost for so many frames and still be known again.
_LONGEST_LOSS = 30
# Mean distance of joints between two detections of one person, in diagonals of the earlier one's box.
_FARTHEST = 0.5

Detection = tuple[int, np.ndarray]


def group_by_id(detections: Iterable[tuple[int, str, np.ndarray]], source: str) -> tuple[Person, ...]:
    """People of detections whose ids the detector gave.

    Args:
        detections: (frame, id, `(J, 3)` keypoints) in any order.
        source: The file, for messages.

    Raises:
        Pose3DError: One id twice in a frame.
    """
    found: dict[str, dict[int, np.ndarray]] = {}
    for frame, person, keypoints in detections:
        frames = found.setdefault(person, {})
        if frame in frames:
            raise Pose3DError(f"{source}: person {person} is twice in frame {frame}, expected once")
        if np.isfinite(keypoints[:, 0]).any():
            frames[frame] = keypoints
    return tuple(
        _person(person, sorted(frames.items(), key=lambda item: item[0]))
        for person, frames in found.items()
        if frames
    )


def _person(name: str, detections: list[Detection]) -> Person:
    frames = np.array([frame for frame, _ in detections], np.int64)
    return Person(name, frames, np.stack([keypoints for _, keypoints in detections]))


@dataclasses.dataclass
class _Link:
    detections: list[Detection]

    def distance(self, frame: int, keypoints: np.ndarray) -> float:
        """Mean joint distance to a new detection over the box's diagonal; infinite if lost for too long."""
        last, before = self.detections[-1]
        if frame - last > _LONGEST_LOSS:
            return np.inf
        both = np.isfinite(before[:, 0]) & np.isfinite(keypoints[:, 0])
        if not both.any():
            return np.inf
        seen = before[np.isfinite(before[:, 0]), :2]
        diagonal = max(float(np.linalg.norm(np.ptp(seen, axis=0))), 1.0)
        return float(np.linalg.norm(before[both, :2] - keypoints[both, :2], axis=1).mean()) / diagonal


def link_detections(detections: Iterable[tuple[int, list[np.ndarray]]]) -> tuple[Person, ...]:
    """People of detections without ids: each joins the nearest person of the frames before.

    Nearness is the mean distance of the joints that both have, over the diagonal of the person's box; above
    a half, or after 30 frames out of sight, a detection begins a new person.

    Args:
        detections: (frame, keypoints `(J, 3)` of everyone in it), frames increasing.

    Returns:
        People numbered from 0 in the order of their first frames.
    """
    links: list[_Link] = []
    for frame, found in detections:
        found = [keypoints for keypoints in found if np.isfinite(keypoints[:, 0]).any()]
        # Only these can be joined; whoever was lost for longer stays lost.
        active = [link for link in links if frame - link.detections[-1][0] <= _LONGEST_LOSS]
        pairs = sorted(
            (link.distance(frame, keypoints), i, j)
            for i, link in enumerate(active)
            for j, keypoints in enumerate(found)
        )
        taken, placed = set(), set()
        for distance, i, j in pairs:
            if distance > _FARTHEST:
                break
            if i in taken or j in placed:
                continue
            active[i].detections.append((frame, found[j]))
            taken.add(i)
            placed.add(j)
        links += [_Link([(frame, keypoints)]) for j, keypoints in enumerate(found) if j not in placed]
    return tuple(_person(str(number), link.detections) for number, link in enumerate(links))


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
        known = ", ".join(person.id for person in people[:20])
        raise Pose3DError(
            f"--people {choice}: no person of that id in {video.source}; there are {known}, or give "
            f"{', '.join(CHOICES)}"
        )
    return chosen
