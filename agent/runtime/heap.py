"""Keeps the garbage collector from standing still in the middle of scans.

Now and then it looks through everything that lives: a third of a second where there are ten thousand tags, in which no
scan begins. What is there once all has started lives as long as the agent, so it is set aside and not looked through
any more. What nobody refers to goes at once all the same; only rings stay, some KB for each change of the
configuration, until so many changes were made that a look is worth its time.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

OFTEN = 100  # changes between two looks through everything


def set_aside(changes: int = 0) -> None:
    """What lives now is not looked through any more, after so many changes of the configuration. Takes no time, but
    for a look through everything now and then."""
    if changes % OFTEN == OFTEN - 1:
        gc.unfreeze()
        gc.collect()
    gc.freeze()


def take_back() -> None:
    gc.unfreeze()


@contextmanager
def undisturbed() -> Iterator[None]:
    """Nothing is looked through meanwhile; what is there at the end is set aside.

    Rings that were made and let go have to go before that: they would be there for good. Only what has come since the
    last time is looked through for them. Within another one this does nothing.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()
