"""Bytes that were sent to a TCP port, as a capture file that tshark reads."""

import json
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_RAW_IP = 101  # link type (pcap-linktype(7))
_PUSH = 0x5018  # header of five words, flags PSH and ACK


def judged(file: Path, payloads: Sequence[bytes], *options: str, port: int = 502) -> list[dict[str, Any]]:
    """What tshark makes of each payload, sent to `port` of 127.0.0.1 one after the other: its layers by name."""
    file.write_bytes(_pcap(payloads, port))
    command = ["tshark", "-n", "-r", str(file), "-T", "json", "--no-duplicate-keys", *options]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    return [packet["_source"]["layers"] for packet in json.loads(said)]


def _pcap(payloads: Sequence[bytes], port: int) -> bytes:
    found = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, _RAW_IP)]
    sequence = 1
    for at, payload in enumerate(payloads):
        tcp = struct.pack(">HHIIHHHH", 50000, port, sequence, 1, _PUSH, 65535, 0, 0) + payload
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), at, 0, 64, 6, 0, b"\x7f\0\0\1", b"\x7f\0\0\1")
        sequence += len(payload)
        found.append(struct.pack("<IIII", at, 0, len(ip + tcp), len(ip + tcp)) + ip + tcp)
    return b"".join(found)
