"""The answers of a walk as a table for Excel, and as a page to print and sign."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from agent import __version__
from agent.cli.commission.walk import Answer, Item, Walk
from agent.model.text import public

COLUMNS = ("device", "tag", "description", "address", "raw", "value", "unit", "quality", "expected", "verdict")
MORE = ("by", "at", "note")
_STARTS = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for a formula
_NONE = Answer("skip", "")
_STYLE = """
:root { color-scheme: light; font: 14px/1.45 system-ui, "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; }
body { margin: 2rem auto; max-width: 80rem; padding: 0 1rem; color: #111; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 1.6rem 0 .4rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border: 1px solid #999; padding: .2rem .4rem; text-align: left; }
th { background: #eee; } td.n { text-align: right; font-variant-numeric: tabular-nums; }
td.raw { font-family: ui-monospace, monospace; font-size: .85em; }
.head th { width: 11rem; background: none; } .fail { background: #fdd; font-weight: bold; } .open { background: #ffd; }
.sign td { height: 3.2rem; width: 33%; vertical-align: top; }
@page { size: A4 landscape; margin: 12mm; @bottom-right { content: counter(page) " / " counter(pages); } }
@media print {
  body { margin: 0; max-width: none; font-size: 9pt; } thead { display: table-header-group; }
  tr, .sign { break-inside: avoid; } h2 { break-after: avoid; }
  .fail, .open, th { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the head of a report says. `endpoints` are by device."""

    gateway: str
    site: Sequence[str]
    file: str
    digest: str
    made: str
    tolerance: str
    endpoints: Mapping[str, str]


def table(walk: Walk, texts: Mapping[str, str]) -> bytes:
    """CSV in UTF-8 with a mark that Excel looks for; what would be a formula there has an apostrophe before it."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([texts[name] for name in (*COLUMNS, *MORE)])
    for item in walk.items:
        row = _row(item, walk.answer(item), texts)
        writer.writerow([_harmless(row[name]) for name in (*COLUMNS, *MORE)])
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def page(walk: Walk, facts: Facts, texts: Mapping[str, str]) -> bytes:
    """One HTML file that needs nothing else, not even a network."""
    return "\n".join(_page(walk, facts, texts)).encode()


def _harmless(text: str) -> str:
    """A negative number is none of them."""
    if not text.startswith(_STARTS):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text


def _row(item: Item, answer: Answer | None, texts: Mapping[str, str]) -> dict[str, str]:
    found = answer or _NONE
    verdict = texts[answer.verdict if answer else "open"]
    row = {
        name: getattr(found, name) for name in ("value", "quality", "raw", "address", "expected", "note", "by", "at")
    }
    unit = found.unit or item.unit
    return row | {
        "device": item.device,
        "tag": item.tag,
        "description": item.description,
        "unit": unit,
        "verdict": verdict,
    }


def _page(walk: Walk, facts: Facts, texts: Mapping[str, str]) -> Iterator[str]:
    title = f"{texts['title']}: {facts.gateway}"
    yield f'<!doctype html><html lang="{texts["lang"]}"><head><meta charset="utf-8">'
    yield f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>"
    yield from _head(walk, facts, texts)
    numbers = {item.key: number for number, item in enumerate(walk.items, 1)}
    for device, found in groupby(walk.items, lambda item: item.device):
        where = escape(public(facts.endpoints.get(device, "")))
        yield f"<h2>{texts['device']} {escape(device)} · {where}</h2><table><thead><tr>"
        yield "".join(f"<th>{texts[name]}</th>" for name in ("number", *COLUMNS[1:], *MORE)) + "</tr></thead><tbody>"
        for item in found:
            yield _line(item, walk.answer(item), numbers[item.key], texts)
        yield "</tbody></table>"
    yield from _signatures(texts)
    yield "</body></html>"


def _head(walk: Walk, facts: Facts, texts: Mapping[str, str]) -> Iterator[str]:
    counts = ", ".join(f"{walk.count(key)} {texts[key or 'open']}" for key in ("pass", "fail", "skip", None))
    rows = [
        ("gateway", facts.gateway),
        ("site", " / ".join(facts.site)),
        ("file", facts.file),
        ("digest", facts.digest),
        ("version", __version__),
        ("made", facts.made),
        ("total", f"{len(walk.items)}: {counts}"),
    ]
    yield '<table class="head">'
    yield from (f"<tr><th>{texts[name]}</th><td>{escape(value)}</td></tr>" for name, value in rows)
    yield f"</table><p>{texts['tolerance'].format(share=facts.tolerance)}</p>"


def _line(item: Item, answer: Answer | None, number: int, texts: Mapping[str, str]) -> str:
    row = _row(item, answer, texts)
    state = answer.verdict if answer else "open"
    cells = [f'<td class="n">{number}</td>']
    for name in (*COLUMNS[1:], *MORE):
        kind = {"value": "n", "expected": "n", "raw": "raw", "verdict": state}.get(name, "")
        cells.append(f'<td class="{kind}">{escape(row[name])}</td>' if kind else f"<td>{escape(row[name])}</td>")
    return f"<tr>{''.join(cells)}</tr>"


def _signatures(texts: Mapping[str, str]) -> Iterator[str]:
    yield f'<section class="sign"><h2>{texts["sign"]}</h2><table><tr>'
    yield "".join(f"<td>{texts[who]}:<br><br>{texts['date']}:</td>" for who in ("executor", "checker", "owner"))
    yield "</tr></table></section>"
