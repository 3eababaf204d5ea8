"""`--detector blazepose`: people and their landmarks, and who is who through a video."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from tf_pose3d.inference.detectors.detector import Found
from tf_pose3d.inference.detectors.files import detector_files
from tf_pose3d.inference.detectors.networks import LandmarkNetwork, Landmarks, PeopleNetwork
from tf_pose3d.inference.detectors.regions import Region, whole_image
from tf_pose3d.inference.detectors.tracks import Track, assign, colours, part_of, same_person, trunk

__all__ = ["BlazePose"]

# How sure the networks must be that there is a person. The one that finds people may be less sure than
# MediaPipe asks, 0.5, since the other one decides.
_PRESENCE, _SCORE = 0.5, 0.3
# Seconds between two looks for people who have come into view; between two looks where nobody is in view, or
# somebody was lost up to so many seconds ago; for which every frame is looked through after a loss; for which
# someone is known again; and for which what is not believed yet is kept.
_LOOK, _OFTEN, _SEARCH, _AT_ONCE, _REMEMBER, _KEEP = 0.5, 0.1, 1.0, 0.15, 2.0, 0.2
# Squares without a person that are tried in one look.
_TRIES = 3
# Sides of an image whose ratio is larger are also looked through in squares.
_LONG = 1.2
# More people than this at once are not followed: each costs as much as one alone.
_MOST = 16


class BlazePose:
    """Finds people by BlazePose's networks, and follows them.

    People are looked for where somebody is lost and twice a second; else each person is looked for where the
    last frame's landmarks say. Its networks are MediaPipe's (`tf-pose3d-detector` gets them), its rules for
    several people its own.

    Args:
        model: Folder with the two files; None: where `tf-pose3d-detector` puts them.
        threads: Of the processor, for each network; what is found does not depend on it. None: as
            `OMP_NUM_THREADS` says, else as many as leave one to the video's decoder, at most 4.

    Attributes:
        layout: Name of the joint layout that it gives.
        crowded: Whether there were more people at once than it follows.

    Raises:
        Pose3DError: A file is missing or another than it should be, or there is no LiteRT.
    """

    layout = "mediapipe_33"
    pixels = "rgba"

    def __init__(self, model: str | Path | None = None, threads: int | None = None) -> None:
        people, landmarks = detector_files(model)
        told = os.environ.get("OMP_NUM_THREADS", "")
        told_threads = int(told) if told.isdecimal() else min(4, (os.cpu_count() or 1) - 1)
        threads = max(1, threads or told_threads)
        self._people = PeopleNetwork(people, threads)
        self._landmarks = LandmarkNetwork(landmarks, threads)
        self._tracks: list[Track] = []
        self._next = 0
        self._looked = self._seen = -np.inf
        self._vain: list[Region] = []
        self.crowded = False

    def __call__(self, image: np.ndarray, milliseconds: float) -> list[Found]:
        """Everyone in the next frame.

        Args:
            image: `(H, W, 4)` uint8: red, green, blue and anything.
            milliseconds: The frame's time, increasing.
        """
        time = milliseconds / 1000
        height, width = image.shape[:2]
        self._tracks = [
            track for track in self._tracks if time - track.time <= (_REMEMBER if track.sure else _KEEP)
        ]
        if self._looked == -np.inf:
            self._seen = time
        several = sum(track.sure for track in self._tracks) > 1
        # Times are sums of many small ones.
        since = time - self._looked + 1e-6
        found: list[Landmarks] = []
        own: list[int] = []
        for number, track in enumerate(self._tracks):
            region = track.ahead(time)
            late = not several and time - track.time > _AT_ONCE and since < _OFTEN
            if track.lost and (late or not region.inside(width, height)):
                continue
            seen = self._landmarks(image, region)
            if seen.presence >= _PRESENCE:
                found.append(seen)
                own.append(number)
        kept = self._distinct(found, own, time, image)
        there = {number for number, seen in zip(own, found, strict=True) if seen in kept}
        missing = [track for number, track in enumerate(self._tracks) if track.sure and number not in there]
        found = kept
        rivals: list[tuple[Landmarks, Landmarks]] = []
        if since >= self._pause(bool(found), missing, several, time):
            self._looked = time
            newcomers, rivals = self._newcomers(image, found)
            found += newcomers
        return self._settle(image, found, rivals, time)

    def _pause(self, found: bool, missing: list[Track], several: bool, time: float) -> float:
        """Seconds between two looks for people: none at first after a loss, then few.

        Args:
            found: Whether somebody was seen in this frame where they were expected.
            missing: Those who were not.
            several: Whether there are others, who may hide them, so that every frame counts.
            time: Seconds.
        """
        ages = [time - track.time for track in missing]
        if not found:
            ages.append(time - self._seen)
        at_once = _SEARCH if several else _AT_ONCE
        if any(age <= at_once for age in ages):
            return 0.0
        return _OFTEN if not found or any(age <= _SEARCH for age in ages) else _LOOK

    def _distinct(
        self, found: list[Landmarks], own: list[int], time: float, image: np.ndarray
    ) -> list[Landmarks]:
        """Findings without those of a person who was found from two squares: the nearer track's stays."""
        costs = [
            self._tracks[number].cost(seen, colours(image, seen), time)
            for number, seen in zip(own, found, strict=True)
        ]
        kept: list[Landmarks] = []
        for index in np.argsort(costs, kind="stable"):
            if not any(same_person(found[index], other) for other in kept):
                kept.append(found[index])
        return kept

    def _newcomers(
        self, image: np.ndarray, known: list[Landmarks]
    ) -> tuple[list[Landmarks], list[tuple[Landmarks, Landmarks]]]:
        """People whom the other network finds and who are none of the known.

        Returns:
            They; and findings of a known one's body that differ from it, each with that one.
        """
        found: list[Landmarks] = []
        rivals: list[tuple[Landmarks, Landmarks]] = []
        before, self._vain = self._vain, []
        regions = self._looked_through(image)
        if len(before) >= _TRIES:
            # What was tried in vain in the last look comes last, so that it hides nobody.
            regions.sort(key=lambda region: any(region.overlaps(other) for other in before))
        for region in regions:
            if len(known) + len(found) >= _MOST:
                self.crowded = True
                break
            if len(self._vain) >= _TRIES:
                break
            if any(region.overlaps(other.region) for other in (*known, *found)):
                continue
            again = self._seen_twice(image, region)
            if again is None:
                self._vain.append(region)
                continue
            if any(same_person(again, other) for other in (*known, *found)):
                continue
            whole = [other for other in (*known, *found) if part_of(again, other)]
            if not whole:
                found.append(again)
            elif len(whole) == 1 and whole[0] in known:
                rivals.append((again, whole[0]))
        return found, rivals

    def _seen_twice(self, image: np.ndarray, region: Region) -> Landmarks | None:
        """The person in a square; None where there is none."""
        seen = self._landmarks(image, region)
        if seen.presence < _PRESENCE:
            return None
        # From the square that its own landmarks tell, a person is seen again; what is none, is not.
        again = self._landmarks(image, seen.region)
        return again if again.presence >= _PRESENCE and again.region.overlaps(seen.region) else None

    def _looked_through(self, image: np.ndarray) -> list[Region]:
        """Squares with people, the surest first, each person once; parts show small people."""
        height, width = image.shape[:2]
        windows = [whole_image(width, height)]
        short, long = min(width, height), max(width, height)
        if long > _LONG * short:
            count = 2 if long < 1.6 * short else 3
            for start in np.linspace(0, long - short, count):
                middle = start + short / 2
                windows.append(
                    Region(middle, short / 2, short) if width > height else Region(short / 2, middle, short)
                )
        scored = [pair for window in windows for pair in self._people(image, _SCORE, window)]
        regions: list[Region] = []
        for _, region in sorted(scored, key=lambda pair: -pair[0]):
            if region.inside(width, height) and not any(region.overlaps(other) for other in regions):
                regions.append(region)
        return regions

    def _settle(
        self,
        image: np.ndarray,
        found: list[Landmarks],
        rivals: list[tuple[Landmarks, Landmarks]],
        time: float,
    ) -> list[Found]:
        """Says who is who, and begins a track for everyone who is new."""
        shades = [colours(image, seen) for seen in found]
        costs = np.array(
            [
                [track.cost(seen, shade, time) for seen, shade in zip(found, shades, strict=True)]
                for track in self._tracks
            ]
        ).reshape(len(self._tracks), len(found))
        pairs = dict(assign(costs))
        returned = self._returned(found, shades, pairs, time)
        for row, column in pairs.items():
            self._tracks[row].take(found[column], time, shades[column], row in returned)
        for row, track in enumerate(self._tracks):
            track.lost = row not in pairs
        for rival, known in rivals:
            for row, column in pairs.items():
                track = self._tracks[row]
                if found[column] is known and not track.near and track.prefers(rival, known):
                    track.take(rival, time, colours(image, rival), True)
        known_columns = set(pairs.values())
        for column, seen in enumerate(found):
            if column not in known_columns and self._new(seen, time):
                self._tracks.append(Track.begin(self._next, seen, time, shades[column]))
                self._next += 1
        self._join_parts(image, time)
        for track in self._tracks:
            track.judge(time)
        # Whoever is not believed yet hides nobody.
        places = [track.expected(time) if track.lost else trunk(track.found) for track in self._tracks]
        for row, track in enumerate(self._tracks):
            others = [
                place
                for number, place in enumerate(places)
                if number != row and (self._tracks[number].sure or not track.sure)
            ]
            track.look_round(others, time)
        seen_now = [track for track in self._tracks if not track.lost]
        if seen_now:
            self._seen = time
        return [
            Found(track.found.keypoints, str(track.id), track.found.pose_3d, track.sure) for track in seen_now
        ]

    def _returned(
        self, found: list[Landmarks], shades: list[np.ndarray], pairs: dict[int, int], time: float
    ) -> set[int]:
        """Gives findings that are nobody's to those who were lost near there, where there is one of each.

        Args:
            pairs: Rows of tracks and columns of findings that go together; changed. What is not believed yet
                gives way.

        Returns:
            The rows that were added.
        """
        owners = {column: row for row, column in pairs.items()}
        rows = [row for row, track in enumerate(self._tracks) if track.sure and row not in pairs]
        columns = [
            column
            for column in range(len(found))
            if column not in owners or not self._tracks[owners[column]].sure
        ]
        fits = [
            (row, column)
            for row in rows
            for column in columns
            if self._tracks[row].returned(found[column], shades[column], time)
        ]
        added = set()
        for row, column in fits:
            if sum(row == other for other, _ in fits) == sum(column == other for _, other in fits) == 1:
                if column in owners:
                    del pairs[owners[column]]
                pairs[row] = column
                added.add(row)
        return added

    def _join_parts(self, image: np.ndarray, time: float) -> None:
        """Ends tracks that are not believed yet and follow a part of somebody's body, or all of it."""
        kept = []
        for track in self._tracks:
            whole = next(
                (
                    other
                    for other in self._tracks
                    if other is not track
                    and other.sure
                    and not (track.lost or other.lost)
                    and part_of(track.found, other.found)
                ),
                None,
            )
            if track.sure or whole is None:
                kept.append(track)
            elif not whole.near and whole.prefers(track.found, whole.found):
                whole.take(track.found, time, colours(image, track.found), True)
        self._tracks = kept

    def _new(self, found: Landmarks, time: float) -> bool:
        """Whether a finding that fits nobody is a new person, and not one of two who hide each other."""
        return not any(track.near and track.beside(trunk(found)) for track in self._tracks)
