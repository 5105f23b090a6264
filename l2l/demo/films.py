"""The demo's films: trimmed clips of one action, and untrimmed videos of which the action is a
quarter and the rest distracts.

An untrimmed video is a sequence of scenes. *Action*: the labelled class, in one or two scenes,
which may be made shorter.
*Advert*: one other class, really performed, inside a picture frame and with a jingle.
*Distraction*: wrong objects that do not move, sounds of motions off screen, babble, black. A method
that classifies each moment alone mistakes an advert for the action.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from l2l.demo import sounds, world

FRAME_RATE = 15  # of the rendered files


@dataclass(frozen=True)
class Film:
    """A rendered video: pictures (frames, side, side, 3) uint8 at 15 fps, waveform (samples,)
    float64, and the (start, end) of each action in seconds.
    """

    pictures: np.ndarray
    waveform: np.ndarray
    actions: tuple[tuple[float, float], ...]


def generator_of(seed: int, *names: object) -> np.random.Generator:
    """The random numbers of a video, by a seed and all that names it: no two videos are alike."""
    digest = hashlib.blake2b(repr((seed, *names)).encode(), digest_size=8).digest()
    return np.random.default_rng(int.from_bytes(digest, "little"))


def _seconds(frames: int) -> np.ndarray:
    return np.arange(frames) / FRAME_RATE


def _action(
    rng: np.random.Generator, name: str, frames: int, side: int
) -> tuple[np.ndarray, np.ndarray]:
    """The pictures and the waveform of a class."""
    thing, motion = name.split("_")
    scene = world.draw_scene(rng, thing, motion, side)  # type: ignore[arg-type]
    return world.paint(scene, _seconds(frames)), sounds.motion_sound(
        rng, motion, frames / FRAME_RATE
    )


def _advert(
    rng: np.random.Generator, name: str, frames: int, side: int
) -> tuple[np.ndarray, np.ndarray]:
    pictures, waveform = _action(rng, name, frames, side)
    framed = world.frame_like_an_advert(pictures, rng.uniform(0.7, 1.0, 3))
    return framed, waveform + sounds.jingle(rng, frames / FRAME_RATE)


def _another(rng: np.random.Generator, names: Sequence[str], name: str) -> str:
    return str(rng.choice([other for other in names if other != name]))


def _distraction(
    rng: np.random.Generator, name: str, frames: int, side: int
) -> tuple[np.ndarray, np.ndarray]:
    """A scene that shows no class: a wrong object that does not move, or black; with a wrong sound,
    babble or only the room.
    """
    seconds = frames / FRAME_RATE
    thing, motion = name.split("_")
    if rng.random() < 0.2:
        pictures = np.zeros((frames, side, side, 3), np.uint8)
    else:
        scene = world.draw_scene(rng, _another(rng, world.OBJECTS, thing), "still", side)
        pictures = world.paint(scene, _seconds(frames))
    heard = rng.choice(["off screen", "babble", "room"], p=[0.3, 0.4, 0.3])
    if heard == "off screen":
        return pictures, sounds.motion_sound(rng, _another(rng, world.MOTIONS, motion), seconds)
    return pictures, (sounds.babble if heard == "babble" else sounds.room)(rng, seconds)


def _cut(rng: np.random.Generator, frames: int, pieces: int) -> list[int]:
    """Cut a stretch of frames at random into pieces of similar length."""
    edges = np.round(np.cumsum([0, *rng.dirichlet(np.full(pieces, 12.0))]) * frames).astype(int)
    return np.diff(edges).tolist()


def trimmed_clip(rng: np.random.Generator, name: str, seconds: float, side: int) -> Film:
    """A clip that is one action from its first frame to its last."""
    frames = round(seconds * FRAME_RATE)
    pictures, waveform = _action(rng, name, frames, side)
    return Film(pictures, waveform, ((0.0, frames / FRAME_RATE),))


def untrimmed_video(
    rng: np.random.Generator,
    name: str,
    seconds: float,
    side: int,
    action_seconds: float | None = None,
) -> Film:
    """A video whose label is the class of its action, which fills about a quarter of it.

    Args:
        rng: of all that is drawn.
        name: of the class.
        seconds: length of the video.
        side: of the square pictures, in pixels.
        action_seconds: length of each of the one or two scenes of the action, in place of a
            quarter of the video for them together.
    """
    frames = round(seconds * FRAME_RATE)
    rival = _another(rng, world.CLASSES, name)
    action_frames, advert_frames = (
        round(frames * rng.uniform(0.22, 0.28)),
        round(frames * rng.uniform(0.18, 0.28)),
    )
    actions_frames = _cut(rng, action_frames, int(rng.integers(1, 3)))
    if action_seconds is not None:
        actions_frames = [round(action_seconds * FRAME_RATE)] * len(actions_frames)
    rest = frames - sum(actions_frames) - advert_frames
    scenes = [("action", n) for n in actions_frames]
    scenes += [("advert", n) for n in _cut(rng, advert_frames, int(rng.integers(1, 3)))]
    scenes += [("distraction", n) for n in _cut(rng, rest, max(2, round(rest / FRAME_RATE / 5)))]
    pictures, waveforms, actions, at = [], [], [], 0
    for kind, length in (scenes[i] for i in rng.permutation(len(scenes))):
        if kind == "action":
            seen, heard = _action(rng, name, length, side)
            actions.append((at / FRAME_RATE, (at + length) / FRAME_RATE))
        elif kind == "advert":
            seen, heard = _advert(rng, rival, length, side)
        else:
            seen, heard = _distraction(rng, name, length, side)
        pictures.append(seen)
        waveforms.append(heard)
        at += length
    return Film(np.concatenate(pictures), np.concatenate(waveforms), tuple(actions))
