"""`${NAME}` and `file:PATH` bring text in, and what they bring in never comes out in a message."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from agent.config.problems import Invalid, Mark, Report
from agent.config.references import MAX_FILE, Expanded, References, Unresolved
from agent.model.text import Referenced

HERE = Mark("f", 1, 1)
DEVICE = "devices: [{name: meter, driver: modbus, endpoint: tcp://127.0.0.1, tags: [{name: a, address: 0}]}]\n"
SINK = "sinks: [{name: p, type: mqtt, url: 'mqtt://h', username: u, password: "


def expand(text: str, env: dict[str, str], folder: Path = Path("/nowhere")) -> tuple[str, list[str]]:
    report = Report()
    value = References(env, folder, report)(text, HERE)
    try:
        report.settle()
    except Invalid as error:
        return value, [str(problem) for problem in error.problems]
    return value, []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${A}", "one"),
        ("x-${A}-${B}-${A}", "x-one-two-one"),
        ("${EMPTY}", ""),
        ("$${A}", "${A}"),
        ("$${A} ${A}", "${A} one"),
        ("${LOOP}", "${A}"),
    ],
)
def test_a_variable_is_replaced_once(text: str, value: str) -> None:
    assert expand(text, {"A": "one", "B": "two", "EMPTY": "", "LOOP": "${A}"}) == (value, [])


def test_only_text_from_elsewhere_is_referenced() -> None:
    assert isinstance(expand("${A}", {"A": "x"})[0], Referenced)
    assert not isinstance(expand("$${A}", {})[0], Referenced)
    assert not isinstance(expand("file: a colon in a sentence", {})[0], Referenced)


def test_every_missing_variable_is_named() -> None:
    value, said = expand("${A}${B}${A}", {"HOME": "x"})
    assert isinstance(value, Unresolved)
    assert said == [
        "f:1:1: the environment has no variable A (set A where the agent is started)",
        "f:1:1: the environment has no variable B (set B where the agent is started)",
    ]


@pytest.mark.parametrize("text", ["${", "${}", "${A", "${A:-x}", "${1}", "a ${A B} b"])
def test_a_reference_without_a_name_is_a_problem(text: str) -> None:
    assert expand(text, {"A": "x"})[1] == [
        "f:1:1: '${' is not followed by NAME} (write ${NAME}, or $${ for a literal ${)"
    ]


def test_a_file_is_taken_without_its_line_end(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("\ufeff hush \n", "utf-8")
    (tmp_path / "secret").chmod(0o600)
    assert expand("file:secret", {}, tmp_path) == ("hush", [])
    assert expand(f"file:{tmp_path}/secret", {}) == ("hush", [])


def test_a_file_that_cannot_be_taken_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "large").write_bytes(b"x" * (MAX_FILE + 1))
    os.mkfifo(tmp_path / "pipe")
    for each in tmp_path.iterdir():
        each.chmod(0o600)
    for name, message in {
        "missing": "there is no such file",
        "empty": "it is empty",
        "binary": "this is not UTF-8 text",
        "large": "larger than 64 KB (split it)",
        "pipe": "this is not a file",
        ".": "this is not a file",
        "a\0b": "there is no such file",
        "n" * 300: "cannot be read: File name too long",
    }.items():
        assert expand(f"file:{name}", {}, tmp_path)[1] == [f"f:1:1: file {name!r}: {message}"]


def test_references_cannot_grow_without_bound(tmp_path: Path) -> None:
    started = time.process_time()
    value, (said,) = expand("${A}" * 200_000, {"A": "x" * 100_000})
    assert isinstance(value, Unresolved)
    assert said.startswith("f:1:1: references bring in too much text")
    assert time.process_time() - started < 1.0


def test_a_reference_remembers_how_it_was_spelt() -> None:
    value, _ = expand("mqtt://${U}:${P}@h", {"U": "me", "P": "hush"})
    assert isinstance(value, Expanded)
    assert (value.source, value.parts) == ("mqtt://${U}:${P}@h", ("me", "hush"))


def test_a_secret_comes_from_the_environment(site: Any) -> None:
    loaded = site("gateway: {id: g}\n" + DEVICE + SINK + "'${PW}'}]", {"PW": "hunter2"})
    assert loaded.sinks[0].password.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(loaded)


def test_a_secret_comes_from_a_file_beside_the_site(site: Any, write: Any) -> None:
    write("pw", "hunter2\n").chmod(0o600)
    assert site("gateway: {id: g}\n" + DEVICE + SINK + "file:pw}]").sinks[0].password.get_secret_value() == "hunter2"


def test_a_secret_that_is_written_out_is_refused_and_not_repeated(complaint: Any) -> None:
    said = complaint("gateway: {id: g}\n" + DEVICE + SINK + "hunter2}]")
    assert said == (
        "site.yaml:3:71: sink 'p': password: a secret is not written into the file: "
        "use ${NAME}, file:PATH or credential:NAME"
    )


def test_a_missing_variable_is_one_problem_and_has_no_echo(complaint: Any) -> None:
    """The duration, the driver or the name that it should have been is not complained about as well."""
    for line in ("buffer: {keep: '${X}'}", SINK + "'${X}'}]", "sinks: [{name: s, type: '${X}'}]", "log: '${X}'"):
        assert "the environment has no variable X" in complaint("gateway: {id: g}\n" + DEVICE + line)
    for device in ("{name: '${X}', driver: sim, tags: [{name: a}]}", "{name: a, driver: '${X}'}"):
        assert "the environment has no variable X" in complaint("gateway: {id: g}\ndevices: [" + device + "]")


@pytest.mark.parametrize(
    "line",
    [
        "buffer: {keep: '${S}'}",
        "buffer: {keep: 'x${S}x'}",
        "log: {level: '${S}'}",
        "status: {listen: '${S}'}",
        "log: '${S}'",
        "sinks: '${S}'",
        "sinks: ['${S}']",
        "lines: [{endpoint: tcp://127.0.0.1, timeout: '${S}'}]",
        "lines: [{endpoint: tcp://127.0.0.1, connections: '${S}'}]",
        "lines: [{endpoint: '${S}'}]",
        "sinks: [{name: p, type: '${S}'}]",
        "sinks: [{name: p, type: mqtt, url: '${S}'}]",
        "sinks: [{name: p, type: mqtt, url: 'mqtt://u:${S}@host'}]",
        "sinks: [{name: p, type: mqtt, url: 'mqtt://host:${S}'}]",
        "sinks: [{name: p, type: mqtt, url: 'mqtt//u:${S}@host'}]",
        "sinks: [{name: p, type: mqtt, url: mqtt://h, password: '${S}', window: 0}]",
        "sinks: [{name: p, type: mqtt, url: mqtt://h, window: '${S}'}]",
        "sinks: [{name: p, type: mqtt, url: mqtt://h, protocol: 3.1.1, password: '${S}'}]",
        "sinks: [{name: p, type: mqtt, url: mqtt://h, topic: '#${S}'}]",
    ],
)
@pytest.mark.parametrize("secret", ["hunter2-äß", 'it\'s "quoted" \\ \n here'])
def test_what_a_reference_brought_in_is_never_said(line: str, secret: str, problems: Any) -> None:
    for said in problems("gateway: {id: g}\n" + DEVICE + line, {"S": secret}):
        assert secret not in said
        assert repr(secret)[1:-1] not in said
        assert "hunter2" not in said


def test_a_device_that_refers_to_a_secret_keeps_it(problems: Any) -> None:
    text = """
gateway: {id: g}
devices:
  - {name: a, driver: modbus, endpoint: 'tcp://${S}', unit: '${S}', map: '${S}', order: '${S}', tags: '${S}'}
  - {name: b, driver: modbus, endpoint: 'x://${S}', tags: [{name: '# ${S}', address: '${S}', type: '${S}'}]}
  - {name: c, driver: '${S}'}
  - {name: e, driver: sim, map: './${S}.yaml'}
  - {name: d, driver: opcua, endpoint: 'http://u:${S}@h', tags: [{name: a, node: '${S}', group: '${S}'}]}
"""
    said = "\n".join(problems(text, {"S": "hunter2"}))
    assert "hunter2" not in said
    assert said.count("\n") > 8


def test_credentials_in_a_url_are_not_repeated(complaint: Any) -> None:
    said = complaint("gateway: {id: g}\n" + DEVICE + "sinks: [{name: p, type: mqtt, url: 'http://me:hunter2@h'}]")
    assert "hunter2" not in said
