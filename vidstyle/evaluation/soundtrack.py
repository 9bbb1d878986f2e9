"""The sample clip's sound: wind, birds and a chord at the lake, then water and bells in the harbour."""

from __future__ import annotations

import numpy as np

from vidstyle.evaluation.texture import Array

SAMPLE_RATE = 48_000


def sample_sound(cut_seconds: float, duration_seconds: float) -> Array:
    """Stereo sound for the sample scene; the same numbers every time.

    Args:
        cut_seconds: when the lake gives way to the harbour.
        duration_seconds: of the whole.

    Returns:
        (2, num_samples) float32 at 48 kHz, left then right, within [-1, 1].
    """
    num_samples = round(duration_seconds * SAMPLE_RATE)
    seconds = np.arange(num_samples) / SAMPLE_RATE
    lake, harbour = _lake(seconds), _harbour(seconds, cut_seconds)
    share = np.clip((seconds - cut_seconds) / 0.03 + 0.5, 0, 1)
    sound = lake * np.sqrt(1 - share) + harbour * np.sqrt(share)
    edges = np.clip(np.minimum(seconds, duration_seconds - seconds) / 0.15, 0, 1)
    faded: Array = np.tanh(sound * edges).astype(np.float32)
    return faded


def _lake(seconds: Array) -> Array:
    gusts = 0.65 + 0.35 * np.sin(2 * np.pi * 0.23 * seconds + 0.4)
    wind = _pan(0.2 * gusts * _noise(len(seconds), 1, 90, 900), 0.7 * np.sin(0.9 * seconds))
    total = wind + 0.06 * np.stack([_noise(len(seconds), seed, 300, 2500) for seed in (2, 3)])
    for k, frequency in enumerate((146.83, 220.0, 277.18, 329.63, 440.0)):
        swell = np.clip(seconds / 1.2 - 0.25 * k, 0, 1) * (1 + 0.15 * np.sin(2 * np.pi * (0.7 + 0.13 * k) * seconds))
        tone = sum(np.sin(2 * np.pi * frequency * n * seconds + k) / n**2.2 for n in (1, 2, 3, 4))
        total += _pan(0.045 * swell * tone, np.full_like(seconds, -0.6 + 0.3 * k))
    for start, pitch, side in (
        (0.7, 3100, 0.6),
        (0.95, 3400, 0.6),
        (1.9, 2700, -0.5),
        (2.08, 3000, -0.5),
        (2.25, 3300, -0.5),
    ):
        since = seconds - start
        shape = np.where(since > 0, np.clip(since / 0.01, 0, 1) * np.exp(-since / 0.05), 0)
        chirp = np.sin(2 * np.pi * (pitch * since - 900 * since**2))
        total += _pan(0.07 * shape * chirp, np.full_like(seconds, side))
    return total


def _harbour(seconds: Array, start: float) -> Array:
    lapping = 0.4 + 0.6 * np.sin(2 * np.pi * 0.8 * seconds) ** 4
    water = _pan(0.14 * lapping * _noise(len(seconds), 4, 200, 1800), np.full_like(seconds, 0.55))
    total = water + 0.04 * np.stack([_noise(len(seconds), seed, 100, 600) for seed in (5, 6)])
    for k, (delay, frequency) in enumerate(((0.15, 392.0), (0.9, 493.88), (1.65, 329.63), (2.3, 440.0))):
        since = np.maximum(seconds - start - delay, 0)
        partials = (
            (0.5, 0.5, 2.2),
            (1.0, 1.0, 1.6),
            (1.2, 0.45, 1.1),
            (1.5, 0.3, 0.9),
            (2.0, 0.5, 0.7),
            (2.67, 0.2, 0.4),
        )
        tone = sum(a * np.exp(-since / d) * np.sin(2 * np.pi * frequency * r * since) for r, a, d in partials)
        struck = np.clip(since / 0.004, 0, 1)
        total += _pan(0.13 * struck * tone, 0.45 - 0.35 * (seconds - start) + 0 * k)
    return total


def _noise(num_samples: int, seed: int, low_hz: float, high_hz: float) -> Array:
    """Noise of unit deviation, mostly between two frequencies."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(num_samples))
    frequency = np.fft.rfftfreq(num_samples, 1 / SAMPLE_RATE) + 1e-6
    shaped = np.fft.irfft(
        spectrum / np.sqrt((1 + (low_hz / frequency) ** 4) * (1 + (frequency / high_hz) ** 3)), num_samples
    )
    unit: Array = shaped / shaped.std()
    return unit


def _pan(mono: Array, position: Array) -> Array:
    """(2, N) from mono and a position between -1 (left) and 1 (right), at constant power."""
    angle = (np.clip(position, -1, 1) + 1) * (np.pi / 4)
    return np.stack([mono * np.cos(angle), mono * np.sin(angle)])
