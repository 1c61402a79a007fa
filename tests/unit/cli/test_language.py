"""The command line in another language: the same exit codes, the same JSON, and columns that hold."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from hypothesis import example, given
from hypothesis import strategies as st

from agent import lang
from agent.cli import main, pages, tables, voice
from agent.cli.lazy import Lazy

CHINESE = re.compile("[\u4e00-\u9fff]")
BAD = "gateway: {id: gw}\ndevices:\n  - {name: a, driver: sim, intervall: 1s, tags: [{name: t}]}\n"


def run(*words: str, language: str = "zh", answer: str = "") -> Result:
    return CliRunner().invoke(main, ["--lang", language, *words], input=answer)


def every(command: click.Command, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command, click.Group | None]]:
    """Each command below this one, by the words that call it."""
    if isinstance(command, click.Group):
        ctx = click.Context(command)
        for name in command.list_commands(ctx):
            inner = command.get_command(ctx, name)
            assert inner is not None
            yield (*path, name), inner, command
            yield from every(inner, *path, name)


@pytest.fixture
def bad(tmp_path: Path) -> str:
    file = tmp_path / "site.yaml"
    file.write_text(BAD, "utf-8")
    return str(file)


def test_a_problem_keeps_its_place_and_its_values(bad: str) -> None:
    result = run("check", bad)
    assert result.exit_code == 78
    assert result.stderr.startswith(f"{bad}:3:28: ")
    assert "'intervall'" in result.stderr
    assert "unknown key" not in result.stderr
    assert len(CHINESE.findall(result.stderr)) > 5


@pytest.mark.parametrize(
    "words",
    [
        ("chekc",),
        ("check",),
        ("check", "--no-such-option", "x"),
        ("audit", "--last", "many"),
        ("read", "-c", "none.yaml", "x"),
        ("store", "stats", "--data", "none"),
        ("store", "forget", "x", "--data", "none"),  # nobody answers
        ("version",),
        ("--version",),
    ],
)
def test_a_command_ends_with_the_same_code(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    chinese, english = run(*words), run(*words, language="en")
    assert (chinese.exit_code, type(chinese.exception)) == (english.exit_code, type(english.exception))
    assert (chinese.stderr == english.stderr) is (english.exit_code == 0)


def test_json_is_the_same(bad: str) -> None:
    chinese, english = run("check", bad, "--json"), run("check", bad, "--json", language="en")
    assert chinese.stdout == english.stdout
    assert "unknown key" in json.loads(chinese.stdout)["problems"][0]["message"]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_the_letters_is_spoken_to_in_english(encoding: str) -> None:
    environ = {**os.environ, "PYTHONIOENCODING": encoding, "FLOORGATE_LANG": "zh"}
    told = subprocess.run(
        [sys.executable, "-m", "agent", "--help"], env=environ, capture_output=True, check=True
    ).stdout
    assert b"Show this message and exit." in told


def test_the_locale_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(lang.VARIABLE)
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert CHINESE.search(CliRunner().invoke(main, ["--help"]).output)


def test_a_caller_that_handles_errors_itself_still_gets_them() -> None:
    with pytest.raises(click.UsageError):
        main.main(["--lang", "zh", "chekc"], standalone_mode=False)


def test_a_question_is_asked_in_the_language_and_a_no_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def asks() -> None:
        voice.confirm("Write?")
        voice.echo("nothing was sent", bold=True)

    with lang.speaking("zh"):
        yes, no = (CliRunner().invoke(asks, input=answer) for answer in ("y\n", "n\n"))
        assert CHINESE.search(yes.stderr)
        assert CHINESE.search(yes.stdout)
        assert (yes.exit_code, no.exit_code, no.stdout) == (0, 1, "")


def test_every_command_has_pages_in_the_language() -> None:
    for words, command, group in every(main):
        assert command.context_class is pages.Context, words
        assert isinstance(group, pages.Group), words
        assert group.help_of(words[-1]) == cleandoc(command.help or ""), words
        with lang.speaking("zh"):
            page = command.get_help(pages.Context(command, info_name=words[-1]))
        prose = page.split("--help")[0].split("\n\n")[1]
        assert CHINESE.search(prose), words


def test_a_page_of_commands_loads_none_of_them() -> None:
    look = "import sys; from agent.cli import main; main(['--help'], standalone_mode=False); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout.split()
    assert not {"agent.cli.check", "agent.cli.read", "pydantic", "yaml", "agent.lang.catalogue"} & set(loaded)


def test_a_group_whose_command_has_no_text_still_has_a_page() -> None:
    assert Lazy(package="agent", names=["lang"]).help_of("lang") == ""


def test_the_columns_of_a_page_hold() -> None:
    """A letter may be two columns wide."""
    page = run("audit", "--help").output
    starts = [
        pages.width(line[: match.start()])
        for line in page.split("\n")
        if (match := re.search(r"(?<=  )[\u4e00-\u9fff]", line))
    ]
    options = starts[2:]
    assert len(options) > 5
    assert len(set(options)) == 1
    assert max(map(pages.width, page.split("\n"))) <= 80


@example(text="\u70b9 " + "\u3002" * 9, most=4)
@given(st.text("ab \u70b9\u8868\uff0c\u3002", max_size=200), st.integers(4, 40))
def test_wrapping_keeps_every_letter_within_the_width(text: str, most: int) -> None:
    made = pages.wrapped(text, most)
    assert "".join(made.split()) == "".join(text.split())
    for line in made.split("\n"):
        held = line.rstrip(" \uff0c\u3002")  # what closes a line hangs over, however much it is
        assert pages.width(held) <= most or set(held) <= set("ab")  # one word that is longer


def test_a_line_never_begins_with_what_closes_one() -> None:
    assert pages.wrapped("\u70b9" * 5 + "\u3002" + "\u8868", 10) == "\u70b9" * 5 + "\u3002\n\u8868"


def test_a_table_has_heads_in_the_language_and_its_columns_hold(capsys: pytest.CaptureFixture[str]) -> None:
    with lang.speaking("zh"):
        table = tables.table("Certificates", device="left", value="right")
        table.add_row(tables.cell("press-3"), tables.cell("not active"))
        table.add_row(tables.cell("\u7535\u8868"), tables.cell(7))
        tables.show(table)
    title, heads, _, *rows = capsys.readouterr().out.rstrip("\n").split("\n")
    assert CHINESE.search(title)
    assert CHINESE.search(heads)
    assert CHINESE.search(rows[0])
    assert len({pages.width(row.rstrip()) for row in rows}) == 1


def test_a_group_without_a_command_shows_its_page_and_nothing_else() -> None:
    assert run("pki").output == run("pki", "--help").output


def test_a_shell_is_told_commands_in_the_language_and_none_is_loaded() -> None:
    context = click.Context(main)
    with lang.speaking("zh"):
        told = main.shell_complete(context, "ma")
    assert [(each.value, bool(CHINESE.search(each.help or ""))) for each in told] == [("maps", True)]
    code = "import sys; from agent.cli import main; import click; main.shell_complete(click.Context(main), '')"
    loaded = "print([name for name in sys.modules if name.startswith('agent.cli.p')])"
    ended = subprocess.run([sys.executable, "-c", f"{code}; {loaded}"], capture_output=True, text=True, check=True)
    assert ended.stdout == "['agent.cli.pages']\n"
