"""The step `licenses`: the licences of all that is shipped, in one text: a table, notes, and each text once."""

import re
import textwrap
from collections.abc import Iterable, Iterator

import parts
import sbom
from context import Context, Failure
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from parts import RULES, Part

WIDTH = 120
_LINE = "=" * WIDTH


def step(context: Context) -> None:
    """Write it. Raises Failure with the names of parts that have no text, or a licence that may not be shipped."""
    found = sbom.inventory(context)
    made = context.build / "licenses.txt"
    made.write_text(text(found.others, context.version, (context.root / "LICENSE").read_text("utf-8")), "utf-8")
    context.publish(made, f"floorgate-{context.version}-licenses.txt")


def text(found: list[Part], version: str, own: str) -> str:
    wrong = [*refused(found), *silent(found)]
    if wrong:
        raise Failure("; ".join(wrong), hint="leave it out, or look at its licence and at packaging/licenses.toml")
    return "\n".join(
        [
            f"Floorgate {version} and what it is shipped with: the licences",
            "",
            "Floorgate is under the Apache License 2.0, which is the first of the texts below. The parts of others:",
            "",
            *_table(found),
            "",
            *(
                line
                for note in RULES["notes"]
                for line in [*textwrap.wrap(f"* {note}", WIDTH, subsequent_indent="  "), ""]
            ),
            *_texts([("Floorgate", own), *_given(found), *_worded(found)]),
        ]
    )


def refused(found: Iterable[Part]) -> Iterator[str]:
    """What is under a licence that we may not ship, or under none that has a name."""
    for part in _all(found):
        if not part.license or not passes(part.license):
            under = part.license or "no licence that we know"
            yield f"{part.name} {part.version} is under {under}, which is not allowed"


def silent(found: Iterable[Part]) -> Iterator[str]:
    """What has to come with its text, and brings none."""
    return (f"{part.name} {part.version} brings no text of its licence" for part in found if not part.texts)


def passes(expression: str) -> bool:
    """Whether it lets us choose something that is allowed. Not SPDX at all: False."""
    try:
        words = re.findall(r"[()]|[^()\s]+", canonicalize_license_expression(expression))
    except InvalidLicenseExpression:
        return False
    return _either(words)


def _either(words: list[str]) -> bool:
    """SPDX: WITH binds closest, then AND, then OR (SPDX 2.3, annex D)."""
    passed = _both(words)
    while words and words[0] == "OR":
        del words[0]
        passed |= _both(words)
    return passed


def _both(words: list[str]) -> bool:
    passed = _single(words)
    while words and words[0] == "AND":
        del words[0]
        passed &= _single(words)
    return passed


def _single(words: list[str]) -> bool:
    word = words.pop(0)
    if word == "(":
        passed = _either(words)
        words.pop(0)  # the bracket that closes
        return passed
    if words and words[0] == "WITH":
        word = f"{word} WITH {words[1]}"
        del words[:2]
    return word in RULES["allowed"]


def _all(found: Iterable[Part]) -> Iterator[Part]:
    for part in found:
        yield part
        yield from _all(part.holds)


def _table(found: list[Part]) -> Iterator[str]:
    for part in found:
        yield f"{part.name:<34}{part.version:<26}{part.license}"
        for inner in part.holds:
            yield f"    {inner.name:<30}{inner.version:<26}{inner.license or '-'}"


def _given(found: list[Part]) -> Iterator[tuple[str, str]]:
    """(who it is of, text) of those that came with the parts."""
    for part in found:
        for name, given in part.texts.items():
            yield f"{part.name} {part.version}: {name}", given


def _worded(found: Iterable[Part]) -> Iterator[tuple[str, str]]:
    """Those for which there is only a notice: of C libraries, and of distributions without a text."""
    noticed = [part for part in _all(found) if set(part.texts) == {"copyright"} and not part.purl.startswith("pkg:deb")]
    for part in noticed:
        for name in sorted(set(re.findall(r"[\w.-]+", part.license)) & {*RULES["wording"], *_common()}):
            wording = RULES["wording"].get(name) or parts.COMMON.joinpath(name).read_text("utf-8")
            yield f"{part.name} {part.version}: {part.texts['copyright']}", f"{name}\n{wording}"


def _common() -> set[str]:
    folder = parts.COMMON
    return {each.name for each in folder.iterdir()} if folder.is_dir() else set()


def _texts(told: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Each text once, whoever it is of."""
    owners: dict[str, list[str]] = {}
    for owner, given in told:
        owners.setdefault(given.strip("\n"), []).append(owner)
    for given, names in owners.items():
        yield from (_LINE, *dict.fromkeys(names), _LINE, "", given.replace("\f", "").rstrip(), "")
