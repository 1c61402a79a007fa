"""S10: a certificate of ours that is about to expire is told of, once."""

import asyncio
import logging
from pathlib import Path

import pytest

from agent.health import Health
from agent.runtime.expiry import watch
from tests.unit.northbound.certificates import Authority


@pytest.mark.parametrize(("days", "said"), [(40, 0), (20, 1), (-1, 1)])
async def test_s10_the_server_s_certificate_is_watched(
    tmp_path: Path, days: int, said: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "floorgate")
    cert, looks = Authority(tmp_path).issue(days=days).cert, asyncio.Event()
    task = asyncio.ensure_future(watch(str(cert), Health().part("status", "here"), 0.001))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await looks.wait()
    task.cancel()
    await asyncio.wait([task])
    assert len([record for record in caplog.records if "our certificate in" in record.message]) == said


async def test_a_file_that_cannot_be_read_is_looked_at_again(tmp_path: Path) -> None:
    task = asyncio.ensure_future(watch(str(tmp_path / "gone.pem"), Health().part("status", "here"), 0.001))
    done, _ = await asyncio.wait([task], timeout=0.1)
    assert not done
    task.cancel()
    await asyncio.wait([task])
