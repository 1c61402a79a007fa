"""Our reader of messages beside asyncua's writer: the same values from the same bytes, and no trust in lengths."""

import struct
import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary
from hypothesis import example, given, settings
from hypothesis import strategies as st

from drivers.opcua import binary, notify
from drivers.opcua.binary import Malformed, Structure
from drivers.opcua.columns import TICKS_1970
from drivers.opcua.notify import publish, service, values
from tests.lengths import often

V = ua.VariantType
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TEXT = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=9))
MOMENTS = st.datetimes(datetime(1601, 1, 2), datetime(9990, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
WHOLE = {V.SByte: 8, V.Int16: 16, V.Int32: 32, V.Int64: 64}
POSITIVE = {V.Byte: 8, V.UInt16: 16, V.UInt32: 32, V.UInt64: 64}
NODES = st.builds(ua.NodeId, st.integers(0, 1 << 32 - 1).map(ua.Int32), st.integers(0, 0xFFFF).map(ua.Int16))


def _scalars() -> dict[ua.VariantType, st.SearchStrategy[Any]]:
    found: dict[ua.VariantType, st.SearchStrategy[Any]] = {
        V.Boolean: st.booleans(),
        V.Float: st.floats(width=32, allow_nan=False),
        V.Double: st.floats(allow_nan=False),
        V.String: TEXT,
        V.DateTime: MOMENTS,
        V.Guid: st.uuids(),
        V.ByteString: st.one_of(st.none(), st.binary(max_size=9)),
        V.NodeId: NODES,
        V.StatusCode: st.integers(0, (1 << 32) - 1).map(ua.StatusCode),
        V.QualifiedName: st.builds(ua.QualifiedName, st.text("abc"), st.integers(0, 9).map(ua.UInt16)),
        V.LocalizedText: st.builds(ua.LocalizedText, TEXT, TEXT),
    }
    found |= {kind: st.integers(-(1 << bits - 1), (1 << bits - 1) - 1) for kind, bits in WHOLE.items()}
    return found | {kind: st.integers(0, (1 << bits) - 1) for kind, bits in POSITIVE.items()}


SCALARS = _scalars()


@st.composite
def variants(draw: st.DrawFn) -> ua.Variant:
    kind = draw(st.sampled_from(sorted(SCALARS, key=lambda each: each.value)))
    if draw(st.integers(0, 4)) == 0:
        return ua.Variant(draw(st.lists(SCALARS[kind], max_size=4)), kind, is_array=True)
    return ua.Variant(draw(SCALARS[kind]), kind)


DATA = st.builds(
    ua.DataValue,
    st.one_of(st.none(), variants(), st.floats(allow_nan=False).map(ua.Variant)),
    st.one_of(st.none(), st.sampled_from([0, 0x40900000, 0x80340000, 0x0480]).map(ua.StatusCode)),
    st.one_of(st.none(), MOMENTS),
    st.one_of(st.none(), MOMENTS),
    # no picoseconds: asyncua writes them after both times
)
ITEMS = st.lists(st.tuples(st.integers(0, (1 << 32) - 1), DATA), max_size=40)


def ticks(moment: datetime | None) -> int:
    return 0 if moment is None else (moment - EPOCH) // timedelta(microseconds=1) * 10 + TICKS_1970


def plain(value: Any) -> object:
    """What a tag can hold of one of asyncua's values."""
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, ua.QualifiedName):
        return f"{value.NamespaceIndex}:{value.Name}" if value.NamespaceIndex else value.Name
    made = {ua.NodeId: ua.NodeId.to_string, UUID: str, bytes: bytes.hex}.get(type(value))
    if isinstance(value, ua.LocalizedText | ua.StatusCode):
        return (value.Text or "") if isinstance(value, ua.LocalizedText) else value.value
    return made(value) if made else value


def message(items: list[tuple[int, ua.DataValue]]) -> bytes:
    result = ua.PublishResponse()
    result.Parameters.SubscriptionId = ua.UInt32(7)
    result.Parameters.AvailableSequenceNumbers = [ua.UInt32(3), ua.UInt32(4)]
    told = result.Parameters.NotificationMessage
    told.SequenceNumber = ua.UInt32(4)
    told.NotificationData = [  # type: ignore[assignment]  # typed as undecoded objects
        ua.DataChangeNotification([ua.MonitoredItemNotification(ua.UInt32(handle), data) for handle, data in items])
    ]
    return struct_to_binary(result)


@settings(max_examples=often(80, 1000))
@given(ITEMS)
@example([(n, ua.DataValue(ua.Variant(float(n)), ua.StatusCode(ua.UInt32(0)), EPOCH, EPOCH)) for n in range(40)])
def test_what_asyncua_writes_is_read(items: list[tuple[int, ua.DataValue]]) -> None:
    body = message(items)
    kind, code, at = service(body)
    told = publish(body, at)
    assert (kind, code, told.subscription, told.sequence) == (notify.PUBLISH, 0, 7, 4)
    assert told.ended is None and not told.others
    (batch,) = told.changes
    assert batch.handles == [handle for handle, _ in items]
    assert batch.values == [plain(data.Value.Value) if data.Value else None for _, data in items]
    codes = [data.StatusCode.value if data.StatusCode else 0 for _, data in items]
    assert batch.codes == (codes if any(codes) else [])
    assert batch.ticks == [ticks(data.SourceTimestamp) for _, data in items]  # type: ignore[arg-type]
    assert batch.served == [ticks(data.ServerTimestamp) for _, data in items]  # type: ignore[arg-type]


@given(ITEMS, st.integers(0, 2000))
def test_a_message_that_is_cut_off_is_an_error_of_ours(items: list[tuple[int, ua.DataValue]], keep: int) -> None:
    body = message(items)[:keep]
    lacks = len(message(items)) - keep
    try:
        _, _, at = service(body)
        publish(body, at)
    except Malformed:
        assert lacks > 0, "a whole message is no error"
    else:
        assert lacks <= 8, "only the unread tail may be missing"


@settings(max_examples=often(80, 1000))
@given(st.binary(max_size=200), st.booleans())
def test_noise_is_an_error_of_ours_or_little(body: bytes, handled: bool) -> None:
    for read in (lambda: values(body, handled=handled), lambda: publish(body, 0), lambda: service(body)):
        try:
            found = read()
        except Malformed:
            continue
        assert found is not None


@given(ITEMS, st.integers(0, 1 << 30), st.integers(0, 255))
def test_a_flipped_byte_is_survived(items: list[tuple[int, ua.DataValue]], place: int, byte: int) -> None:
    body = bytearray(message(items))
    body[place % len(body)] = byte
    try:
        _, _, at = service(bytes(body))
        publish(bytes(body), at)
    except Malformed:
        pass


HUGE = struct.pack("<i", 0x7FFFFFFF)


@pytest.mark.parametrize(
    "body",
    [
        HUGE,
        HUGE + bytes(100),
        struct.pack("<i", 1) + b"\x01\x80" + HUGE,
        struct.pack("<i", 1) + b"\x01\x8b" + HUGE + bytes(64),
        struct.pack("<i", 1) + b"\x01\x0c" + HUGE,
        struct.pack("<i", 1) + b"\x01\x98" + struct.pack("<i", 1) + b"\x80" + HUGE,
        struct.pack("<i", 1) + b"\x01" + b"\x18" * 5000,
        struct.pack("<i", 1) + b"\x01\x19" + b"\x40" * 5000,
        struct.pack("<i", 1) + b"\x01" + b"\x17\x01" * 5000,
    ],
    ids=["none", "few", "nothing", "doubles", "text", "inner", "nested", "diagnostics", "data values"],
)
def test_a_length_that_lies_costs_nothing(body: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(Malformed):
            values(body)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_values_of_one_layout_are_taken_at_once_and_others_between_them() -> None:
    """Doubles, a text in their midst, integers: in their order, each with its own kind."""
    data: list[Any] = [*map(float, range(100)), "half", *range(5), *map(float, range(30))]
    body = struct.pack("<i", len(data)) + b"".join(struct_to_binary(ua.DataValue(ua.Variant(each))) for each in data)
    batch = values(body)
    assert batch.values == data
    assert batch.kinds == {8, 11, 0xFF}


@pytest.mark.parametrize("size", [1, 3])
def test_picoseconds_stand_behind_their_time(size: int) -> None:
    """Part 6, 5.2.2.17: value, status, source time and its picoseconds, server time and its picoseconds."""
    one = struct.pack("<BBdIqHqH", 0x3F, 11, 1.5, 0x40900000, 1000, 7, 2000, 8)
    batch = values(struct.pack("<i", size) + one * size)
    assert (batch.values[-1], batch.codes[-1], batch.ticks[-1], batch.served[-1]) == (1.5, 0x40900000, 1000, 2000)
    longer = values(struct.pack("<i", 1) + struct.pack("<BBiIqHqH", 0x3F, 12, -1, 0, 1000, 7, 2000, 8))
    assert (longer.values, longer.ticks, longer.served) == ([None], [1000], [2000])


def test_a_structure_stays_bytes() -> None:
    body = struct_to_binary(ua.DataValue(ua.Variant(ua.Range(1.0, 2.0))))
    (found,) = values(struct.pack("<i", 1) + body).values
    assert found == Structure("i=886", struct.pack("<dd", 1.0, 2.0))


def test_the_end_of_a_subscription_and_what_is_of_another_kind() -> None:
    result = ua.PublishResponse()
    events = ua.EventNotificationList([ua.EventFieldList(ua.UInt32(3), [ua.Variant(1.0)])])
    result.Parameters.NotificationMessage.NotificationData = [  # type: ignore[assignment]  # as above
        events,
        ua.StatusChangeNotification(ua.StatusCode(ua.UInt32(0x800A0000))),
    ]
    body = struct_to_binary(result)
    told = publish(body, service(body)[2])
    assert told.ended == 0x800A0000
    assert told.others == ((notify.EVENTS, struct_to_binary(events)),)
    assert not told.empty


def test_a_fault_is_told_by_its_code() -> None:
    fault = ua.ServiceFault()
    fault.ResponseHeader.ServiceResult = ua.StatusCode(ua.UInt32(0x800A0000))
    assert service(struct_to_binary(fault))[:2] == (notify.FAULT, 0x800A0000)


def test_a_node_id_is_written_as_people_write_it() -> None:
    for written in ("i=2258", "ns=3;s=Temp", "ns=2;i=70000", "ns=4;g=09087e75-8e5e-499b-954f-f2a9603db28a"):
        raw = ua.ua_binary.nodeid_to_binary(ua.NodeId.from_string(written))
        assert binary.node_id(raw, 0) == (written, len(raw))


def test_a_data_value_within_an_array_is_its_value() -> None:
    """A hostile message holds four million of them: what nobody can use is not kept."""
    inner = [ua.DataValue(ua.Variant(1.5)), ua.DataValue(ua.Variant("x"))]
    body = struct_to_binary(ua.DataValue(ua.Variant(inner, ua.VariantType.DataValue)))
    assert values(struct.pack("<i", 1) + body).values == [[1.5, "x"]]
