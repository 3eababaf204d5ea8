"""Who is who, with stick figures for findings: no network is needed."""

import dataclasses

import numpy as np
import pytest

from tf_pose3d.inference.detectors import blazepose
from tf_pose3d.inference.detectors.blazepose import BlazePose
from tf_pose3d.inference.detectors.networks import Landmarks
from tf_pose3d.inference.detectors.regions import Region, region_between
from tf_pose3d.inference.detectors.tracks import Track, assign, colours, part_of, same_person, trunk

_SHAPE = {
    0: (0, -95), 11: (18, -60), 12: (-18, -60), 13: (24, -30), 14: (-24, -30), 15: (26, 0), 16: (-26, 0),
    23: (12, 0), 24: (-12, 0), 25: (13, 45), 26: (-13, 45), 27: (14, 90), 28: (-14, 90),
}  # fmt: skip


def figure(x, y, scale=1.0, lean=0.0):
    """A finding whose hips lie at a place; 200 pixels high."""
    points = np.zeros((33, 3), np.float32)
    for joint in range(33):
        across, down = _SHAPE.get(joint, (0, -90))
        points[joint] = (x + scale * (across + lean * down), y + scale * down, 0.9)
    ends = np.array([[x, y], [x, y - 100 * scale]])
    return Landmarks(0.99, points, np.zeros((33, 3), np.float32), ends, region_between(*ends))


def test_two_looks_at_one_person():
    assert same_person(figure(300, 200), figure(303, 201))
    # Limbs of a neighbour do not make another person.
    mixed = figure(300, 200)
    mixed.keypoints[[25, 26, 27, 28], 0] += 60
    assert same_person(figure(300, 200), mixed)
    assert not same_person(figure(300, 200), figure(360, 200))


def test_a_part_of_a_person_is_none():
    whole = figure(300, 200)
    assert part_of(figure(300, 170, 0.5), whole)
    assert part_of(figure(303, 202), whole)
    # Beside each other, arms crossing: two people.
    assert not part_of(figure(340, 200), whole)
    assert not part_of(figure(500, 200), whole)


def test_colours_are_those_of_trunk_and_thighs():
    image = np.zeros((400, 600, 4), np.uint8)
    image[:200] = (200, 0, 0, 255)
    image[200:] = (0, 0, 100, 255)
    shades = colours(image, figure(300, 200))
    np.testing.assert_allclose(shades[:4], [[200 / 255, 0, 0]] * 4)
    np.testing.assert_allclose(shades[6:], [[0, 0, 100 / 255]] * 2, atol=0.01)
    assert np.isnan(colours(image, figure(-500, 200))).all()


def grey():
    return np.full((8, 3), 0.5)


def walk(track, start, step, count, fps=30):
    """Moves a track on; returns its time."""
    for number in range(1, count + 1):
        track.take(figure(start + step * number, 200), number / fps, grey())
        track.look_round([], number / fps)
    return count / fps


def test_the_way_goes_on():
    track = Track.begin(0, figure(100, 200), 0.0, grey())
    time = walk(track, 100, 5, 30)
    assert track.speed[0] == pytest.approx(150, rel=0.05)
    np.testing.assert_allclose(track.expected(time + 0.2), trunk(figure(280, 200)), atol=2)
    track.lost = True
    # The square is filtered, and so a little behind.
    assert track.ahead(time + 0.2).x == pytest.approx(280, abs=6)
    # Found there, and neither far off nor of another size.
    assert track.cost(figure(282, 200), grey(), time + 0.2) < 1
    assert track.cost(figure(520, 200), grey(), time + 0.2) == np.inf
    assert track.cost(figure(282, 200, 2.5), grey(), time + 0.2) == np.inf


def test_other_clothes_cost():
    track = Track.begin(0, figure(100, 200), 0.0, grey())
    same = track.cost(figure(104, 200), grey(), 0.1)
    assert track.cost(figure(104, 200), grey() + 0.4, 0.1) == pytest.approx(same + 0.2)


def test_near_somebody_the_way_before_counts():
    track = Track.begin(0, figure(100, 200), 0.0, grey())
    time = walk(track, 100, 5, 30)
    track.look_round([np.array([290.0, 170.0])], time)
    assert track.near
    # Carried off by another who comes the other way, step by step: not for long.
    taken = []
    for number in range(1, 13):
        there = figure(250 - 5 * number, 200)
        now = time + number / 30
        taken.append(np.isfinite(track.cost(there, grey(), now)))
        if taken[-1]:
            track.take(there, now, grey())
        track.look_round([np.array([290.0 - 5 * number, 170.0])], now)
    assert taken[0]
    assert not taken[-1]
    assert track.speed[0] == pytest.approx(150, rel=0.05)
    assert np.isfinite(track.cost(figure(310, 200), grey(), time + 12 / 30))


def test_squares_follow_quietly():
    """Jitter of the points that tell the square is filtered; a jump after a loss is taken whole."""
    rng = np.random.default_rng(0)
    track = Track.begin(0, figure(300, 200), 0.0, grey())
    places = []
    for number in range(1, 90):
        track.take(figure(300 + rng.normal(0, 1), 200), number / 30, grey())
        places.append(track.region.x)
    assert np.std(places[30:]) < 0.6
    track.lost = True
    track.take(figure(340, 200), 4.0, grey())
    assert track.region.x == pytest.approx(340)


def test_pairs():
    costs = np.array([[0.5, 0.2, np.inf], [0.1, 0.15, np.inf], [np.inf] * 3])
    assert assign(costs) == [(1, 0), (0, 1)]
    assert assign(np.zeros((0, 3))) == []


def settled(x=300, scale=1.0):
    """A track that is believed, of someone who stands still."""
    track = Track.begin(0, figure(x, 200, scale), 0.0, grey())
    for number in range(1, 20):
        track.take(figure(x, 200, scale), number / 30, grey())
        track.judge(number / 30)
        track.look_round([], number / 30)
    assert track.sure
    return track


def test_someone_lost_is_known_again_nearby():
    track, time = settled(), 19 / 30
    track.lost = True
    # Turned over: too far and too small for the usual way, and yet nobody else.
    turned = figure(430, 200, 0.45)
    assert track.cost(turned, grey(), time + 0.1) == np.inf
    assert track.returned(turned, grey(), time + 0.1)
    assert not track.returned(figure(700, 200), grey(), time + 0.1)
    assert not track.returned(figure(300, 200, 0.3), grey(), time + 0.1)
    assert not track.returned(figure(430, 200), grey() + 0.25, time + 0.1)
    # Where people hide each other, nearness says nothing.
    track.near = True
    assert not track.returned(turned, grey(), time + 0.1)


def test_a_square_that_slipped_gives_way():
    whole, chest = figure(300, 200), figure(300, 160, 0.5)
    track = settled()
    assert track.prefers(whole, chest)
    assert not track.prefers(chest, whole)
    # Of someone who was seen as a part from the start, fresh looks tell the size.
    track = settled(scale=0.5)
    assert not track.prefers(whole, figure(300, 200, 0.5))
    assert track.prefers(whole, figure(300, 200, 0.5))


def test_what_is_seen_now_and_then_is_no_person():
    flicker = Track.begin(0, figure(300, 200), 0.0, grey())
    flicker.judge(0.0)
    for number in range(1, 60):
        flicker.lost = number % 3 == 0
        if not flicker.lost:
            flicker.take(figure(300, 200), number / 30, grey())
        flicker.judge(number / 30)
    assert not flicker.sure
    short = Track.begin(0, figure(300, 200), 0.0, grey())
    for number in range(1, 8):
        short.take(figure(300, 200), number / 30, grey())
        short.judge(number / 30)
        assert not short.sure
    short.take(figure(300, 200), 8 / 30, grey())
    short.judge(8 / 30)
    assert short.sure


class World:
    """Stands in for both networks: figures at known places, the foremost seen where they overlap."""

    def __init__(self, monkeypatch):
        self.places, self.detections = {}, 0
        monkeypatch.setattr(blazepose, "detector_files", lambda model: ("people", "landmarks"))
        monkeypatch.setattr(blazepose, "PeopleNetwork", lambda path, threads: self.people)
        monkeypatch.setattr(blazepose, "LandmarkNetwork", lambda path, threads: self.landmarks)

    def people(self, image, least, window):
        self.detections += 1
        seen = []
        for x, y in self.places.values():
            if not any(abs(x - other) < 30 for other, _ in seen):
                seen.append((x, y))
        return [(0.9, figure(x, y).region) for x, y in seen]

    def landmarks(self, image, region: Region):
        # The nearest; of two that are about as near the one in front.
        near = [(abs(x - region.x) // 40, number, x, y) for number, (x, y) in enumerate(self.places.values())]
        if not near or min(near)[0] > 3:
            return dataclasses.replace(figure(0, 0), presence=0.1)
        _, _, x, y = min(near)
        return figure(x, y)


@pytest.fixture
def world(monkeypatch):
    return World(monkeypatch)


def ids(detector, world, frame, size=(400, 900)):
    image = np.full((*size, 4), 128, np.uint8)
    found = detector(image, 1000 * frame / 30)
    result = {}
    for name, (x, _) in world.places.items():
        near = [one.id for one in found if abs(float(one.keypoints[23, 0]) - 12 - x) < 1]
        result[name] = near[0] if near else None
    return result


def test_people_are_looked_for_only_where_needed(world):
    world.places = {"a": (300, 200)}
    detector = BlazePose()
    for frame in range(31):
        assert ids(detector, world, frame) == {"a": "0"}
    # Four windows of the long image at the start, after half a second and after a second.
    assert world.detections == 12
    assert detector(np.zeros((400, 900, 4), np.uint8), 1100.0)[0].pose_3d.shape == (33, 3)


def test_looking_for_nobody_is_cheap(world):
    detector = BlazePose()
    for frame in range(300):
        assert ids(detector, world, frame) == {}
    # Every frame at first, then ten times a second, in four windows.
    assert 90 * 4 < world.detections < 110 * 4
    # Whoever comes is found three frames later at most.
    for number in range(4):
        world.places = {"a": (300, 200)}
        seen = [ids(detector, world, 300 + 200 * number + frame)["a"] for frame in range(40)]
        assert None not in seen[3:]
        world.places = {}
        for frame in range(40, 200):
            ids(detector, world, 300 + 200 * number + frame)


@pytest.mark.parametrize("gap", [1, 4, 12, 45])
def test_who_is_hidden_for_a_while_keeps_the_id(world, gap):
    detector = BlazePose()
    for frame in range(100):
        hidden = 40 <= frame < 40 + gap
        world.places = {} if hidden else {"a": (300 + frame // 2, 200)}
        seen = ids(detector, world, frame)
        if not hidden and frame not in range(40 + gap, 43 + gap):
            assert seen == {"a": "0"}, frame


@pytest.mark.parametrize("clothes", ["same", "others"])
def test_who_leaves_the_view_and_comes_back_keeps_the_id(world, clothes):
    detector = BlazePose()
    seen = []
    for frame in range(80):
        image = np.full((400, 900, 4), 128, np.uint8)
        if frame >= 50 and clothes == "others":
            image[:] = 30
        x = 740 + 8 * frame if frame < 20 else 1300 - 8 * frame
        world.places = {"a": (x, 200)} if x < 900 else {}
        found = detector(image, 1000 * frame / 30)
        seen.append({person.id for person in found})
    assert seen[19] == {"0"}
    assert set() in seen
    assert seen[-1] == {"0" if clothes == "same" else "1"}


def test_what_never_lasts_is_marked(world):
    detector = BlazePose()
    image = np.full((400, 900, 4), 128, np.uint8)
    unsure = set()
    for frame in range(90):
        world.places = {"a": (300, 200)}
        if 30 <= frame < 34:
            world.places["tree"] = (700, 200)
        for person in detector(image, 1000 * frame / 30):
            if not person.sure:
                unsure.add((person.id, frame >= 30))
    # The first person is believed before the other is there.
    assert unsure == {("0", False), ("1", True)}


def test_a_part_of_someone_gives_no_second_id(world, monkeypatch):
    """Fresh looks find a chest inside a body again and again."""
    detector = BlazePose()
    world.places = {"a": (300, 200)}
    for frame in range(20):
        ids(detector, world, frame)
    chest = figure(300, 150, 0.5)
    usual = world.landmarks

    def landmarks(image, region):
        return chest if region.size < 200 else usual(image, region)

    detector._landmarks = landmarks
    detector._people = lambda image, least, window: [(0.9, chest.region)]
    for frame in range(20, 120):
        found = detector(np.full((400, 900, 4), 128, np.uint8), 1000 * frame / 30)
        assert [person.id for person in found] == ["0"]
        assert found[0].keypoints[23, 0] == pytest.approx(312)


def test_two_who_cross_keep_their_ids(world):
    detector = BlazePose()
    seen = []
    for frame in range(90):
        world.places = {"front": (150 + 6 * frame, 200), "behind": (690 - 6 * frame, 204)}
        seen.append(ids(detector, world, frame))
    assert seen[0] == {"front": "0", "behind": "1"}
    assert seen[-1] == seen[0]
    assert {one["front"] for one in seen} <= {"0", None}
    assert sum(one["front"] == "0" for one in seen) > 80


def test_who_leaves_and_comes_back_late_is_another(world):
    detector = BlazePose()
    world.places = {"a": (300, 200)}
    assert ids(detector, world, 0) == {"a": "0"}
    world.places = {}
    for frame in range(1, 100, 3):
        assert ids(detector, world, frame) == {}
    world.places = {"a": (300, 200)}
    assert ids(detector, world, 100) == {"a": "1"}


def test_what_looks_like_people_hides_nobody(world):
    """The surest squares hold no person, the one that does comes after them."""
    detector = BlazePose()
    trees = [(0.9, figure(100 + 150 * number, 600).region) for number in range(5)]
    usual = world.people
    detector._people = lambda image, least, window: trees + [(0.4, r) for _, r in usual(image, least, window)]
    world.places = {"a": (300, 200)}
    seen = [ids(detector, world, frame, (800, 900))["a"] for frame in range(9)]
    assert "0" in seen


def test_a_crowd_is_said(world):
    world.places = {str(number): (60 + 130 * number, 200) for number in range(20)}
    detector = BlazePose()
    found = detector(np.zeros((400, 2800, 4), np.uint8), 0.0)
    assert len(found) == 16
    assert detector.crowded
