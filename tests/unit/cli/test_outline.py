"""A map that is written from what a server has is one that `floorgate check` takes, whatever units the server shows."""

from pathlib import Path

import pytest
from asyncua import ua

from agent.cli.outline import device_map
from agent.cli.query import Query, Wishes
from agent.config import load_map
from agent.model.units import is_unit
from drivers.browsing import Place
from drivers.opcua.units import UNECE, unit


def shown(text: str, number: int = 0) -> ua.EUInformation:
    space = "http://www.opcfoundation.org/UA/units/un/cefact"
    return ua.EUInformation(NamespaceUri=space, UnitId=number, DisplayName=ua.LocalizedText(text))


@pytest.mark.parametrize(
    ("text", "code"),
    [("°C", "Cel"), ("m³/h", "m3/h"), ("KWh", "kWh"), ("bar", "bar"), ("Hübe", "Hübe"), ("x" * 40, ""), ("a\0", "")],
)
def test_what_a_server_shows_is_a_code_where_that_is_certain(text: str, code: str) -> None:
    assert unit(shown(text)) == code


def test_a_number_that_is_known_says_more_than_what_is_shown() -> None:
    assert unit(shown("Grad", int.from_bytes(b"CEL", "big"))) == "Cel"
    assert unit("°C") == ""


def test_all_codes_of_the_table_are_units() -> None:
    assert [code for code in UNECE.values() if not is_unit(code)] == []


def test_a_unit_that_is_none_stands_in_a_comment(tmp_path: Path) -> None:
    found = [
        Place(-1, "Press", "ns=2;s=Press", "object"),
        Place(0, "Temp", "ns=2;s=Temp", "variable", "float64", unit="Cel"),
        Place(0, "Strokes", "ns=2;s=Strokes", "variable", "int64", unit="Hübe # 1"),
    ]
    lines = list(device_map(found, Query(Wishes(), found), model="press", source="a browse", naming=""))
    path = tmp_path / "press.yaml"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    assert [tag.unit for tag in load_map(path).tags or ()] == ["Cel", ""]
    assert lines[-1].endswith('   # the server says "Hübe # 1": which unit is that?')
