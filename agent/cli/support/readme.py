"""What the archive says of itself, for whoever opens it: in English, and the most important of it in Chinese."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

WHAT: Mapping[str, str] = MappingProxyType(
    {
        "inventory.json": "versions, the machine, devices and settings",
        "machine.json": "load, memory, limits",
        "disks.json": "how full the disks are",
        "network.txt": "addresses, routes, names",
        "clock.txt": "what the clock shows, and who keeps it",
        "serial.json": "serial ports",
        "service.txt": "the units of systemd",
        "check.json": "what is wrong with the configuration, and what is odd",
        "references.json": "what secrets refer to, and whether there is anything",
        "readyz.json": "whether the agent does its work",
        "health.json": "state and counters of each part",
        "metrics.txt": "all figures at one moment",
        "config.json": "which configuration runs",
        "alarms.json": "alarms",
        "recording.json": "whether the wires are recorded",
        "ledger.json": "where each sample went",
        "store.json": "how full the store is, and what sinks are owed",
        "verify.json": "whether the store is sound: its tables, its newest frames",
        "data.json": "what is in the data directory",
        "history.json": "versions of the configuration",
        "audit.json": "what was written to devices",
        "pki.json": "certificates for OPC UA; no keys",
        "log/lines.txt": "the end of the log, out of the agent's memory",
        "log/journal.txt": "the end of the journal",
    }
)
_TEXT = """\
What this archive holds
=======================

Made by `floorgate support`, version {version}. It holds what somebody needs who is to find out what
is wrong with a gateway: look through it before you send it.

Secrets are not in it. What is known to be one was looked for in every spelling and is `(a secret)` now,
and so is what looks like one: {hidden} places in all. Comments of the configuration are gone. What
secrets refer to (${{NAME}}, file:, credential:) stands there, its content does not. Private keys were not
read into it. Values that were measured are not in it, but for those of writes in audit.json, and what the
log says; names of devices and tags, addresses and host names are.

这个压缩包由 `floorgate support` 生成, 用来查明网关的问题. 发送之前请先看一遍.
密码, 令牌和私钥不在其中: 已知的和看起来像的都换成了 `(a secret)`, 共 {hidden} 处; 配置文件里的注释已去掉.
除了 audit.json 里的写操作和日志里提到的, 没有测量值; 设备名, 点名, 地址和主机名都在.

In it / 内容
------------
{members}

Left out / 缺少
---------------
{left_out}
"""


def text(version: str, hidden: int, members: Iterable[str], left_out: Iterable[str]) -> str:
    missing = "\n".join(left_out) or "nothing"
    return _TEXT.format(version=version, hidden=hidden, members="\n".join(members), left_out=missing)


def what(name: str) -> str:
    """What a member is."""
    if name.startswith("config/"):
        return "as it was written, without secrets and comments"
    return WHAT.get(name, "the end of a log file")
