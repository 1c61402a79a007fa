"""The JSON Schema of the site file and of a device map, for editors; built from the classes that check the files."""

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from agent import registry
from agent.config import needs
from agent.config.areas import KEY
from agent.config.calendars import CalendarConfig
from agent.config.defaults import DEFAULTS, NOT_OF_DEVICES, NOT_OF_TAGS
from agent.config.factors import FactorsConfig
from agent.config.maps import NO_QUIRKS
from agent.config.sections import BufferConfig, GatewayConfig, LogConfig, MapHead, StatusConfig
from agent.config.tags import item_type
from agent.config.virtual import VirtualConfig
from agent.model.text import DURATION_PATTERN, SIZE_PATTERN, duration_text
from agent.registry import LineConfig

Schema = dict[str, Any]
Class = type[BaseModel]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = r"|\$\{\w+\}|^(file|credential):."  # text may come from elsewhere

_UNITS = ((30, "GB"), (20, "MB"), (10, "KB"), (0, "B"))


def schema() -> Schema:
    """The schema of the site file and of those in `conf.d/`, with all built-in drivers and sinks.

    Each file may lack what another has, and a device what its line says.
    """
    drivers = {name: registry.driver_config(name) for name in sorted(registry.DRIVERS)}
    sinks = {name: registry.sink_config(name) for name in sorted(registry.SINKS)}
    sections: dict[str, Class] = {
        "gateway": GatewayConfig,
        "line": LineConfig,
        "virtual": VirtualConfig,
        "calendar": CalendarConfig,
        "factors": FactorsConfig,
        "buffer": BufferConfig,
        "log": LogConfig,
        "status": StatusConfig,
    }
    defs = _definitions({**sections, **drivers, **sinks})
    _add_defaults(defs, drivers)
    site = _object(
        "A Floorgate site: what is read, and where it goes",
        {
            needs.KEY: {
                "type": "string",
                "pattern": needs.PATTERN,
                "description": "the oldest version that understands this file; an older one refuses it, and says so",
            },
            "gateway": _ref("gateway"),
            "devices": _chosen("driver", drivers, "what is read", required=["name"]),
            "virtual": {
                "type": "array",
                "items": _ref("virtual"),
                "description": "devices that only exist by calculation",
            },
            "lines": {"type": "array", "items": _ref("line"), "description": "what the devices on one wire share"},
            "calendars": {
                "type": "object",
                "additionalProperties": _ref("calendar"),
                "description": "hours of tariffs, shifts",
            },
            "factors": _ref("factors"),
            "sinks": _chosen("type", sinks, "where it goes", required=["name", "type"]),
            **{name: _ref(name) for name in ("buffer", "log", "status")},
        },
        [],
    )
    found = {"$schema": _DIALECT, **site, "$defs": defs}
    for node in _nodes(found):
        if isinstance(node.get("pattern"), str):
            node["pattern"] += _REFERENCE
    return found


def map_schema() -> Schema:
    """The schema of a device map with all built-in drivers."""
    drivers = {name: registry.driver_config(name) for name in sorted(registry.DRIVERS)}
    defs = _definitions({"map": MapHead, **drivers})
    head = defs.pop("map")
    for name in drivers:
        _add_group_defaults(defs, name)
    properties = {
        **head["properties"],
        "quirks": {
            "type": "object",
            "description": "what the driver must know of this model; a device may say otherwise",
        },
        "defaults": {"type": "object", "description": "what every tag is unless it says otherwise"},
        "groups": {"type": "object", "description": "scan groups that the tags name, with `defaults` of their own"},
        KEY: {"type": "object", "description": "the words of a PLC: where each stretch of them is"},
        "tags": {
            "type": "array",
            "minItems": 1,
            "items": {"anyOf": [{"type": "object"}, {"type": "string"}]},
            "description": "what can be read",
        },
    }
    properties["driver"]["enum"] = list(drivers)
    choices = [_when("driver", name, {"properties": _of_map(defs, name)}) for name in drivers]
    whole = _object("A Floorgate device map", properties, [key for key in head["required"] if key != "driver"])
    complete = [{"required": needed} for needed in (["driver", "tags"], ["driver", KEY], ["extends"])]
    return {"$schema": _DIALECT, **whole, "anyOf": complete, "allOf": choices, "$defs": defs}


def as_text(found: Schema) -> str:
    """The file in `configs/` that holds the schema."""
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def _add_defaults(defs: Schema, drivers: Mapping[str, Class]) -> None:
    """What classes do not know, because it is put into their sections before: `defaults` of groups and of lines."""
    known: dict[str, list[Schema]] = {}
    for name in drivers:
        _add_group_defaults(defs, name)
        for key, found in defs[name]["properties"].items():
            if key not in NOT_OF_DEVICES and found not in known.setdefault(key, []):
                known[key].append(found)
    either = {key: found[0] if len(found) == 1 else {"anyOf": found} for key, found in known.items()}
    either["driver"] = {"enum": list(drivers), "description": "which driver reads them"}
    said = "what its devices are unless they or their map say otherwise"
    defs["line"]["properties"][DEFAULTS] = _object(said, either, [])


def _add_group_defaults(defs: Schema, name: str) -> None:
    """A group of a driver's device has `defaults` for its tags, and may be another's with some keys changed."""
    groups, tag = defs[name]["properties"]["groups"], defs.get(f"{name}_tag")
    group = copy.deepcopy(defs[groups["additionalProperties"]["$ref"].rpartition("/")[2]])
    if tag is not None:
        keys = {key: found for key, found in tag["properties"].items() if key not in NOT_OF_TAGS}
        group["properties"][DEFAULTS] = _object("what its tags are unless they say otherwise", keys, [])
    defs[f"{name}_group"] = {**group, "required": []}
    groups["additionalProperties"] = _ref(f"{name}_group")


def _of_map(defs: Schema, name: str) -> Schema:
    """What quirks, defaults, groups, areas and tags of a map for one driver look like; its definition is used up."""
    device = defs.pop(name)["properties"]
    found = {
        "quirks": _object("", {key: value for key, value in device.items() if key not in NO_QUIRKS}, []),
        "groups": device["groups"],
        KEY: device.get(KEY, False),
    }
    if "tags" in device:
        tag = defs[f"{name}_tag"]
        plain = {key: value for key, value in tag["properties"].items() if key != "name"}
        found |= {"defaults": _object("", plain, []), "tags": device["tags"]}
    return found


def _definitions(classes: Mapping[str, Class]) -> Schema:
    """Every class and what it refers to, by short names; tags ask for their name only, a map may supply the rest."""
    refs, whole = models_json_schema([(kind, "validation") for kind in classes.values()], ref_template="{model}")
    short = {refs[kind, "validation"]["$ref"]: name for name, kind in classes.items()}
    for name, kind in classes.items():
        tags = whole["$defs"][refs[kind, "validation"]["$ref"]]["properties"].get("tags", {})
        if "$ref" in tags.get("items", {}):
            short[tags["items"]["$ref"]] = f"{name}_tag"
            required = whole["$defs"][tags["items"]["$ref"]].get("required", [])
            whole["$defs"][tags["items"]["$ref"]]["required"] = [key for key in required if key == "name"]
            tags.pop("minItems", None)
            if _has_short_form(kind):
                tags["items"] = {"if": {"type": "object"}, "then": tags["items"]}
    defs = {short.get(name, name): found for name, found in whole["$defs"].items()}
    for node in _nodes(defs):
        _tidy(node, short)
    for name in classes:
        required = defs[name].get("required", [])
        defs[name]["required"] = [key for key in required if key != "tags"]
    return defs


def _has_short_form(kind: Class) -> bool:
    """Its tags may be text as well; an editor is told nothing of that, so that it can say what is wrong in the rest."""
    return issubclass(kind, registry.DriverConfig) and "spelt" in vars(item_type(kind))


def _tidy(node: Schema, short: Mapping[str, str]) -> None:
    """Short references, no titles that only repeat the key, defaults spelt as in the file, no keys that fit nothing."""
    if "$ref" in node:
        node["$ref"] = f"#/$defs/{short.get(node['$ref'], node['$ref'])}"
    if isinstance(node.get("title"), str):
        del node["title"]
    if "patternProperties" in node:
        node.setdefault("additionalProperties", False)
        if "maxLength" in node:  # of a mapping that is looked at once more
            node["maxProperties"] = node.pop("maxLength")
    default = node.get("default")
    if isinstance(default, int | float) and node.get("pattern") in (DURATION_PATTERN, SIZE_PATTERN):
        node["default"] = duration_text(default) if node["pattern"] == DURATION_PATTERN else _size_text(default)


def _size_text(size: float) -> str:
    return next(f"{int(size) >> bits}{unit}" for bits, unit in _UNITS if int(size) % (1 << bits) == 0)


def _chosen(key: str, classes: Mapping[str, Class], description: str, required: list[str]) -> Schema:
    """A list whose items are checked by the class that their `key` names."""
    item = {
        "type": "object",
        "properties": {key: {"enum": list(classes)}},
        "required": required,
        "allOf": [_when(key, name, _ref(name)) for name in classes],
    }
    return {"type": "array", "items": item, "description": description}


def _when(key: str, name: str, then: Schema) -> Schema:
    return {"if": {"properties": {key: {"const": name}}, "required": [key]}, "then": then}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _object(description: str, properties: Schema, required: list[str]) -> Schema:
    found: Schema = {"description": description} if description else {}
    return {**found, "type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _nodes(node: Any) -> Iterator[Schema]:
    """Every mapping below `node`, itself included."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _nodes(value)
    elif isinstance(node, list):
        for value in node:
            yield from _nodes(value)
