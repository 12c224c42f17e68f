"""Work ahead in the background."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


def ahead(make: Callable[[Item], Made], items: Iterable[Item]) -> Generator[Made, None, None]:
    """Yield what `make` makes of each item, made in a thread while the caller works with the one before it.

    An error of `make` is raised in the item's place, when the item after it may have been made too.
    """
    with ThreadPoolExecutor(max_workers=1) as background:
        upcoming: Future[Made] | None = None
        for item in items:
            made, upcoming = upcoming, background.submit(make, item)
            if made is not None:
                yield made.result()
        if upcoming is not None:
            yield upcoming.result()
