"""Sinks come, go and change under a running agent, and what they are owed stays."""

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent.model.errors import ConfigError
from agent.status.ready import readiness
from tests.sim.faulty_modbus import FaultyDevice, faulty_device
from tests.unit.runtime.applying import BUFFER, Plant, Said, device, plain, plant, tag

TOKEN = "0123456789abcdef0123"


@pytest.fixture
async def meter() -> AsyncIterator[FaultyDevice]:
    async with faulty_device() as found:
        yield found


@pytest.fixture
def said(tmp_path: Path, meter: FaultyDevice) -> Said:
    return plain(tmp_path, device("meter", meter.endpoint, tag("a", 10), interval="20ms"))


def file(folder: Path, name: str, **more: Any) -> Said:
    return {"name": name, "type": "file", "path": str(folder / f"{name}.jsonl"), **more}


def seqs(agent: Plant, name: str) -> list[int]:
    return [row["seq"] for row in agent.rows(name)]


async def test_a_sink_that_is_new_gets_what_comes_or_all_there_is(tmp_path: Path, said: Said) -> None:
    said["sinks"].append(file(tmp_path, "off", enabled=False))  # keeps everything on the disk
    async with plant(tmp_path, said) as agent:
        await agent.until(lambda: len(seqs(agent, "out")) > 5, "frames")
        said["sinks"] += [file(tmp_path, "late"), file(tmp_path, "old", start="oldest")]
        applied = await agent.apply(said)
        assert applied.change.sinks.started == ("late", "old")
        assert applied.change.sinks.stayed == ("off", "out")
        await agent.until(lambda: seqs(agent, "late") and len(seqs(agent, "old")) > 10, "frames at the new ones")
        assert min(seqs(agent, "late")) > 5
        assert min(seqs(agent, "old")) == 1
    for name in ("out", "late", "old"):
        found = sorted(set(seqs(agent, name)))
        assert found == list(range(found[0], found[-1] + 1))
    assert all(account.balanced for account in agent.accounts().values())


async def test_a_sink_that_goes_keeps_what_it_is_owed(tmp_path: Path, meter: FaultyDevice, said: Said) -> None:
    """Also one that cannot be reached; what is read later it is not owed."""
    said["sinks"].append({"name": "far", "type": "mqtt", "url": "mqtt://127.0.0.1:1"})
    async with plant(tmp_path, said) as agent:
        await agent.until(lambda: len(seqs(agent, "out")) > 5, "frames")
        far = said["sinks"].pop()
        applied = await agent.apply(said)
        assert applied.change.sinks.stopped == ("far",)
        assert agent.part("sink", "far") is None
        owed = await agent.app._storage.call(agent.app._storage.store.owed, "far")
        assert owed > 5
        await agent.until(lambda: len(seqs(agent, "out")) > owed + 5, "more frames")
        assert await agent.app._storage.call(agent.app._storage.store.owed, "far") == owed
        said["sinks"].append({**far, "type": "file", "path": str(tmp_path / "far.jsonl"), "url": None})
        del said["sinks"][-1]["url"]
        await agent.apply(said)
        await agent.until(lambda: len(set(seqs(agent, "far"))) > owed, "what it was owed, and more")
    assert meter.connections == 1
    assert all(account.balanced for account in agent.accounts().values())


async def test_a_sink_that_changes_goes_on_where_it_was(tmp_path: Path, said: Said) -> None:
    async with plant(tmp_path, said) as agent:
        await agent.until(lambda: len(seqs(agent, "out")) > 5, "frames")
        said["sinks"][0]["path"] = str(tmp_path / "elsewhere.jsonl")
        applied = await agent.apply(said)
        assert applied.change.sinks.restarted == ("out",)
        await agent.until(lambda: len(seqs(agent, "elsewhere")) > 5, "frames at the new place")
    found = seqs(agent, "out") + seqs(agent, "elsewhere")
    assert sorted(set(found)) == list(range(1, max(found) + 1))


async def test_a_sink_that_cannot_be_built_changes_nothing(tmp_path: Path, said: Said, monkeypatch: Any) -> None:
    from agent import registry  # what is broken here

    async with plant(tmp_path, said) as agent:
        await agent.until(lambda: seqs(agent, "out"), "frames")
        real = registry.sink_builder

        def broken(name: str) -> Any:
            if name == "mqtt":
                raise ConfigError("no such sink")
            return real(name)

        monkeypatch.setattr(registry, "sink_builder", broken)
        said["sinks"].append({"name": "far", "type": "mqtt", "url": "mqtt://127.0.0.1:1"})
        said["devices"][0]["interval"] = "30ms"
        with pytest.raises(ConfigError, match="no such sink"):
            await agent.apply(said)
        count = len(seqs(agent, "out"))
        await agent.until(lambda: len(seqs(agent, "out")) > count + 3, "more frames")
        assert agent.part("sink", "far") is None
        assert "far" not in agent.app._storage.store._log.sinks


async def asked(folder: Path, path: str, token: str = "") -> Any:
    facts = json.loads((folder / "data" / "agent.json").read_text())
    url = f"http://{facts['host']}:{facts['port']}{path}"
    headers = {"Authorization": f"Bearer {token or facts['token']}"}
    request = urllib.request.Request(url, headers=headers)  # loopback

    def get() -> Any:
        with urllib.request.urlopen(request, timeout=5) as answer:  # as above
            return json.load(answer)

    return await asyncio.to_thread(get)


async def test_consumers_come_and_go_while_the_status_server_stays(tmp_path: Path, said: Said) -> None:
    async with plant(tmp_path, said) as agent:
        await agent.until(lambda: (tmp_path / "data" / "agent.json").exists() and seqs(agent, "out"), "frames")
        before = (tmp_path / "data" / "agent.json").read_text()
        said["sinks"].append({"name": "mes", "type": "pull", "token": "${TOKEN}"})
        with pytest.raises(urllib.error.HTTPError):
            await asked(tmp_path, "/api/v1/frames?limit=5", TOKEN)
        await agent.apply(said, TOKEN=TOKEN)
        await agent.until(lambda: agent.app._storage.store.owed("mes"), "frames for it")
        assert (await asked(tmp_path, "/api/v1/frames?limit=1", TOKEN))["frames"]
        said["devices"].append({**said["devices"][0], "name": "twin"})
        await agent.apply(said, TOKEN=TOKEN)
        names = [each["name"] for each in (await asked(tmp_path, "/api/v1/devices"))["devices"]]
        assert names == ["meter", "twin"]
        del said["sinks"][-1]
        await agent.apply(said)
        with pytest.raises(urllib.error.HTTPError):
            await asked(tmp_path, "/api/v1/frames?limit=5", TOKEN)
        assert (tmp_path / "data" / "agent.json").read_text() == before


async def test_the_gateway_gets_another_name_and_nothing_is_lost(
    tmp_path: Path, meter: FaultyDevice, said: Said
) -> None:
    async with plant(tmp_path, said) as agent:
        await agent.until(lambda: len(seqs(agent, "out")) > 5, "frames")
        said["gateway"]["id"] = "gw-2"
        applied = await agent.apply(said)
        assert applied.change.sinks.restarted == ("out",)
        await agent.until(lambda: agent.rows()[-1]["gateway"] == "gw-2", "frames of the new name")
        assert (await asked(tmp_path, "/api/v1/devices"))["gateway"] == "gw-2"
    assert sorted(set(seqs(agent, "out"))) == list(range(1, max(seqs(agent, "out")) + 1))
    assert meter.connections == 1


async def test_limits_of_the_store_and_the_place_of_the_server_follow(tmp_path: Path, said: Said) -> None:
    async with plant(tmp_path, said) as agent:
        await agent.until(lambda: (tmp_path / "data" / "agent.json").exists() and seqs(agent, "out"), "frames")
        before = json.loads((tmp_path / "data" / "agent.json").read_text())
        said["buffer"] = {**BUFFER, "max_size": "48MB", "keep": "2h", "commit": "30ms"}
        said["status"] = {"listen": "127.0.0.2:0"}
        applied = await agent.apply(said)
        assert applied.change.sections == ("buffer.commit", "buffer.keep", "buffer.max_size", "status.listen")
        store = agent.app._storage.store
        assert (await agent.app._storage.call(store.stats)).limit == 48 << 20
        assert store.retention.limits.keep == 7200 * 10**9
        assert agent.app._storage._commit == 0.03
        path = tmp_path / "data" / "agent.json"
        await agent.until(lambda: path.exists() and "127.0.0.2" in path.read_text(), "another place")
        assert agent.part("status", "127.0.0.1:0") is None
        assert json.loads(path.read_text())["token"] != before["token"]
        await agent.until(lambda: readiness(agent.health, time.monotonic_ns())["ready"], "everything up")
