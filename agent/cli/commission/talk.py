"""The talk at the cabinet: each tag is read and shown, and what the person says of it is kept."""

import asyncio
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import click

from agent import lang, registry
from agent.cli import voice
from agent.cli.ask import find
from agent.cli.commission.walk import Answer, Item, Reading, Verdict, Walk, agree
from agent.cli.read import DIGITS, read_groups
from agent.config import Site, rules_of
from agent.model.errors import AgentError, DeviceError
from agent.model.quality import quality_name
from agent.model.text import plain
from agent.normalise import Steps
from agent.runtime.app import build_drivers
from drivers.api import Poller, Raw

HELP = """\
  a number or word   what the device displays: it is compared with what was read
  p                  passes without a reading      f   fails, with a note
  r                  read once more                s   leave this one out
  b                  back to the one before        q   stop here; the next walk goes on"""


class Talk:
    """One sitting. Every answer is on disk before the next tag is shown."""

    def __init__(self, site: Site, walk: Walk, data: Path, by: str, tolerance: float) -> None:
        self._site, self._walk, self._data, self._by, self._tolerance = site, walk, data, by, tolerance
        self._devices = {device.name: device for device in site.devices}

    def run(self) -> None:
        """Until all tags have an answer, or the person stops. Raises AgentError when an answer cannot be kept."""
        walk, at = self._walk, self._walk.first()
        if at == len(walk.items):
            voice.echo("every tag has its answer; --anew begins again")
            return
        voice.echo(HELP)
        while at < len(walk.items):
            try:
                step = self._tag(walk.items[at], at)
            except click.Abort:  # Ctrl-C, or nobody to type: what was asked has no answer
                voice.echo()
                step = None
            if step is None:
                voice.echo(f"stopped; `floorgate commission` goes on with tag {at + 1} of {len(walk.items)}")
                return
            at = max(0, at - 1) if step < 0 else next(self._open(at + 1), len(walk.items))

    def _open(self, start: int) -> Iterator[int]:
        return (at for at in range(start, len(self._walk.items)) if self._walk.answer(self._walk.items[at]) is None)

    def _tag(self, item: Item, at: int) -> int | None:
        """1: on, -1: back, None: stop."""
        while True:
            reading = self._read(item)
            self._show(item, at, reading)
            said = _asked("reads")
            match said.lower():
                case "q":
                    return None
                case "r" | "":
                    continue
                case "?" | "h":
                    voice.echo(HELP)
                    continue
                case "b":
                    return -1
            if said.lower() == "p" and (reading.error or reading.value is None):
                voice.echo("  what was not read cannot pass: f, s, or r when the device answers", fg="red")
                continue
            return self._judge(item, reading, said)

    def _judge(self, item: Item, reading: Reading, said: str) -> int | None:
        word = said.lower()
        if word == "s":
            self._put(item, reading, "skip", note=_asked("why"))
        elif word == "p":
            self._put(item, reading, "pass")
        elif word == "f":
            self._put(item, reading, "fail", note=_asked("what is wrong"))
        elif not reading.error and agree(reading, said, self._tolerance):
            self._put(item, reading, "pass", expected=said)
        else:
            voice.echo(f"  {said} is not {reading.text or 'what was read'}", fg="red")
            self._put(item, reading, "fail", expected=said, note=_asked("note"))
        return 1

    def _put(self, item: Item, reading: Reading, verdict: Verdict, expected: str = "", note: str = "") -> None:
        at = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        seen = (reading.text, reading.unit, reading.quality or reading.error, reading.raw, reading.address)
        self._walk.put(item, Answer(verdict, item.digest, *seen, expected, note, self._by, at))
        voice.echo(f"  {lang.word(verdict)}", fg={"pass": "green", "fail": "red", "skip": "yellow"}[verdict])

    def _show(self, item: Item, at: int, reading: Reading) -> None:
        head = f"[{at + 1}/{len(self._walk.items)}] {item.device}  {item.tag}"
        voice.echo(plain(f"{head}  {item.description}".rstrip()))
        if reading.error:
            voice.echo(plain(f"  nothing was read: {reading.error}"), fg="red")
            return
        bad = f"  ({reading.quality})" if reading.quality != "good" else ""
        made = f"   raw {reading.raw} at {reading.address}" if reading.raw else ""
        voice.echo(plain(f"  {reading.text} {reading.unit}{bad}{made}"), bold=True)

    def _read(self, item: Item) -> Reading:
        try:
            with find(self._data) as agent:
                if agent is not None:
                    found = agent.get("/api/v1/tags", device=item.device, tag=item.tag)["tags"]
                    return _told(found[0]) if found else Reading(error="the running agent does not read it")
            return asyncio.run(self._fresh(item))
        except (DeviceError, AgentError) as error:
            return Reading(error=str(error))

    async def _fresh(self, item: Item) -> Reading:
        """A connection of its own for each look: between two of them a person may be away for an hour."""
        config = self._devices[item.device]
        (driver,) = build_drivers(self._site, [config], self._data)
        assert isinstance(driver, Poller)
        schema = next((each for each in driver.schemas if any(tag.name == item.tag for tag in each.tags)), None)
        if schema is None:
            return Reading(error="the device does not have it any more")
        raws: dict[str, Raw] = {}
        rules = {tag.name: rules_of(tag, config) for tag in registry.kept(config, self._data).tags}
        try:
            await driver.open()
            (frame,) = await read_groups(driver, (schema,), raws, Steps((), self._site.recipes, lambda _: rules))
        finally:
            await driver.close()
        tag, value, quality = next(row for row in frame.rows() if row[0].name == item.tag)
        made = raws.get(item.tag, Raw("", ""))
        return Reading(value, quality_name(quality), tag.unit, made.raw, made.address, "", DIGITS.get(tag.dtype, 15))


def _told(row: dict[str, object]) -> Reading:
    value = row["value"]
    assert value is None or isinstance(value, bool | int | float | str)
    return Reading(value, str(row["quality"]), str(row["unit"]), digits=7)


def _asked(what: str) -> str:
    """A line that a person typed. Raises click.Abort where there is none to type."""
    label = f"  {lang.word(lang.said(what))}"
    return str(voice.prompt(label, default="", show_default=False, prompt_suffix=": ")).strip()
