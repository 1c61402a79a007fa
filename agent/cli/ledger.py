"""`floorgate ledger`"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from agent.cli import tables
from agent.cli.access import look
from agent.cli.options import Moment, data_option, iso, json_option
from agent.model.errors import StoreError

COLUMNS = ("read", "made", "delivered", "buffered", "set_aside", "suppressed", "dropped", "balance")


@click.command("ledger")
@click.option("--since", type=Moment(), metavar="T", help="Only what was counted since 24h ago, or 2026-11-25T08:00.")
@data_option
@json_option
def command(since: int | None, data: Path, as_json: bool) -> None:
    """Where each sample went, per sink and device; ends with 1 when an account does not balance.

    With --since from the nearest hour before that for which it is known; buffered and set aside are told as of now.
    """
    with look(data) as access:
        period = None if since is None else access.since(since)
        accounts = access.ledger() if period is None else period["accounts"]
    if as_json:
        click.echo(json.dumps(period or accounts))
    else:
        show(accounts, period["since_ts"] if period else None)
    if not all(account["balanced"] for account in accounts):
        raise StoreError("the ledger does not balance", hint="keep the data directory and report this")


def show(accounts: Sequence[dict[str, Any]], since_ts: int | None = None) -> None:
    """The ledger as a table; `since_ts` is ms UTC."""
    title = "Ledger (samples): read + made = delivered + buffered + set aside + suppressed + dropped"
    if since_ts is not None:
        title = f"Ledger (samples) since {iso(since_ts * 10**6)}, with what is buffered and set aside now"
    ledger = tables.table(title, sink="left", device="left", **dict.fromkeys(COLUMNS, "right"))
    for account in accounts:
        cells = (_cell(account[column]) for column in COLUMNS[:-1])
        balance = tables.cell("ok", "green") if account["balanced"] else tables.cell("OFF", "red")
        ledger.add_row(tables.cell(account["sink"]), tables.cell(account["device"]), *cells, balance)
    tables.show(ledger)


def _cell(count: int | dict[str, int]) -> str:
    """A count, or several by reason."""
    if isinstance(count, int):
        return f"{count:,}"
    return "\n".join(f"{samples:,} {reason}" for reason, samples in sorted(count.items())) or "0"
