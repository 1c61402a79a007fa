"""The way to a dictionary: in pieces, once per session, and with a reason where it ends."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary

from agent.model.errors import Refused
from agent.model.quality import Quality
from drivers.opcua.binary import Structure
from drivers.opcua.dictionary import STANDARD, key
from drivers.opcua.encodings import LONGEST, PIECE, Dictionaries, _text, standard
from drivers.opcua.layouts import Layout
from drivers.opcua.session import Session
from drivers.opcua.structs import Types
from tests.sim.opcua_fixtures import OpcuaServer
from tests.unit.opcua.conftest import Connect

pytestmark = pytest.mark.xdist_group("opcua")
BOOK = ua.NodeId(ua.Int32(7617))
NO_RANGE, NO_DATA = ua.StatusCodes.BadIndexRangeInvalid, ua.StatusCodes.BadIndexRangeNoData


@dataclass
class Shelf:
    """A session that holds one text. `ranges`: whether it gives parts of it, refuses to, or gives the whole anyway."""

    text: Any
    ranges: str = "given"
    asked: list[str] = field(default_factory=list)
    endpoint: str = "opc.tcp://fake:4840"

    def read_request(self, nodes: list[ua.NodeId]) -> ua.ReadRequest:
        return Session.read_request(cast(Session, self), nodes)

    async def read(self, request: ua.ReadRequest) -> list[ua.DataValue]:
        of = request.Parameters.NodesToRead[0].IndexRange or ""
        self.asked.append(of)
        if self.ranges == "service":
            raise Refused("too much at once")
        if of and self.ranges == "refused":
            return [ua.DataValue(StatusCode=ua.StatusCode(ua.UInt32(NO_RANGE)))]
        if of and self.ranges == "given":
            first, last = map(int, of.split(":"))
            if first >= len(self.text):
                return [ua.DataValue(StatusCode=ua.StatusCode(ua.UInt32(NO_DATA)))]
            return [ua.DataValue(ua.Variant(self.text[first : last + 1]))]
        return [ua.DataValue(ua.Variant(self.text))]


async def text(shelf: Shelf) -> bytes | str:
    return await _text(cast(Session, shelf), BOOK)


@pytest.mark.parametrize("size", [1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 5_000_000])
async def test_a_dictionary_comes_in_pieces(size: int) -> None:
    whole = bytes(range(1, 256)) * (size // 255 + 1)
    shelf = Shelf(whole[:size])
    assert await text(shelf) == whole[:size]
    assert len(shelf.asked) == size // PIECE + 1


async def test_a_server_that_knows_no_parts_is_asked_for_the_whole() -> None:
    shelf = Shelf(b"x" * 3 * PIECE, "refused")
    assert await text(shelf) == b"x" * 3 * PIECE
    assert shelf.asked == [f"0:{PIECE - 1}", ""]
    assert await text(Shelf(b"x" * 3 * PIECE, "ignored")) == b"x" * 3 * PIECE
    assert await text(Shelf("as text", "ignored")) == b"as text"


@pytest.mark.parametrize(
    ("shelf", "said"),
    [
        (Shelf(b"x" * (LONGEST + PIECE)), "more than 16,777,216 bytes"),
        (Shelf(b"x", "service"), "not to be had: too much at once"),
        (Shelf(None, "ignored"), "it is empty"),
        (Shelf(7, "ignored"), "it is empty"),
    ],
)
async def test_what_is_not_to_be_had_says_why(shelf: Shelf, said: str) -> None:
    found = await text(shelf)
    assert isinstance(found, str) and said in found and "i=7617" in found


def test_types_of_the_standard_are_found_by_their_number() -> None:
    assert standard(key(STANDARD, "Range")) == "i=884"
    assert standard(key(STANDARD, "Nothing")) is None
    assert standard(key("urn:a", "Range")) is None


async def test_a_foreign_server_s_own_dictionary_reads_what_a_third_library_wrote(
    press: OpcuaServer, connect: Connect
) -> None:
    """node-opcua has the standard's dictionary; asyncua wrote the values."""
    session = (await connect(press.endpoint, {"t": "i=2258"}))._session
    known = Dictionaries()
    layout = await known.described(session, ua.NodeId(ua.Int32(338)))
    assert isinstance(layout, Layout) and layout.encoding == "i=340"
    assert len(known._held) == 1
    info = ua.BuildInfo("urn:a", "maker", "product", "1.2", "7", datetime(2026, 1, 1, tzinfo=UTC))
    types = Types({"i=338": layout}, {f"i={number}": number for number in range(1, 26)})
    assert types.fields(Structure("i=340", struct_to_binary(info))) == {
        "ProductUri": "urn:a",
        "ManufacturerName": "maker",
        "ProductName": "product",
        "SoftwareVersion": "1.2",
        "BuildNumber": "7",
        "BuildDate": "2026-01-01T00:00:00Z",
    }
    enum = await known.named(session, key(STANDARD, "ServerState"))
    assert enum == 6
    assert "none of the server's dictionaries" in str(await known.named(session, key("urn:nobody", "x")))


async def test_a_torn_dictionary_is_told_and_hurts_only_the_tags_that_need_it(
    plant: OpcuaServer, connect: Connect
) -> None:
    tags = {"torn": "Torn.x", "temp": "Temp.x", "name": ("Axis.name", "str"), "again": ("Axis.position", None)}
    driver = await connect(plant.endpoint, tags, mode="poll")
    frame = await driver.scan(driver.schemas[0])
    assert list(frame.values) == [None, None, "left", 12.5]
    assert frame.quality == bytes((Quality.BAD_DECODE, Quality.BAD_DECODE, 0, 0))
    (said,) = driver.remarks()
    assert "no fields of 2 tags" in said and "unclosed token" in said and "no fields in its type i=11" in said
    assert driver.remarks() == []


async def test_dictionaries_are_read_once_in_a_session_and_again_after_a_tag_was_refused(
    plant: OpcuaServer, connect: Connect
) -> None:
    groups = {"slow": {"interval": "1s"}}
    driver = await connect(plant.endpoint, {"a": "Axis.position", "b": "Drive.load"}, mode="poll", groups=groups)
    (group,) = driver._groups.values()
    held = dict(group.known._held)
    assert len(held) == 4  # two, the one with the tools, and the standard's for a range
    await group.bind([0])
    assert len(group.known._held) == 1
    assert all(each is not held[where] for where, each in group.known._held.items())
