"""What stands in the simulated plant, and the configuration that reads it."""

from dataclasses import dataclass

GATEWAY = "demo"
METER, COMPRESSOR, PRESS = DEVICES = ("main-meter", "compressor", "press")


@dataclass(frozen=True, slots=True)
class PlantTag:
    """A tag of the plant: `place` is a Modbus register or an OPC UA name, `scale` what one raw step is worth."""

    name: str
    place: int | str
    type: str
    unit: str = ""
    scale: float = 1.0


TAGS: dict[str, tuple[PlantTag, ...]] = {
    METER: (
        PlantTag("voltage_l1", 0, "float32", "V"),
        PlantTag("voltage_l2", 2, "float32", "V"),
        PlantTag("voltage_l3", 4, "float32", "V"),
        PlantTag("current_l1", 6, "float32", "A"),
        PlantTag("current_l2", 8, "float32", "A"),
        PlantTag("current_l3", 10, "float32", "A"),
        PlantTag("power", 12, "float32", "kW"),
        PlantTag("frequency", 14, "float32", "Hz"),
        PlantTag("energy_import_total", 16, "float32", "kWh"),
    ),
    COMPRESSOR: (
        PlantTag("pressure", 100, "uint16", "bar", 0.01),
        PlantTag("oil_temperature", 101, "uint16", "Cel", 0.1),
        PlantTag("motor_speed", 102, "uint16", "/min"),
        PlantTag("air_volume_total", 104, "int32", "m3", 0.1),
    ),
    PRESS: (
        PlantTag("cycle_count", "Counter", "int64"),
        PlantTag("force", "Force", "float64", "kN"),
        PlantTag("oil_temperature", "OilTemperature", "float64", "Cel"),
    ),
}
PRESS_NAMESPACE = "urn:floorgate:demo:press"


@dataclass(frozen=True, slots=True)
class Ports:
    """TCP ports on 127.0.0.1."""

    meter: int
    compressor: int
    press: int
    broker: int
    uplink: int


def config_text(ports: Ports) -> str:
    """The file that a person would write for this plant."""
    return f"""\
# Written by `floorgate demo`. Everything is on this machine.
gateway: {{id: {GATEWAY}, site: [floorgate, demo]}}
devices:
  - name: {METER}
    driver: modbus
    endpoint: tcp://127.0.0.1:{ports.meter}
    unit: 1
    interval: 100ms
    tags:
{_modbus_tags(METER)}
  - name: {COMPRESSOR}
    driver: modbus
    endpoint: tcp://127.0.0.1:{ports.compressor}
    unit: 1
    interval: 500ms
    tags:
{_modbus_tags(COMPRESSOR)}
  - name: {PRESS}
    driver: opcua
    endpoint: opc.tcp://127.0.0.1:{ports.press}
    security: none
    interval: 500ms
    tags:
{_opcua_tags(PRESS)}
sinks:
  - {{name: platform, type: mqtt, url: "mqtt://127.0.0.1:{ports.uplink}", protocol: "3.1.1"}}  # all that amqtt speaks
buffer: {{keep: 1h, reserve: 1MB, commit: 200ms}}
"""


def _modbus_tags(device: str) -> str:
    return "\n".join(
        f"      - {{name: {tag.name}, register: input, address: {tag.place}, type: {tag.type}"
        + (f", scale: {tag.scale}" if tag.scale != 1 else "")
        + f', unit: "{tag.unit}"}}'
        for tag in TAGS[device]
    )


def _opcua_tags(device: str) -> str:
    return "\n".join(
        f'      - {{name: {tag.name}, node: "nsu={PRESS_NAMESPACE};s={tag.place}", type: {tag.type}'
        f', unit: "{tag.unit}"}}'
        for tag in TAGS[device]
    )
