"""Spectrograms of speakers that nobody recorded: what a voice, an emotion and an utterance are like is drawn."""

import numpy as np

CLASSES = ("angry", "happy", "sad")
PITCH = (14.0, 11.0, 8.0)  # mel band of the lowest of three ridges
LOUD = (36.0, 32.0, 26.0)  # dB above the noise


def speech(rng: np.random.Generator, n_speakers: int, n: int, name: str) -> tuple[np.ndarray, list[str], list[str]]:
    """Draw `n` utterances of each emotion by each of some new speakers, emotion by emotion.

    Utterances of a speaker vary by 1.5 bands and 3 dB; the variance between speakers is 0.15 of that, and so is that
    of how a speaker acts an emotion.

    Returns
    -------
    pictures
        In dB [shape=(n_rows, 32, 32)].
    emotions, speakers
        Of each row.
    """
    mel, time = np.arange(32)[:, None], np.arange(32)[None]
    voice = rng.normal(0, (0.6, 1.2), (n_speakers, 2))
    pictures, emotions, speakers = [], [], []
    for emotion, pitch, loud in zip(CLASSES, PITCH, LOUD, strict=True):
        for speaker in range(n_speakers):
            own = voice[speaker] + rng.normal(0, (0.6, 1.2))
            for _ in range(n):
                place = pitch + own[0] + rng.normal(0, 1.5) + rng.normal(0, 0.08) * (time - 16)
                ridge = sum(np.exp(-0.5 * ((mel - place - gap) / 1.5) ** 2) for gap in (0, 7, 14))
                sounding = (time >= rng.integers(0, 8)) & (time < rng.integers(22, 33))
                height = loud + own[1] + rng.normal(0, 3)
                level = -60 + height * ridge * (0.7 + 0.3 * np.sin(time * rng.uniform(0.5, 0.9)))
                pictures.append(np.where(sounding, level + rng.normal(0, 4, (32, 32)), -80))
                emotions.append(emotion)
                speakers.append(f"{name}{speaker}")
    return np.array(pictures, dtype=np.float32), emotions, speakers
