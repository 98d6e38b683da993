"""Work in order: places by turns, items ahead, and errors that reach the caller."""

import threading
from contextlib import closing
from functools import partial

import pytest

from sertools.errors import StoreError
from sertools.parallel import ordered_map, placed_map, read_ahead


def words(text):
    if not text:
        raise StoreError("an empty text")
    return text.split()


def placed(place, found):
    return place, found


@pytest.mark.parametrize("n_processes", [1, 2])
def test_places_count_all_that_came_before(n_processes):
    texts = ["a", "b c d", "e f", "g", "h i j k", "l"]
    found = list(placed_map(words, len, placed, texts, n_processes))
    assert [place for place, _ in found] == [0, 1, 4, 6, 7, 11]
    assert [found for _, found in found] == [text.split() for text in texts]


@pytest.mark.parametrize("n_processes", [1, 2])
def test_an_item_that_fails_keeps_no_other_waiting(n_processes):
    with pytest.raises(StoreError, match="an empty text"):
        list(placed_map(words, len, placed, ["a", "", "b", "c", "d e"], n_processes))


def test_items_ahead_are_made_elsewhere_and_no_further_than_asked():
    made = []

    def items():
        for number in range(100):
            made.append(threading.get_ident())
            yield number

    before = threading.active_count()
    with closing(read_ahead(items())) as ahead:
        assert [next(ahead) for _ in range(3)] == [0, 1, 2]
    assert len(made) <= 8
    assert threading.get_ident() not in made
    assert threading.active_count() == before


def noted(folder, number):
    (folder / str(number)).touch()
    return number


def test_processes_do_not_run_far_ahead_of_who_asks(tmp_path):
    with closing(ordered_map(partial(noted, tmp_path), [*range(400)], 2)) as found:
        assert [next(found) for _ in range(8)] == [*range(8)]
    assert 8 <= len([*tmp_path.iterdir()]) < 100
