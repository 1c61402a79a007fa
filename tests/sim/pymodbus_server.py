"""A meter by pymodbus, which knows function 43/14: an Eastron SDM630 at some units; the others report a failure."""

import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from pymodbus.pdu.device import ModbusDeviceIdentification
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

SIZE = 400  # registers
FLOATS = {0: 229.7, 2: 231.2, 4: 230.1, 6: 4.8, 30: 0.93, 70: 50.02, 72: 10482.4, 200: 398.1, 202: 399.4, 204: 398.8}


def registers() -> list[int]:
    memory = bytearray(2 * SIZE)
    for address, value in FLOATS.items():
        struct.pack_into(">f", memory, 2 * address, value)
    return list(struct.unpack(f">{SIZE}H", memory))


@asynccontextmanager
async def pymodbus_meter(units: Sequence[int], vendor: str = "Eastron", product: str = "SDM630") -> AsyncIterator[str]:
    """Serve in this event loop; yields the endpoint."""
    block = [SimData(0, values=registers(), datatype=DataType.REGISTERS)]
    who = ModbusDeviceIdentification(
        info_name={"VendorName": vendor, "ProductCode": product, "MajorMinorRevision": "1.2"}
    )
    devices = [SimDevice(unit, block) for unit in units]
    server = ModbusTcpServer(devices, identity=who, address=("127.0.0.1", 0), ignore_missing_devices=True)
    await server.serve_forever(background=True)
    assert server.transport is not None
    port = server.transport.sockets[0].getsockname()[1]
    try:
        yield f"tcp://127.0.0.1:{port}"
    finally:
        await server.shutdown()
