"""What the pages say is what the code does: every option, every command, every link."""

import re
import tomllib
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from agent import __version__, registry
from agent.cli import COMMANDS
from tests.house import ROOT, listed

PAGES = [path for path in listed() if path.endswith(".md")]
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)


def options(model: type[BaseModel]) -> Iterator[str]:
    """The keys that a section of the file may have, those of the sections within it included."""
    for name, field in model.model_fields.items():
        yield field.alias or name
        for inner in sections(field.annotation):
            yield from options(inner)


def sections(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from sections(part)


def anchors(page: str) -> set[str]:
    """How a forge names the headings of a page."""
    titles = [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in HEADING.findall(page)]
    return {title if not n else f"{title}-{n}" for i, title in enumerate(titles) for n in [titles[:i].count(title)]}


def links(page: str) -> list[str]:
    """The links to files of ours and to headings."""
    return [target for target in LINK.findall(FENCE.sub("", page)) if not re.match(r"[a-z]+:", target)]


def folder(module: str) -> str:
    return module.replace(".", "/")


@pytest.mark.parametrize("name", registry.DRIVERS)
def test_a_driver_s_page_has_every_option(name: str) -> None:
    """What all of them have may stand on the page that they share."""
    page = (ROOT / folder(registry.DRIVERS[name]) / "README.md").read_text("utf-8")
    shared = {*options(registry.DriverConfig), *options(registry.TagConfig)}
    both = page + (ROOT / "drivers/README.md").read_text("utf-8")
    wanted = options(registry.driver_config(name))
    assert [key for key in wanted if f"`{key}`" not in (both if key in shared else page)] == []


@pytest.mark.parametrize("name", registry.SINKS)
def test_a_sink_s_page_has_every_option(name: str) -> None:
    page = (ROOT / folder(registry.SINKS[name]) / "README.md").read_text("utf-8")
    assert [key for key in options(registry.sink_config(name)) if f"`{key}`" not in page] == []


@pytest.mark.parametrize("kind", [*registry.DRIVERS, *registry.SINKS])
def test_the_first_page_names_every_driver_and_sink(kind: str) -> None:
    assert f"`{kind}`" in (ROOT / "README.md").read_text("utf-8")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_first_page_has_every_command(command: str) -> None:
    assert f"floorgate {command}" in (ROOT / "README.md").read_text("utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    dead = []
    for target in links(text):
        path, _, anchor = target.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        known = anchors(file.read_text("utf-8")) if anchor and file.suffix == ".md" and file.exists() else {anchor}
        if not file.exists() or anchor not in known:
            dead.append(target)
    assert dead == []


def test_the_changelog_has_this_version() -> None:
    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_the_make_targets_that_pages_name_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {name for page in PAGES for name in re.findall(r"`make ([a-z]+)", (ROOT / page).read_text("utf-8"))}
    assert named - targets == set()


def test_links_and_headings_are_found() -> None:
    """Links in code are text, and two headings of one name get two anchors."""
    page = "# A `b`, c\n[x](y.md#z) ![i](i.png) [w](https://e.org) [s](#a-b-c)\n```\n[no](no.md)\n```\n## D\n## D\n"
    assert links(page) == ["y.md#z", "i.png", "#a-b-c"]
    assert anchors(page) == {"a-b-c", "d", "d-1"}


def test_options_are_found_in_nested_sections() -> None:
    assert {"name", "endpoint", "wave", "period"} <= set(options(registry.driver_config("sim")))


def locked(name: str) -> dict[str, str]:
    """Package to version, as a lock file pins them."""
    text = (ROOT / "packaging" / name).read_text("utf-8")
    return dict(re.findall(r"^([a-z0-9._-]+)==([^\s;]+)", text, re.MULTILINE))


def test_the_lock_files_hold_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    extras = project["project"]["optional-dependencies"]
    runtime = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    runtime += [*extras["fast"], *extras["demo"], *extras["xlsx"]]
    for lock, wanted in (("requirements.txt", runtime), ("requirements-dev.txt", [*extras["dev"], *extras["build"]])):
        names = {match[0].lower().replace("_", "-") for line in wanted if (match := re.match(r"[\w.-]+", line))}
        assert names - set(locked(lock)) == set(), f"{lock} is stale: make lock"


def test_the_development_lock_is_the_runtime_lock_and_more() -> None:
    """`make demo` and `make test` share one environment: neither may change a version under the other."""
    assert locked("requirements.txt").items() <= locked("requirements-dev.txt").items()
