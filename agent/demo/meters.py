"""The plant's two devices on Modbus TCP (pymodbus)."""

import math
import random
import struct
import time
from collections.abc import Callable

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from agent.demo.site import COMPRESSOR, METER

Registers = Callable[[float], list[int]]


def meter(age: float) -> list[int]:
    """Registers 0 to 17 after `age` seconds: nine float32, high word first."""
    volts = [230 + 3 * math.sin(age / 7 + phase) + random.gauss(0, 0.1) for phase in (0, 2, 4)]
    amps = [40 + 8 * math.sin(age / 5 + phase) + random.gauss(0, 0.2) for phase in (0, 2, 4)]
    power = sum(u * i for u, i in zip(volts, amps, strict=True)) * 0.92 / 1000
    hertz = 50 + random.gauss(0, 0.01)
    energy = 10482.4 + age * 25.4 / 3600
    return list(struct.unpack(">18H", struct.pack(">9f", *volts, *amps, power, hertz, energy)))


def compressor(age: float) -> list[int]:
    """Registers 100 to 105 after `age` seconds: pressure, temperature, speed, a spare one, an int32."""
    pressure = round(100 * (7.2 + 0.4 * math.sin(age / 3)))
    warmth = round(10 * (82 - 20 * math.exp(-age / 60)))
    speed = max(0, round(min(2950, age * 1500) + random.gauss(0, 4)))
    return [pressure, warmth, speed, 0, *struct.unpack(">2H", struct.pack(">i", round(734512 + age * 2)))]


MODELS: dict[str, tuple[int, Registers]] = {METER: (0, meter), COMPRESSOR: (100, compressor)}


async def serve(device: str, port: int) -> None:
    """Unit 1 on 127.0.0.1 until cancelled; the registers follow the time since the start."""
    first, registers = MODELS[device]
    started = time.monotonic()

    async def refresh(_function: int, _start: int, _address: int, _count: int, memory: list[int], _new: object) -> None:
        values = registers(time.monotonic() - started)
        memory[: len(values)] = values

    memory = SimData(first, count=len(registers(0.0)), values=0, datatype=DataType.REGISTERS, readonly=True)
    server = ModbusTcpServer(SimDevice(1, simdata=[memory], action=refresh), address=("127.0.0.1", port))
    await server.serve_forever()
