"""S18: unless the file says otherwise no command reaches anything."""

from pathlib import Path
from typing import Any

from agent.health import Part
from agent.normalise import Steps
from agent.northbound.house import Alone, Answer, Command
from agent.runtime.catalogue import Catalogue
from agent.runtime.house import Room
from tests.sim.commanded import agent, site
from tests.sim.faulty_modbus import faulty_device
from tests.sim.holding import Holding
from tests.unit.runtime.test_commands_modbus import DEVICE, volley

COUNT = 10_000


async def test_a_sink_without_commands_forbids_ten_thousand() -> None:
    nothing: Any = None
    for house in (Room("up", Catalogue((), Steps()), nothing, Part("sink", "up")), Alone()):
        answers: list[Answer] = []
        for number in range(COUNT // 2):
            command = Command("press", "setpoint", number, f"{number}")
            house.submit(command, answers.append)
            answers.append(await house.command(command))
        house.drop()
        assert {answer.outcome for answer in answers} == {"forbidden"}
        assert len(answers) == COUNT


async def test_through_a_running_agent_they_write_nothing_and_leave_no_audit(tmp_path: Path) -> None:
    plc = Holding()
    async with faulty_device(plc.tcp) as server:
        path = site(tmp_path, DEVICE.format(endpoint=server.endpoint), "up")
        path.write_text(
            "\n".join(
                line.split(", commands:")[0] + "}" * (", commands:" in line) for line in path.read_text().split("\n")
            )
        )
        async with agent(path) as meet:
            platform = await meet("up")
            base = {"device": "press", "tag": "setpoint", "value": 2, "issued_at": platform.now()}
            assert await volley(platform, [{**base, "id": f"{n}"} for n in range(1000)]) == {"forbidden": 1000}
    assert plc.writes == [] and not (tmp_path / "data" / "audit.db").exists()
