"""`floorgate ledger`"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from agent.cli import tables
from agent.cli.access import look
from agent.cli.options import data_option, json_option
from agent.model.errors import StoreError

COLUMNS = ("read", "delivered", "buffered", "set_aside", "suppressed", "dropped", "balance")


@click.command("ledger")
@data_option
@json_option
def command(data: Path, as_json: bool) -> None:
    """Where each sample went, per sink and device; ends with 1 when an account does not balance."""
    with look(data) as access:
        accounts = access.ledger()
    if as_json:
        click.echo(json.dumps(accounts))
    else:
        show(accounts)
    if not all(account["balanced"] for account in accounts):
        raise StoreError("the ledger does not balance", hint="keep the data directory and report this")


def show(accounts: Sequence[dict[str, Any]]) -> None:
    """The ledger as a table."""
    title = "Ledger (samples): read = delivered + buffered + set aside + suppressed + dropped"
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
