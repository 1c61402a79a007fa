"""What the patterns of a device found on its server, kept in a file, so that a start needs no server to know its tags.

A found node is pinned: its name, its type and its place among the columns stay, whether the server still has it or
not, as long as a pattern of the device means it. So columns only grow, and never because a server was in a bad mood.
The file, `browse/DEVICE.found.jsonl` in the data directory, has one node a line. A line that makes no sense costs that
node alone, which the next walk finds again.
"""

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

import msgspec

from agent.model.tag import DType
from agent.model.text import is_name
from drivers.api import DriverConfig, TagConfig
from drivers.browsing import Place
from drivers.finding import Kept
from drivers.opcua.config import Config, Tag
from drivers.opcua.files import locked, make_folder, write
from drivers.opcua.globs import Glob, glob
from drivers.opcua.naming import Names, formed, path, shown, tag_names
from drivers.opcua.roots import HERE
from drivers.opcua.spots import locate

MOST = 10_000  # nodes that the patterns of one device may find
LARGEST = 64 << 20  # bytes of a file that is looked into
LONGEST_UNIT = 32
FORMAT = 1  # of the file, which has no first line that says so
_FORMAT = re.compile(rb'\{"format": ?([0-9]{1,9})\b')


@dataclass(frozen=True, slots=True)
class Pin:
    """A found node. `path` are the names on the way to it from `start`: its device's root, or empty for Objects."""

    name: str
    node: str
    type: DType
    path: Names
    match: str
    unit: str = ""
    start: str = ""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A tag of the file that stands for many. `start` is as in `Pin`."""

    tag: Tag
    glob: Glob
    start: str

    def named(self, names: Names, otherwise: str) -> str:
        """The name of the node at the end of this path."""
        if not self.tag.name:
            return otherwise
        return formed(self.tag.name, self.glob.captures(names) or ("",) * self.glob.wildcards, names)


@dataclass(frozen=True, slots=True)
class Hit:
    """A node that a pattern means, as it was just found: number `at` of `found`."""

    pattern: Pattern
    found: Sequence[Place]
    at: int

    @property
    def place(self) -> Place:
        return self.found[self.at]

    @property
    def names(self) -> Names:
        return path(self.found, self.at)


class TooMany(Exception):
    """The patterns of a device find more nodes than it may have."""


_decode = msgspec.json.Decoder(Pin).decode
_encode = msgspec.json.encode


def kept(config: DriverConfig, data: Path | None) -> Kept:
    """See `drivers.finding.Kept`."""
    if not isinstance(config, Config) or not patterns(config):
        return Kept(getattr(config, "tags", ()))
    pins = Pins(config, data)
    tags: list[TagConfig] = [*pins.named, *pins.tags]
    return Kept(tags, len(pins.patterns), len(pins.tags), tuple(pins.remarks))


def patterns(config: Config) -> list[Pattern]:
    """The tags of a device that stand for many."""
    return [
        Pattern(tag, glob(tag.match), config.root if tag.match.startswith(HERE) else "")
        for tag in config.tags
        if tag.match
    ]


class Pins:
    """`named` are the tags that the file lists beside patterns, `tags` those that were found, in the order of their
    columns; a device without a pattern has neither.

    `remarks` is what a person should hear of; whoever says it empties it. `saved` says whether the file has it all.
    """

    def __init__(self, config: Config, data: Path | None) -> None:
        self.patterns = patterns(config)
        self.named = [tag for tag in config.tags if not tag.match] if self.patterns else []
        self._by_text = {(each.start, each.tag.match): each for each in self.patterns}
        self.path = data / "browse" / f"{config.name}.found.jsonl" if data and self.patterns else None
        self.tags: list[Tag] = []
        self.remarks: list[str] = []
        self._pins: dict[str, Pin] = {}  # by their nodes
        self._names = {tag.name: tag.node for tag in self.named} if self.patterns else {}
        self._listed = {tag.node for tag in self.named} if self.patterns else set()
        self._stamp: tuple[int, int, int] | None = None
        self._damaged = self._newer = False
        self.saved = True
        self.refresh()

    def __len__(self) -> int:
        return len(self._pins)

    def knows(self, node: str) -> bool:
        """Whether a tag of the device is this node."""
        return node in self._pins or node in self._listed

    def missed(self) -> list[Pattern]:
        """The patterns that mean no node."""
        met = {id(self._meant(pin)) for pin in self._pins.values()}
        return [each for each in self.patterns if id(each) not in met]

    def refresh(self) -> bool:
        """Take up what another process has put into the file; whether there are tags now that were not there before."""
        if self.path is None:
            return False
        try:
            about = self.path.stat()
            before, self._stamp = self._stamp, _stamp(about)
            if before == self._stamp:
                return False
            if not S_ISREG(about.st_mode) or about.st_size > LARGEST:
                self._is_damaged("is no file of found nodes")
                return False
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return False
        except OSError as error:
            self.remarks.append(f"{self.path}: {error.strerror}: nodes that were found before are not known")
            return False
        return bool(self._take(self._read([] if self._is_newer(lines) else lines)))

    def add(self, hits: Sequence[Hit]) -> list[Tag]:
        """Pin what is new among these; the tags that come of it. Raises TooMany, and then takes none."""
        fresh: dict[str, Hit] = {}
        for hit in hits:
            if not self.knows(hit.place.address):
                fresh.setdefault(hit.place.address, hit)
        if len(self._pins) + len(fresh) > MOST:
            often = Counter(hit.pattern.tag.match for hit in hits)
            match, count = often.most_common(1)[0]
            raise TooMany(f"its patterns find more than {MOST:,} nodes, {match!r} alone {count:,}")
        self._compare(hits)
        names = self._named(list(fresh.values()))
        self.saved = self.saved and not fresh
        return self._take(
            Pin(name, node, _type(hit.place), hit.names, hit.pattern.tag.match, hit.place.unit, hit.pattern.start)
            for (node, hit), name in zip(fresh.items(), names, strict=True)
        )

    def save(self) -> bool:
        """Write the file anew, with what another process has put there; whether that was anything. Raises OSError."""
        if self.path is None or self._newer:
            self.saved = True
            return False
        make_folder(self.path.parent.parent)
        make_folder(self.path.parent)
        with locked(self.path.with_suffix(".lock")):
            grown = self.refresh()
            if self._damaged and self.path.exists():
                self.path.replace(self.path.with_suffix(".damaged"))
            write(self.path, b"".join(_encode(pin) + b"\n" for pin in self._pins.values()))
            self.saved, self._damaged = True, False
            self._stamp = _stamp(self.path.stat())
        return grown

    def _read(self, lines: Sequence[bytes]) -> list[Pin]:
        """The pins in these lines that a pattern of the device still means."""
        found: list[Pin] = []
        wrong = 0
        for line in lines:
            try:
                pin = _decode(line)
                _check(pin)
            except (msgspec.MsgspecError, ValueError):
                wrong += 1
            else:
                found.append(pin)
        if wrong:
            self._is_damaged(f"{wrong:,} of {len(lines):,} lines make no sense")
        return [pin for pin in found[:MOST] if self._meant(pin) is not None]

    def _is_newer(self, lines: Sequence[bytes]) -> bool:
        """A file that a newer version has written says its format in the first line, and stays as it is."""
        match = _FORMAT.match(lines[0]) if lines else None
        self._newer = match is not None and int(match[1]) > FORMAT
        if self._newer and match:
            what = f"{self.path}: a newer floorgate has written it in format {int(match[1])}"
            self.remarks.append(f"{what}: the server is asked again, and what it has is not kept")
        return self._newer

    def _is_damaged(self, what: str) -> None:
        self._damaged = True
        self.remarks.append(f"{self.path}: {what}: the server is asked again for what is missing")

    def _meant(self, pin: Pin) -> Pattern | None:
        """The pattern by which it was pinned, or else the first that means it now."""
        own = self._by_text.get((pin.start, pin.match))
        there = (each for each in self.patterns if each.start == pin.start)
        return own or next((each for each in there if each.glob.captures(pin.path) is not None), None)

    def _take(self, pins: Iterable[Pin]) -> list[Tag]:
        """Put them at the end; the tags that come of them. A name that is taken stays with who has it."""
        made: list[Tag] = []
        twins: list[str] = []
        for pin in pins:
            pattern = self._meant(pin)
            if pattern is None or self.knows(pin.node):
                continue
            self._pins[pin.node] = pin
            name = pattern.named(pin.path, pin.name)
            if name in self._names:
                twins.append(f"{pin.node} would be {name}, as {self._names[name]} is")
                continue
            self._names[name] = pin.node
            made.append(_tag(pattern.tag, name, pin))
        if twins:
            self.remarks.append(
                f"{len(twins):,} found nodes are left out, for their names are taken: {shown(twins)}; "
                "have the pattern's `name` tell them apart ({1}, {2}), or list them with names of their own"
            )
        self.tags += made
        return made

    def _named(self, hits: Sequence[Hit]) -> list[str]:
        """A name for each: as its pattern says, or else its node's own with as much of the way as tells it apart."""
        told = {at: hit.pattern.named(hit.names, "") for at, hit in enumerate(hits) if hit.pattern.tag.name}
        own = [at for at in range(len(hits)) if at not in told]
        others = {*self._names, *told.values(), *(pin.name for pin in self._pins.values())}
        told.update(zip(own, tag_names([hits[at].names for at in own], others), strict=True))
        return [told[at] for at in range(len(hits))]

    def _compare(self, hits: Sequence[Hit]) -> None:
        """Types that have changed are told; what is pinned stays as it is."""
        others = [
            f"{pin.name} is {hit.place.type} now, {pin.type} before"
            for hit in hits
            if (pin := self._pins.get(hit.place.address)) and pin.type != hit.place.type and not hit.pattern.tag.type
        ]
        if others:
            self.remarks.append(
                f"{len(others):,} found nodes have another type: {shown(others)}; "
                f"to take it up stop the agent and delete their lines in {self.path}"
            )


def _tag(pattern: Tag, name: str, pin: Pin) -> Tag:
    """What the file says of all that a pattern finds, for one of them."""
    own: Mapping[str, object] = {"name": name, "node": pin.node, "match": ""}
    found = {"type": pattern.type or pin.type, "unit": pattern.unit or pin.unit}
    return pattern.model_copy(update={**own, **found})


def _stamp(about: os.stat_result) -> tuple[int, int, int]:
    """Changes whenever the file does."""
    return about.st_ino, about.st_mtime_ns, about.st_size


def _type(place: Place) -> DType:
    return place.type  # type: ignore[return-value]  # of a place that can be a tag


def _check(pin: Pin) -> None:
    """Whether it may be a tag. Raises ValueError."""
    if not is_name(pin.name) or len(pin.unit) > LONGEST_UNIT or not pin.path:
        raise ValueError(f"{pin.name!r} cannot be a tag")
    locate(pin.node)
