"""What goes into the archive, one part after the other; a part that cannot be had leaves word why."""

import http.client
import json
import math
import sqlite3
import subprocess
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from agent.cli.access import look
from agent.cli.ask import Agent
from agent.cli.support import machine
from agent.cli.support.bundle import Bundle
from agent.cli.support.files import Found, names, references
from agent.cli.support.redact import redacted
from agent.model.errors import AgentError
from agent.runtime.audit import resting
from agent.runtime.history import History
from agent.runtime.inventory import certificates, configured, made_of
from buffer.shelf import ENDLESS, Opener, Pick

LINES, TAIL = 2000, 2 << 20  # lines of the journal, and bytes of a log file
FRAMES, SECONDS = 20_000, 5.0  # of the store that are checked at most
WRITES = 200  # of the audit
PATIENCE = 10.0  # seconds for an answer of the agent
LONGEST = 60.0  # seconds for all of it
ASKED = {  # where the agent tells it
    "readyz.json": "/readyz",
    "health.json": "/api/v1/health",
    "metrics.txt": "/metrics",
    "config.json": "/api/v1/config",
    "alarms.json": "/api/v1/alarms",
    "recording.json": "/api/v1/recording",
    "log/lines.txt": "/api/v1/log/lines",
}
FAILURES = (
    *(AgentError, OSError, sqlite3.Error, subprocess.SubprocessError, http.client.HTTPException, zipfile.BadZipFile),
    *(ArithmeticError, AssertionError, AttributeError, EOFError, ImportError, LookupError, MemoryError, RuntimeError),
    *(TypeError, ValueError),
)


@dataclass(frozen=True, slots=True)
class Case:
    """What is to be looked at: `agent` is None where none runs, and `why` says so. `log` is a file or nothing."""

    data: Path
    agent: Agent | None
    why: str
    found: Found | None
    environ: dict[str, str]
    log: str


class Part(NamedTuple):
    """A member: its name, and who makes its text, or something for JSON."""

    name: str
    make: Callable[[], Any]


def fill(bundle: Bundle, case: Case, done: Callable[[int], None], now: Callable[[], float] = time.monotonic) -> None:
    """All parts, each by itself, within a minute."""
    until = now() + LONGEST
    for number, part in enumerate(parts(case), 1):
        if now() > until:
            bundle.lack(part.name, f"the {LONGEST:.0f} seconds for all of it were over")
        else:
            _add(bundle, part)
        done(number)


def _add(bundle: Bundle, part: Part) -> None:
    try:
        made = part.make()
        text = made if isinstance(made, str) else _json(made)
        bundle.add(part.name, text, tail=part.name.startswith("log"))
    except FAILURES as error:
        bundle.lack(part.name, str(error) if isinstance(error, AgentError) else _said(error))


def _said(error: BaseException) -> str:
    return getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"


def _json(made: Any) -> str:
    return json.dumps(_finite(made), indent=1, ensure_ascii=False, default=str)


def _finite(value: Any) -> Any:
    """Numbers that JSON does not have, by their names."""
    if isinstance(value, dict):
        return {str(key): _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def parts(case: Case) -> Iterator[Part]:
    yield Part("inventory.json", partial(_inventory, case))
    yield from _of_the_machine(case)
    yield from _of_the_files(case)
    yield from _of_the_agent(case)
    yield from _of_the_store(case)
    yield from _of_the_data(case)
    yield from _of_the_log(case)


def _of_the_machine(case: Case) -> Iterator[Part]:
    folders = [case.data, *([case.found.folder] if case.found else ()), Path("/")]
    yield Part("machine.json", machine.facts)
    yield Part("disks.json", partial(machine.disks, *folders))
    yield Part("network.txt", machine.network)
    yield Part("clock.txt", machine.clock)
    yield Part("serial.json", machine.serial)
    yield Part("service.txt", _service)


def _service() -> str:
    return machine.service() or _lacking("systemd knows no unit of this name")


def _of_the_files(case: Case) -> Iterator[Part]:
    found = case.found
    if found is None:
        yield Part("config/", partial(_lacking, "no configuration was found: name it with -c"))
        return
    check = {"file": str(found.path), "ok": found.site is not None, "trouble": found.trouble}
    check |= {"problems": found.problems, "warnings": found.warnings}
    yield Part("check.json", lambda: check)
    yield Part("references.json", partial(references, found, case.environ))
    for path, name in names([*found.texts, *found.lacks], found.folder).items():
        if path in found.texts:
            yield Part(name, partial(redacted, found.texts[path]))
        else:
            yield Part(name, partial(_lacking, found.lacks[path]))


def _of_the_agent(case: Case) -> Iterator[Part]:
    for name, path in ASKED.items():
        yield Part(name, partial(_asked, case, path))


def _asked(case: Case, path: str) -> Any:
    """What the agent answers; that it is not ready is an answer, too."""
    if case.agent is None:
        raise AgentError(case.why)
    if path == "/readyz":
        return case.agent.readiness()
    text = case.agent.ask(path)
    if path == "/api/v1/log/lines":
        return "\n".join(json.loads(text)["lines"])
    return text.decode("utf-8", "replace") if path == "/metrics" else json.loads(text)


def _inventory(case: Case) -> Any:
    if case.agent is not None:
        return case.agent.get("/api/v1/inventory")
    site = case.found.site if case.found else None
    if site is None:
        return made_of()
    tags = {device.name: len(getattr(device, "tags", ())) for device in site.devices}
    return {**made_of(), **configured(site, tags), "certificates": certificates(site, case.data)}


def _of_the_store(case: Case) -> Iterator[Part]:
    yield Part("ledger.json", partial(_ledger, case))
    yield Part("store.json", partial(_stats, case))
    yield Part("verify.json", partial(_verify, case))


def _ledger(case: Case) -> Any:
    with look(case.data, PATIENCE) as access:
        return access.ledger()


def _stats(case: Case) -> Any:
    with look(case.data, PATIENCE) as access:
        return access.stats()


def _verify(case: Case) -> Any:
    """The newest frames and the small tables; all of it is `floorgate store verify`."""
    end = time.monotonic() + SECONDS
    with look(case.data, PATIENCE) as access:
        opener, cursor, seen, bad, left = Opener(access.schemas), ENDLESS, 0, list[int](), 1
        while left and seen < FRAMES and time.monotonic() < end:
            page = access.page(cursor, Pick(), back=True)
            bad += [row.seq for row, entry in zip(page.rows, opener.open(page), strict=True) if entry is None]
            seen, cursor, left = seen + len(page.rows), page.cursor, page.left
        faults = access.check(partial(_within, end + SECONDS))
        unbalanced = [(each["sink"], each["device"]) for each in access.ledger() if not each["balanced"]]
    whole = {"frames_looked_at": seen, "frames_left": left, "damaged": bad[:WRITES], "tables": faults}
    return {"ok": not (bad or faults or unbalanced), **whole, "unbalanced": unbalanced}


def _within(end: float) -> None:
    if time.monotonic() > end:
        raise AgentError("it takes too long", hint="`floorgate store verify` takes its time")


def _of_the_data(case: Case) -> Iterator[Part]:
    yield Part("data.json", partial(machine.listing, case.data))
    yield Part("history.json", partial(_history, case.data))
    yield Part("audit.json", partial(_audit, case.data))
    yield Part("pki.json", partial(_pki, case.data))


def _history(data: Path) -> Any:
    from dataclasses import asdict  # noqa: PLC0415

    return asdict(History(data).state())


def _audit(data: Path) -> Any:
    """How many writes ended how, the newest ones, and whether the chain holds."""
    with resting(data) as book:
        entries, refused = book.entries(WRITES), book.refusals(WRITES)
        found = book.verify()
    counts = Counter(entry["outcome"] for entry in entries)
    chain = {"rows": found.rows, "fault": found.fault}
    return {"outcomes": counts, "chain": chain, "writes": entries, "turned_away": refused}


def _pki(data: Path) -> Any:
    from agent.cli.pki import rows  # noqa: PLC0415  # cryptography loads only when it is used

    if not (data / "pki").exists():
        raise AgentError("no device has asked for a certificate yet")
    return rows(data)


def _of_the_log(case: Case) -> Iterator[Part]:
    if case.log not in ("", "journal"):
        yield Part(f"log/{Path(case.log).name}", partial(_end_of, Path(case.log)))
    yield Part("log/journal.txt", _journal)


def _journal() -> str:
    return machine.journal(LINES) or _lacking("the journal has nothing of floorgate, or may not be read")


def _end_of(path: Path) -> str:
    if path.exists() and not path.is_file():
        raise AgentError("it is no file: a pipe or a device may never end")
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - TAIL))
        text = file.read(TAIL).decode("utf-8", "replace")
    return text if size <= TAIL else text.partition("\n")[2]


def _lacking(why: str) -> str:
    raise AgentError(why)
