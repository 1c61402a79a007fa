"""What an .xlsx is made of, looked at before anything parses it: a zip of XML, bounded, without entities."""

import io
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from xml.etree import ElementTree as ET
from xml.parsers import expat

from agent.config.tables.grid import Refused

MAX_ENTRIES = 500
MAX_SHEET = 24 << 20  # bytes of XML, unpacked
MAX_SHARED = 8 << 20
MAX_OTHER = 2 << 20
MAX_CELLS = 600_000
MAX_RATIO = 200  # of unpacked to packed, where it is much
_LARGE = 1 << 20
_SAVE = "open it in Excel, WPS or LibreOffice, and save it as .xlsx"
_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_STRICT = "{http://purl.oclc.org/ooxml/spreadsheetml/main}"
_MERGED = re.compile(rb"<(?:\w+:)?mergeCell\s[^>]*?ref=\"([A-Z]{1,3}[0-9]{1,7}:[A-Z]{1,3}[0-9]{1,7})\"")
_OLE = b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True, slots=True)
class Part:
    """A sheet: its name, whether people see it, and the ranges of its merged cells, such as A2:A9."""

    name: str
    hidden: bool
    merged: tuple[str, ...]


def parts(data: bytes) -> list[Part]:
    """The sheets of a workbook that is safe to parse. Raises Refused for everything else."""
    if data.startswith(_OLE):
        raise Refused("this is an old Excel file (.xls), or one with a password", f"{_SAVE} without a password")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _is_bounded(archive, len(data))
            return _sheets({info.filename: archive.read(info) for info in archive.infolist() if _counts(info.filename)})
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        raise Refused(f"this is not an .xlsx file, or a damaged one: {error}", _SAVE) from error
    except (expat.ExpatError, ET.ParseError) as error:
        raise Refused(f"a part of it is not XML: {error}", _SAVE) from error
    except (KeyError, LookupError) as error:
        raise Refused(f"a part of it is missing: {error}", _SAVE) from error


def _is_bounded(archive: zipfile.ZipFile, packed: int) -> None:
    entries = archive.infolist()
    total = sum(info.file_size for info in entries if _counts(info.filename))
    if len(entries) > MAX_ENTRIES:
        raise Refused(f"it has {len(entries):,} parts, more than {MAX_ENTRIES}", "copy the table into a new workbook")
    if len({info.filename for info in entries}) < len(entries):
        raise Refused("two of its parts have the same name", _SAVE)
    for info in entries:
        name = info.filename
        most = MAX_SHEET if "/worksheets/" in name else MAX_SHARED if name.endswith("sharedStrings.xml") else MAX_OTHER
        if _counts(name) and info.file_size > most:
            what = f"its part {name[:60]} has {info.file_size >> 20} MB unpacked, more than {most >> 20} MB"
            raise Refused(what, "copy the table alone into a new workbook")
    if total > MAX_SHEET + MAX_SHARED or (total > _LARGE and total > packed * MAX_RATIO):
        raise Refused(f"it is {total >> 20} MB when it is unpacked", "copy the table alone into a new workbook")


def _counts(name: str) -> bool:
    """Whether a part is read at all: pictures are not."""
    return name.endswith((".xml", ".rels"))


def _sheets(files: Mapping[str, bytes]) -> list[Part]:
    for name, content in files.items():
        _has_no_doctype(name, content)
    rels = ET.fromstring(files["xl/_rels/workbook.xml.rels"])  # noqa: S314  # no DOCTYPE: it was looked for
    targets = {each.get("Id"): str(each.get("Target", "")) for each in rels}
    found: list[Part] = []
    for sheet in _children(ET.fromstring(files["xl/workbook.xml"]), "sheets"):  # noqa: S314  # as above
        target = next((targets[value] for key, value in sheet.items() if key.endswith("}id") and value in targets), "")
        path = target.lstrip("/") if target.startswith("/") else str(PurePosixPath("xl") / target)
        content = files.get(path, b"")
        if content.count(b"<c ") + content.count(b":c ") + content.count(b"<c>") + content.count(b"<c/") > MAX_CELLS:
            raise Refused(f"a sheet has more than {MAX_CELLS:,} cells", "copy the table alone into a new workbook")
        merged = tuple(each.decode("ascii") for each in _MERGED.findall(content))
        found.append(Part(sheet.get("name", ""), sheet.get("state", "visible") != "visible", merged))
    return found


def _children(root: Any, name: str) -> Any:
    for namespace in (_MAIN, _STRICT):
        found = root.find(f"{namespace}{name}")
        if found is not None:
            return found
    raise Refused("it has no sheets", _SAVE)


class _Begun(Exception):
    """The first element: no DOCTYPE can follow."""


def _has_no_doctype(name: str, content: bytes) -> None:
    """Entities need a DOCTYPE, and no spreadsheet program writes one. Raises Refused."""
    parser = expat.ParserCreate()

    def doctype(*_: object) -> None:
        raise Refused(f"its part {name[:60]} has a DOCTYPE, as only a trap has", _SAVE)

    def begun(*_: object) -> None:
        raise _Begun

    parser.StartDoctypeDeclHandler = doctype
    parser.StartElementHandler = begun
    try:
        parser.Parse(content[: 64 << 10], False)  # more follows
    except _Begun:
        return
    raise Refused(f"its part {name[:60]} does not begin as XML", _SAVE)
