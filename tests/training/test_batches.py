import numpy as np
import pytest

from weckd.seeds import generator
from weckd.training.batches import batch_order


def test_every_image_comes_once_before_any_comes_again():
    order = batch_order(7, 4, 7, generator("batches", "test"))
    assert order.shape == (7, 4)
    chain = order.ravel()
    for first in range(0, 28, 7):
        assert sorted(chain[first : first + 7]) == list(range(7))
    assert not np.array_equal(chain[:7], chain[7:14])


def test_subset_may_be_smaller_than_a_batch():
    order = batch_order(3, 8, 2, generator("batches", "small"))
    assert order.shape == (2, 8)
    assert sorted(np.bincount(order.ravel())) == [5, 5, 6]


def test_a_longer_fit_starts_with_the_same_order():
    short = batch_order(5, 2, 4, generator("batches", 1))
    long = batch_order(5, 2, 9, generator("batches", 1))
    assert np.array_equal(short, long[:4])


def test_empty_subset_is_refused():
    with pytest.raises(ValueError, match="empty subset"):
        batch_order(0, 2, 2, generator("batches"))
