"""Device maps that are tables, made to hurt: packed too well, too many of everything, no text, or no table at all."""

import io
import random
import zipfile
from collections.abc import Callable
from functools import partial

MEGABYTE = 1_000_000
TITLES = b"name,address,enum\n"
DEEP = b"[" * 20 + b"]" * 20
_PARTS = {
    "_rels/.rels": '<Relationships><Relationship Type="x/officeDocument" Target="xl/book.xml"/></Relationships>',
    "xl/book.xml": '<workbook xmlns:r="r"><sheets><sheet name="tags" r:id="s"/></sheets></workbook>',
    "xl/_rels/book.xml.rels": '<Relationships><Relationship Id="s" Type="x/worksheet" Target="1.xml"/></Relationships>',
}  # fmt: skip
_ROWS = b'<row><c t="str"><v>name</v></c><c t="str"><v>address</v></c></row><row><c t="str"><v>a</v></c></row>'


def book(more: bytes, head: bytes = b"") -> bytes:
    """A workbook whose one sheet goes on with `more`, beside noise by which nothing looks packed too well."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _PARTS.items():
            archive.writestr(name, content)
        archive.writestr("xl/1.xml", head + b"<worksheet><sheetData>" + _ROWS + more + b"</sheetData></worksheet>")
        archive.writestr("xl/media/noise.png", random.Random(1).randbytes(2 * MEGABYTE))
    return out.getvalue()


LAUGHS = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'
TABLES: dict[str, tuple[str, str, Callable[[], bytes]]] = {  # file, what must be said, and what is in it
    "a table of five megabytes": ("m.csv", "larger than", lambda: b"name,address\n" + b"x,1\n" * (MEGABYTE * 5 // 4)),
    "a table of one line": ("m.csv", "a line is longer than", lambda: b"name,address\n" + b"," * 3 * MEGABYTE),
    "a table of too many lines": ("m.csv", "more than 100,000 lines", lambda: b"name,address\n" + b"x,1\n" * 200_000),
    "a table of too many rows": ("m.csv", "more than 20,000 rows", lambda: b"name,address\n" + b"x,1\n" * 90_000),
    "a table with an open quote": ("m.csv", "cannot be taken apart", lambda: b'name,address\n"a' + b"xxxx\n" * 60_000),
    "a table of zeros": ("m.csv", "this is a binary file", partial(bytes, MEGABYTE)),
    "a table in GBK": ("m.csv", "this is GBK", lambda: ("名称,地址\n" + "电压,1\n" * 200_000).encode("gb18030")),
    "a table of formulas": ("m.csv", "looks like a formula", lambda: b"name,address\n" + b"=A1,=B1\n" * 19_000),
    "a table of broken YAML": ("m.csv", "a value is missing", lambda: TITLES + b"a,1,{1: [}\n" * 19_000),
    "a table of deep YAML": (
        "m.csv",
        "too much in braces and brackets",
        lambda: TITLES + b"".join(b"a%d,1,%s\n" % (n, DEEP) for n in range(19_000)),
    ),
    "a workbook of nothing but rows": ("m.xlsx", "more than 700,000 elements", lambda: book(b"<row/>" * 3_000_000)),
    "a workbook of one row": ("m.xlsx", "more than 700,000 elements", lambda: book(b"<row>" + b"<c/>" * 800_000)),
    "a workbook that is unpacked": ("m.xlsx", "MB when it is unpacked", lambda: book(b" " * 30 * MEGABYTE)),
    "a workbook that is deep": ("m.xlsx", "elements too deep", lambda: book(b"<q>" * MEGABYTE)),
    "a workbook with one long tag": ("m.xlsx", "a tag of more than 1 MB", lambda: book(b'<q a="' + b"x" * (9 << 20))),
    "a workbook with a row far down": ("m.xlsx", "a sheet ends at", lambda: book(b'<row r="9999999999999"/>')),
    "a workbook of entities": ("m.xlsx", "has a DOCTYPE", lambda: book(b"<row><c><v>&c;</v></c></row>", LAUGHS)),
    "a workbook of noise": ("m.xlsx", "this is not an .xlsx file", partial(random.Random(1).randbytes, 3 * MEGABYTE)),
}  # fmt: skip
