"""What a first site is made of: units that a scan found, now or before, and OPC UA servers, met for the first time."""

import asyncio
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from agent.cli import voice
from agent.cli.browse import PATIENCE, of_no_file
from agent.cli.first_site import Device, named
from agent.cli.scan import explored
from agent.model.errors import AgentError, DeviceError
from agent.model.text import plain
from drivers.modbus.config import PORTS
from drivers.transport import parse_endpoint

_HINT = "--from takes what `floorgate scan ENDPOINT --json` printed"
_TRUST = re.compile(r"floorgate pki trust [0-9a-f]+")
LARGEST = 1 << 20  # bytes of what a scan has printed


class _Like(BaseModel):
    map: str
    score: float
    fits: int
    of: int


class _Identity(BaseModel):
    vendor: str = ""
    product: str = ""
    revision: str = ""


class _Unit(BaseModel):
    """As `floorgate scan --json` tells it."""

    model_config = ConfigDict(extra="ignore")

    endpoint: str
    unit: int = Field(ge=0, le=255)
    identity: _Identity | None = None
    maps: list[_Like] = []


_UNITS = TypeAdapter(list[_Unit])


def kept(path: str, taken: set[str]) -> list[Device]:
    """The devices in what `floorgate scan --json` printed, `-` for standard input. Raises AgentError."""
    try:
        if path == "-":
            data = sys.stdin.buffer.read(LARGEST + 1)
        else:
            with Path(path).open("rb") as file:
                data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise AgentError(
                f"{path}: larger than {LARGEST >> 10} KB", hint="is it what `floorgate scan --json` printed?"
            )
        units = _UNITS.validate_json(data)
    except OSError as error:
        raise AgentError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise AgentError(f"{path}: this is no result of a scan", hint=_HINT) from error
    return list(_devices(units, taken))


def scanned(endpoint: str, units: Sequence[int] | None, data: Path, taken: set[str]) -> list[Device]:
    """The devices that answer at a Modbus endpoint now. Raises AgentError and click.UsageError."""
    try:
        parsed = parse_endpoint(endpoint, PORTS)
    except ValueError as error:
        raise click.UsageError(f"--scan: {error}") from error
    voice.echo(f"scanning {plain(endpoint)} …", err=True)
    found = list(_devices(_UNITS.validate_python(explored(parsed, units, data)), taken))
    for device in found:
        voice.echo(f"  unit {device.unit}: {plain(device.who or device.map or 'a device that no map fits')}", err=True)
    if not found:
        raise AgentError(
            f"{endpoint}: no unit answers",
            hint="is it wired and powered, and A and B not swapped? `floorgate scan` has more options",
        )
    return found


def _devices(units: Sequence[_Unit], taken: set[str]) -> Iterator[Device]:
    for each in units:
        best = each.maps[0] if each.maps else None
        model = best.map.partition("-")[2] or best.map if best else "unit"
        who = " ".join(filter(None, _words(each.identity)))
        guess = f"a guess, {best.score:.0%}: {best.fits} of {best.of} readings make sense" if best else ""
        name = named(f"{model}-{each.unit}", taken)
        yield Device(name, each.endpoint, each.unit, best.map if best else "", who, guess)


def _words(identity: _Identity | None) -> tuple[str, ...]:
    return (identity.vendor, identity.product, identity.revision) if identity else ()


def server(given: str, data: Path, taken: set[str]) -> Device:
    """The device of `[NAME=]opc.tcp://…`. Its server is met: a certificate that nobody has trusted yet is set aside.

    Raises AgentError and click.UsageError.
    """
    name, is_named, endpoint = given.partition("=")
    if not is_named or "://" in name:
        name, endpoint = "", given
    voice.echo(f"meeting {plain(endpoint)} …", err=True)
    trust = asyncio.run(_met(endpoint, data))
    return Device(named(name or "opcua", taken), endpoint, trust=trust)


async def _met(endpoint: str, data: Path) -> str:
    driver = of_no_file(endpoint, "auto", PATIENCE, data)
    try:
        await driver.open()
    except DeviceError as error:
        if "floorgate pki" not in error.hint:
            raise
        voice.echo(f"  {error}", err=True)
        trust = _TRUST.search(error.hint)
        return trust[0] if trust else ""
    finally:
        await driver.close()
    return ""
