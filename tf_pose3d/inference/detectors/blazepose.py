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
# Seconds between two looks for people who have come into view, and for which someone lost is looked for in
# every frame, and is known again.
_LOOK, _SEARCH, _REMEMBER = 0.5, 1.0, 2.0
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
        self._looked = -np.inf
        self.crowded = False

    def __call__(self, image: np.ndarray, milliseconds: float) -> list[Found]:
        """Everyone in the next frame.

        Args:
            image: `(H, W, 4)` uint8: red, green, blue and anything.
            milliseconds: The frame's time, increasing.
        """
        time = milliseconds / 1000
        height, width = image.shape[:2]
        found: list[Landmarks] = []
        own: list[int] = []
        self._tracks = [
            track
            for track in self._tracks
            if time - track.time <= _REMEMBER and (not track.lost or track.ahead(time).inside(width, height))
        ]
        for number, track in enumerate(self._tracks):
            seen = self._landmarks(image, track.ahead(time))
            if seen.presence >= _PRESENCE:
                found.append(seen)
                own.append(number)
        found = self._distinct(found, own, time, image)
        missing = len(found) < len(self._tracks) and any(
            time - track.time <= _SEARCH for track in self._tracks
        )
        if not found or missing or time - self._looked >= _LOOK:
            self._looked = time
            found += self._newcomers(image, found)
        return self._settle(image, found, time)

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

    def _newcomers(self, image: np.ndarray, known: list[Landmarks]) -> list[Landmarks]:
        """People whom the other network finds and who are none of the known."""
        found: list[Landmarks] = []
        for region in self._looked_through(image):
            if len(known) + len(found) >= _MOST:
                self.crowded = True
                break
            if any(region.overlaps(other.region) for other in (*known, *found)):
                continue
            seen = self._landmarks(image, region)
            if seen.presence < _PRESENCE:
                continue
            # From the square that its own landmarks tell, a person is seen again; what is none, is not.
            again = self._landmarks(image, seen.region)
            if again.presence < _PRESENCE or not again.region.overlaps(seen.region):
                continue
            if not any(same_person(again, other) or part_of(again, other) for other in (*known, *found)):
                found.append(again)
        return found

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

    def _settle(self, image: np.ndarray, found: list[Landmarks], time: float) -> list[Found]:
        """Says who is who, and begins a track for everyone who is new."""
        shades = [colours(image, seen) for seen in found]
        costs = np.array(
            [
                [track.cost(seen, shade, time) for seen, shade in zip(found, shades, strict=True)]
                for track in self._tracks
            ]
        ).reshape(len(self._tracks), len(found))
        pairs = assign(costs)
        for row, column in pairs:
            self._tracks[row].take(found[column], time, shades[column])
        taken, known = {row for row, _ in pairs}, {column for _, column in pairs}
        for row, track in enumerate(self._tracks):
            track.lost = row not in taken
        for column, seen in enumerate(found):
            if column not in known and self._new(seen, time):
                self._tracks.append(Track.begin(self._next, seen, time, shades[column]))
                self._next += 1
        places = [track.expected(time) if track.lost else trunk(track.found) for track in self._tracks]
        for row, track in enumerate(self._tracks):
            track.look_round(places[:row] + places[row + 1 :], time)
        return [
            Found(track.found.keypoints, str(track.id), track.found.pose_3d)
            for track in self._tracks
            if not track.lost
        ]

    def _new(self, found: Landmarks, time: float) -> bool:
        """Whether a finding that fits nobody is a new person, and not one of two who hide each other."""
        return not any(track.near and track.beside(trunk(found)) for track in self._tracks)
