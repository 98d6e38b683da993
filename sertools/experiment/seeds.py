"""The seed of every line of the experiment, derived from the base seed that a result is tagged with.

Two folds that share a seed share more than their training speakers: the ranks by which rows are kept, and the start
of every net. Then they say the same thing twice, and an average over them is less sure than their spread tells. So
each fold and each reduced class has seeds of its own; within one, all methods share them, for they are compared.
"""

from __future__ import annotations

import hashlib

# What a seed is for: rows that are kept, generators and what they draw, classifiers, altered copies.
PURPOSES = ("keep", "generator", "classifier", "augmentation")


def derived_seed(base: str, fold: str, reduced: str, purpose: str) -> str:
    """Give the seed of a purpose in one fold, for one reduced class.

    The first four bytes of BLAKE2b of the four words with a space between, as a big-endian number: the same with
    any Python, on any machine. The share that is kept is not among the words, so that smaller shares are parts of
    larger ones.

    Parameters
    ----------
    base
        The seed that the result is tagged with.
    fold, reduced
        Number of the fold, and the class that is reduced; empty: none.
    purpose
        One of `PURPOSES`.

    Returns
    -------
    str
        A whole number below 2³².
    """
    words = " ".join((base, fold, reduced, purpose))
    return str(int.from_bytes(hashlib.blake2b(words.encode(), digest_size=4).digest(), "big"))
