"""The pictures of the demo's world: four objects, four motions, and what distracts from them.

A picture is drawn from eight numbers of pose. Every pose has an offset and a swing in each of its
four degrees of freedom (across, up, angle, size); a motion lets the phase of *one* of them run and
leaves the others where they are. So the first picture has the same distribution for every motion:
one frame shows the object and nothing about the motion.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

OBJECTS = ("cross", "moon", "square", "triangle")
MOTIONS = ("bouncing", "pulsing", "sliding", "spinning")
Motion = Literal["bouncing", "pulsing", "sliding", "spinning", "still"]

# Which degree of freedom runs; the other three keep their phase.
_RUNS = {"sliding": 0, "bouncing": 1, "spinning": 2, "pulsing": 3}
_HUES = {"cross": 0.02, "moon": 0.17, "square": 0.60, "triangle": 0.36}


def class_name(thing: str, motion: str) -> str:
    """The label of an object in a motion, for instance ``moon_spinning``."""
    return f"{thing}_{motion}"


CLASSES = tuple(class_name(thing, motion) for thing in OBJECTS for motion in MOTIONS)


@dataclass(frozen=True)
class Scene:
    """One drawn scene: an object in front of a background.

    Lengths are fractions of the picture's side.
    """

    thing: str
    motion: Motion
    centre: np.ndarray  # (2,) across, down
    swing: np.ndarray  # (4,) across, down, angle (radians), size (relative)
    phase: np.ndarray  # (4,) radians
    angle: float
    size: float
    turns_per_second: float
    colour: np.ndarray  # (3,) in [0, 1]
    background: np.ndarray  # (side, side, 3) in [0, 1]


def _rgb(hue: float, saturation: float, value: float) -> np.ndarray:
    """Hue, saturation and value in [0, 1] to red, green and blue in [0, 1]."""
    ramp = np.abs((hue * 6 + np.array([0, 4, 2])) % 6 - 3) - 1
    return value * (1 - saturation + saturation * np.clip(ramp, 0, 1))


def _background(rng: np.random.Generator, side: int) -> np.ndarray:
    """A soft gradient between two dull colours with coarse blotches: (side, side, 3) in [0, 1]."""
    corners = np.stack(
        [_rgb(rng.random(), 0.45 * rng.random(), rng.uniform(0.1, 0.75)) for _ in range(2)]
    )
    direction = rng.uniform(0, 2 * np.pi)
    down, across = np.mgrid[0:side, 0:side] / side - 0.5
    mix = np.clip(0.5 + across * np.cos(direction) + down * np.sin(direction), 0, 1)[..., None]
    blotches = np.kron(rng.normal(0, 0.06, (8, 8, 3)), np.ones((side // 8 + 1, side // 8 + 1, 1)))
    return np.clip(corners[0] * mix + corners[1] * (1 - mix) + blotches[:side, :side], 0, 1)


def draw_scene(rng: np.random.Generator, thing: str, motion: Motion, side: int) -> Scene:
    """Draw a scene at random.

    The random numbers do not depend on `motion`, so the first picture does not either.

    Raises:
        ValueError: if the object or the motion does not exist.
    """
    if thing not in OBJECTS or (motion != "still" and motion not in MOTIONS):
        raise ValueError(
            f"unknown scene {thing!r} {motion!r}: objects are {OBJECTS}, motions {MOTIONS} or "
            "'still'"
        )
    return Scene(
        thing=thing,
        motion=motion,
        centre=rng.uniform(0.40, 0.60, 2),
        swing=np.array([0.22, 0.22, np.pi, 0.45]) * rng.uniform(0.85, 1.1, 4),
        phase=rng.uniform(0, 2 * np.pi, 4),
        angle=rng.uniform(0, 2 * np.pi),
        size=rng.uniform(0.19, 0.24),
        turns_per_second=rng.uniform(0.8, 1.25),
        colour=_rgb(
            (_HUES[thing] + rng.normal(0, 0.045)) % 1,
            rng.uniform(0.55, 0.95),
            rng.uniform(0.6, 1.0),
        ),
        background=_background(rng, side),
    )


def _distance(thing: str, across: np.ndarray, down: np.ndarray) -> np.ndarray:
    """Signed distance to the outline of an object of unit size, negative inside."""
    if thing == "square":
        return np.maximum(np.abs(across), np.abs(down)) - 0.8
    if thing == "triangle":
        return np.maximum(np.abs(across) * 0.866 + down * 0.5, -down) - 0.55
    if thing == "cross":
        across, down = np.abs(across), np.abs(down)
        return np.minimum(
            np.maximum(across - 1.05, down - 0.34), np.maximum(down - 1.05, across - 0.34)
        )
    if thing == "moon":
        return np.maximum(np.hypot(across, down) - 1, 0.85 - np.hypot(across - 0.55, down))
    raise ValueError(f"unknown object {thing!r}: expected one of {OBJECTS}")


def paint(scene: Scene, seconds: np.ndarray) -> np.ndarray:
    """Paint the scene at the given times.

    Args:
        scene: what to paint.
        seconds: (frames,) times since the start of the scene.

    Returns:
        (frames, side, side, 3) uint8 pictures.
    """
    if scene.motion == "still" and len(seconds) > 1:
        return np.repeat(paint(scene, seconds[:1]), len(seconds), axis=0)
    side = scene.background.shape[0]
    phase = np.repeat(scene.phase[None], len(seconds), axis=0)
    if scene.motion != "still":
        phase[:, _RUNS[scene.motion]] += 2 * np.pi * scene.turns_per_second * seconds
    offset = scene.swing * np.sin(phase)
    if scene.motion == "spinning":  # it turns in one direction instead of back and forth
        offset[:, 2] = scene.swing[2] * np.sin(scene.phase[2]) + (phase[:, 2] - scene.phase[2])
    down, across = (np.mgrid[0:side, 0:side] + 0.5) / side
    across = across[None] - (scene.centre[0] + offset[:, 0])[:, None, None]
    down = down[None] - (scene.centre[1] + offset[:, 1])[:, None, None]
    angle = (scene.angle + offset[:, 2])[:, None, None]
    size = (scene.size * (1 + offset[:, 3]))[:, None, None]
    turned_across = (across * np.cos(angle) + down * np.sin(angle)) / size
    turned_down = (down * np.cos(angle) - across * np.sin(angle)) / size
    inside = np.clip(0.5 - _distance(scene.thing, turned_across, turned_down) * size * side, 0, 1)
    pictures = np.repeat(_as_uint8(scene.background)[None], len(seconds), axis=0)
    frame, row, column = np.nonzero(inside)
    share = inside[frame, row, column, None]
    mixed = scene.background[row, column] * (1 - share) + scene.colour * share
    pictures[frame, row, column] = _as_uint8(mixed)
    return pictures


def _as_uint8(picture: np.ndarray) -> np.ndarray:
    return (picture * 255 + 0.5).astype(np.uint8)


def frame_like_an_advert(pictures: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Put pictures (frames, side, side, 3) inside a broad picture frame of one colour, as adverts
    and intros are.
    """
    side = pictures.shape[1]
    border = max(2, round(side * 0.16))
    framed = np.empty_like(pictures)
    framed[:] = _as_uint8(np.asarray(colour))
    inner = side - 2 * border
    rows = (np.arange(inner) * side) // inner  # the whole scene, smaller, inside the frame
    framed[:, border : border + inner, border : border + inner] = pictures[:, rows][:, :, rows]
    return framed
