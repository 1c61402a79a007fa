"""A real mosquitto on a free loopback port, with the faults that a broker can have, and a subscriber to witness."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from paho.mqtt.client import topic_matches_sub

from tests.sim.ports import free_port

_START = 5.0  # seconds


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(condition: Callable[[], object], what: str, timeout: float = 15.0) -> None:
    """Look again and again until `condition()` is true; an AssertionError names what did not happen."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {timeout:g} s"
        time.sleep(0.02)


class Mosquitto:
    """`with Mosquitto(folder) as broker:` runs one on `broker.port`; it keeps that port over `stop()` and `start()`.

    With `websockets` it speaks WebSocket too, on `ws_port`, and only there TLS: 2.0.11 refuses to run without another.
    `users` maps names to passwords (None: anyone may come in), `acl` is the text of an ACL file, `receive_maximum` and
    `max_packet` are what it grants a client, `options` are further lines of its configuration, `address` is where it
    listens.
    """

    def __init__(
        self,
        folder: Path,
        *,
        persistence: bool = False,
        users: Mapping[str, str] | None = None,
        acl: str | None = None,
        receive_maximum: int | None = None,
        max_packet: int | None = None,
        tls: Mapping[str, Path] | None = None,
        options: Sequence[str] = (),
        address: str = "127.0.0.1",
        websockets: bool = False,
    ) -> None:
        self._address = address
        self.folder = folder / f"mosquitto-{free_port()}"
        self.folder.mkdir(parents=True)
        self.port = free_port()
        self.ws_port = free_port() if websockets else 0
        self._users = users
        self._process: subprocess.Popen[bytes] | None = None
        lines = [f"persistence {'true' if persistence else 'false'}", f"persistence_location {self.folder}/"]
        lines += ["max_queued_messages 0"]  # by default it drops what a subscriber has not fetched, beyond 1000
        lines += ["autosave_interval 1"] if persistence else []
        lines += ["user root"] if os.geteuid() == 0 else []
        lines += [f"max_inflight_messages {receive_maximum}"] if receive_maximum is not None else []
        lines += [f"max_packet_size {max_packet}"] if max_packet else []
        lines += [f"allow_anonymous {'true' if users is None else 'false'}", "log_type all", *self._login(users, acl)]
        self._head = [*lines, *options]
        self._tls = [f"{key} {path}" for key, path in (tls or {}).items()]

    def _login(self, users: Mapping[str, str] | None, acl: str | None) -> list[str]:
        lines = []
        if users is not None:
            passwords = self.folder / "passwords"
            passwords.touch(mode=0o600)
            for name, password in users.items():
                subprocess.run(["mosquitto_passwd", "-b", passwords, name, password], check=True, capture_output=True)
            lines.append(f"password_file {passwords}")
        if acl is not None:
            (self.folder / "acl").write_text(acl)
            (self.folder / "acl").chmod(0o600)
            lines.append(f"acl_file {self.folder / 'acl'}")
        return lines

    @property
    def url(self) -> str:
        if self.ws_port:
            return f"{'wss' if self._tls else 'ws'}://{'localhost' if self._tls else '127.0.0.1'}:{self.ws_port}/mqtt"
        return f"{'mqtts' if self._tls else 'mqtt'}://{'localhost' if self._tls else '127.0.0.1'}:{self.port}"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def start(self) -> None:
        """Return when it accepts connections."""
        config = self.folder / "mosquitto.conf"
        web = [f"listener {self.ws_port} {self._address}", "protocol websockets"] if self.ws_port else []
        lines = [*self._head, f"listener {self.port} {self._address}", *web, *self._tls, ""]
        config.write_text("\n".join(lines))
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(["mosquitto", "-c", config], stdout=log, stderr=log)
        wait_until(self._accepts, f"mosquitto on port {self.port} (log: {self.log})", _START)

    def _accepts(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"mosquitto ended: {self.log}"
        return all(listens(port) for port in (self.port, self.ws_port) if port)

    def stop(self) -> None:
        """SIGTERM: connections are closed, persistence is written."""
        self._end(signal.SIGTERM)

    def reload(self) -> None:
        """SIGHUP: the files with users and rights are read anew."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        """SIGKILL: what was not yet written is gone."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.send_signal(how)
            process.wait(5.0)

    def restart(self, pause: float = 0.0) -> None:
        self.stop()
        time.sleep(pause)
        self.start()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """SIGSTOP for a while: connections stay open, nobody answers."""
        assert self._process is not None
        process = self._process
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def subscriber(self, topic: str = "#", *, session: str = "") -> "Subscriber":
        """Listens to `topic`; with a `session` the broker keeps what it misses. Log-in is the first of `users`."""
        return Subscriber(self, topic, session, next(iter((self._users or {}).items()), None))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class Subscriber:
    """A `mosquitto_sub` process that notes each message: an independent witness of what the broker has passed on."""

    def __init__(self, broker: Mosquitto, topic: str, session: str, login: tuple[str, str] | None) -> None:
        self._path = broker.folder / f"heard-{free_port()}"
        command = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(broker.port), "-V", "mqttv5", "-q", "1", "-t", topic]
        command += ["-F", "%t\t%r\t%x", "-k", "5"]
        command += ["-c", "-i", session, "-x", "3600"] if session else []
        command += ["-u", login[0], "-P", login[1]] if login else []
        with self._path.open("wb") as heard:
            self._process = subprocess.Popen(["stdbuf", "-oL", *command], stdout=heard, stderr=subprocess.DEVNULL)
        wait_until(lambda: broker.log.count("Sending SUBACK") > 0, "subscriber: SUBACK")

    def messages(self) -> list[tuple[str, bool, Any]]:
        """(topic, retained, payload as JSON) in the order in which they came."""
        return [(topic, retained, json.loads(payload)) for topic, retained, payload in self._heard()]

    def payloads(self, topics: str = "#", count: int = 0) -> list[tuple[str, bytes]]:
        """(topic, payload) of the messages whose topic fits the filter, once there are so many."""
        wait_until(lambda: len(self._fitting(topics)) >= count, f"{count} messages to {topics}")
        return self._fitting(topics)

    def _fitting(self, topics: str) -> list[tuple[str, bytes]]:
        return [(topic, payload) for topic, _, payload in self._heard() if topic_matches_sub(topics, topic)]

    def _heard(self) -> list[tuple[str, bool, bytes]]:
        lines = self._path.read_text().split("\n")[:-1]
        parts = (line.split("\t", 2) for line in lines)
        return [(topic, retained == "1", bytes.fromhex(payload)) for topic, retained, payload in parts]

    def frames(self) -> list[dict[str, Any]]:
        """The payloads that carry a sequence number, status messages left out."""
        return [payload for _, _, payload in self.messages() if "seq" in payload]

    def states(self) -> list[str]:
        return [payload["state"] for _, _, payload in self.messages() if "state" in payload]

    def wait(self, count: int, timeout: float = 10.0) -> list[dict[str, Any]]:
        """Until that many frames are there."""
        wait_until(lambda: len(self.frames()) >= count, f"{count} frames at the subscriber", timeout)
        return self.frames()

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(5.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
