"""The bill of materials of the environment in which the tests run, and the official schema of such bills."""

import json
import sysconfig
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
from cyclonedx.schema import SchemaVersion, _res

import parts
import sbom
from tests.house import ROOT

SITE = Path(sysconfig.get_paths()["purelib"])


@cache
def runtime() -> sbom.Inventory:
    """What Floorgate needs to run, as if it were shipped from here."""
    found = sbom.Inventory(parts.runtime(ROOT, SITE))
    for name in found.needs:
        found.part(f"pypi:{name}", SITE).where.add(sbom.OFFLINE)
    return found


def faults(bill: Mapping[str, Any]) -> list[str]:
    """What the schema of CycloneDX says of it."""
    return [f"{'/'.join(map(str, each.instance_path))}: {each.message}" for each in _checker().iter_errors(dict(bill))]


@cache
def _checker() -> Any:
    others = {"spdx": _res.SPDX_JSON, "jsf-0": _res.JSF}

    def other(uri: str) -> Any:
        return json.loads(Path(others[uri.rpartition("/")[2].partition(".")[0]]).read_text("utf-8"))

    schema = json.loads(Path(str(_res.BOM_JSON_STRICT[SchemaVersion.from_version(sbom.SPEC)])).read_text("utf-8"))
    return jsonschema_rs.Draft7Validator(schema, retriever=other, validate_formats=True)
