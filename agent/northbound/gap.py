"""The loss report: what a sink will never get, as a message that a platform can tell from data.

The store puts it among the frames (`buffer/reports.py`: device `$gateway`, group `loss`), so that it is kept, sent and
confirmed like them.
"""

from typing import Any

from agent.model.frame import Entry
from agent.model.tag import Schema

DEVICE, GROUP = "$gateway", "loss"
_MS = 1_000_000


def is_gap(schema: Schema) -> bool:
    return schema.device == DEVICE and schema.group == GROUP


def gap(entry: Entry) -> dict[str, Any]:
    """`{"type": "gap", "device", "group", "ts", "sink", "reason", "ranges", "frames", "samples"}`.

    A range has the first and the last `seq` that the sink will not get, and the times (ms UTC) of these two frames.
    """
    frame = entry.frame
    told = {tag.name: value for tag, value, _ in frame.rows()}
    lost = {"from": told.get("from_seq"), "to": told.get("to_seq")}
    lost |= {"first_ts": told.get("first_ts"), "last_ts": told.get("last_ts")}
    report: dict[str, Any] = {"type": "gap", "device": DEVICE, "group": GROUP, "ts": frame.ts // _MS}
    report |= {"sink": told.get("sink"), "reason": told.get("reason"), "ranges": [lost]}
    return report | {"frames": told.get("frames"), "samples": told.get("samples")}
