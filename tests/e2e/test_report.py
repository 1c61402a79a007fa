"""Report by exception through a running agent: what leaves is what has changed, and the ledger has the rest."""

import json
from pathlib import Path
from typing import Any

from tests.e2e.site import Agent
from tests.sim.mosquitto import wait_until

SITE = """\
gateway: {{id: gw-01}}
devices:
  - name: pump
    driver: sim
    interval: 100ms
    report: on_change
    tags:
      - {{name: fixed, wave: constant, low: 7}}
      - {{name: pieces, wave: counter, period: 500ms, kind: counter}}
      - {{name: often, wave: ramp, period: 1h, report: always}}
      - {{name: seldom, wave: ramp, period: 1h, report: {{when: period, period: 1s}}}}
      - {{name: line, wave: ramp, period: 1h, report: {{door: 1, max_time: 1s}}}}
sinks: [{{name: archive, type: file, path: {archive}}}]
buffer: {{keep: 1d, reserve: 1MB, commit: 100ms}}
"""


def test_only_what_has_changed_leaves_and_the_ledger_has_the_rest(tmp_path: Path) -> None:
    archive = tmp_path / "archive.jsonl"

    def told() -> list[dict[str, Any]]:
        lines = archive.read_text().splitlines() if archive.exists() else []
        return [json.loads(line) for line in lines if line.endswith("}")]

    with Agent(tmp_path, SITE.format(archive=archive)) as agent:
        agent.ready()
        wait_until(lambda: len([frame for frame in told() if "line" in frame["values"]]) > 1, "a line told twice", 30)
        assert agent.stop() == 0
        (account,) = agent.ledger()

    frames = told()
    first, *others = [frame["values"] for frame in frames]
    assert first.keys() == {"fixed", "pieces", "often", "seldom", "line"}
    assert all("fixed" not in values for values in others)
    pieces = [values["pieces"] for values in others if "pieces" in values]
    assert pieces == sorted(set(pieces)) and len(pieces) > 1
    assert sum("often" in values for values in others) > 3 * sum("seldom" in values for values in others)
    assert any("line" in frame.get("stamps", {}) for frame in frames)
    assert account["suppressed"].keys() == {"unchanged", "period", "door"}
    assert account["delivered"] == sum(len(frame["values"]) for frame in frames)
    assert account["read"] == account["delivered"] + sum(account["suppressed"].values())
    assert account["balanced"], account
