"""A press that speaks OPC UA, through the whole house: two independent servers, one of them killed meanwhile."""

from pathlib import Path
from typing import Any

from tests.e2e.site import Agent, Platform
from tests.sim.mosquitto import Mosquitto, wait_until
from tests.sim.opcua_fixtures import NAMESPACE, PRESS, asyncua_server, node_opcua_server

TAGS = 45  # more than the node-opcua server takes in one call
SITE = """\
gateway: {{id: gw-press}}
devices:
  - name: press
    driver: opcua
    endpoint: {press}
    security: none
    interval: 200ms
    tags:
{tags}
  - name: plant
    driver: opcua
    endpoint: {plant}
    security: none
    interval: 200ms
    tags:
      - {{name: moving, node: "nsu={plant_ns};s=Value0"}}
      - {{name: total, node: "nsu={plant_ns};s=Total", type: uint64}}
      - {{name: text_where_a_number_belongs, node: "nsu={plant_ns};s=Name", type: float64}}
      - {{name: not_there, node: "nsu={plant_ns};s=NoSuchNode"}}
lines:
  - {{endpoint: {plant}, timeout: 500ms}}
sinks:
  - {{name: platform, type: mqtt, url: "mqtt://127.0.0.1:{broker}"}}
  - {{name: archive, type: file, path: {archive}}}
buffer: {{keep: 1d, reserve: 1MB, commit: 100ms}}
log: {{format: json}}
"""


def test_subscriptions_arrive_in_chunks_survive_a_restart_and_mark_the_gap(tmp_path: Path) -> None:
    tags = "\n".join(f'      - {{name: v{i}, node: "nsu={PRESS};s=Value{i}"}}' for i in range(TAGS))
    archive = tmp_path / "archive.jsonl"
    with (
        node_opcua_server(tags=TAGS, interval=200) as press,
        Mosquitto(tmp_path / "broker") as broker,
        Platform(broker.port) as platform,
    ):

        def frames(device: str) -> list[dict[str, Any]]:
            return [frame for frame in platform.taken().values() if frame["device"] == device]

        def moving() -> list[float]:
            return [frame["values"]["moving"] for frame in frames("plant") if "moving" in frame["values"]]

        def qualities(device: str) -> dict[str, set[str]]:
            found: dict[str, set[str]] = {}
            for frame in frames(device):
                for tag, word in frame["quality"].items():
                    found.setdefault(tag, set()).add(word)
            return found

        with asyncua_server(interval=0.2) as plant:
            port = plant.port
            config = SITE.format(
                press=press.endpoint,
                plant=plant.endpoint,
                tags=tags,
                plant_ns=NAMESPACE,
                broker=broker.port,
                archive=archive,
            )
            agent = Agent(tmp_path, config)
            agent.start()
            try:
                wait_until(lambda: len(moving()) >= 5, "values of the plant", 30)
                wait_until(lambda: len(frames("press")) >= 5, "values of the press", 30)
                assert any(frame["values"].get("total") == 2**64 - 1 for frame in frames("plant"))
                assert qualities("plant")["text_where_a_number_belongs"] == {"bad_decode"}
                assert qualities("plant")["not_there"] <= {"bad_config", "bad_device"}
                plant.kill()
                wait_until(lambda: "bad_comm" in qualities("plant").get("moving", ()), "the gap to be marked", 20)
                press_before = len(frames("press"))
                before = len(moving())
                with asyncua_server(interval=0.2, port=port):
                    wait_until(lambda: len(moving()) > before + 3, "values after the restart", 60)
                assert len(frames("press")) > press_before, "the neighbour went on"
                assert agent.stop() == 0
            finally:
                if agent.alive():
                    agent.kill()
        accounts = agent.ledger()
        wait_until(
            lambda: (
                sum(platform.samples().values())
                >= sum(account["read"] for account in accounts if account["sink"] == "platform")
            ),
            "the last frames",
        )
    for account in accounts:
        assert account["balanced"]
        assert (account["buffered"], account["dropped"]) == (0, {})
        assert account["delivered"] == account["read"] > 0
    seen = {tag for frame in frames("press") for tag in frame["values"]}
    assert seen == {f"v{i}" for i in range(TAGS)}, "every tag, although the server takes ten monitored items a call"
    assert platform.gaps() == []
    assert len(archive.read_text("utf-8").splitlines()) >= len(platform.taken())
