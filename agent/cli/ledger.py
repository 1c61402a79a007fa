"""`floorgate ledger`"""

import http.client
import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from agent.cli.options import data_option, json_option
from agent.model.errors import StoreError
from agent.runtime.app import STORE
from agent.runtime.storage import account_row
from agent.status.server import FILE
from buffer.store import peek_ledger

TIMEOUT = 30.0
MOST = 64 << 20  # bytes of an answer


@click.command("ledger")
@data_option
@json_option
def command(data: Path, as_json: bool) -> None:
    """Where each sample went, per sink and device; ends with 1 when an account does not balance."""
    accounts = _from_agent(data)
    if accounts is None:
        accounts = [account_row(account) for account in peek_ledger(data / STORE)]
    if as_json:
        click.echo(json.dumps(accounts))
    else:
        show(accounts)
    if not all(account["balanced"] for account in accounts):
        raise StoreError("the ledger does not balance", hint="keep the data directory and report this")


def show(accounts: Sequence[dict[str, Any]]) -> None:
    """The ledger as a table."""
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415  # loads only when a table is shown
    from rich.console import Console  # noqa: PLC0415  # loads only when a table is shown
    from rich.table import Table  # noqa: PLC0415  # as above

    title = "Ledger (samples): read = delivered + buffered + suppressed + dropped"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for column in ("sink", "device"):
        table.add_column(column)
    for column in ("read", "delivered", "buffered", "suppressed", "dropped", "balance"):
        table.add_column(column, justify="right")
    for account in accounts:
        counts = (account["read"], account["delivered"], account["buffered"])
        reasons = (_reasons(account["suppressed"]), _reasons(account["dropped"]))
        balance = "[green]ok[/]" if account["balanced"] else "[red]OFF[/]"
        table.add_row(account["sink"], account["device"], *(f"{count:,}" for count in counts), *reasons, balance)
    Console().print(table)


def _reasons(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in sorted(counts.items())) or "0"


def _from_agent(data: Path) -> list[dict[str, Any]] | None:
    """What the running agent says, or None when none runs on this directory.

    After a `kill -9` the file still names a port, and somebody else may answer there by now.
    """
    try:
        facts = json.loads((data / FILE).read_text("utf-8"))
        connection = http.client.HTTPConnection(facts["host"], facts["port"], timeout=TIMEOUT)
        with closing(connection):
            connection.request("GET", "/api/v1/ledger", headers={"Authorization": f"Bearer {facts['token']}"})
            response = connection.getresponse()
            body = response.read(MOST)
        accounts = json.loads(body) if response.status == http.client.OK else None
    except (FileNotFoundError, ConnectionError, http.client.HTTPException, ValueError, TypeError, LookupError):
        return None
    except OSError as error:
        raise StoreError(f"{data / FILE}: the agent does not answer: {error}", hint="is it still running?") from error
    return accounts if isinstance(accounts, list) else None
