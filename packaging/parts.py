"""What a product is made of: Python distributions, libraries of the build machine, and what was compiled into either.

A part knows its name, version, licence (an SPDX expression), package URL, the texts of its licence, and what lies
inside of it. Licences that a distribution does not state by itself, and those of Debian's packages, stand
in `licenses.toml`.
"""

import importlib.metadata
import json
import platform
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any
from urllib.parse import quote

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import inside
from context import Failure

HERE = Path(__file__).parent
RULES: dict[str, Any] = tomllib.loads((HERE / "licenses.toml").read_text("utf-8"))
EXTRAS = ("fast", "demo", "xlsx", "zstd")  # what is shipped with it
PYTHON = "python"
_TEXT = re.compile(r"(?i)(licen[cs]e|copying|notice|copyright)[^/]*$")
COMMON = Path("/usr/share/common-licenses")  # where Debian has the long ones
_FAMILIES = {
    "Apache-2.0": ["Apache-2.0"],
    "GPL-2.0": ["GPL-2"],
    "GPL-3.0": ["GPL-3"],
    "LGPL-2.1": ["LGPL-2.1"],
    "LGPL-3.0": ["LGPL-3", "GPL-3"],
    "MPL-2.0": ["MPL-2.0"],
}


@dataclass(slots=True)
class Part:
    """One component. `files` are those that are machine code, with their SHA-256."""

    name: str
    version: str
    purl: str
    license: str
    url: str = ""
    texts: dict[str, str] = field(default_factory=dict)  # of its licence, by name
    holds: list["Part"] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    sha256: str = ""  # of the wheel
    where: set[str] = field(default_factory=set)  # bundle, offline


def purl(kind: str, name: str, version: str, **qualifiers: str) -> str:
    """As https://github.com/package-url/purl-spec has it."""
    rest = "&".join(f"{key}={quote(value, safe='')}" for key, value in sorted(qualifiers.items()) if value)
    return (
        f"pkg:{kind}/{quote(name, safe='/')}"
        + (f"@{quote(version, safe=':')}" if version else "")
        + f"{'?' * bool(rest)}{rest}"
    )


@cache
def distributions(site: Path) -> Mapping[str, Distribution]:
    """All that is installed in a folder, by normalised name."""
    found = importlib.metadata.distributions(path=[str(site)])
    return {canonicalize_name(each.name): each for each in found}


def runtime(root: Path, site: Path) -> dict[str, set[str]]:
    """What Floorgate needs on this platform, with the extras that are shipped: names, and which others each asks for.

    Floorgate's own direct needs are under its name. Raises Failure when one is not installed.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    extras = [line for extra in EXTRAS for line in project["optional-dependencies"][extra]]
    return {
        "floorgate": _names([*project["dependencies"], *extras]),
        **closure([*project["dependencies"], *extras], site),
    }


def closure(lines: Iterable[str], site: Path) -> dict[str, set[str]]:
    """Everything that these requirements bring along, by what is installed."""
    found: dict[str, set[str]] = {}
    asked = [Requirement(line) for line in lines]
    seen: set[tuple[str, str]] = set()
    while asked:
        want = asked.pop()
        name = canonicalize_name(want.name)
        if want.marker is not None and not want.marker.evaluate({"extra": ""}):
            continue
        for extra in {"", *want.extras} - {extra for other, extra in seen if other == name}:
            seen.add((name, extra))
            needs = list(_needs(_installed(name, site), extra))
            found.setdefault(name, set()).update(canonicalize_name(need.name) for need in needs)
            asked += needs
    return found


def _names(lines: Iterable[str]) -> set[str]:
    wants = map(Requirement, lines)
    return {
        canonicalize_name(each.name) for each in wants if each.marker is None or each.marker.evaluate({"extra": ""})
    }


def _needs(dist: Distribution, extra: str) -> Iterator[Requirement]:
    for want in map(Requirement, dist.requires or []):
        if want.marker is None or want.marker.evaluate({"extra": extra}):
            want.marker = None  # it holds
            yield want


def _installed(name: str, site: Path) -> Distribution:
    try:
        return distributions(site)[name]
    except KeyError:
        raise Failure(
            f"{name} is not installed in {site}", hint="is the lock fresh? make lock, and try again"
        ) from None


def dist_part(name: str, site: Path) -> Part:
    """A Python distribution. Raises Failure when nobody knows its licence."""
    dist = _installed(name, site)
    about: Any = dist.metadata  # a Message, whose get() typeshed leaves out
    license_ = about.get("License-Expression") or RULES["pypi"].get(name)
    if not license_:
        raise Failure(
            f"{name} {dist.version} states no SPDX licence",
            hint="read its text, and give it a row in packaging/licenses.toml",
        )
    links = dict(re.split(r",\s*", link, maxsplit=1) for link in about.get_all("Project-URL") or [])
    url = about.get("Home-page") or next(iter(links.values()), "")
    texts = _dist_texts(dist, about.get_all("License-File") or [])
    if not texts and name in RULES["untold"]:
        texts = {"copyright": RULES["untold"][name]}
    part = Part(dist.name, dist.version, purl("pypi", name, dist.version), license_, url, {**texts, **common(license_)})
    part.holds = [*_told(dist), *_untold(name)]
    return part


def _dist_texts(dist: Distribution, named: list[str]) -> dict[str, str]:
    texts = {}
    for file in dist.files or []:
        _, _, local = str(file).partition(".dist-info/")
        if local and "sboms/" not in local and (_TEXT.search(local) or local.removeprefix("licenses/") in named):
            texts[local.removeprefix("licenses/")] = Path(str(dist.locate_file(file))).read_text("utf-8", "replace")
    return texts


def common(expression: str) -> dict[str, str]:
    """The texts that a licence needs beside its notice, from Debian's folder of them."""
    if not expression.startswith(("GPL", "LGPL")):
        return {}
    names = [name for family, names in _FAMILIES.items() if expression.startswith(family) for name in names]
    return {name: (COMMON / name).read_text("utf-8") for name in names if (COMMON / name).exists()}


def _told(dist: Distribution) -> Iterator[Part]:
    """What the wheel says is compiled into it (PEP 770)."""
    for file in dist.files or []:
        if ".dist-info/sboms/" in str(file) and str(file).endswith(".json"):
            for component in json.loads(file.read_text("utf-8")).get("components", []):
                yield _of_sbom(component)


def _of_sbom(component: Mapping[str, Any]) -> Part:
    name = component["name"]
    known = [each.get("expression") or each.get("license", {}).get("id") for each in component.get("licenses") or []]
    license_ = " AND ".join(each for each in known if each) or RULES["inside"].get(name, [""])[0]
    return Part(name, component.get("version", ""), component["purl"].partition("?")[0], license_)


def _untold(name: str) -> Iterator[Part]:
    for library, version in inside.of(name):
        license_, owner = RULES["inside"][library]
        yield Part(library, version, purl("generic", library, version), license_, texts={"copyright": owner})


def python_part() -> Part:
    """A Python that no package of the system owns."""
    version = platform.python_version()
    files = [Path(sys.base_prefix) / f"lib/python{sys.version_info[0]}.{sys.version_info[1]}" / "LICENSE.txt"]
    texts = {each.name: each.read_text("utf-8") for each in files if each.exists()}
    part = Part(PYTHON, version, purl("generic", PYTHON, version), "Python-2.0", "https://www.python.org/", texts)
    part.holds = list(_untold(PYTHON))
    return part


def debian_part(package: str) -> Part:
    """A package of the build machine. Raises Failure when nobody knows its licence."""
    form = "${Package}\t${Version}\t${Architecture}\t${source:Package}\t${Homepage}"
    said = subprocess.run(["dpkg-query", "-W", "-f", form, package], capture_output=True, text=True, check=True).stdout
    name, version, arch, source, url = said.split("\t")
    license_ = RULES["debian"].get(stem(name))
    if license_ is None:
        raise Failure(
            f"nobody knows the licence of {name}",
            hint="read its copyright file, and give it a row in packaging/licenses.toml",
        )
    notice = Path(f"/usr/share/doc/{name}/copyright")
    texts = {"copyright": notice.read_text("utf-8", "replace")} if notice.exists() else {}
    release = platform.freedesktop_os_release()
    where = f"{release['ID']}-{release.get('VERSION_ID', '')}"
    link = purl(
        f"deb/{release['ID']}", name, version, arch=arch, distro=where, upstream="" if source == name else source
    )
    return Part(name, version, link, license_, url, {**texts, **common(license_)})


def stem(package: str) -> str:
    """libssl3t64 → libssl: what stays when the library gets a new number."""
    return re.sub(r"[\d.+]+", "", package.removesuffix("t64")).rstrip("-")
