"""Every way to a device: serial ports, converters, UDP, TLS, and devices that dial in; against programs that are not
ours."""

import asyncio
import socket
import ssl
import struct
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import uvloop

from agent.model.errors import ConfigError, Unreachable
from agent.model.frame import Value
from drivers.api import LineConfig
from drivers.modbus.budget import budget
from drivers.modbus.config import Config
from drivers.modbus.driver import Device, build
from tests.sim import faulty_line as fault
from tests.sim.faulty_line import line_on_pty, line_over_tcp
from tests.sim.fixtures import free_port, libmodbus_line, libmodbus_server, listening, serial_pair

Loop = Callable[[], asyncio.AbstractEventLoop]
TAGS = [
    {"name": "a", "register": "input", "address": 7},
    {"name": "b", "address": 1100, "type": "float32"},
    {"name": "c", "register": "coil", "address": 3},
]
EXPECTED = {"a": 22, "b": 0.5, "c": True}


def device(endpoint: str, line: dict[str, Any] | None = None, **keys: Any) -> Device:
    section = {"name": "device", "driver": "modbus", "endpoint": endpoint, "tags": TAGS, **keys}
    (made,) = build(
        LineConfig.model_validate({"endpoint": endpoint, "timeout": "2s", **(line or {})}),
        [Config.model_validate(section)],
    )
    return made


async def read(endpoint: str, line: dict[str, Any] | None = None, **keys: Any) -> dict[str, Value]:
    made = device(endpoint, line, **keys)
    try:
        await made.open()
        frame = await made.scan(made.schemas[0])
    finally:
        await made.close()
    assert not any(frame.quality), list(frame.rows())
    return {tag.name: found for tag, found, _ in frame.rows()}


@contextmanager
def socat(*ends: str) -> Iterator[None]:
    with subprocess.Popen(["socat", *ends], stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.kill()


async def test_rtu_at_a_serial_port(tmp_path: Path) -> None:
    with libmodbus_line(tmp_path, 17) as port:
        assert await read(f"rtu://{port}?baud=9600", unit=17) == EXPECTED


async def test_rtu_behind_a_converter(tmp_path: Path) -> None:
    tcp = free_port()
    with libmodbus_line(tmp_path, 3) as port, socat(f"tcp-listen:{tcp},bind=127.0.0.1,reuseaddr", f"{port},raw"):
        await listening(tcp)
        assert await read(f"rtu+tcp://127.0.0.1:{tcp}", unit=3) == EXPECTED


async def test_udp() -> None:
    udp = free_port(socket.SOCK_DGRAM)
    with libmodbus_server() as tcp, socat(f"udp-listen:{udp},bind=127.0.0.1,fork", f"tcp:127.0.0.1:{tcp}"):
        await asyncio.sleep(0.2)
        assert await read(f"udp://127.0.0.1:{udp}") == EXPECTED


async def test_udp_that_nobody_takes_says_so_at_once() -> None:
    made = device(f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}")
    await made.open()
    with pytest.raises(Unreachable, match="connection refused"):
        await made.scan(made.schemas[0])
    await made.close()


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority with a certificate for a device and one for us, and another authority that nobody trusts."""
    folder = tmp_path_factory.mktemp("pki")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    for name in ("ca", "stranger"):
        openssl(*["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"],
                "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")  # fmt: skip
    (folder / "san").write_text("subjectAltName=IP:127.0.0.1\n")
    for name in ("device", "gateway"):
        openssl(*["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
                "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")  # fmt: skip
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", "30", "-extfile", "san", "-out", f"{name}.pem")  # fmt: skip
    return folder


@asynccontextmanager
async def tls_server(pki: Path) -> AsyncIterator[int]:
    """libmodbus behind socat, which asks for a certificate of our authority."""
    tls = free_port()
    asks = f"cert={pki}/device.pem,key={pki}/device.key,cafile={pki}/ca.pem,verify=1"
    listen = f"openssl-listen:{tls},bind=127.0.0.1,reuseaddr,fork,{asks}"
    with libmodbus_server() as tcp, socat(listen, f"tcp:127.0.0.1:{tcp}"):
        await listening(tls)
        yield tls


async def test_tls_with_certificates_on_both_sides(pki: Path) -> None:
    async with tls_server(pki) as port:
        keys = {"ca": f"{pki}/ca.pem", "cert": f"{pki}/gateway.pem", "key": f"{pki}/gateway.key"}
        assert await read(f"tls://127.0.0.1:{port}", keys) == EXPECTED


async def test_a_device_whose_certificate_is_not_trusted_is_not_read(pki: Path) -> None:
    async with tls_server(pki) as port:
        with pytest.raises(Unreachable, match=r"its certificate is not trusted.*`ca` of the line"):
            await read(f"tls://127.0.0.1:{port}", {"ca": f"{pki}/stranger.pem"})


async def test_a_device_that_wants_to_see_our_certificate_and_does_not_is_an_error(pki: Path) -> None:
    async with tls_server(pki) as port:
        with pytest.raises(Unreachable):
            await read(f"tls://127.0.0.1:{port}", {"ca": f"{pki}/ca.pem"})


def test_certificates_that_cannot_be_read_are_told_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="its certificates cannot be used: No such file"):
        device("tls://127.0.0.1:802", {"ca": str(tmp_path / "none.pem")})


async def test_a_device_that_speaks_no_tls_is_an_error() -> None:
    with libmodbus_server() as port, pytest.raises(Unreachable, match="does it speak TLS"):
        await read(f"tls://127.0.0.1:{port}", {"timeout": "500ms"})


LINE_TAGS = [{"name": f"t{address}", "address": address} for address in (4, 5, 6)]


async def test_a_port_that_is_not_there_is_an_error_with_the_next_step(tmp_path: Path) -> None:
    made = device(f"rtu://{tmp_path}/ttyUSB9")
    with pytest.raises(Unreachable, match=r"cannot open the port: no such file.*/dev/serial/by-id"):
        await made.open()


async def test_a_port_that_another_program_has_is_an_error(tmp_path: Path) -> None:
    with libmodbus_line(tmp_path) as port:
        first, second = device(f"rtu://{port}"), device(f"rtu://{port}")
        await first.open()
        with pytest.raises(Unreachable, match=r"cannot open the port: .*another program has it open"):
            await second.open()
        await first.close()
        await second.open()
        await second.close()


async def test_a_setting_that_the_port_refuses_is_an_error(tmp_path: Path) -> None:
    """A pseudo-terminal knows no parity."""
    refused = pytest.raises(Unreachable, match=r"cannot open the port: invalid argument .*does not take a setting")
    with serial_pair(tmp_path) as (port, _), refused:
        await device(f"rtu://{port}?parity=E").open()


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_port_that_refused_a_setting_is_free_at_once(tmp_path: Path, loop: Loop) -> None:
    """Nothing of the failed attempt keeps it locked, whether it failed at the speed, the parity, or RS-485."""

    async def tried(port: str) -> None:
        for settings in ("parity=E", "rs485=on", "parity=O&rs485=on") * 3:
            refused, fine = device(f"rtu://{port}?{settings}"), device(f"rtu://{port}")
            with pytest.raises(Unreachable, match="does not take a setting"):
                await refused.open()
            await fine.open()  # beside the one that still wants it
            await fine.close()
            await refused.close()

    with serial_pair(tmp_path) as (port, _), asyncio.Runner(loop_factory=loop) as runner:
        runner.run(tried(port))


async def test_a_port_that_vanishes_and_returns_is_used_again(tmp_path: Path) -> None:
    made = device(f"rtu://{tmp_path}/ours", unit=1)
    with libmodbus_line(tmp_path):
        await made.open()
        assert not any((await made.scan(made.schemas[0])).quality)
    with pytest.raises(Unreachable, match=r"connection lost|closed by the other side|cannot open the port"):
        await made.scan(made.schemas[0])
    with pytest.raises(Unreachable, match="cannot open the port"):
        await made.open()
    with libmodbus_line(tmp_path):
        await made.open()
        assert not any((await made.scan(made.schemas[0])).quality)
    await made.close()


async def test_several_connections_share_the_devices_of_an_endpoint() -> None:
    with libmodbus_server() as port:
        line = LineConfig.model_validate({"endpoint": f"tcp://127.0.0.1:{port}", "connections": 2})
        keys = {"driver": "modbus", "endpoint": f"tcp://127.0.0.1:{port}", "tags": TAGS}
        configs = [Config.model_validate({"name": f"d{unit}", "unit": unit, **keys}) for unit in (0, 1, 2, 255)]
        made = build(line, configs)
        assert [each.line.removeprefix(line.endpoint) for each in made] == ["", " #2", "", " #2"]
        for each in made:
            await each.open()
            assert not any((await each.scan(each.schemas[0])).quality)
            await each.close()


@pytest.mark.parametrize(("scheme", "over"), [("rtu+tcp", ["", "", " #2", ""]), ("tcp", ["", " #2", "", " #2"])])
def test_where_answers_have_no_numbers_a_unit_is_asked_over_one_connection(scheme: str, over: list[str]) -> None:
    """A converter may pass what a unit says to all that are connected, and an answer to one device is none to
    another."""
    keys = {"driver": "modbus", "endpoint": f"{scheme}://127.0.0.1", "tags": TAGS}
    line = LineConfig.model_validate({"endpoint": keys["endpoint"], "connections": 2})
    configs = [Config.model_validate({"name": f"d{at}", "unit": unit, **keys}) for at, unit in enumerate((7, 7, 8, 9))]
    assert [each.line.removeprefix(line.endpoint) for each in build(line, configs)] == over
    assert sorted(len(each.costs) for each in budget(line, configs)) == [over.count(" #2"), over.count("")]


@pytest.mark.parametrize("endpoint", ["rtu:///dev/ttyS9", "udp://127.0.0.1", "listen://:8899"])
def test_what_cannot_have_several_connections_says_so(endpoint: str) -> None:
    with pytest.raises(ConfigError, match="only TCP has several `connections`"):
        device(endpoint, {"connections": 2})


def test_devices_of_a_port_agree_how_it_is_set() -> None:
    keys = {"driver": "modbus", "tags": TAGS}
    configs = [
        Config.model_validate({"name": f"d{baud}", "endpoint": f"rtu:///dev/ttyS9?baud={baud}", **keys})
        for baud in (9600, 19200)
    ]
    with pytest.raises(ConfigError, match="d9600 and d19200 share a port and do not agree"):
        build(LineConfig(endpoint="rtu:///dev/ttyS9?baud=9600"), configs)


async def test_a_wait_after_connecting_and_before_each_request() -> None:
    async with line_over_tcp(fault.good) as line:
        made = device(line.endpoint, {"connect_delay": "80ms"}, tags=LINE_TAGS, pause="40ms", max_gap=0)
        loop = asyncio.get_running_loop()
        started = loop.time()
        await made.open()
        opened = loop.time()
        await made.scan(made.schemas[0])
        await made.scan(made.schemas[0])
        assert opened - started >= 0.08
        assert loop.time() - opened >= 0.04
        await made.close()


async def test_frames_on_a_serial_port_keep_their_silence() -> None:
    """At 1200 baud 3.5 characters are 29 ms: between an answer and the next request there is at least that."""
    stamps: list[float] = []
    loop = asyncio.get_running_loop()

    def behave(request: bytes) -> list[fault.Act]:
        stamps.append(loop.time())
        return fault.good(request)

    async with line_on_pty(behave) as (_, path):
        made = device(f"rtu://{path}?baud=1200", tags=LINE_TAGS)
        await made.open()
        for _ in range(3):
            await made.scan(made.schemas[0])
        await made.close()
    assert all(after - before >= 0.029 for before, after in pairwise(stamps))


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_the_silence_is_kept_by_clocks_of_whole_milliseconds_too(loop_factory: Loop) -> None:
    """At 19200 baud 3.5 characters are 1.8 ms."""
    gaps: list[float] = []

    async def main() -> None:
        answered = 0.0

        def behave(request: bytes) -> list[fault.Act]:
            nonlocal answered
            gaps.append(time.monotonic() - answered)
            time.sleep(len(gaps) % 10 / 10_000)
            answered = time.monotonic()
            return fault.good(request)

        async with line_on_pty(behave) as (_, path):
            made = device(f"rtu://{path}?baud=19200", tags=LINE_TAGS)
            await made.open()
            for _ in range(60):
                await made.scan(made.schemas[0])
            await made.close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())
    assert min(gaps) >= 3.5 * 10 / 19200


async def test_ascii_at_a_server_that_is_not_ours() -> None:
    from pymodbus import FramerType  # a server is loaded for this test alone
    from pymodbus.server import ModbusTcpServer  # as above
    from pymodbus.simulator import DataType, SimData, SimDevice  # as above

    port = free_port()
    unit = SimDevice(7, simdata=[SimData(0, count=200, values=321, datatype=DataType.REGISTERS)])
    server = ModbusTcpServer(unit, framer=FramerType.ASCII, address=("127.0.0.1", port))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(server.serve_forever())
        await listening(port)
        tags = [{"name": "t", "address": 3, "type": "uint32"}]
        assert await read(f"ascii+tcp://127.0.0.1:{port}", unit=7, tags=tags) == {"t": 321 << 16 | 321}
        await server.shutdown()
        task.cancel()


def test_the_bytes_of_a_request_are_those_of_the_standard() -> None:
    """Modbus over Serial Line 1.02, §6.2.2 and common worked examples: 11 03 00 6B 00 03 has the checksum 76 87."""
    from drivers.modbus.frames import Ascii, Rtu  # the only test here that looks inside

    pdu = struct.pack(">BHH", 3, 0x6B, 3)
    assert Rtu().build(0x11, pdu) == bytes.fromhex("11 03 00 6B 00 03 76 87")
    assert Ascii().build(0x11, pdu) == b":1103006B00037E\r\n"


def test_an_ssl_context_never_goes_below_tls_1_2(pki: Path) -> None:
    from drivers.modbus.dial import _tls  # the seam at which the setting can be seen

    context = _tls(LineConfig(endpoint="tls://127.0.0.1", ca=f"{pki}/ca.pem"))
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize(
    ("line", "keys", "expected"),
    [
        ({}, {}, 0.5),
        ({"order": "CDAB"}, {"order": "ABCD"}, 0.5),
        ({"order": "CDAB"}, {}, struct.unpack(">f", bytes.fromhex("00003f00"))[0]),
    ],
)
async def test_the_order_of_a_line_holds_for_devices_that_say_none(
    line: dict[str, Any], keys: dict[str, Any], expected: float
) -> None:
    with libmodbus_server() as port:
        assert (await read(f"tcp://127.0.0.1:{port}", line, **keys))["b"] == expected
