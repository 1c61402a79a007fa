"""Who we are at a broker: a CONNECT as paho would write it, tokens that are renewed, and a password without a name."""

from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from agent.config import load
from agent.model.errors import Denied, Unavailable
from agent.model.text import Referenced
from agent.northbound.api import FileSecret, fresh
from agent.northbound.broker.packet import Will, connect
from tests.sim.mosquitto import Mosquitto
from tests.unit.northbound.fake_broker import fake_broker
from tests.unit.northbound.making import entries, mqtt, no_tasks_left, opened
from tests.unit.northbound.test_broker_seam import connected


class Filed(Referenced):
    """As the configuration hands over what stood in a file."""

    def __init__(self, text: str) -> None:
        self.file = ""


def filed(path: Path) -> Filed:
    made = Filed(path.read_text())
    made.file = str(path)
    return made


LIMITS = b"\x21\0\x40\x27\0\4\0\0"


@pytest.mark.parametrize("five", [True, False])
@pytest.mark.parametrize(
    "will", [None, Will("a/ö", b"gone"), Will("w", b"", qos=0, retain=True), Will("w", b"\0" * 500, qos=2, retain=True)]
)
@pytest.mark.parametrize(("username", "password"), [("", ""), ("gw", ""), ("gw", "s3crét"), ("g" * 200, "p" * 20_000)])
def test_a_connect_is_that_of_paho(five: bool, will: Will | None, username: str, password: str) -> None:
    version = MQTTv5 if five else MQTTv311
    paho = Client(CallbackAPIVersion.VERSION2, "gw-01", protocol=version, clean_session=None if five else True)
    if username:
        paho.username_pw_set(username, password or None)
    if will:
        paho.will_set(will.topic, will.payload, will.qos, will.retain)
    if five:
        paho._connect_properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's own
        paho._connect_properties.ReceiveMaximum, paho._connect_properties.MaximumPacketSize = 64, 262_144
    paho._send_connect(30)
    ours = connect("gw-01", 30, LIMITS if five else None, will, username, password)
    assert ours == bytes(paho._out_packet[0]["packet"])


def test_a_password_without_a_name_is_one_of_mqtt_5_only() -> None:
    said = connect("c", 30, b"", None, "", "token")
    assert said == b"\x10\x15\0\4MQTT\x05\x42\0\x1e\0\0\1c\0\5token"
    with pytest.raises(ValueError, match="needs MQTT 5"):
        connect("c", 30, None, None, "", "token")


@pytest.mark.parametrize(
    "given", [{"password": "x" * 65_536}, {"username": "é" * 40_000}, {"will": Will("w", bytes(65_536))}]
)
def test_what_is_too_long_for_mqtt_is_said_so(given: dict[str, Any]) -> None:
    given = {
        "client_id": "c",
        "keepalive": 30,
        "properties": b"",
        "will": None,
        "username": "",
        "password": "",
        **given,
    }
    with pytest.raises(ValueError, match="more than 65,535 bytes"):
        connect(**given)


def loaded(folder: Path, password: str) -> Any:
    """The secret as the configuration has it."""
    (folder / "site.yaml").write_text(
        "gateway: {id: gw}\ndevices: [{name: d, driver: sim, tags: [{name: t}]}]\n"
        f"sinks: [{{name: p, type: mqtt, url: 'mqtt://b', password: '{password}'}}]\n"
    )
    return load(folder / "site.yaml", {"T": "t0ken"}).sinks[0].password  # type: ignore[attr-defined]  # a broker's


def test_a_secret_in_a_file_is_read_again_and_one_from_the_environment_is_not(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\ufefffirst\n")
    (tmp_path / "token").chmod(0o600)
    secret = loaded(tmp_path, "file:token")
    assert isinstance(secret, FileSecret) and Path(secret.path) == tmp_path / "token"
    assert (secret.get_secret_value(), fresh(secret)) == ("first", "first")
    (tmp_path / "token").write_text("second\n")
    assert fresh(secret) == "second"
    assert "first" not in f"{secret!r} {secret}"
    assert fresh(loaded(tmp_path, "${T}")) == "t0ken"
    assert fresh(loaded(tmp_path, "a${T}")) == "at0ken"


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "it is empty"), (b" \n", "it is empty"), (b"\xff", "not UTF-8"), (b"s3cret" * 20_000, "larger than 64 KB")],
)
async def test_a_token_that_cannot_be_read_is_waited_for(
    tmp_path: Path, broker: Mosquitto, content: bytes, why: str
) -> None:
    file = tmp_path / "token"
    file.write_bytes(b"good")
    sink = mqtt(broker, password=filed(tmp_path / "token"))
    file.write_bytes(content)
    with pytest.raises(Unavailable, match=rf"`password` cannot be read: .*{why}.*look at its file") as error:
        await sink.open()
    assert "s3cret" not in str(error.value)
    file.unlink()
    with pytest.raises(Unavailable, match=r"No such file.*token"):
        await sink.open()
    file.write_bytes(b"good")
    await sink.open()
    await sink.close()
    await no_tasks_left()


async def test_a_token_that_was_renewed_is_used_at_the_next_connection(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("old")
    with Mosquitto(tmp_path, users={"gw": "old"}) as broker:
        sink = mqtt(broker, username="gw", password=filed(tmp_path / "token"))
        await sink.open()
        await sink.close()
    with Mosquitto(tmp_path, users={"gw": "new"}) as broker:
        sink._dialler._config = mqtt(broker, username="gw", password=filed(tmp_path / "token"))._dialler._config
        with pytest.raises(Denied, match="check `username` and `password`"):
            await sink.open()
        (tmp_path / "token").write_text("new")
        async with opened(sink):
            await sink.send(entries(3))


@pytest.mark.parametrize(("login", "flags"), [({"username": "gw"}, 0x82), ({"password": Referenced("tok")}, 0x42)])
async def test_a_name_or_a_password_may_stand_alone(login: dict[str, Any], flags: int) -> None:
    async with fake_broker() as broker, connected(broker.url, **login):
        assert broker.hellos[0][7] == flags


async def test_a_password_alone_is_not_sent_to_a_broker_of_3_1_1() -> None:
    async with fake_broker(connack=b"\x20\x02\x00\x01") as broker:
        with pytest.raises(Denied, match=r"needs MQTT 5 \(look at `username`, `password` and `protocol`"):
            async with connected(broker.url, password=Referenced("tok")):
                pass
        assert broker.versions == [5]
    await no_tasks_left()
