#!/usr/bin/env python
"""Trains the small network that tells from a person's posture which way is up (`motion/posture.py`).

    python tools/train_posture.py --motion train.npz --output tf_pose3d/inference/motion/posture.h5
    python tools/train_posture.py --motion train.npz --folds 4  # what it is worth for people it has not seen
    python tools/train_posture.py --motion train.npz --pitches -10 10 40  # the shipped one, by camera

Everyone but the people of the config's HELD_OUT is seen by made-up cameras, three of four times looking down
by 0 to 20 degrees, else by -10 to 40; half of the poses are exact, half are the lifter's from noisy
keypoints, so that it learns how lifted poses lean. The loss is the angle between the true direction up and
what follows from the network together with the other cues of `motion/levelling.py`; up is first taken to be
some degrees beside the truth.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

TOOLS = Path(__file__).resolve().parent
sys.path[:0] = [str(TOOLS)] if __package__ else [str(TOOLS), str(TOOLS.parent)]

from benchmark_motion_stage import NOISE, Filmed, exact, film, lift_all, see, true_up, unknown

from tf_pose3d.cli.program import run_program, start_tensorflow
from tf_pose3d.config import read_config_file, shipped_configs
from tf_pose3d.data.motion_clips import MotionClips, load_motion
from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.levelling import Cues, Stance, camera_says, find_up, tangents
from tf_pose3d.inference.motion.posture import (
    FEATURES,
    LAYERS,
    MOST,
    RANGE,
    SURE,
    Network,
    Posture,
    shipped_network,
)
from tf_pose3d.inference.motion.world import stance_of

if TYPE_CHECKING:
    import keras

_SEED = 5
# Frames of a stretch: of exact poses at most, of lifted ones at most.
_SHORTEST, _LONGEST, _LONGEST_LIFTED = 60, 400, 240
_USUAL, _WIDE, _USUALLY = (0.0, 20.0), (-10.0, 40.0), 0.75
# Stretches of a person for each camera that is checked.
_CHECKED = 2
# Examples of a batch, frames of an example.
_BATCH, _FRAMES = 128, 24
# Degrees by which up is taken to be beside the truth, and how often.
_BESIDE, _SHARES = (1.5, 4.0, 8.0), (0.4, 0.4, 0.2)
# Errors of joints, in lengths of the leg; share of the inputs and hidden values that are left out.
_JITTER, _LEFT_OUT = 0.01, 0.1
_RATE, _DECAY = 3e-3, 1e-2
# Weight of how well the network's own precision fits, degrees from which an example counts no more, and the
# error of its own that it is measured against where it is unsure.
_OWN, _LOST, _UNSURE = 0.2, 15.0, 15.0


@dataclasses.dataclass(frozen=True)
class Example:
    """A stretch of somebody, and which way is up there."""

    subject: str
    lifted: bool
    stance: Stance
    cues: Cues
    up: np.ndarray

    @classmethod
    def of(cls, subject: str, lifted: bool, stance: Stance, clip: Filmed) -> Example:
        return cls(subject, lifted, stance, Cues.of(stance), true_up(clip.camera))


def make_examples(clips: MotionClips, each: int) -> list[Example]:
    """`each` stretches of each person, exact and lifted."""
    examples: list[Example] = []
    for lifted, longest in ((False, _LONGEST), (True, _LONGEST_LIFTED)):
        rng = np.random.default_rng([_SEED, lifted])
        subjects, filmed = [], []
        for subject in np.unique(clips.subjects):
            mine = np.flatnonzero((clips.subjects == subject) & (clips.lengths >= _SHORTEST))
            if not len(mine):
                continue
            share = np.sqrt(clips.lengths[mine])
            for number in rng.choice(mine, each, p=share / share.sum()):
                world = clips.clip(int(number))
                length = min(len(world), int(rng.integers(_SHORTEST, longest + 1)))
                first = int(rng.integers(len(world) - length + 1))
                pitches = _USUAL if rng.random() < _USUALLY else _WIDE
                world = world[first : first + length].astype(np.float64)
                filmed.append(see(rng, world, NOISE if lifted else 0.0, pitches))
                subjects.append(str(subject))
        examples += examples_of(subjects, filmed, lifted)
    return examples


def examples_of(subjects: Sequence[str], filmed: Sequence[Filmed], lifted: bool) -> list[Example]:
    """What cameras that are not known saw, as exact poses or lifted ones."""
    motions = lift_all("general", filmed) if lifted else exact(filmed)
    return [
        Example.of(subject, lifted, stance_of(unknown(motion)), clip)
        for subject, motion, clip in zip(subjects, motions, filmed, strict=True)
    ]


def benchmark_examples(clips: MotionClips) -> list[Example]:
    """Stretches as `tools/benchmark_motion_stage.py` takes them."""
    examples: list[Example] = []
    for lifted in (False, True):
        filmed = film(clips, NOISE if lifted else 0.0)
        examples += examples_of([clip.subject for clip in filmed], filmed, lifted)
    return examples


def make_batch(
    rng: np.random.Generator, people: Sequence[Sequence[Sequence[Example]]]
) -> tuple[np.ndarray, ...]:
    """Features `(B, F, FEATURES)`, slopes `(B, F, 2, 2)`, the other cues' normal equations `(B, 2, 2)` and
    `(B, 2)`, and how far up is from where it is taken to be, `(B, 2)` radians.
    """
    joints, resting, ups, frames, equations, moves = [], [], [], [], [], []
    for person in rng.integers(len(people), size=_BATCH):
        kinds = people[person]
        kind = kinds[rng.integers(len(kinds))]
        example = kind[rng.integers(len(kind))]
        posture = example.cues.posture
        rows = rng.integers(len(posture.joints), size=_FRAMES)
        posture = Posture(posture.joints[rows], posture.resting[rows])
        up, beside = example.up, np.radians(rng.choice(_BESIDE, p=_SHARES)) * rng.normal(size=3)
        up = up + beside - up * (up @ beside)
        up /= np.linalg.norm(up)
        axes = tangents(up)
        matrix, right = camera_says(up, axes)
        for part in (example.cues.height(up, axes), example.cues.floor(up, axes)):
            matrix, right = matrix + part[0], right + part[1]
        equations.append((matrix, right))
        moves.append(axes @ (example.up / (example.up @ up)))
        if rng.random() < 0.5:
            # The mirror image: numbers along the axes stay.
            posture, up, axes = posture.mirrored(), up * [-1, 1, 1], axes * [-1, 1, 1]
        joints.append(posture.joints)
        resting.append(posture.resting)
        ups.append(np.repeat(up[None], _FRAMES, axis=0))
        frames.append(np.repeat(axes[None], _FRAMES, axis=0))
    all_joints = np.concatenate(joints)
    all_joints = all_joints + rng.normal(0, _JITTER, all_joints.shape)
    features, body = Posture(all_joints, np.concatenate(resting)).seen_from(np.concatenate(ups))
    slopes = np.einsum("fia,fba->fib", body, np.concatenate(frames))
    return (
        features.reshape(_BATCH, _FRAMES, FEATURES).astype(np.float32),
        slopes.reshape(_BATCH, _FRAMES, 2, 2).astype(np.float32),
        np.array([matrix for matrix, _ in equations], np.float32),
        np.array([right for _, right in equations], np.float32),
        np.array(moves, np.float32),
    )


def train(examples: Sequence[Example], steps: int, seed: int) -> keras.Model:
    """A network for all people alike, however often they are seen."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng([_SEED, seed])
    people = [
        [
            found
            for lifted in (False, True)
            if (found := [e for e in examples if e.subject == subject and e.lifted == lifted])
        ]
        for subject in sorted({example.subject for example in examples})
    ]
    sample = np.concatenate([make_batch(rng, people)[0].reshape(-1, FEATURES) for _ in range(8)])
    middle, spread = sample.mean(axis=0), np.maximum(sample.std(axis=0), 0.05)
    inputs = keras.Input((FEATURES,))
    values = inputs
    for name, shapes in LAYERS.items():
        last = name == "lean"
        values = values if last else keras.layers.Dropout(_LEFT_OUT)(values)
        layer = keras.layers.Dense(
            shapes[1][0],
            activation=None if last else "relu",
            kernel_initializer="zeros" if last else "he_uniform",
            name=name,
        )
        values = layer(values)
    model = keras.Model(inputs, values, name="posture")
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps - steps // 4, warmup_target=_RATE, warmup_steps=steps // 4
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=_DECAY, global_clipnorm=1.0)
    degree = np.float32(np.pi / 180)

    @tf.function
    def step(
        features: tf.Tensor, slopes: tf.Tensor, matrix: tf.Tensor, right: tf.Tensor, moves: tf.Tensor
    ) -> tf.Tensor:
        with tf.GradientTape() as tape:
            scaled = tf.reshape((features - middle) / spread, (-1, FEATURES))
            told = tf.reshape(model(scaled, training=True), (_BATCH, _FRAMES, 4))
            leans = MOST * tf.tanh(told[..., :2])
            weights = tf.exp(tf.clip_by_value(told[..., 2:], -RANGE, RANGE)) / SURE**2
            own = tf.einsum("nfi,nfia,nfib->nab", weights, slopes, slopes) / _FRAMES
            pull = tf.einsum("nfi,nfi,nfia->na", weights, leans, slopes) / _FRAMES
            found = tf.linalg.solve(own + matrix, (pull + right)[..., None])[..., 0]
            errors = tf.sqrt(tf.reduce_sum((found - moves) ** 2, axis=1) + 1e-6) / degree
            # Student's t of what the network says alone.
            sure = own + tf.eye(2) * (_UNSURE * degree) ** -2
            alone = tf.linalg.solve(sure, pull[..., None])[..., 0] - moves
            square = tf.einsum("na,nab,nb->n", alone, sure, alone)
            surprise = 1.5 * tf.math.log1p(square) - 0.5 * tf.math.log(tf.linalg.det(sure * degree**2))
            loss = tf.reduce_mean(tf.minimum(errors, _LOST)) + _OWN * tf.reduce_mean(surprise)
        optimizer.apply_gradients(
            zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
        )
        return tf.reduce_mean(errors)

    errors = []
    for number in range(steps):
        errors.append(float(step(*make_batch(rng, people))))
        if (number + 1) % 250 == 0:
            print(f"{number + 1}: {np.mean(errors[-250:]):.2f} degrees", flush=True)
    # The network that ships reads features as they are.
    kernel, bias = model.get_layer("first").get_weights()
    kernel = kernel / spread[:, None]
    model.get_layer("first").set_weights([kernel, bias - middle @ kernel])
    return model


def network_of(model: keras.Model) -> Network:
    """Weights and biases, for NumPy."""
    return [model.get_layer(name).get_weights() for name in LAYERS]


def tilts(examples: Sequence[Example], network: Network) -> np.ndarray:
    """Degrees between up as it is found and the truth."""
    found = np.array([find_up([example.stance], network) @ example.up for example in examples])
    return np.degrees(np.arccos(np.clip(found, -1, 1)))


def report(name: str, examples: Sequence[Example], degrees: np.ndarray) -> None:
    """A line for exact and one for lifted poses."""
    for lifted in (False, True):
        mine = degrees[[example.lifted == lifted for example in examples]]
        kind = "lifted" if lifted else "exact"
        print(
            f"{name}, {kind}: {len(mine)} stretches, mean {mine.mean():.2f} degrees, median "
            f"{np.median(mine):.2f}, 90 % {np.quantile(mine, 0.9):.2f}, worst {mine.max():.1f}, "
            f"{int((mine > 3).sum())} above 3"
        )


def cross_validate(clips: MotionClips, each: int, steps: int, folds: int) -> None:
    """Prints the tilt of people whom the network has not seen."""
    examples, checked = make_examples(clips, each), benchmark_examples(clips)
    subjects = np.random.default_rng(_SEED).permutation(sorted({example.subject for example in examples}))
    seen, found = [], []
    for fold in range(folds):
        out = set(subjects[fold::folds].tolist())
        model = train([example for example in examples if example.subject not in out], steps, fold)
        mine = [example for example in checked if example.subject in out]
        seen += mine
        found.append(tilts(mine, network_of(model)))
    report(f"people left out ({folds} folds)", seen, np.concatenate(found))


def check_pitches(clips: MotionClips, pitches: Sequence[float]) -> None:
    """Prints the tilt of the shipped network with cameras that look down by so many degrees."""
    for pitch in pitches:
        examples: list[Example] = []
        for lifted in (False, True):
            rng = np.random.default_rng([_SEED, lifted])
            subjects, filmed = [], []
            for subject in np.unique(clips.subjects):
                mine = np.flatnonzero((clips.subjects == subject) & (clips.lengths >= _SHORTEST))
                for number in mine[:_CHECKED]:
                    world = clips.clip(int(number))[:_LONGEST_LIFTED].astype(np.float64)
                    filmed.append(see(rng, world, NOISE if lifted else 0.0, (pitch, pitch)))
                    subjects.append(str(subject))
            examples += examples_of(subjects, filmed, lifted)
        report(f"cameras at {pitch:g} degrees", examples, tilts(examples, shipped_network()))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--motion", required=True, metavar="FILE", help="motion file with the people")
    parser.add_argument("--output", metavar="FILE", help="weights to write")
    parser.add_argument("--folds", type=int, metavar="K", help="cross-validate over people, write nothing")
    parser.add_argument(
        "--pitches", nargs="+", type=float, metavar="DEG", help="check the shipped network, write nothing"
    )
    parser.add_argument("--steps", type=int, default=800, metavar="N", help="batches (default 800)")
    parser.add_argument("--each", type=int, default=60, metavar="N", help="of a person (default 60)")
    options = parser.parse_args(arguments)
    if [options.output, options.folds, options.pitches].count(None) != 2:
        raise Pose3DError("give one of --output, the file to write, --folds and --pitches")
    if options.folds is not None and options.folds < 2:
        raise Pose3DError(f"--folds {options.folds}: expected 2 or more")
    if options.steps < 4 or options.each < 1:
        raise Pose3DError("--steps must be 4 or more, --each 1 or more")
    clips, held = load_motion(options.motion, print).split(
        read_config_file(shipped_configs()["general"])["HELD_OUT"], options.motion
    )
    start_tensorflow("train_posture.py")
    if options.pitches is not None:
        check_pitches(clips, options.pitches)
        return 0
    if options.folds is not None:
        cross_validate(clips, options.each, options.steps, options.folds)
        return 0
    from tf_pose3d.weight_files.hdf5 import save_weights

    model = train(make_examples(clips, options.each), options.steps, 0)
    save_weights(model, options.output)
    for name, people in (("people of the training", clips), ("people held out", held)):
        examples = benchmark_examples(people)
        report(name, examples, tilts(examples, network_of(model)))
    return 0


if __name__ == "__main__":
    sys.exit(run_program("train_posture.py", main))
