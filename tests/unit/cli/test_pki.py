"""`floorgate pki`: what a person sees and decides about certificates."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent.cli import main
from agent.model.errors import Refused
from drivers.opcua.certificates import Peer
from drivers.opcua.pki import Pki
from tests.sim.opcua_certificates import SERVER, made


def pki(data: Path, *arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(main, ["pki", *arguments, "--data", str(data)], input=answer)


def told(data: Path, *arguments: str) -> Any:
    result = pki(data, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def met(tmp_path: Path) -> str:
    """The fingerprint of a server that was refused."""
    server = made()
    with pytest.raises(Refused):
        Pki(tmp_path / "pki").vet(server.der, Peer(SERVER, "127.0.0.1"))
    return server.sha256


def test_to_list_makes_nothing(tmp_path: Path) -> None:
    assert told(tmp_path, "list") == []
    assert list(tmp_path.iterdir()) == []


def test_what_was_set_aside_is_listed_trusted_and_rejected_again(tmp_path: Path, met: str) -> None:
    assert [(row["where"], row["sha256"]) for row in told(tmp_path, "list")] == [("rejected", met)]
    assert told(tmp_path, "trust", met[:16])[0]["where"] == "trusted"
    assert [row["where"] for row in told(tmp_path, "list")] == ["trusted"]
    assert told(tmp_path, "reject", met)[0]["where"] == "rejected"
    assert [row["where"] for row in told(tmp_path, "list")] == ["rejected"]


def test_what_is_shown_is_what_is_compared_at_the_server(tmp_path: Path, met: str) -> None:
    text = pki(tmp_path, "show", met[:20]).stdout
    assert met in text and "CN=press" in text and SERVER in text and "127.0.0.1" in text
    assert met[:16] in pki(tmp_path, "list").stdout


def test_a_fingerprint_that_nobody_has_changes_nothing(tmp_path: Path, met: str) -> None:
    for arguments in (("trust", "0" * 16), ("reject", met), ("show", "12"), ("trust", met[:15])):
        result = pki(tmp_path, *arguments)
        assert result.exit_code == 1 and result.stderr.startswith("floorgate: ")
    assert [row["where"] for row in told(tmp_path, "list")] == ["rejected"]


def test_a_file_can_be_trusted(tmp_path: Path) -> None:
    (tmp_path / "press.pem").write_bytes(made().pem)
    assert told(tmp_path, "trust", str(tmp_path / "press.pem"))[0]["subject"] == "CN=press"


def test_ours_is_made_to_be_shown(tmp_path: Path) -> None:
    """So that a server can be told to trust it before the agent has ever run."""
    (row,) = told(tmp_path, "show", "own")
    assert ":floorgate:" in row["application"] and row["days_left"] > 3600
    assert told(tmp_path, "show", "own") == [row]


def test_to_renew_asks_first_and_keeps_the_name(tmp_path: Path) -> None:
    (old,) = told(tmp_path, "show", "own")
    assert pki(tmp_path, "renew", answer="n\n").exit_code == 1
    assert told(tmp_path, "show", "own") == [old]
    result = pki(tmp_path, "renew", answer="y\n")
    assert result.exit_code == 0 and "the old one lies in" in result.stderr
    (new,) = told(tmp_path, "show", "own")
    assert new["application"] == old["application"] and new["sha256"] != old["sha256"]
    assert told(tmp_path, "renew", "--yes")[0]["application"] == old["application"]
