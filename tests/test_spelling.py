"""One form for each word, and which words may still be the same."""

# ruff: noqa: RUF001 - letters of several scripts

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sertools.corpora.emotions import canonical_emotion
from sertools.spelling import alike, is_missing, spelled


@pytest.mark.parametrize(
    ("word", "form"),
    [
        ("Jose\u0301", "José"),
        ("ᄒ\u1161ᆫ", "한"),
        ("A\u00a0B", "A B"),
        ("\u3000A \t\u2009 B\n", "A B"),
        ("\ufeffA\u200bB\u2060\u00ad", "AB"),
        ("\u200eA\u202eB\u202c\u2066C\u2069\u061c", "ABC"),
        # An accent that was cut off by a mark goes back to its letter.
        ("e\u200b\u0301", "é"),
        # Joiners spell words: "I want" in Persian, "Sri" in Marathi.
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("श्\u200dरी", "श्\u200dरी"),
        ("a_b-c.d", "a_b-c.d"),
        ("03", "03"),
        ("\u200b \u00a0", ""),
        ("J\udcf6rg", "J\udcf6rg"),
    ],
)
def test_one_form(word: str, form: str) -> None:
    assert spelled(word) == form


@given(st.text())
def test_a_form_stays_as_it_is(word: str) -> None:
    form = spelled(word)
    assert spelled(form) == form
    assert spelled(unicodedata.normalize("NFD", form)) == form
    assert canonical_emotion(canonical_emotion(word)) == canonical_emotion(word)


@pytest.mark.parametrize(
    "group",
    [
        ("F1", "f1"),
        ("03", "3", "3.0"),
        ("3.", "3.00"),
        ("1.5", "1.50"),
        ("S01", "S1"),
        ("Anna Lee", "AnnaLee"),
        ("Straße", "strasse"),
        ("F1", "Ｆ１"),
        ("3", "٣"),
        ("میخواهم", "می\u200cخواهم"),
        ("KELVIN", "\u212aelvin"),
    ],
)
def test_words_that_may_be_one(group: tuple[str, ...]) -> None:
    assert alike([*group, *group, "", "another"]) == [tuple(sorted(group))]


@pytest.mark.parametrize(
    "words",
    [
        ("1", "10", "100"),
        ("1.05", "1.5"),
        ("0", ""),
        ("01", "10"),
        ("1_01", "11"),
        ("a", "á"),
        ("Ses01F", "Ses01M", "Ses02F"),
        ("0001", "0010", "0011"),
    ],
)
def test_words_that_differ(words: tuple[str, ...]) -> None:
    assert alike(words) == []


@pytest.mark.parametrize("word", ["nan", "NaN", "NA", "N/A", "None", "NULL", "<NA>", "NaT", "unknown"])
def test_missing_words(word: str) -> None:
    assert is_missing(word)
    assert not is_missing(word, ("?",))
    assert not is_missing(f"{word}a")
