"""Linking of detections: the rule, and how long it takes."""

import time

import numpy as np
import pytest

from tf_pose3d.inference.keypoints import Person
from tf_pose3d.inference.people import file_suffixes, handovers, link_detections


def crowd(people, frames, size=4000, seed=0, missing=0.0):
    """(frame, `(17, 3)` detections in random order) of people who wander, and who is who."""
    random = np.random.default_rng(seed)
    places = random.uniform(0, size, (people, 1, 2)) + random.uniform(-60, 60, (people, 17, 2))
    found, names = [], []
    for frame in range(frames):
        places = places + random.normal(0, 1, (people, 1, 2))
        points = np.concatenate([places, np.ones((people, 17, 1))], axis=2).astype(np.float32)
        points[random.uniform(size=points.shape[:2]) < missing] = np.nan
        order = random.permutation(people)
        found.append((frame, list(points[order])))
        names.append(order)
    return found, names


def by_hand(detections):
    """The rule, pair by pair."""
    links = []
    for frame, everyone in detections:
        pairs = []
        for number, (last, before) in enumerate(link[-1] for link in links):
            seen = before[np.isfinite(before[:, 0])]
            diagonal = max(np.linalg.norm(seen[:, :2].max(0) - seen[:, :2].min(0)), 1)
            for place, after in enumerate(everyone):
                apart = np.linalg.norm(after[:, :2] - before[:, :2], axis=1)
                if np.isfinite(apart).any() and frame - last <= 30:
                    pairs.append((float(np.nanmean(apart)) / diagonal, number, place))
        taken, placed = set(), set()
        for distance, number, place in sorted(pairs):
            if distance <= 0.5 and number not in taken and place not in placed:
                taken.add(number)
                placed.add(place)
                links[number].append((frame, everyone[place]))
        links += [[(frame, one)] for place, one in enumerate(everyone) if place not in placed]
    return links


def test_the_rule():
    # Close together, with missing joints, and somebody who is away for a while.
    detections, _ = crowd(12, 25, size=250, missing=0.3)
    detections = [one for one in detections if one[0] not in (7, 8, 9)]
    linked, expected = link_detections(detections), by_hand(detections)
    assert len(linked) == len(expected)
    for person, link in zip(linked, expected, strict=True):
        assert person.frames.tolist() == [frame for frame, _ in link]
        np.testing.assert_array_equal(person.keypoints, np.stack([one for _, one in link]))


def test_a_hundred_people_do_not_take_long():
    """A thousand frames in less than five seconds; a fifth of them here."""
    detections, _ = crowd(100, 200)
    start = time.process_time()
    people = link_detections(detections)
    spent = time.process_time() - start
    assert [len(one.frames) for one in people] == [200] * 100
    assert spent < 1


def test_who_goes_on_from_whom():
    detections, _ = crowd(3, 20)
    first, second, third = link_detections(detections)
    early = Person("a", first.frames[:8], first.keypoints[:8])
    late = Person("b", first.frames[12:], first.keypoints[12:])
    assert [(one.id, other.id) for one, other in handovers([early, late, second, third])] == [("a", "b")]


@pytest.mark.parametrize(
    ("ids", "suffixes"),
    [
        (("p 1", "p/1"), ["_p_1", "_p_1_2"]),
        (("A", "a"), ["_A", "_a_2"]),
        (("../../etc/passwd",), ["_.._.._etc_passwd"]),
        (("x" * 400, "x" * 401), ["_" + "x" * 60, "_" + "x" * 60 + "_2"]),
        (("", "\ud800"), ["_person", "__"]),
    ],
)
def test_everyone_has_a_file(ids, suffixes):
    points = np.ones((1, 17, 3), np.float32)
    assert file_suffixes([Person(one, np.zeros(1, np.int64), points) for one in ids]) == suffixes
