"""Work ahead in the background."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


def ahead(make: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Made]:
    """Yield what `make` makes of each item, made in a thread while the caller works with the one before it."""
    with ThreadPoolExecutor(max_workers=1) as background:
        upcoming: Future[Made] | None = None
        for item in items:
            made, upcoming = upcoming, background.submit(make, item)
            if made is not None:
                yield made.result()
        if upcoming is not None:
            yield upcoming.result()
