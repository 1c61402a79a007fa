"""The one way to a device's method: the guard, the audit, then the driver, and the audit again."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from agent.model.clock import SYSTEM, Clock
from agent.model.errors import DeviceError, Refused
from agent.model.frame import Value
from agent.runtime.audit import Entry, Who
from agent.runtime.book import Book
from agent.runtime.guard import Forbidden, allow, in_time, parse
from drivers.api import Argument, Caller, MethodConfig


@dataclass(frozen=True, slots=True)
class Called:
    """What it gave back; `number` names the entry of the audit."""

    number: int
    found: Sequence[Value]


def given(device: str, method: MethodConfig, known: Sequence[Argument], texts: Sequence[str]) -> list[Value]:
    """The arguments of a command line as the method takes them. Raises Forbidden; nothing is called or kept."""
    where = f"{device}, {method.name}"
    if len(known) != len(method.arguments):
        hint = "list each of its arguments in `arguments`: " + (", ".join(each.name for each in known) or "it has none")
        raise Forbidden(
            f"{where}: the device says that it takes {len(known)} arguments, the file lists {len(method.arguments)}",
            hint=hint,
        )
    if len(texts) != len(known):
        takes = ", ".join(f"{each.name} ({each.source})" for each in known) or "none"
        raise Forbidden(f"{where}: {len(texts)} arguments given, it takes {len(known)}", hint=f"it takes {takes}")
    values: list[Value] = []
    for limits, argument, text in zip(method.arguments, known, texts, strict=True):
        try:
            value = parse(text, argument.dtype)  # type: ignore[arg-type]  # a driver gives no other
            allow(limits, value)
        except Forbidden as error:
            raise Forbidden(f"{where}, {argument.name}: {error.message}", hint=error.hint) from error
        except ValueError as error:
            raise Forbidden(f"{where}, {argument.name}: {error}") from error
        values.append(value)
    return values


def spelt(method: MethodConfig, values: Sequence[Value]) -> str:
    """`start(1.5, "tea")`, for people and the audit."""
    return f"{method.name}({', '.join(json.dumps(value, ensure_ascii=False) for value in values)})"


async def call(
    driver: Caller, method: MethodConfig, values: Sequence[Value], *, book: Book, who: Who, clock: Clock = SYSTEM
) -> Called:
    """Call it on an open device, with values that `given` has let pass.

    Raises Forbidden and StoreError before anything is sent, Refused when the device did not do it, Unreachable and
    Garbled when nobody knows.
    """
    now, said = clock.wall(), spelt(method, values)
    entry = Entry(driver.device, driver.endpoint, f"{method.name}()", None, said, said)
    number = await book.begin(who, entry, partial(in_time, method.rate, now=now), now)
    try:
        found = await driver.call(method.name, values)
    except DeviceError as error:
        await book.end(number, "refused" if isinstance(error, Refused) else "unknown", None, str(error), clock.wall())
        raise
    except asyncio.CancelledError:
        await book.end(number, "unknown", None, "interrupted", clock.wall())
        raise
    await book.end(number, "done", json.dumps(list(found), ensure_ascii=False), "", clock.wall())
    return Called(number, found)
