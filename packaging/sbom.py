"""The step `sbom`: a bill of materials of all that is shipped, as CycloneDX 1.6 (ECMA-424); same content, same bytes.

Components are Python distributions, libraries of the build machine, Python, PyInstaller's loader; within them what was
compiled into them, and the files that are machine code, with hashes. A property says which products a component is in.
"""

import hashlib
import json
import tomllib
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name, parse_wheel_filename

import elf
import parts
import shipped
from context import Context, Failure
from parts import Part

SPEC = "1.6"
LOADER = {"pyinstaller", "pyinstaller-hooks-contrib"}  # what starts a bundle; all else in it is what Floorgate asks for
IN_BUNDLE, OFFLINE = "bundle", "offline"  # deb, rpm and onefile hold the bundle; the offline bundle holds the wheels


def step(context: Context) -> None:
    """Write it. Raises Failure for a file without an owner, and for a part that does not belong into a product."""
    found = inventory(context)
    _add_wheels(context, found)
    made = context.build / "sbom.json"
    vex = tomllib.loads((context.root / "packaging/vex.toml").read_text("utf-8"))
    bill = document(context.version, context.epoch, found, vex)
    made.write_text(json.dumps(bill, indent=1, ensure_ascii=False) + "\n", "utf-8")
    context.publish(made, f"floorgate-{context.version}.cdx.json")


def inventory(context: Context) -> "Inventory":
    """Every part of the bundle and of the offline bundle. Raises Failure."""
    bundle = shipped.find(context.root, context.build)
    owned = shipped.owners(bundle)
    needs = parts.runtime(context.root, bundle.site)
    found = Inventory(needs)
    for name in needs:
        found.part(f"pypi:{name}", bundle.site).where.add(OFFLINE)
    for owner in set(owned.values()):
        found.part(owner, bundle.site).where.add(IN_BUNDLE)
    single = context.dist / f"floorgate-{context.version}-linux-{context.arch}"
    more = shipped.more_than(single, owned, bundle) if single.exists() else []
    if more:
        raise Failure(f"{single.name} has {', '.join(more[:3])}, and the bundle has not", hint="build both anew")
    strangers = [part.name for part in found.others if part.purl.startswith("pkg:pypi/") and part.where == {IN_BUNDLE}]
    if set(strangers) - LOADER:
        names = ", ".join(sorted(set(strangers) - LOADER))
        raise Failure(
            f"{names} is in the bundle, and only there",
            hint="a library took it because it was there: see EXCLUDED in contents.py",
        )
    for file in elf.files(bundle.folder):
        path = str(file.relative_to(bundle.folder))
        found.part(owned[path], bundle.site).files[path] = sha256(file)
    return found


def _add_wheels(context: Context, found: "Inventory") -> None:
    """The hash of each wheel that the offline bundle holds, which are those that the bundle was made of."""
    for wheel in (context.build / "wheels").glob("*.whl"):
        part = found.named(canonicalize_name(parse_wheel_filename(wheel.name)[0]))
        if part:
            part.sha256 = sha256(wheel)
    without = [part.name for part in found.others if OFFLINE in part.where and not part.sha256]
    if without:
        raise Failure(
            f"there is no wheel of {', '.join(without[:3])} in build/wheels",
            hint='make package STEP="wheel offline sbom"',
        )


class Inventory:
    """Parts by owner, as `shipped` names those; `needs` says who asks for whom."""

    def __init__(self, needs: Mapping[str, Iterable[str]]) -> None:
        self.needs = needs
        self.own = Part(shipped.OURS, "", "", "Apache-2.0")
        self._parts: dict[str, Part] = {}

    def part(self, owner: str, site: Path) -> Part:
        kind, _, name = owner.rpartition(":")
        if name == shipped.OURS:
            return self.own
        if owner not in self._parts:
            self._parts[owner] = _make(kind, name, site)
        return self._parts[owner]

    @property
    def others(self) -> list[Part]:
        return sorted(self._parts.values(), key=lambda part: part.purl)

    def named(self, name: str) -> Part | None:
        return self._parts.get(f"pypi:{name}")

    def machine(self) -> list[Part]:
        """What comes from the build machine."""
        return [part for owner, part in self._parts.items() if not owner.startswith("pypi:")]


def _make(kind: str, name: str, site: Path) -> Part:
    if kind == "pypi":
        return parts.dist_part(name, site)
    return parts.debian_part(name) if kind == "deb" else parts.python_part()


def document(version: str, epoch: int, found: Inventory, vex: Mapping[str, Any]) -> dict[str, Any]:
    """As a document; its serial number comes from its content. Raises Failure for a note on what is not there."""
    own = {**component(found.own), "type": "application", "version": version}
    own["bom-ref"] = own["purl"] = parts.purl("generic", shipped.OURS, version)
    body: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "version": 1,
        "metadata": {"timestamp": datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), "component": own},
        "components": [component(part) for part in found.others],
        "dependencies": _dependencies(found, own["bom-ref"]),
        "vulnerabilities": [_note(found, name, told) for name, told in sorted(vex.items())],
    }
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(body, sort_keys=True))
    return {**body, "serialNumber": f"urn:uuid:{serial}"}


def component(part: Part, within: str = "") -> dict[str, Any]:
    files = [{"type": "file", "name": path, "hashes": _hash(digest)} for path, digest in sorted(part.files.items())]
    inner = [component(each, part.purl) for each in sorted(part.holds, key=lambda each: each.purl)]
    told = {
        "type": "library",
        "bom-ref": f"{within}#{part.purl}" if within else part.purl,
        "name": part.name,
        "version": part.version,
        "hashes": _hash(part.sha256) if part.sha256 else [],
        "licenses": [{"expression": part.license}] if part.license else [],
        "purl": part.purl,
        "externalReferences": [{"type": "website", "url": part.url}] if part.url else [],
        "properties": [{"name": "floorgate:in", "value": each} for each in sorted(part.where)],
        "components": [*inner, *files],
    }
    return {key: value for key, value in told.items() if value}


def _hash(digest: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": digest}]


def _note(found: Inventory, name: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """What vex.toml says of a vulnerability."""
    refs = {part.name: part.purl for part in found.others}
    unknown = [each for each in told["parts"] if each not in refs]
    if unknown:
        raise Failure(
            f"vex.toml: {name} is about {unknown[0]}, which is not shipped", hint="take it out, or look at the name"
        )
    analysis = {key: told[key] for key in ("state", "justification", "detail") if key in told}
    return {"id": name, "analysis": analysis, "affects": [{"ref": refs[each]} for each in told["parts"]]}


def _dependencies(found: Inventory, own: str) -> list[dict[str, Any]]:
    """Who asks for whom: Floorgate for its direct needs and Python, Python for the libraries of the machine."""
    machine = sorted(part.purl for part in found.machine())
    python = [purl for purl in machine if purl.startswith(f"pkg:generic/{parts.PYTHON}@")]
    refs = {name: part.purl for name in found.needs if (part := found.named(name))}
    direct = sorted({refs[name] for name in found.needs[shipped.OURS]} | set(python or machine))
    rows = [{"ref": own, "dependsOn": direct}]
    rows += [{"ref": purl, "dependsOn": [each for each in machine if each != purl]} for purl in python]
    rows += [
        {"ref": refs[name], "dependsOn": sorted(refs[each] for each in found.needs[name] if each in refs)}
        for name in sorted(refs)
    ]
    return [{key: value for key, value in row.items() if value} for row in rows]


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
