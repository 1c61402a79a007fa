"""https: nothing is sent before the platform has proved who it is, and we prove who we are where it asks."""

import asyncio
import shutil
import ssl
from pathlib import Path

import pytest

from agent.model.errors import Denied, Unavailable
from agent.model.text import Referenced
from tests.sim.http_platform import HttpPlatform
from tests.unit.northbound.certificates import Authority, Pair
from tests.unit.northbound.making import entries, http, no_tasks_left, opened


def serving(pair: Pair, asks: Path | None = None, most: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    if asks is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(asks)
    if most is not None:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.maximum_version = most
    return context


async def test_frames_go_over_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with HttpPlatform(tls=serving(authority.issue())) as platform:
        async with opened(http(platform, ca=str(authority.ca))) as sink:
            await sink.send(entries(100))
            await sink.send(entries(100, first=101))
    assert len(platform.frames()) == 200
    assert len({request.peer for request in platform.requests}) == 1


@pytest.mark.parametrize(
    ("host", "days", "why"),
    [("another.example", 30, "Hostname mismatch"), ("localhost", -1, "certificate has expired")],
)
async def test_a_platform_with_the_wrong_certificate_gets_nothing(
    tmp_path: Path, host: str, days: int, why: str
) -> None:
    authority = Authority(tmp_path)
    with HttpPlatform(tls=serving(authority.issue(host, days=days))) as platform:
        sink = http(platform, ca=str(authority.ca), token=Referenced("t0k3n"))
        with pytest.raises(Unavailable, match=rf"{why}.*is our clock right"):
            await sink.open()
    assert platform.requests == []
    await no_tasks_left()


async def test_a_platform_of_an_unknown_authority_gets_nothing(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with HttpPlatform(tls=serving(Authority(tmp_path).issue())) as platform:
        for ca in (str(Authority(other, "other").ca), ""):
            with pytest.raises(Unavailable, match="certificate verify failed"):
                await http(platform, ca=ca).open()
    assert platform.requests == []


async def test_a_certificate_that_is_exchanged_meanwhile_gets_nothing(tmp_path: Path) -> None:
    """Each connection is verified, not only the one that `open` makes."""
    other = tmp_path / "other"
    other.mkdir()
    authority = Authority(tmp_path)
    with HttpPlatform(tls=serving(authority.issue())) as platform:
        async with opened(http(platform, ca=str(authority.ca))) as sink:
            await asyncio.to_thread(platform.stop)
            platform.tls = serving(Authority(other, "other").issue())
            platform.start()
            with pytest.raises(Unavailable, match="certificate verify failed"):
                await sink.send(entries(1))
    assert platform.requests == []


async def test_old_tls_is_out_of_the_question(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old = serving(authority.issue(), most=ssl.TLSVersion.TLSv1_1)
    with HttpPlatform(tls=old) as platform, pytest.raises(Unavailable):
        await http(platform, ca=str(authority.ca)).open()
    assert platform.requests == []


async def test_a_client_certificate_is_shown_and_read_anew(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    ours, late = authority.issue("gw-01"), authority.issue("gw-01", days=-1)
    cert, key = tmp_path / "our.pem", tmp_path / "our.key"
    with HttpPlatform(tls=serving(authority.issue(), authority.ca)) as platform:
        shown = {"ca": str(authority.ca), "cert": str(cert), "key": str(key)}
        sink = http(platform, **shown)
        with pytest.raises(Denied, match=r"the certificates cannot be used.*our\.pem"):
            await sink.open()
        for pair, fine in ((late, False), (ours, True)):
            shutil.copy(pair.cert, cert)
            shutil.copy(pair.key, key)
            async with opened(sink):
                if fine:
                    await sink.send(entries(3))
                else:
                    with pytest.raises(Unavailable, match=r"does it want a client cert|[Aa][Ll][Ee][Rr][Tt]"):
                        await sink.send(entries(3))
        with pytest.raises(Unavailable):
            async with opened(http(platform, ca=str(authority.ca))) as other:
                await other.send(entries(3))
    assert len(platform.requests) == 1


async def test_plain_http_on_the_other_side_is_said_so(platform: HttpPlatform) -> None:
    with pytest.raises(Unavailable, match="does this port speak TLS"):
        await http(platform, url=platform.url.replace("http://", "https://")).open()


async def test_tls_on_the_other_side_is_said_so(tmp_path: Path) -> None:
    with HttpPlatform(tls=serving(Authority(tmp_path).issue())) as platform:
        async with opened(http(platform, url=platform.url.replace("https://", "http://"))) as sink:
            with pytest.raises(Unavailable):
                await sink.send(entries(1))
