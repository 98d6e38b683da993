"""Words for emotions: the many spellings of corpora, brought to one."""

import re

from sertools.spelling import spelled

EMOTIONS = ("angry", "happy", "sad", "neutral", "fearful", "disgust", "surprised", "calm", "ambiguous")

# No single letters: "A" is anger in one corpus and Angst in another. No "exc": only IEMOCAP's four-class
# setting counts excitement as happiness.
_ALIASES = {
    "angry": ("ang", "anger", "wut", "ärger"),
    "happy": ("hap", "happiness", "joy", "freude"),
    "sad": ("sadness", "trauer"),
    "neutral": ("neu",),
    "fearful": ("fea", "fear", "anxiety", "angst"),
    "disgust": ("dis", "disgusted", "ekel"),
    "surprised": ("sur", "surprise", "ps", "pleasant surprise", "pleasant surprised"),
    "ambiguous": ("xxx", "no agreement"),
    "bored": ("boredom", "langeweile"),
}
_EMOTION_OF = {alias: emotion for emotion, aliases in _ALIASES.items() for alias in aliases}


def plain_emotion(word: str) -> str:
    """Write a corpus's word for an emotion in lower case; the word stays."""
    return spelled(spelled(word).lower())


def canonical_emotion(word: str) -> str:
    """Translate a corpus's word for an emotion into the one used here.

    Parameters
    ----------
    word : str
        In any case and spelling; runs of spaces, underscores and hyphens are one space.

    Returns
    -------
    str
        One of `EMOTIONS` (or "bored") if the word is known, else the word, as `plain_emotion` writes it.
    """
    word = plain_emotion(word)
    return _EMOTION_OF.get(" ".join(re.split(r"[\s_-]+", word)), word)
