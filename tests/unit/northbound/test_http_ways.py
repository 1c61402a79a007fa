"""The http sink behind real proxies, and with certificates that are about to expire."""

from pathlib import Path
from typing import Any

import pytest

from agent.model.errors import Denied, Unavailable
from agent.model.text import Referenced
from agent.northbound.api import Gateway
from agent.northbound.house import Alone
from agent.northbound.http.config import Config
from agent.northbound.http.sink import build
from tests.sim.http_platform import HttpPlatform
from tests.sim.ports import free_port
from tests.sim.proxies import microsocks, tinyproxy
from tests.unit.northbound.certificates import Authority
from tests.unit.northbound.making import entries, http, no_tasks_left, opened
from tests.unit.northbound.test_http_tls import serving

LOGIN = ("gw", "s3cret")


def told(url: str, login: tuple[str, str] = LOGIN) -> dict[str, Any]:
    return {"proxy": url, "proxy_user": login[0], "proxy_password": Referenced(login[1])}


async def works(platform: HttpPlatform, **options: Any) -> None:
    before = len(platform.taken)
    async with opened(http(platform, **options)) as sink:
        await sink.send(entries(3))
        await sink.send(entries(3, first=4))
    assert len(platform.taken) == before + 2


async def test_requests_go_through_proxies(tmp_path: Path, platform: HttpPlatform) -> None:
    with tinyproxy(tmp_path, ports=[platform.port], login=LOGIN) as way, microsocks(login=LOGIN) as socks:
        await works(platform, **told(way))
        await works(platform, **told(socks))
    assert "Proxy-Authorization" not in platform.requests[0].headers


async def test_tls_goes_through_proxies_and_proves_who_is_there(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with (
        HttpPlatform(tls=serving(authority.issue())) as platform,
        tinyproxy(tmp_path, ports=[platform.port], login=LOGIN) as way,
        microsocks(login=LOGIN) as socks,
    ):
        for url in (way, socks):
            await works(platform, ca=str(authority.ca), **told(url))
            with pytest.raises(Unavailable, match="certificate verify failed"):
                await http(platform, **told(url)).open()
    assert len(platform.requests) == 4


async def test_a_proxy_that_says_no_needs_a_person_and_one_that_is_away_does_not(
    tmp_path: Path, platform: HttpPlatform
) -> None:
    with tinyproxy(tmp_path, ports=[1], login=LOGIN) as way, microsocks(login=LOGIN) as socks:
        with pytest.raises(Denied, match="check `proxy_user` and `proxy_password`"):
            await http(platform, **told(socks, ("gw", "wr0ng"))).open()
        async with opened(http(platform, **told(way, ("gw", "wr0ng")))) as sink:
            with pytest.raises(Denied, match=r"40[17]"):
                await sink.send(entries(1))
        secure = platform.url.replace("http://", "https://")
        with pytest.raises(Denied, match=f"HTTP 403 .*allow CONNECT to port {platform.port}"):
            await http(platform, url=secure, **told(way)).open()
    with pytest.raises(Unavailable):
        await http(platform, **told(f"http://127.0.0.1:{free_port()}")).open()
    assert platform.requests == []
    await no_tasks_left()


async def test_a_certificate_that_is_about_to_expire_is_told_once(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    ours = authority.issue("gw-01", days=5)
    house = Alone()
    with HttpPlatform(tls=serving(authority.issue(days=5), authority.ca)) as platform:
        keys = {"ca": str(authority.ca), "cert": str(ours.cert), "key": str(ours.key)}
        config = Config.model_validate({"name": "p", "type": "http", "url": platform.url, **keys})
        sink = build(config, Gateway("gw-01", house=house))
        for _ in range(2):
            async with opened(sink):
                sink._next_look = 0.0  # an hour has passed
                await sink.send(entries(1))
    told = [note for note in house.notes if "expires at" in note]
    assert sum("the certificate of http localhost" in note for note in told) == 1
    assert sum(f"our certificate in {ours.cert}" in note for note in told) == 1
