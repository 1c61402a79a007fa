"""What may lie where a configuration should: too large, too deep, no text, made to hurt."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.sim.bad_tables import TABLES

GOOD = (
    "gateway: {id: gw}\n"
    "devices: [{name: m, driver: modbus, endpoint: tcp://127.0.0.1, tags: [{name: a, address: 0}]}]\n"
    "sinks: [{name: s, type: mqtt, url: 'mqtt://h', username: u, password: '${HOME}'}]\n"
)
DEVICE = "gateway: {id: gw}\ndevices:\n  - {name: m, driver: modbus, endpoint: tcp://127.0.0.1, "
WITH_MAP = DEVICE + "map: ./m.yaml}\n"
MEGABYTE = 1_000_000
MAP = "device: {vendor: v, model: m}\ndriver: modbus\ntags:\n"


@dataclass(frozen=True, slots=True)
class Case:
    """What the site file holds, what else lies beside it, and a part of what must be said."""

    said: str
    site: Callable[[], str | bytes]
    beside: Callable[[Path], None] = lambda _: None


def put(name: str, folder: Path) -> tuple[Path, Path]:
    """A site that is right, and the case, each in a folder of its own; CASES has the names."""
    paths = []
    for kind, content in (("good", GOOD), ("bad", CASES[name].site())):
        (folder / kind).mkdir()
        path = folder / kind / "site.yaml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        paths.append(path)
    CASES[name].beside(folder / "bad")
    return paths[0], paths[1]


def _laughs() -> str:
    first = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
    return first + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30))


def _listed(item: str, size: int = MEGABYTE) -> str:
    return "gateway: {id: gw}\ndevices: [" + f"{item}," * (size // (len(item) + 1)) + "]\n"


def _tags(tag: str) -> Callable[[], str]:
    """As many tags as go into the file; {n} is the number of each."""

    def made() -> str:
        count = MEGABYTE // (len(tag) + 4 + 6 * tag.count("@"))
        return f"{DEVICE}tags: [{','.join(tag.replace('@', str(n)) for n in range(count))}]}}\n"

    return made


def _map(rest: Callable[[], str]) -> Callable[[Path], None]:
    return lambda folder: (folder / "m.yaml").write_text(MAP + rest()) and None


def _parts(folder: Path) -> None:
    (folder / "conf.d").mkdir()
    for number in range(6):
        (folder / "conf.d" / f"{number}.yaml").write_text(f"devices: [{'{},' * (MEGABYTE // 3 - 10)}]\n")


def _secret(folder: Path) -> None:
    (folder / "secret").write_text("hush")
    (folder / "secret").chmod(0o666)


CASES = {
    "billion laughs": Case("aliases (*) stand for more than", _laughs),
    "aliases of tags": Case(
        "aliases (*) stand for more than",
        lambda: f"{DEVICE}tags: [&a {{name: a, address: 0}}, {'*a, ' * (MEGABYTE // 4)}]}}\n",
    ),
    "as many aliases as there may be": Case(
        "two tags are named 'a'", lambda: f"{DEVICE}tags: [&a {{name: a, address: 0}}, {'*a, ' * 19_000}]}}\n"
    ),
    "keys twice": Case("the key 'a' is written twice", lambda: "a: 1\n" * (MEGABYTE // 5)),
    "five megabytes": Case("larger than 1024 KB", lambda: "#" * 5 * MEGABYTE),
    "a map of five megabytes": Case(
        "larger than", lambda: DEVICE + "map: ./m.yaml}\n", _map(lambda: "#" * 5 * MEGABYTE)
    ),
    "random bytes": Case("", lambda: os.urandom(MEGABYTE)),
    "zeros": Case("this is a binary file", lambda: bytes(MEGABYTE)),
    "UTF-16": Case("this is UTF-16 text", lambda: GOOD.encode("utf-16")),
    "GBK": Case("this looks like GBK", lambda: ("# 主表、一号车间\n" * (MEGABYTE // 20) + GOOD).encode("gb18030")),
    "lists in a list": Case("there is too much in this file", lambda: _listed("[]")),
    "mappings in a list": Case("there is too much in this file", lambda: _listed("{}")),
    "numbers in a list": Case("there is too much in this file", lambda: _listed("1")),
    "a long list of numbers": Case("devices[0]: must be a mapping", lambda: _listed("1", 700_000)),
    "a long list of mappings": Case("driver is missing", lambda: _listed("{}", 220_000)),
    "different numbers": Case(
        "devices[0]: must be a mapping",
        lambda: f"gateway: {{id: gw}}\ndevices: [{','.join(map(str, range(140_000)))}]\n",
    ),
    "a long text": Case("unknown key", lambda: GOOD + "x: '" + "a" * MEGABYTE + "'\n"),
    "a long key": Case("a key without ':'", lambda: GOOD + "a" * MEGABYTE + ": 1\n"),
    "deep": Case("nested deeper", lambda: "[" * MEGABYTE),
    "tags without an address": Case("address is missing", _tags("{name: t@}")),
    "tags with unknown keys": Case("unknown key 'desc'", _tags("{name: t@, address: 1, desc: 1}")),
    "tags of one name": Case("two tags are named", _tags("{name: t, address: 1, description: 'a rather long text'}")),
    "tags of a group that is not": Case(
        "there is no group", _tags("{name: t@, address: 1, group: g@, description: 'a text'}")
    ),
    "groups": Case(
        "a mapping has more than 5,000 keys",
        lambda: f"{DEVICE}groups: {{{','.join(f'g{n}: {n}' for n in range(60_000))}}}, tags: [{{}}]}}\n",
    ),
    "keys of a device": Case("has no tags", lambda: DEVICE + ",".join(f"k{n}: 1" for n in range(4_000)) + "}\n"),
    "more keys of a device": Case(
        "a mapping has more than 5,000 keys", lambda: DEVICE + ",".join(f"k{n}: 1" for n in range(90_000)) + "}\n"
    ),
    "sinks": Case("type is missing", lambda: GOOD.partition("sinks")[0] + "sinks: [" + "{}," * 70_000 + "]\n"),
    "calendars": Case(
        "a mapping has more than 5,000 keys",
        lambda: GOOD + "calendars: {" + ",".join(f"c{n}: {{}}" for n in range(70_000)) + "}\n",
    ),
    "a map of mappings": Case("", lambda: WITH_MAP, _map(lambda: "  - {}\n" * (MEGABYTE // 7))),
    "parts that are too much together": Case("there is too much in this file", lambda: GOOD, _parts),
    "a device as a map": Case("is no device map", lambda: DEVICE + "map: /dev/zero}\n"),
    "a secret that everybody can write": Case(
        "others can write it (mode 0666)", lambda: GOOD.replace("'${HOME}'", "file:secret"), _secret
    ),
}


def _table(file: str, said: str, made: Callable[[], bytes]) -> Case:
    def beside(folder: Path) -> None:
        (folder / file).write_bytes(made())

    return Case(said, lambda: f"{DEVICE}map: ./{file}}}\n", beside)


CASES |= {name: _table(*each) for name, each in TABLES.items()}
