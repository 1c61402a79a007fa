"""`python -m tests.lang`: what the catalogues lack; with `--write`, bring them up to date with the source first."""

import sys
from collections.abc import Iterator

from agent.lang import path
from agent.lang.po import Entry, entries
from tests.lang.catalogues import ENGLISH_CATALOGUE, TRANSLATED, english, faults, translated
from tests.lang.extract import from_source


def _catalogue(language: str) -> Iterator[Entry]:
    return entries(path(language).read_text("utf-8"))


def main() -> int:
    found = from_source()
    if "--write" in sys.argv[1:]:
        ENGLISH_CATALOGUE.write_text(english(found), "utf-8")
        for language in TRANSLATED:
            path(language).write_text(translated(found, language), "utf-8")
    wrong = [f"{language}: {fault}" for language in TRANSLATED for fault in faults(found, _catalogue(language))]
    for line in wrong:
        print(line)
    print(f"{len(found):,} messages, {len(wrong):,} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
