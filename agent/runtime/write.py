"""The one way to a device for a value: the guard, the audit, then the driver, and the audit again."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from agent.model.clock import SYSTEM, Clock
from agent.model.errors import DeviceError, Refused, StoreError, Unreachable
from agent.model.frame import Value
from agent.runtime.audit import Claim, Entry, Outcome, Who
from agent.runtime.book import Book
from agent.runtime.guard import Forbidden, allow, in_time, near
from drivers.api import Encoded, TagConfig, WriteConfig, Writer, enum_names, nothing


@dataclass(frozen=True, slots=True)
class Written:
    """What became of it: `found` was read back, `number` names the entry of the audit, `link` its place in the chain.

    `error` is why it was not done, or why nobody knows; `unkept` why the audit does not have the outcome.
    """

    number: int
    outcome: Outcome
    found: Value = None
    error: DeviceError | None = None
    link: str = ""
    unkept: StoreError | None = None


def limits(tag: TagConfig) -> WriteConfig | None:
    """The tag's `write` section; None when it has none, or its driver knows no writing."""
    found = getattr(tag, "write", None)
    return found if isinstance(found, WriteConfig) else None


def prepared(driver: Writer, tag: TagConfig, value: Value) -> Encoded:
    """What would be sent. Raises Forbidden; nothing is sent and nothing is kept."""
    try:
        allow(limits(tag), value, enum_names(tag))
        return driver.encode(tag.name, value)
    except Forbidden as error:
        raise Forbidden(f"{driver.device}, {tag.name}: {error.message}", hint=error.hint) from error
    except ValueError as error:
        raise Forbidden(f"{driver.device}, {tag.name}: {error}") from error


class Leaving:
    """Whether the value has left; `last` is asked right before, and what it raises keeps it here."""

    def __init__(self, last: Callable[[], None] = nothing) -> None:
        self._last, self.left = last, False

    def __call__(self) -> None:
        self._last()
        self.left = True


async def write(driver: Writer, tag: TagConfig, value: Value, old: Value, *, book: Book, who: Who) -> Written:
    """Write `value`, which was `old`, to an open device.

    Raises Forbidden and StoreError before anything is sent, Refused when the device did not take it, Unreachable and
    Garbled when nobody knows; StoreError too when only the outcome could not be kept.
    """
    written = await attempted(driver, tag, value, old, book=book, who=who)
    if (error := written.error or written.unkept) is not None:
        raise error
    return written


async def attempted(
    driver: Writer,
    tag: TagConfig,
    value: Value,
    old: Value,
    *,
    book: Book,
    who: Who,
    clock: Clock = SYSTEM,
    claim: Claim | None = None,
    leaving: Leaving | None = None,
    within: float | None = None,
) -> Written:
    """As `write`, within so many seconds, and what fails after the entry was made is no error but what is returned.

    Raises Forbidden, Repeated and StoreError; then nothing was sent.
    """
    leaving = leaving or Leaving()
    encoded, allowed = prepared(driver, tag, value), limits(tag)
    assert allowed is not None
    try:
        near(allowed, value, old)
    except Forbidden as error:
        raise Forbidden(f"{driver.device}, {tag.name}: {error.message}", hint=error.hint) from error
    now = clock.wall()
    entry = Entry(driver.device, driver.endpoint, tag.name, old, encoded.value, encoded.raw)
    number = await book.begin(who, entry, partial(in_time, allowed.rate, now=now), now, claim)
    try:
        found = await _sent(driver, tag.name, value, leaving, within)
        written = Written(number, "done" if found == encoded.value else "differs", found)
    except DeviceError as error:
        known = isinstance(error, Refused) or not leaving.left
        written = Written(number, "refused" if known else "unknown", error=error)
    except asyncio.CancelledError:
        await book.end(number, "unknown" if leaving.left else "refused", None, "interrupted", clock.wall())
        raise
    return await _end(book, written, clock)


async def _sent(driver: Writer, tag: str, value: Value, leaving: Leaving, within: float | None) -> Value:
    try:
        async with asyncio.timeout(within):
            return await driver.write(tag, value, leaving)
    except TimeoutError:
        hint = "it is not known whether the device took it: read the tag" if leaving.left else "nothing was sent"
        raise Unreachable(f"{driver.device}, {tag}: not done within {within:g} s", hint=hint) from None


async def _end(book: Book, written: Written, clock: Clock) -> Written:
    message = str(written.error) if written.error else ""
    try:
        link = await book.end(written.number, written.outcome, written.found, message, clock.wall())
    except StoreError as error:
        return replace(written, unkept=error)
    return replace(written, link=str(link))
