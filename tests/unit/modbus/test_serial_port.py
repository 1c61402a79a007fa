"""What a pseudo-terminal cannot show, seen at the seam: the settings that reach the port."""

from typing import Any

import pytest
import serial
from pymodbus.transport import CommParams, CommType

from drivers.modbus.config import PORTS
from drivers.modbus.dial import opened
from drivers.modbus.link import Link
from drivers.transport import Serial, parse_endpoint
from tests.sim.faulty_line import good, line_on_pty


class Port:
    """Stands where pyserial's port is, and notes how it was opened."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self.rs485_mode: Any = None
        self.timeout = self.write_timeout = None
        self.closed = False

    def fileno(self) -> int:
        return 0

    def close(self) -> None:
        self.closed = True


def settings(text: str) -> Serial:
    found = parse_endpoint(text, PORTS).serial
    assert found is not None
    return found


async def port_of(text: str, monkeypatch: pytest.MonkeyPatch) -> Port:
    """pyserial's own factory is the seam: it is what a port of another kind (rfc2217://, spy://) is chosen by."""
    made: list[Port] = []

    def factory(url: str, **keys: Any) -> Port:
        made.append(Port(url=url, **keys))
        return made[0]

    monkeypatch.setattr(serial, "serial_for_url", factory)
    link = Link(parse_endpoint(text, PORTS), CommParams(comm_type=CommType.SERIAL, host="x", reconnect_delay=0))
    monkeypatch.setattr(link.loop, "add_reader", lambda *_: None)
    opened(link, settings(text))
    return made[0]


async def test_line_settings_reach_the_port(monkeypatch: pytest.MonkeyPatch) -> None:
    path = "/dev/serial/by-id/usb-FTDI_FT232R-if00-port0"
    port = await port_of(f"rtu://{path}?baud=19200&parity=even&stop=2", monkeypatch)
    wanted = {"url": path, "baudrate": 19200, "bytesize": 8, "parity": "E", "stopbits": 2, "exclusive": True}
    assert port.settings | wanted == port.settings
    assert port.rs485_mode is None


async def test_rs485_is_switched_by_rts_as_told(monkeypatch: pytest.MonkeyPatch) -> None:
    port = await port_of("rtu:///dev/ttyS1?rs485=on&rts=off&before=0.002&after=0.001", monkeypatch)
    mode = port.rs485_mode
    assert (mode.rts_level_for_tx, mode.rts_level_for_rx) == (False, True)
    assert (mode.delay_before_tx, mode.delay_before_rx) == (0.002, 0.001)


async def test_a_port_that_knows_no_rs485_is_closed_again() -> None:
    """A pseudo-terminal refuses the ioctl, as an adapter without RS-485 support does."""
    async with line_on_pty(good) as (_, path):
        params = CommParams(comm_type=CommType.SERIAL, host=path, reconnect_delay=0)
        link = Link(parse_endpoint(f"rtu://{path}", PORTS), params)
        with pytest.raises(ValueError, match="RS485"):
            opened(link, Serial(path, rs485=True))
        opened(link, Serial(path)).close()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rtu:///dev/ttyUSB0", Serial("/dev/ttyUSB0")),
        ("ascii:///dev/ttyUSB0", Serial("/dev/ttyUSB0", data=7)),
        ("rtu://COM3?baud=115200", Serial("COM3", baud=115200)),
        ("rtu:///dev/ttyS0?parity=o&stop=1.5&data=7", Serial("/dev/ttyS0", parity="O", stop=1.5, data=7)),
        ("rtu:///dev/ttyS0?echo=1", Serial("/dev/ttyS0", echo=True)),
    ],
)
def test_a_serial_endpoint_is_a_path_with_settings(text: str, expected: Serial) -> None:
    assert settings(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rtu://", "names no serial port"),
        ("rtu://ttyUSB0", "names no serial port: write rtu:///dev/ttyUSB0"),
        ("rtu:///dev/ttyUSB0?speed=9600", "'speed' is not known: one of baud, data"),
        ("rtu:///dev/ttyUSB0?baud=9600&baud=19200", "'baud' is said twice"),
        ("rtu:///dev/ttyUSB0?baud=fast", "baud=fast must be a number"),
        ("rtu:///dev/ttyUSB0?baud=0", "baud=0 must be between 50 and 4e"),
        ("rtu:///dev/ttyUSB0?baud=nan", "baud=nan must be between"),
        ("rtu:///dev/ttyUSB0?parity=X", "parity=X must be N, E, O, M or S"),
        ("rtu:///dev/ttyUSB0?stop=3", "stop=3 must be between"),
        ("rtu:///dev/ttyUSB0?data=7.5", "data=7.5 must be one of 7, 8"),
        ("rtu:///dev/ttyUSB0?rs485=maybe", "rs485=maybe must be on or off"),
        ("listen://8899", "names no port of this machine"),
        ("listen://:0?id=x", "names no port of this machine"),
        ("listen://:8899?id=0xZZ", "bytes as 0x7E01"),
        ("listen://:8899?name=x", "'name' is not known"),
    ],
)
def test_a_mistake_in_an_endpoint_says_what_to_write(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_endpoint(text, PORTS)
