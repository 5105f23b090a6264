"""The sounds of the demo's world: one per motion, none for an object, and noises that mean nothing.

Every sound is mono float64 at `RATE_HZ`, about as loud as the others, with a random pitch, pace and
timbre: the sound shows the motion and nothing about the object.
"""

import numpy as np

RATE_HZ = 16_000


def _times(seconds: float) -> np.ndarray:
    return np.arange(round(seconds * RATE_HZ)) / RATE_HZ


def _smooth_noise(rng: np.random.Generator, samples: int, width: int) -> np.ndarray:
    """Noise with its high frequencies averaged away over `width` samples, of unit power."""
    noise = rng.normal(size=samples + width)
    sums = np.cumsum(noise)
    return (sums[width:] - sums[:-width])[:samples] / np.sqrt(width)


def _bouncing(rng: np.random.Generator, times: np.ndarray) -> np.ndarray:
    """Thumps: a low, quickly fading tone at each landing."""
    period = 1 / rng.uniform(1.6, 2.4)
    since_landing = (times + rng.uniform(0, period)) % period
    return (
        3 * np.exp(-since_landing * 14) * np.sin(2 * np.pi * rng.uniform(90, 140) * since_landing)
    )


def _sliding(rng: np.random.Generator, times: np.ndarray) -> np.ndarray:
    """Swishes: broad noise that swells and fades with the speed of the slide."""
    swell = np.abs(np.sin(np.pi * rng.uniform(1.6, 2.4) * times + rng.uniform(0, np.pi))) ** 2
    return 1.6 * swell * _smooth_noise(rng, len(times), 2)


def _spinning(rng: np.random.Generator, times: np.ndarray) -> np.ndarray:
    """A whirr: a buzzing tone whose pitch rises and falls."""
    pitch = rng.uniform(320, 480) * (
        1 + 0.12 * np.sin(2 * np.pi * rng.uniform(1.6, 2.4) * times + rng.uniform(0, 6.28))
    )
    phase = 2 * np.pi * np.cumsum(pitch) / RATE_HZ
    return 0.9 * (np.sin(phase) + 0.6 * np.sin(2 * phase) + 0.4 * np.sin(3 * phase))


def _pulsing(rng: np.random.Generator, times: np.ndarray) -> np.ndarray:
    """A high tone that beats quickly."""
    beat = 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(5, 8) * times + rng.uniform(0, 6.28))
    return 1.6 * beat * np.sin(2 * np.pi * rng.uniform(1400, 2000) * times)


_OF_MOTION = {
    "bouncing": _bouncing,
    "sliding": _sliding,
    "spinning": _spinning,
    "pulsing": _pulsing,
}


def motion_sound(rng: np.random.Generator, motion: str, seconds: float) -> np.ndarray:
    """The sound of a motion over a faint room noise: (samples,) float64."""
    times = _times(seconds)
    level = rng.uniform(0.06, 0.14)
    return level * _OF_MOTION[motion](rng, times) + room(rng, seconds)


def room(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """The faint noise of a quiet room: (samples,) float64."""
    return rng.uniform(0.004, 0.02) * _smooth_noise(rng, len(_times(seconds)), 6)


def babble(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """Many voices at once: gliding tones in the range of speech that come and go.

    (samples,) float64.
    """
    times = _times(seconds)
    voices = np.zeros_like(times)
    for _ in range(6):
        pitch = rng.uniform(110, 260) * (
            1 + 0.15 * np.sin(2 * np.pi * rng.uniform(0.5, 2) * times + rng.uniform(0, 6.28))
        )
        phase = 2 * np.pi * np.cumsum(pitch) / RATE_HZ
        formant = 1 + np.sin(2 * np.pi * rng.uniform(2, 5) * times + rng.uniform(0, 6.28))
        voices += formant * (np.sin(phase) + 0.7 * np.sin(rng.integers(3, 8) * phase))
    return 0.02 * voices + room(rng, seconds)


def jingle(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """A cheerful run of notes on a music box, higher than any other sound here.

    (samples,) float64.
    """
    times = _times(seconds)
    notes = rng.choice([2093, 2637, 3136, 3520, 4186], size=8)
    pitch = notes[(times * 6).astype(int) % 8]
    since_note = (times * 6) % 1
    return 0.12 * np.exp(-2 * since_note) * np.sin(2 * np.pi * np.cumsum(pitch) / RATE_HZ)
