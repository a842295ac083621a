"""Work on items side by side in threads, as decoding is (Pillow works outside the interpreter's lock)."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(
    work: Callable[[Item], Result], items: Iterable[Item], jobs: int, ahead: int
) -> Iterator[Result]:
    """Yield what a function makes of each item, in their order; what it raises is raised in that place.

    After that, or where no more is asked for, nothing else is begun.

    Args:
        work: function of one item.
        items: taken one by one, as far as there is room.
        jobs: threads.
        ahead: results, at most, that are worked on or wait to be yielded.
    """
    left = iter(items)
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(jobs) as pool:
        try:
            while True:
                waiting.extend(pool.submit(work, item) for item in islice(left, ahead - len(waiting)))
                if not waiting:
                    return
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
