"""The one way to a device for a value: the guard, the audit, then the driver, and the audit again."""

import asyncio
from dataclasses import dataclass
from functools import partial

from agent.model.clock import SYSTEM, Clock
from agent.model.errors import DeviceError, Refused
from agent.model.frame import Value
from agent.runtime.audit import Audit, Entry, Outcome, Who
from agent.runtime.guard import Forbidden, allow, in_time
from drivers.api import Encoded, TagConfig, WriteConfig, Writer, enum_names


@dataclass(frozen=True, slots=True)
class Written:
    """What became of it: `found` was read back, `number` names the entry of the audit."""

    number: int
    outcome: Outcome
    found: Value


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


async def write(
    driver: Writer, tag: TagConfig, value: Value, old: Value, *, audit: Audit, who: Who, clock: Clock = SYSTEM
) -> Written:
    """Write `value`, which was `old`, to an open device.

    Raises Forbidden and StoreError before anything is sent, Refused when the device did not take it, Unreachable and
    Garbled when nobody knows.
    """
    encoded, allowed = prepared(driver, tag, value), limits(tag)
    assert allowed is not None
    now = clock.wall()
    entry = Entry(driver.device, driver.endpoint, tag.name, old, encoded.value, encoded.raw)
    number = audit.begin(who, entry, partial(in_time, allowed.rate, now=now), now)
    try:
        found = await driver.write(tag.name, value)
    except DeviceError as error:
        audit.end(number, "refused" if isinstance(error, Refused) else "unknown", None, str(error), clock.wall())
        raise
    except asyncio.CancelledError:
        audit.end(number, "unknown", None, "interrupted", clock.wall())
        raise
    outcome: Outcome = "done" if found == encoded.value else "differs"
    audit.end(number, outcome, found, "", clock.wall())
    return Written(number, outcome, found)
