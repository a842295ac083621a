"""Work in threads: results in the order of items, a bounded number ahead, and nothing begun after a refusal."""

import threading

import pytest

from weckd.data.side_by_side import side_by_side


def test_results_have_the_order_of_the_items_whichever_is_done_first():
    later = threading.Event()

    def square(number):
        if number == 0:
            assert later.wait(30)
        if number == 1:
            later.set()
        return number**2

    assert list(side_by_side(square, range(7), 2, ahead=4)) == [0, 1, 4, 9, 16, 25, 36]
    assert list(side_by_side(square, [], 2, ahead=4)) == []


def test_items_are_taken_no_further_ahead_than_asked_for():
    taken = []
    items = (taken.append(number) or number for number in range(9))
    results = side_by_side(str, items, 2, ahead=3)
    assert (next(results), len(taken)) == ("0", 3)
    assert (next(results), len(taken)) == ("1", 4)


def test_what_an_item_raises_comes_in_its_place_and_ends_the_work():
    done = []

    def refuse(number):
        if number == 2:
            raise ValueError(number)
        done.append(number)
        return number

    results, found = side_by_side(refuse, range(100), 1, ahead=2), []
    with pytest.raises(ValueError, match="2"):
        for number in results:
            found.append(number)
    assert found == [0, 1]
    assert len(done) <= 3
