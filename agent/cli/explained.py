"""An explanation as a person reads it: one stage after the other, then what is to be done."""

from collections.abc import Iterator, Sequence
from typing import Any

import click

from agent.cli.pages import padded
from agent.lang import said, word
from agent.model.figures import figure, span
from agent.model.text import plain

HEAD, AROUND, TAIL, MOST = 12, 4, 2, 16  # bytes of a frame that are shown: at its ends, around the tag's, of the tag's
WIDTH = 18  # of a word before what it is
COLOURS = {"ok": "green", "held": "cyan", "doubt": "yellow", "failed": "red", "unreached": "bright_black"}
WORDS = {"unreached": "not reached", "held": "left out"}
_WELL, _WELL_SO_FAR = "Nothing is wrong with it.", "Nothing is wrong with it as far as it was looked at."
_BY = {"agent": "seen by the running agent", "read": "read once, without an agent"}


def lines(row: dict[str, Any], now: float) -> Iterator[str]:
    """Styled text, a line each, in which nothing but that style steers a terminal; `now` is seconds since 1970."""
    yield click.style(plain(f"{row['device']}/{row['tag']}"), bold=True) + plain(_value(row["value"], now))
    yield f"  {said(_BY[row['by']])}"
    for number, stage in enumerate(row["stages"], 1):
        yield from _stage(number, stage)
    yield ""
    yield from _verdict(row)
    if row["source"] is not None:
        yield ""
        yield plain(said(f"It is made by {row['origin']['how']}, of {', '.join(row['origin']['of'])}. Of these:"))
        yield ""
        yield from lines(row["source"], now)


def _value(found: dict[str, Any], now: float) -> str:
    if not found or found.get("quality") is None:
        return f"  {said('no value')}"
    value = figure(found["value"], found["dtype"])
    shown = f"{value} {found['unit']}".strip() if value else said("no value")
    ago = said(f"{span(now - found['ts'] / 1e3)} ago")
    return f"  {shown}, {found['quality']}, {ago}"


def _stage(number: int, stage: dict[str, Any]) -> Iterator[str]:
    state = stage["state"]
    state_word = click.style(word(WORDS.get(state, state)), fg=COLOURS.get(state))
    yield f"{number} {padded(plain(said(word(stage['stage']))), WIDTH + 1)} {state_word}"
    for what, how in stage["seen"]:
        yield f"    {padded(plain(word(what)), WIDTH)}{plain(said(how))}"
    if "hex" in stage:
        sent, received = bytes.fromhex(stage["hex"]["sent"]), bytes.fromhex(stage["hex"]["received"])
        yield f"    {padded(word('sent'), WIDTH)}{hexed(sent)}"
        yield f"    {padded(word('received'), WIDTH)}{hexed(received, *stage['hex']['mine'])}"
    if stage["wrong"]:
        yield f"    {click.style(plain(said(stage['wrong'])), fg=COLOURS.get(state))}"


def _verdict(row: dict[str, Any]) -> Iterator[str]:
    verdict = row["verdict"]
    if verdict is None:
        yield said(_WELL if row["by"] == "agent" else _WELL_SO_FAR)
        return
    number = next((n for n, each in enumerate(row["stages"], 1) if each["stage"] == verdict["stage"]), 0)
    if verdict["state"] == "held":
        yield plain(said(f"Nothing is wrong with it: {verdict['wrong']}."))
    elif verdict["state"] == "doubt":
        yield plain(said(f"It can hardly be right at {number} {verdict['stage']}: {verdict['wrong']}."))
    else:
        yield plain(said(f"It fails at {number} {verdict['stage']}: {verdict['wrong']}."))
    if verdict["hint"]:
        yield plain(said(f"What to do: {verdict['hint']}"))


def hexed(data: bytes, first: int = 0, after: int = 0) -> str:
    """Bytes in hexadecimal, those from `first` up to `after` in brackets; of many those that matter."""
    if not data:
        return "nothing"
    kept = {*range(HEAD), *range(len(data) - TAIL, len(data))}
    if after > first:
        kept |= {*range(first - AROUND, min(after, first + MOST)), after - 1, *range(after, after + AROUND)}
    shown = [at for at in range(len(data)) if at in kept]
    text = "".join(_pieces(data, shown, first, after)).strip()
    return text if len(shown) == len(data) else said(f"{text} ({len(data)} bytes)")


def _pieces(data: bytes, shown: Sequence[int], first: int, after: int) -> Iterator[str]:
    before = -1
    for at in shown:
        yield " … " if at > before + 1 else " "
        opens, closes = after > first and at == first, after > first and at == after - 1
        yield f"{'[' if opens else ''}{data[at]:02x}{']' if closes else ''}"
        before = at
