"""An .xlsx as what it is: a zip of XML. Every part is bounded before it is unpacked, and parsed as it streams.

The parts are read with expat alone: a workbook may come from anybody, and a parser that builds trees can be made to
need a hundred times the file. There are no entities, for no spreadsheet program writes a DOCTYPE.
"""

import io
import posixpath
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from xml.parsers import expat

from agent.config.tables.grid import Refused

MAX_ENTRIES = 500
MAX_UNPACKED = {"sheet": 24 << 20, "strings": 8 << 20, "styles": 2 << 20, "workbook": 1 << 20}  # bytes
MAX_ELEMENTS = 700_000  # of one part
MAX_ALL = 1_000_000  # of all parts, one that is read twice counted twice
MAX_DEPTH = 40
MAX_TOKEN = 1 << 20  # bytes of one tag or one comment
CHUNK = 64 << 10
SAVE = "open it in Excel, WPS or LibreOffice, and save it as .xlsx"
ALONE = "copy the table alone into a new workbook"
_OLE = b"\xd0\xcf\x11\xe0"

Begin = Callable[[str, dict[str, str]], None]


@contextmanager
def foreign() -> Iterator[None]:
    """What zip and XML say of a file that no program should have written, as Refused."""
    try:
        yield
    except expat.ExpatError as error:
        raise Refused(f"a part of it is not XML: {error}", SAVE) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, LookupError, RuntimeError, OSError, ValueError) as error:
        raise Refused(f"this is not an .xlsx file, or a damaged one: {error}", SAVE) from error


class Archive:
    """The parts of a workbook. Raises Refused when it is none."""

    def __init__(self, data: bytes) -> None:
        if data.startswith(_OLE):
            raise Refused("this is an old Excel file (.xls), or one with a password", f"{SAVE}, without a password")
        with foreign():
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        entries = self._zip.infolist()
        if len(entries) > MAX_ENTRIES:
            raise Refused(f"it has {len(entries):,} parts, more than {MAX_ENTRIES}", ALONE)
        self._sizes = {info.filename: info.file_size for info in entries}
        self._packed = {info.filename: info.compress_type for info in entries}
        self._elements = 0

    def has(self, name: str) -> bool:
        return name in self._sizes

    def parse(self, name: str, kind: str, reader: "Reader") -> Iterator[None]:
        """Stream one part through `reader`; between two steps it may be asked for what it has so far. Raises
        Refused."""
        most = MAX_UNPACKED[kind]
        size = self._sizes.get(name)
        if size is None:
            raise Refused(f"its part {name[:80]} is missing", SAVE)
        if size > most:
            raise Refused(
                f"its part {name[:80]} has {size >> 20} MB when it is unpacked, at most {most >> 20} are read", ALONE
            )
        if self._packed[name] not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # part 2, clause 7.3.4
            raise Refused(f"its part {name[:80]} is packed as no spreadsheet program does it", SAVE)
        with foreign(), self._zip.open(name) as stream:
            parser = reader.parser()
            fed = 0
            while chunk := stream.read(CHUNK):
                parser.Parse(chunk)
                fed += len(chunk)
                if fed - parser.CurrentByteIndex > MAX_TOKEN:
                    raise Refused(f"its part {name[:80]} has a tag of more than {MAX_TOKEN >> 20} MB", SAVE)
                if self._elements + reader.elements > MAX_ALL:
                    raise Refused(f"it has more than {MAX_ALL:,} elements in all", ALONE)
                yield
            parser.Parse(b"", True)
            self._elements += reader.elements
            yield


class Reader:
    """Gets the elements of one part by their plain names, and the text within them."""

    def __init__(self) -> None:
        self.elements = 0
        self._depth = 0

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""

    def end(self, name: str) -> None:
        """An element ends."""

    def text(self, text: str) -> None:
        """A piece of text."""

    def parser(self) -> Any:
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = _doctype
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self.text
        return parser

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        self.elements += 1
        self._depth += 1
        if self.elements > MAX_ELEMENTS or self._depth > MAX_DEPTH:
            what = f"more than {MAX_ELEMENTS:,} elements" if self._depth <= MAX_DEPTH else "elements too deep"
            raise Refused(f"a part of it has {what}", ALONE)
        self.begin(name.rpartition(":")[2], attributes)

    def _end(self, name: str) -> None:
        self._depth -= 1
        self.end(name.rpartition(":")[2])


def _doctype(*_: object) -> None:
    raise Refused("a part of it has a DOCTYPE, as only a trap has", SAVE)


def target(base: str, path: str) -> str:
    """The part that a relationship of the part `base` leads to."""
    return (
        path.lstrip("/") if path.startswith("/") else posixpath.normpath(posixpath.join(posixpath.dirname(base), path))
    )
