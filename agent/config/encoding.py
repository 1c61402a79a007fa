"""What a file that is not UTF-8 text probably is, for people: an editor on Windows writes GBK, or UTF-16."""

import codecs
import re

Said = tuple[str, str]  # message and hint

_LOOK = 64 << 10  # bytes that are looked at
_MAGIC = {
    b"PK\x03\x04": "an .xlsx or .zip file",
    b"\xd0\xcf\x11\xe0": "an old Office file",
    b"\x1f\x8b": "a gzip file",
    b"%PDF": "a PDF",
    b"SQLite format 3": "a database",
    b"\x7fELF": "a program",
}
_UTF32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_CHINESE = re.compile("[\u4e00-\u9fff\u3000-\u303f\uff00-\uffef\u2010-\u2027]")
SAVE = "save the file as UTF-8"


def not_text(data: bytes) -> Said | None:
    """What to say of data that is no UTF-8 text, whatever its bytes would mean in it; None where it may be."""
    kind = next((kind for magic, kind in _MAGIC.items() if data.startswith(magic)), "")
    if kind:
        return f"this is {kind}, not YAML", "name a text file"
    if data.startswith(_UTF32):
        return "this is UTF-32 text", SAVE
    if data.startswith(_UTF16):
        return "this is UTF-16 text", SAVE
    head = data[:_LOOK]
    if b"\0" not in head:
        return None
    halves = head[::2].count(0), head[1::2].count(0)
    if max(halves) * 4 > len(head) and min(halves) * 20 < len(head):  # every other byte, as Latin letters have it
        return "this looks like UTF-16 text", SAVE
    return "this is a binary file, not YAML", "name a text file"


def not_utf8(data: bytes, at: int) -> Said:
    """What to say of text whose byte number `at` cannot be in UTF-8.

    GBK is recognised by its pairs of high bytes, where European text has one here and there, and by what they mean.
    """
    begin = max(data.rfind(b"\n", 0, at), 0)
    text = data[begin : begin + _LOOK].rpartition(b"\n")[0] or data[begin : begin + _LOOK]
    runs = re.findall(rb"[\x80-\xff]+", text)
    try:
        foreign = re.sub(r"[\x00-\x7f]", "", text.decode("gb18030"))
    except UnicodeDecodeError:
        foreign = ""
    pairs = sum(len(run) % 2 == 0 for run in runs)
    if foreign and pairs * 10 >= len(runs) * 7 and len(_CHINESE.findall(foreign)) * 10 >= len(foreign) * 9:
        return "this looks like GBK (GB18030)", f"{SAVE}: iconv -f GB18030 -t UTF-8"
    return "this is not UTF-8 text", SAVE
