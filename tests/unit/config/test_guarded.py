"""A file with a secret is only taken when nobody else can read it, write it or swap it; systemd's credentials are."""

import os
from pathlib import Path

import pytest

from agent.config.files import Unreadable
from agent.config.guarded import guarded
from agent.config.problems import Invalid, Mark, Report
from agent.config.references import References

HERE = Mark("f", 1, 1)


def expand(text: str, folder: Path, env: dict[str, str] | None = None) -> tuple[str, list[str]]:
    report = Report()
    value = References(env or {}, folder, report)(text, HERE)
    try:
        report.settle()
    except Invalid as error:
        return value, [str(problem) for problem in error.problems]
    return value, []


def secret(path: Path, mode: int = 0o600) -> Path:
    path.write_text("hush\n")
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("mode", "who"),
    [
        (0o640, "its group can read it (mode 0640)"),
        (0o620, "its group can write it (mode 0620)"),
        (0o604, "others can read it (mode 0604)"),
        (0o644, "others can read it (mode 0644)"),
        (0o666, "others can write it (mode 0666)"),
        (0o601, "others can read it (mode 0601)"),
    ],
)
def test_a_secret_that_others_can_read_or_write_is_refused_with_what_to_type(
    mode: int, who: str, tmp_path: Path
) -> None:
    path = secret(tmp_path / "my secret", mode)
    value, said = expand("file:my secret", tmp_path)
    assert (value, said) == ("file:my secret", [f"f:1:1: file 'my secret': {who} (chmod 600 '{path}')"])


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_secret_of_ours_alone_is_taken(mode: int, tmp_path: Path) -> None:
    secret(tmp_path / "secret", mode)
    assert expand("file:secret", tmp_path) == ("hush", [])


def test_what_a_link_leads_to_counts(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(secret(tmp_path / "secret", 0o644))
    assert "others can read it" in expand("file:link", tmp_path)[1][0]
    (tmp_path / "secret").chmod(0o600)
    assert expand("file:link", tmp_path) == ("hush", [])


@pytest.mark.parametrize(("mode", "is_taken"), [(0o777, False), (0o1777, True), (0o770, True)])
def test_a_folder_in_which_everybody_can_swap_files_keeps_no_secret(mode: int, is_taken: bool, tmp_path: Path) -> None:
    """Neither that of the file nor that of a link to it; `/tmp`, where nobody can move what belongs to others, does."""
    open_ = tmp_path / "open"
    open_.mkdir()
    open_.chmod(mode)
    secret(open_ / "secret")
    (tmp_path / "link").symlink_to(open_ / "secret")
    for name in ("open/secret", "link"):
        said = expand(f"file:{name}", tmp_path)[1]
        if is_taken:
            assert said == []
        else:
            why = "everybody can write to its folder, and so swap it"
            assert said == [f"f:1:1: file {name!r}: {why} (chmod o-w {open_})"]


def test_a_secret_of_another_user_is_refused_unless_we_are_root(tmp_path: Path) -> None:
    path = secret(tmp_path / "secret")
    status = path.stat()
    other = os.stat_result((*status[:4], os.geteuid() + 1, *status[5:]))
    if os.geteuid():
        with pytest.raises(Unreadable, match="it belongs to another user"):
            guarded(path, other)
    else:
        guarded(path, other)
    guarded(path, os.stat_result((*status[:4], 0, *status[5:])))


def test_a_credential_is_taken_from_where_systemd_has_put_it(tmp_path: Path) -> None:
    """0440 is an access list for the service's user, by either of its names."""
    secret(tmp_path / "mqtt", 0o440)
    given = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert expand("credential:mqtt", Path("/nowhere"), given) == ("hush", [])
    assert expand(f"file:{tmp_path}/mqtt", Path("/nowhere"), given) == ("hush", [])
    assert "its group can read it" in expand(f"file:{tmp_path}/mqtt", Path("/nowhere"))[1][0]
    (tmp_path / "mqtt").chmod(0o444)
    assert "others can read it" in expand("credential:mqtt", Path("/nowhere"), given)[1][0]


def test_a_credential_that_is_missing_says_which_line_the_unit_needs(tmp_path: Path) -> None:
    line = "add `LoadCredential=mqtt:/etc/floorgate/credentials/mqtt` to [Service] of the unit"
    none = "systemd has given us none (no CREDENTIALS_DIRECTORY in the environment)"
    hint = f"{line}; by hand, set CREDENTIALS_DIRECTORY to a folder"
    assert expand("credential:mqtt", tmp_path)[1] == [f"f:1:1: credential 'mqtt': {none} ({hint})"]
    assert expand("credential:mqtt", tmp_path, {"CREDENTIALS_DIRECTORY": str(tmp_path)})[1] == [
        f"f:1:1: credential 'mqtt': systemd has given us none of this name ({line})"
    ]


@pytest.mark.parametrize("name", ["../secret", "a/b", ".", "..", "a\0b", "x" * 256])
def test_the_name_of_a_credential_leads_nowhere_else(name: str, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    secret(tmp_path / "secret")
    (said,) = expand(f"credential:{name}", tmp_path, {"CREDENTIALS_DIRECTORY": str(tmp_path / "a")})[1]
    assert "this is not a name" in said
