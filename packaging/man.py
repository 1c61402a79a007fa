"""The manual page floorgate(1), in English and Chinese, and what shells complete by: both out of the commands.

`python man.py FOLDER` writes them to FOLDER/man/ and FOLDER/shell/, with the date of SOURCE_DATE_EPOCH.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from inspect import cleandoc
from pathlib import Path

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from agent import __version__, lang  # of the checkout that this file is in
from agent.cli import main as floorgate
from agent.cli.pages import Formatter, option, spoken

SHELLS = {"bash": BashComplete, "fish": FishComplete, "zsh": ZshComplete}
PAGES = {"en": "floorgate.1", "zh": "floorgate.zh.1"}
HEADINGS = {
    "en": ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "COMMANDS", "EXIT STATUS", "ENVIRONMENT", "FILES", "SEE ALSO"),
    "zh": ("名称", "概要", "描述", "选项", "命令", "退出状态", "环境变量", "文件", "参见"),
}
NAME = {
    "en": "edge gateway that keeps what it read until the platform has it",
    "zh": "边缘网关: 数据在平台确认之前一直保存在磁盘上",
}
STATUS = {
    "en": {
        "0": "It is done.",
        "1": "It failed; the message says where, and what to do next.",
        "2": "The command line is wrong.",
        "78": "The configuration is wrong. The service is not started again before a person has looked.",
    },
    "zh": {
        "0": "成功。",
        "1": "失败; 消息说明位置和下一步。",
        "2": "命令行有误。",
        "78": "配置有误; 服务不会自动重启, 等待人工处理。",
    },
}
VARIABLES = {
    "en": {"FLOORGATE_LANG": "The language of texts for people, en or zh, where --lang does not say it."},
    "zh": {"FLOORGATE_LANG": "界面语言, en 或 zh; --lang 优先。"},
}
FILES = {
    "en": {
        "/etc/floorgate/floorgate.yaml": "The site of floorgate.service; files in conf.d/ beside it are part of it.",
        "/etc/floorgate/NAME.yaml": "That of floorgate@NAME.service.",
        "/etc/floorgate/credentials/": "Secrets that systemd hands to the service. Nobody but root reads them.",
        "/var/lib/floorgate/": "The data of floorgate.service: what is not yet delivered, certificates, the audit.",
        "/var/lib/floorgate-NAME/": "Those of floorgate@NAME.service.",
        "/usr/share/doc/floorgate/examples/": "Sites to begin with, and every key that there is.",
        "/opt/floorgate/current": "A link to the version that runs. Beside it is previous, the one before it.",
    },
    "zh": {
        "/etc/floorgate/floorgate.yaml": "服务 floorgate.service 的站点文件; 旁边 conf.d/ 中的文件是它的一部分。",
        "/etc/floorgate/NAME.yaml": "floorgate@NAME.service 的站点文件。",
        "/etc/floorgate/credentials/": "由 systemd 传给服务的口令; 只有 root 可读。",
        "/var/lib/floorgate/": "floorgate.service 的数据: 未送达的数据, 证书, 审计。",
        "/var/lib/floorgate-NAME/": "floorgate@NAME.service 的数据。",
        "/usr/share/doc/floorgate/examples/": "示例站点和全部配置项。",
        "/opt/floorgate/current": "指向正在运行的版本的链接; 旁边的 previous 是上一个版本。",
    },
}
_SPECIAL = {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", '"': "\\(dq", "~": "\\(ti", "^": "\\(ha"}
_BREAKS = re.compile("([|\u2e80-\u9fff\uff00-\uffef])")  # a line may end behind these


def main(folder: Path) -> None:
    for language, name in PAGES.items():
        _write(folder / "man" / name, page(language, _today()))
    for shell in SHELLS:
        _write(folder / "shell" / f"floorgate.{shell}", completion(shell))


def completion(shell: str) -> str:
    """What makes a shell ask floorgate itself how a line goes on."""
    made = SHELLS[shell](floorgate, {}, "floorgate", "_FLOORGATE_COMPLETE")
    return ShellComplete.source(made)  # and not bash's, which looks at the bash of this machine first


def page(language: str, day: str) -> str:
    """The manual page as troff, in UTF-8."""
    with lang.speaking(language):
        return "\n".join(_page(language, day)) + "\n"


def _page(language: str, day: str) -> Iterator[str]:
    name, synopsis, description, options, commands, status, variables, files, more = HEADINGS[language]
    context = floorgate.context_class(floorgate, info_name="floorgate")
    yield f'.TH FLOORGATE 1 "{day}" "Floorgate {__version__}" "Floorgate"'
    yield ".nh"
    yield ".ad l"
    yield from _section(name, [f"floorgate \\- {_escaped(NAME[language])}"])
    yield from _section(synopsis, _usage(floorgate, context))
    yield from _section(description, _paragraphs(floorgate))
    yield from _section(options, _options(floorgate, context))
    yield from _section(commands, _commands(floorgate, context))
    for title, rows in ((status, STATUS), (variables, VARIABLES), (files, FILES)):
        yield from _section(title, _rows(rows[language].items()))
    yield from _section(more, [".BR systemctl (1),", ".BR journalctl (1)"])


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield f'.SH "{title}"'
    yield from lines


def _commands(group: click.Group, context: click.Context) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = command.context_class(command, info_name=name, parent=context)
        yield f'.SS "{_escaped(inner.command_path)}"'
        yield from _usage(command, inner)
        yield from _paragraphs(command)
        yield from _options(command, inner)
        if isinstance(command, click.Group):
            yield from _commands(command, inner)


def _usage(command: click.Command, context: click.Context) -> list[str]:
    path, arguments = context.command_path, " ".join(command.collect_usage_pieces(context))
    return [f"\\fB{_escaped(path)}\\fR {_escaped(arguments)}"]


def _paragraphs(command: click.Command) -> Iterator[str]:
    for paragraph in spoken(cleandoc(command.help or "")):
        yield ".PP"
        yield _escaped(paragraph)


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    formatter = _Rows()
    click.Command.format_options(command, context, formatter)
    return _rows(row for row in formatter.rows if context.parent is None or "--help" not in row[0])


class _Rows(Formatter):
    """Takes what a help page has of options, instead of laying it out."""

    rows: Sequence[tuple[str, str]] = ()

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        self.rows = [(term, option(text)) for term, text in rows]


def _rows(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    for term, text in rows:
        yield ".TP"
        yield f"\\fB{_escaped(term)}\\fR"
        yield _escaped(text)


def _escaped(text: str) -> str:
    """For troff: nothing of it is a request, a hyphen is what people type, and a line may end where no space is."""
    told = "".join(_SPECIAL.get(letter, letter) for letter in " ".join(text.split()))
    told = _BREAKS.sub(r"\1\\:", told)
    return f"\\&{told}" if told.startswith(".") else told


def _today() -> str:
    return datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), UTC).date().isoformat()


def _write(to: Path, text: str) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(text, "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
