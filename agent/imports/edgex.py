"""EdgeX: device profiles and devices for device-modbus, as YAML or JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

from agent.imports import modbus
from agent.imports.draft import Device, Draft
from agent.imports.node import Node, Skip
from agent.imports.numbers import go_duration
from agent.imports.sources import Source

NAME, TITLE = "edgex", "EdgeX"
TABLES = {"COILS": "coil", "DISCRETES_INPUT": "discrete", "DISCRETE_INPUTS": "discrete"}
TABLES |= {"INPUT_REGISTERS": "input", "HOLDING_REGISTERS": "holding"}
KINDS = {f"{sign}int{bits}": f"{sign}int{bits}" for sign in ("", "u") for bits in (16, 32, 64)}
KINDS |= {"float32": "float32", "float64": "float64", "bool": "bool", "string": "string"}
ORDERS = {(False, False): "ABCD", (True, False): "BADC", (False, True): "CDAB", (True, True): "DCBA"}
SHAPERS = (("base", 0), ("mask", 0), ("shift", 0))
PROFILE = ("manufacturer", "model", "labels", "description", "id", "created", "modified", "apiVersion", "dbTimestamp")


def is_one(source: Source) -> bool:
    return any("deviceResources" in each or "deviceList" in each or "protocols" in each for each in _roots(source))


def _roots(source: Source) -> list[Mapping[str, Any]]:
    found = source.data if isinstance(source.data, list) else [source.data]
    roots = [each for each in found if isinstance(each, Mapping)]
    return [each["profile"] if isinstance(each.get("profile"), Mapping) else each for each in roots]


def build(sources: Sequence[Source], draft: Draft) -> None:
    profiles: dict[str, Node] = {}
    devices: list[Node] = []
    roots = [root for source in sources for root in source.nodes(draft.notes)]
    for root in roots:
        each = root.child("profile") if isinstance(root.data.get("profile"), Mapping) else root
        if "deviceResources" in each.data:
            profiles[each.text("name") or f"profile-{len(profiles) + 1}"] = each
        elif "deviceList" in each.data:
            devices += each.children("deviceList")
        else:
            devices.append(each.child("device") if "device" in each.data else each)
    used: set[str] = set()
    for node in devices:
        name = node.text("profileName") or node.text("profile")
        used.add(name)
        if name in profiles:
            with node.or_none_of_it(strict=False):
                _device(node, draft, profiles[name])
        else:
            node.give_up(f"a device whose profile {name[:60]!r} was not given", "give the file of the profile, too")
    for name, profile in profiles.items():
        if name not in used:
            _alone(profile, name, draft)
    for root in roots:
        root.close()


def _alone(profile: Node, name: str, draft: Draft) -> None:
    """A profile without a device."""
    endpoint = draft.endpoint(profile)
    unit = draft.options.unit
    if unit is None:
        profile.note("assumed", "no device says the unit: 1", "say --unit")
    device = draft.device(name, "modbus", profile, endpoint=endpoint, unit=unit or 1)
    profile.note("assumed", "no device says how often it is read: every 10s", "`interval` of the device")
    device.every = 10.0
    _resources(profile, draft, device, None)


def _device(node: Node, draft: Draft, profile: Node) -> None:
    protocols = node.child("protocols")
    tcp, rtu = protocols.child("modbus-tcp"), protocols.child("modbus-rtu")
    protocols.drop(
        [key for key in protocols.data if key not in ("modbus-tcp", "modbus-rtu")], "a protocol besides Modbus"
    )
    if not tcp.data and not rtu.data:
        raise Skip("a device without modbus-tcp or modbus-rtu", "Floorgate has drivers for Modbus and OPC UA so far")
    way = rtu if rtu.data else tcp
    endpoint = (
        _serial(way)
        if rtu.data
        else modbus.network("tcp", way.text("Address"), way.whole("Port", 1, 65535), way, "Address")
    )
    unit = way.whole("UnitID", 0, 255, draft.options.unit)
    if unit is None:
        way.note("assumed", "no `UnitID`: 1")
    locked = node.text("adminState").upper() == "LOCKED"
    device = draft.device(
        node.text("name"),
        "modbus",
        node,
        endpoint=endpoint,
        unit=1 if unit is None else unit,
        enabled=False if locked else None,
    )
    draft.line(endpoint, way, timeout=way.number("Timeout"))
    way.drop(("IdleTimeout",), "the connection stays open")
    events = {}
    for event in node.children("autoEvents"):
        every, source = go_duration(event, "interval"), event.text("sourceName") or event.text("resource")
        changes = event.flag("onChange")
        band = event.number("onChangeThreshold")
        report: Any = {"when": "on_change", "deadband": band} if changes and band else "on_change" if changes else None
        event.drop(("retention",), "of its own store")
        events[source] = (every, report)
    if not events:
        node.note("assumed", "no `autoEvents`: EdgeX reads it when it is asked, and here it is every 10s", "`interval`")
        device.every = 10.0
    _resources(profile, draft, device, events)
    node.drop(
        (
            "description",
            "labels",
            "operatingState",
            "location",
            "tags",
            "properties",
            "serviceName",
            "apiVersion",
            "id",
        ),
        "of its registry",
    )


def _serial(way: Node) -> str:
    told: dict[str, Any] = {"baud": way.whole("BaudRate", 50, 4_000_000, 9600), "parity": modbus.parity(way, "Parity")}
    told |= {"data": way.whole("DataBits", 5, 8), "stop": modbus.stop_bits(way, "StopBits")}
    return modbus.serial("rtu", way.text("Address") or "/dev/ttyUSB0", way, told)


def _commands(profile: Node) -> dict[str, list[str]]:
    """The resources that each command reads."""
    found: dict[str, list[str]] = {}
    for command in profile.children("deviceCommands"):
        operations = command.children("resourceOperations")
        found[command.text("name")] = [operation.text("deviceResource") for operation in operations]
        for operation in operations:
            operation.drop(("mappings",), "texts for numbers", "`enum: {0: cool, 1: heat}` of the tag")
            operation.drop(("defaultValue", "parameter"), modbus.NO_WRITE)
        command.drop(("readWrite", "isHidden", "tags", "get", "set"), "of its commands")
    profile.drop(("coreCommands",), "of its commands")
    return found


def _resources(profile: Node, draft: Draft, device: Device, events: dict[str, tuple[float | None, Any]] | None) -> None:
    paces: dict[str, tuple[float | None, Any]] = {}
    commands = _commands(profile)
    for source, pace in (events or {}).items():
        for name in commands.get(source, [source]):
            paces.setdefault(name, pace)
    for resource in profile.children("deviceResources"):
        name = resource.text("name")
        with resource.or_none_of_it():
            _resource(resource, draft, device, name, paces.get(name), on_demand=bool(events) and name not in paces)
    profile.drop(PROFILE, "of its registry")


def _resource(
    node: Node, draft: Draft, device: Device, name: str, pace: tuple[float | None, Any] | None, *, on_demand: bool
) -> None:
    attributes, properties = node.child("attributes"), node.child("properties")
    if "value" in properties.data:  # as version 1 had it
        properties = properties.child("value")
    kind = KINDS.get((properties.text("valueType") or properties.text("type")).lower(), "")
    table = TABLES.get(attributes.text("primaryTable").upper())
    place = _address(attributes)
    shaped = [key for key, neutral in SHAPERS if properties.number(key) not in (None, neutral)]
    if not kind or table is None or place is None or shaped:
        why = (
            f"a value that is shaped by {', '.join(shaped)}"
            if shaped
            else "a resource whose type, table or address is not known"
        )
        raise Skip(why, "see `derived`, or write the tag by hand")
    kind, order = _lying(attributes, kind)
    access = (properties.text("readWrite") or "R").upper()
    if "W" in access:
        properties.note("not carried", modbus.NO_WRITE, modbus.ALLOW_WRITE, "readWrite")
    if "R" not in access:
        raise Skip("a resource that is only written", modbus.ALLOW_WRITE)
    address, bit = place
    more: dict[str, Any] = {"description": node.text("description"), "report": pace[1] if pace else None}
    if kind == "string":
        more["length"] = attributes.whole("stringRegisterSize", 1, 123, 1)
    elif kind == "bool" and table not in modbus.BIT_TABLES:
        more["bit"] = bit
    if on_demand:
        node.note("changed", "EdgeX reads it only when it is asked: it is disabled here", "take `enabled: false` away")
        more["enabled"] = False
    scaling = modbus.Scaling().times(properties.number("scale")).plus(properties.number("offset"))
    limits = ("minimum", "maximum", "defaultValue", "assertion", "mediaType", "optional", "floatEncoding")
    properties.drop(limits, "limits of what is written there, or of no use here", "`limits`, or `write`")
    node.drop(("isHidden", "tag", "tags"), "of its commands")
    modbus.add(
        draft, device, node, name=name, register=table, address=address, kind=kind, order=order, scaling=scaling,
        unit=properties.text("units"), every=pace[0] if pace else None, more=more,
    )  # fmt: skip


def _lying(attributes: Node, kind: str) -> tuple[str, str]:
    """(type, order) of what lies in the registers."""
    raw = attributes.text("rawType").lower()
    if raw and kind.startswith("float") and raw in KINDS:
        kind = raw
    elif raw and raw != kind:
        attributes.note("not carried", f"`rawType` {raw[:20]!r} of a {kind}")
    swaps = (bool(attributes.flag("isByteSwap", False)), bool(attributes.flag("isWordSwap", False)))
    order = ORDERS[swaps]
    if order != "ABCD" and modbus.WORDS.get(kind) != 2:
        attributes.note("changed", "EdgeX swaps values of 32 bits alone, so this one is read as it lies")
        order = "ABCD"
    return kind, order


def _address(attributes: Node) -> tuple[int, int] | None:
    """(address, bit). A number with a point is taken as EdgeX does, with two places: 10.1 is bit 10."""
    said = attributes.raw("startingAddress")
    if isinstance(said, float):
        attributes.note(
            "assumed", f"the address {said} is a number, and EdgeX writes it as {said:.2f}", "quote it to be sure"
        )
        said = f"{said:.2f}"
    whole, found, bit = str(said).strip().partition(".")
    if (
        not whole.isdecimal()
        or len(whole) > 5
        or int(whole) > 65535
        or (found and (not bit.isdecimal() or int(bit[:3]) > 15))
    ):
        return None
    return int(whole), int(bit or 0)
