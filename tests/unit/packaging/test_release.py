"""One version everywhere, and a changelog in order."""

import re
from datetime import date
from itertools import pairwise

import context
from agent import __version__
from tests.house import ROOT

CHANGELOG = (ROOT / "CHANGELOG.md").read_text("utf-8")
HEADINGS = re.findall(r"^## (.+)$", CHANGELOG, re.MULTILINE)


def test_packages_have_the_version_of_the_agent() -> None:
    assert context.version() == __version__ and re.fullmatch(r"\d+\.\d+\.\d+(rc\d+)?", __version__)


def test_the_changelog_begins_with_what_is_unreleased_and_goes_on_with_this_version() -> None:
    assert HEADINGS[0] == "[Unreleased]" and HEADINGS[1].startswith(f"[{__version__}] - ")


def test_versions_of_the_changelog_go_down_and_have_a_date() -> None:
    """The newest may be unreleased."""
    found = [re.fullmatch(r"\[(\d+)\.(\d+)\.(\d+)(?:rc\d+)?\] - (\S+)", heading) for heading in HEADINGS[1:]]
    versions = [tuple(map(int, each.groups()[:3])) for each in found if each]
    days = [each[4] for each in found if each]
    assert len(versions) == len(HEADINGS) - 1 and all(newer > older for newer, older in pairwise(versions))
    dated = [date.fromisoformat(day) for day in days if day != "unreleased"]
    assert dated == sorted(dated, reverse=True) and "unreleased" not in days[1:]


def test_sections_are_those_of_keep_a_changelog() -> None:
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.+)$", CHANGELOG, re.MULTILINE)) <= kinds
