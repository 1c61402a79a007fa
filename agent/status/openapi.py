"""The API as OpenAPI 3.1 (`/api/v1/openapi.json`): what programs may rely on.

`/api/v1/ledger`, `/api/v1/store/…`, `/api/v1/health`, `/api/v1/explain` and `/api/v1/watch`, which the command line
asks, are not in it: they may change with any version.
"""

from collections.abc import Sequence
from typing import Any

from agent import __version__
from agent.status.about import MOST as MOST_LINES
from agent.status.alarms import LONGEST as MOST_SHELVED
from agent.status.config import LONGEST as LONGEST_TRIAL
from agent.status.config import MOST_WHO
from agent.status.config import SHORTEST as SHORTEST_TRIAL
from agent.status.log import LEVELS
from agent.status.log import LONGEST as MOST_LOGGED
from agent.status.pull import FORMATS, LARGEST, LATEST, LONGEST, MOST_FRAMES, MOST_MARKS, MOST_NAMES, SHAPES

Part = dict[str, Any]
TEXT: Part = {"type": "string"}
SEQ: Part = {"type": "integer", "minimum": 1, "maximum": LARGEST}
VALUE: Part = {"type": ["boolean", "number", "string", "null"]}
OUTCOMES = ("done", "differs", "refused", "forbidden", "stale", "repeated", "busy", "unknown")
THING: Part = {"type": "object"}
_THINGS = ("product", "python", "sqlite", "libraries", "system", "run", "gateway", "buffer", "log", "status")
_LISTS = ("devices", "lines", "sinks", "certificates")
INVENTORY: Part = {
    "format": {"const": 1},
    "at": {**TEXT, "format": "date-time"},
    **dict.fromkeys(_THINGS, THING),
    **{name: {"type": "array", "items": THING} for name in _LISTS},
    **{name: {"type": "array", "items": TEXT} for name in ("drivers", "sink_types", "virtual")},
}
STATES = ("normal", "active", "chattering", "shelved")
ABOUT = (
    "Frames are handed out from the oldest on, again and again until they are acknowledged. "
    "(gateway, epoch, seq) names a frame for ever."
)
WHY = {
    400: "the question makes no sense",
    401: "no token, or one that is not known",
    403: "this token does not open it, or a browser asks for a page of another site",
    404: "there is no such path",
    405: "not with this method; Allow says with which",
    409: "something that was not handed out; nothing has changed",
    413: "the body is too large",
    415: "the body has another Content-Type",
    421: "a Host that is not ours",
    429: "too often, or too many wrong tokens; Retry-After says when",
    431: "the head is too large",
    503: "too much to do, or the store does not answer just now",
}
HERE: list[Part] = [{"token": []}, {}]  # without a token from this machine
ALWAYS = (400, 401, 403, 405, 421, 429, 431, 503)


def document() -> Part:
    return {
        "openapi": "3.1.0",
        "info": {"title": "Floorgate", "version": __version__, "summary": "What consumers fetch", "description": ABOUT},
        "security": [{"token": []}],
        "paths": _paths(),
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(),
        },
    }


def _paths() -> Part:
    style = [_query("format", {"enum": list(FORMATS)}), _query("shape", {"enum": list(SHAPES)})]
    limit = _query("limit", {"type": "integer", "minimum": 1, "maximum": MOST_FRAMES, "default": MOST_FRAMES})
    time: Part = {"anyOf": [{"type": "integer", "minimum": 0, "maximum": LATEST}, {**TEXT, "format": "date-time"}]}
    cursor = {"type": "integer", "minimum": 0, "maximum": LARGEST}
    devices, tags = _several("device"), _several("tag")
    name = {"name": "name", "in": "path", "required": True, "schema": TEXT}
    return {
        "/healthz": _get("whether the process lives", _json({"type": "object"}), security=[]),
        "/readyz": {
            "get": {
                **_get("whether the agent does its work", _json(_ref("Readiness")), security=HERE)["get"],
                "responses": {
                    **_responses(_json(_ref("Readiness"))),
                    "503": {"description": "not all of it", "content": _json(_ref("Readiness"))},
                },
            }
        },
        "/metrics": _get("for Prometheus; scope metrics", {"text/plain": {"schema": TEXT}}, security=HERE),
        "/api/v1/openapi.json": _get("this document", _json({"type": "object"})),
        "/api/v1/frames": _get(
            "the oldest frames that the consumer is owed; scope frames",
            _frames("Frames"),
            [
                _query("consumer", TEXT),
                limit,
                _query("wait", {"type": "number", "minimum": 0, "maximum": LONGEST}),
                *style,
            ],
        ),
        "/api/v1/consumers/{name}/ack": _post(
            "what was taken is no longer owed; scope frames",
            _ref("Acknowledgement"),
            _json(
                {"type": "object", "required": ["acknowledged"], "properties": {"acknowledged": {"type": "integer"}}}
            ),
            [name],
            (404, 409),
        ),
        "/api/v1/values": _get("the newest value of each tag; scope values", _json(_ref("Values")), [devices, tags]),
        "/api/v1/tags": _get("the same as /api/v1/values", _json(_ref("Values")), [devices, tags]),
        "/api/v1/devices": _get("devices and lines; scope values", _json(_ref("Devices"))),
        "/api/v1/history": _get(
            "frames that are still on the disk, by time; scope history",
            _frames("Past"),
            [
                _query("device", TEXT),
                tags,
                _query("from", time),
                _query("to", time),
                limit,
                _query("cursor", cursor),
                *style,
            ],
        ),
        "/api/v1/commands": _commands(),
        **_alarms(),
        **_config(),
        **_recording(),
        **_log(),
        **_about(),
    }


def _commands() -> Part:
    found = _post("have a value written; scope commands", _ref("Command"), _json(_ref("Outcome")), [])
    answers = found["post"]["responses"]
    answers["400"] = {"description": "no command", "content": _json({"anyOf": [_ref("Outcome"), _ref("Error")]})}
    return found


def _alarms() -> Part:
    parts = [{"name": name, "in": "path", "required": True, "schema": TEXT} for name in ("device", "name")]
    longest = {"seconds": {"type": "number", "exclusiveMinimum": 0, "maximum": MOST_SHELVED}}
    found = _json(_object({"alarms": _list(_ref("Alarm"))}))
    every = _query("all", {"enum": ["0", "1"], "default": "0"})
    post, way, alarm = (404, 409), "/api/v1/alarms/{device}/{name}", _json(_ref("Alarm"))
    return {
        "/api/v1/alarms": _get("those that are active or shelved, or all; scope values", found, [every]),
        f"{way}/shelve": _post("nothing is told of it for so long; the owner", _object(longest), alarm, parts, post),
        f"{way}/unshelve": _post("it is told again; the owner", _object({}), alarm, parts, post),
    }


def _config() -> Part:
    who = {**TEXT, "maxLength": MOST_WHO}
    seconds = {"anyOf": [{"type": "number", "minimum": SHORTEST_TRIAL, "maximum": LONGEST_TRIAL}, {"type": "null"}]}
    number = {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]}
    found, way, post = _json({"type": "object"}), "/api/v1/config", (409,)
    changed = _json(_ref("Changed"))
    return {
        way: _get("which configuration runs, its trial and its history; the owner", found),
        f"{way}/apply": _post(
            "load the file and go over to it, if it still has this digest; the owner",
            _object({"confirm": seconds, "who": who}, digest=TEXT),
            changed,
            [],
            post,
        ),
        f"{way}/confirm": _post(
            "what is on trial stays; the owner", _object({}), _json(_object({"version": {"type": "integer"}})), [], post
        ),
        f"{way}/rollback": _post(
            "back to a version; the owner", _object({"version": number, "who": who}), changed, [], post
        ),
    }


def _recording() -> Part:
    found = _json(_object({"state": TEXT, "why": TEXT, "bytes": SEQ, "notes": SEQ, "path": TEXT}))
    asked = _object({"size": {"type": "integer"}, "seconds": {"type": "number", "exclusiveMinimum": 0}})
    way = "/api/v1/recording"
    return {
        way: _get("how far the recording of the wires is; the owner", found, []),
        f"{way}/start": _post("what goes over the wires is recorded; the owner", asked, found, [], (409,)),
        f"{way}/stop": _post("the recording ends; the owner", _object({}), found, [], (409,)),
    }


def _log() -> Part:
    level = {"enum": list(LEVELS)}
    seconds = {"type": "number", "exclusiveMinimum": 0, "maximum": MOST_LOGGED}
    found = _json(_object({"level": level, "file": level, "seconds": {"type": "number", "minimum": 0}}))
    asked = {"anyOf": [_object({"level": level, "seconds": seconds}), _object({})]}
    way = "/api/v1/log"
    told = _get("how much is logged, by the file and now; the owner", found, [])
    return {way: told | _post("another level for a while; the owner", asked, found, [], (409,))}


def _about() -> Part:
    most = _query("limit", {"type": "integer", "minimum": 1, "maximum": MOST_LINES, "default": MOST_LINES})
    inventory, lines = _json(_ref("Inventory")), _json(_object({"lines": _list(TEXT)}))
    return {
        "/api/v1/inventory": _get("what the gateway is made of, without secrets; the owner", inventory),
        "/api/v1/log/lines": _get("the end of the log; the owner", lines, [most]),
    }


def _schemas() -> Part:
    mark = _object({"epoch": TEXT, "seq": SEQ})
    span = _object({"epoch": TEXT, "from": SEQ, "to": SEQ})
    frames = {"type": "array", "items": {"type": "object"}, "maxItems": MOST_FRAMES}
    value = {"device": TEXT, "group": TEXT, "tag": TEXT, "ts": {"type": ["integer", "null"]}, "value": VALUE}
    device = {"name": TEXT, "state": TEXT, "line": {"type": ["string", "null"]}, "groups": _list(TEXT)}
    command = {"id": TEXT, "device": TEXT, "tag": TEXT, "value": VALUE, "issued_at": {"type": "integer"}}
    outcome = {"id": TEXT, "device": TEXT, "tag": TEXT, "outcome": {"enum": list(OUTCOMES)}, "value": VALUE}
    error = _object({"error": TEXT, "hint": TEXT})
    time = {"type": ["integer", "null"]}
    alarm = {"device": TEXT, "name": TEXT, "tag": TEXT, "kind": TEXT, "state": {"enum": list(STATES)}, "text": TEXT}
    alarm |= {"active": {"type": "boolean"}, "severity": {"type": "integer"}, "value": VALUE}
    return {
        "Alarm": _object({**alarm, "since": time, "shelved_until": time}),
        "Error": {**error, "properties": {**error["properties"], "kind": TEXT}},
        "Readiness": {
            "type": "object",
            "required": ["ready", "phase", "reasons"],
            "properties": {
                "ready": {"type": "boolean"},
                "phase": {"enum": ["starting", "running", "stopping"]},
                "reasons": _list(_object({"code": TEXT, "name": TEXT})),
            },
        },
        "Inventory": {
            "type": "object",
            "required": [*INVENTORY],
            "properties": INVENTORY,
        },
        "Frames": _object({"frames": frames, "cursor": {"anyOf": [{"type": "null"}, mark]}}),
        "Past": _object({"frames": frames, "cursor": {"type": ["string", "null"]}}),
        "Acknowledgement": {
            "oneOf": [
                _object({"upto": mark}),
                _object({"frames": {"type": "array", "items": span, "maxItems": MOST_MARKS}}),
            ]
        },
        "Values": _object({"gateway": TEXT, "tags": _list(_object({**value, "quality": TEXT, "unit": TEXT}))}),
        "Devices": _object(
            {
                "gateway": TEXT,
                "devices": _list(_object({**device, "tags": {"type": "integer"}})),
                "lines": _list(_object({"name": TEXT, "state": TEXT})),
            }
        ),
        "Command": {
            "type": "object",
            "required": list(command),
            "properties": {**command, "ttl": TEXT, "who": TEXT},
            "additionalProperties": False,
        },
        "Changed": {
            "type": "object",
            "required": ["changed", "version"],
            "properties": {"changed": {"type": "boolean"}, "version": {"type": "integer"}},
        },
        "Outcome": _object(
            {**outcome, "message": TEXT, "hint": TEXT, "audit": {"type": "integer"}, "ts": {"type": "integer"}}
        ),
    }


def _get(what: str, content: Part, parameters: Sequence[Part] = (), security: list[Part] | None = None) -> Part:
    found: Part = {"summary": what, "parameters": list(parameters), "responses": _responses(content)}
    return {"get": found if security is None else {**found, "security": security}}


def _post(what: str, body: Part, content: Part, parameters: Sequence[Part], more: Sequence[int] = ()) -> Part:
    found = {
        "summary": what,
        "parameters": list(parameters),
        "requestBody": {"required": True, "content": _json(body)},
        "responses": _responses(content, (413, 415, *more)),
    }
    return {"post": found}


def _responses(content: Part, more: Sequence[int] = ()) -> Part:
    errors = {str(status): {"description": WHY[status], "content": _json(_ref("Error"))} for status in (*ALWAYS, *more)}
    return {"200": {"description": "as asked", "content": content}, **errors}


def _frames(name: str) -> Part:
    others = ("application/x-ndjson", "text/csv", "application/octet-stream")
    return {**_json(_ref(name)), **{kind: {} for kind in others}}


def _json(schema: Part) -> Part:
    return {"application/json": {"schema": schema}}


def _query(name: str, schema: Part) -> Part:
    return {"name": name, "in": "query", "required": False, "schema": schema}


def _several(name: str) -> Part:
    return {**_query(name, {"type": "array", "items": TEXT, "maxItems": MOST_NAMES}), "style": "form", "explode": True}


def _object(properties: Part, **optional: Part) -> Part:
    return {
        "type": "object",
        "required": list(properties),
        "properties": properties | optional,
        "additionalProperties": False,
    }


def _list(items: Part) -> Part:
    return {"type": "array", "items": items}


def _ref(name: str) -> Part:
    return {"$ref": f"#/components/schemas/{name}"}
