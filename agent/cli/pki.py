"""`floorgate pki`: the certificates of OPC UA, ours and those that are trusted."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli import records, tables, voice
from agent.cli.options import data_option, json_option
from agent.cli.pages import Group
from agent.model.text import plain

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from drivers.opcua.pki import Pki


@click.group("pki", cls=Group)
def command() -> None:
    """Our certificate for OPC UA, and the servers' that we trust. What is changed holds from the next connection on."""


@command.command("list")
@data_option
@json_option
def list_(data: Path, as_json: bool) -> None:
    """All certificates: ours, trusted ones, those of issuers, and those that wait for a decision."""
    found = rows(data)
    if as_json:
        records.show(found)
        return
    table = tables.table("Certificates", where="left", fingerprint="left", subject="left", valid_until="left")
    for row in found:
        cells = [row["where"], row["sha256"][:16], row["subject"], row["valid_until"]]
        style = "red" if row["days_left"] <= 0 else "yellow" if row["days_left"] <= 30 else ""
        table.add_row(*(tables.cell(text, style) for text in cells))
    tables.show(table)


@command.command("show")
@click.argument("which", metavar="FINGERPRINT|own")
@data_option
@json_option
def show(which: str, data: Path, as_json: bool) -> None:
    """One certificate in full: ours (`own`), or the one with this fingerprint, of which 16 digits do."""
    pki = _pki(data)
    if which == "own":
        row = _row("own", pki.own().certificate)
    else:
        filed = pki.find(which)
        row = _row(filed.shelf, filed.certificate)
    _tell([row], as_json)


@command.command("trust")
@click.argument("which", metavar="FINGERPRINT|FILE")
@data_option
@json_option
def trust(which: str, data: Path, as_json: bool) -> None:
    """Trust a certificate that was set aside, by its fingerprint, or one in a FILE, of a server or of an issuer."""
    pki = _pki(data)
    if Path(which).is_file():
        _tell([_row("trusted", each.certificate) for each in pki.add(Path(which))], as_json)
        return
    filed = pki.find(which, "rejected")
    pki.move(filed, "trusted")
    _tell([_row("trusted", filed.certificate)], as_json)


@command.command("reject")
@click.argument("which", metavar="FINGERPRINT")
@data_option
@json_option
def reject(which: str, data: Path, as_json: bool) -> None:
    """Trust a certificate no more; a session that is open goes on until it is lost."""
    pki = _pki(data)
    filed = pki.find(which, "trusted")
    pki.move(filed, "rejected")
    _tell([_row("rejected", filed.certificate)], as_json)


@command.command("renew")
@data_option
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@json_option
def renew(data: Path, yes: bool, as_json: bool) -> None:
    """Make a new key and certificate for us, with the same application URI; the old ones are put aside.

    Every server must be told to trust the new one before it lets us in again.
    """
    if not yes:
        voice.confirm("Every server must then be told to trust the new certificate. Renew?")
    own, aside = _pki(data).renew()
    if aside is not None:
        voice.echo(f"the old one lies in {aside}", err=True)
    _tell([_row("own", own.certificate)], as_json)


def rows(data: Path) -> list[dict[str, Any]]:
    """All certificates as they are printed. Raises PkiError."""
    found = [_row("own", each) for each in _ours(_pki(data))]
    return [*found, *(_row(each.shelf, each.certificate) for each in _pki(data).filed())]


def _pki(data: Path) -> "Pki":
    from drivers.opcua.pki import Pki  # noqa: PLC0415  # cryptography loads only when it is used

    return Pki(data / "pki")


def _ours(pki: "Pki") -> list["Certificate"]:
    """To list is not to make one."""
    return [pki.own().certificate] if (pki.root / "own").exists() else []


def _row(where: str, certificate: "Certificate") -> dict[str, Any]:
    from drivers.opcua import certificates  # noqa: PLC0415  # as above

    return {
        "where": where,
        "subject": certificates.subject(certificate),
        "sha256": certificates.fingerprint(certificate),
        "sha1": certificates.thumbprint(certificate),
        "application": ", ".join(certificates.uris(certificate)),
        "hosts": certificates.hosts(certificate),
        "valid_from": _iso(certificate.not_valid_before_utc),
        "valid_until": _iso(certificate.not_valid_after_utc),
        "days_left": int(certificates.days_left(certificate, datetime.now(UTC))),
    }


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _tell(rows: Sequence[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        records.show(rows)
        return
    for row in rows:
        for name, value in row.items():
            text = ", ".join(value) if isinstance(value, list) else value
            voice.echo(f"{name.replace('_', ' '):12}  {plain(str(text))}")
