"""Keeps the garbage collector from standing still in the middle of scans.

Now and then it looks through everything that lives: a third of a second where there are ten thousand tags, in which no
scan begins. What is there once all has started lives as long as the agent, so it is set aside and not looked through
any more; what nobody refers to is let go at once all the same, only rings are not.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


def set_aside() -> None:
    """What lives now is not looked through any more. Takes no time."""
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
