"""Help pages in the person's language, in columns that hold where a letter is two columns wide."""

import re
from collections.abc import Iterable, Iterator, Sequence
from inspect import cleandoc
from unicodedata import category, east_asian_width

import click
from click.shell_completion import CompletionItem

from agent import lang

FULL_STOP = "\u3002"
_COLUMN = 30  # of terms, at most
_EXTRA = re.compile(r"(.*?)(?:  )?(?:\[([^\[\]]*)\])?", re.DOTALL)  # `The unit id.  [default: 1]`
_PIECES = re.compile(r"[\u2e80-\u9fff\uff00-\uffef]|[^\s\u2e80-\u9fff\uff00-\uffef]+|\s+")
_NEVER_FIRST = frozenset(("Pe", "Pf", "Po"))  # Unicode categories: what closes, and stops
_SENTENCE = re.compile("[\u3002\uff1b]")  # an ideographic full stop or semicolon ends it


class Formatter(click.HelpFormatter):
    """As click's, which it is for English."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args, prefix or f"{lang.said('Usage:')} ")

    def write_heading(self, heading: str) -> None:
        super().write_heading(lang.said(heading))

    def write_text(self, text: str) -> None:
        if not lang.foreign():
            super().write_text(text)
            return
        pages = [wrapped(paragraph, self.width, " " * self.current_indent) for paragraph in spoken(text)]
        self.write("\n\n".join(pages) + "\n")

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = _COLUMN, col_spacing: int = 2) -> None:
        if lang.foreign():
            self.write_rows([(term, option(text)) for term, text in rows], col_max, col_spacing)
        else:
            super().write_dl(rows, col_max, col_spacing)

    def write_rows(self, rows: Sequence[tuple[str, str]], col_max: int = _COLUMN, col_spacing: int = 2) -> None:
        """Terms and what they mean, as they are."""
        first = min(max(width(term) for term, _ in rows), col_max) + col_spacing
        for term, text in rows:
            self.write(f"{'':{self.current_indent}}{term}")
            fits = width(term) <= first - col_spacing
            self.write(" " * (first - width(term)) if fits else f"\n{'':{first + self.current_indent}}")
            lines = wrapped(text, max(self.width - first - 2, 10)).split("\n")
            self.write(f"\n{'':{first + self.current_indent}}".join(lines) + "\n")


class Context(click.Context):
    formatter_class = Formatter


class Group(click.Group):
    """A group whose pages, and those of its commands, are in the person's language."""

    context_class = Context

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        command = super().get_command(ctx, name)
        if command is not None:
            command.context_class = Context
        return command

    def help_of(self, name: str) -> str:
        return cleandoc(self.commands[name].help or "")

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """What the line may go on with. No command is loaded for it."""
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        commands = [CompletionItem(name, help=summary(self.help_of(name))) for name in names]
        return commands + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        names = self.list_commands(ctx)
        if lang.foreign() and isinstance(formatter, Formatter):
            with formatter.section("Commands"):
                formatter.write_rows([(name, summary(self.help_of(name))) for name in names])
        else:
            listed = {name: click.Command(name, help=self.help_of(name)) for name in names}
            click.Group(commands=listed).format_commands(ctx, formatter)


def spoken(text: str) -> Iterator[str]:
    """The paragraphs of a help text."""
    for paragraph in text.split("\n\n"):
        yield lang.said(" ".join(paragraph.split()))


def summary(text: str) -> str:
    """The first sentence of a help text."""
    return _SENTENCE.split(next(spoken(text)))[0]


def option(text: str) -> str:
    """The help of an option, and what click adds to it."""
    match = _EXTRA.fullmatch(text)
    if match is None or not match[2]:
        return lang.said(text)
    if "  [" not in text and (whole := lang.said(text)) != text:  # one space: it is ours, and part of the message
        return whole
    told = lang.said(match[1])
    return f"{told}{' ' * (told[-1:] != FULL_STOP)}[{lang.between('; ').join(map(lang.said, match[2].split('; ')))}]"


def width(text: str) -> int:
    """Columns on a terminal."""
    return len(text) if text.isascii() else sum(2 if east_asian_width(c) in "WF" else 1 for c in text)


def padded(text: str, columns: int) -> str:
    return text + " " * (columns - width(text))


def wrapped(text: str, most: int, indent: str = "") -> str:
    """In lines of `most` columns: broken at spaces, and between letters of which each is a word."""
    lines, line = [], indent
    for piece in _PIECES.findall(text):
        if width(line + piece.rstrip()) > most and line.strip() and category(piece[0]) not in _NEVER_FIRST:
            lines.append(line.rstrip())
            line = indent
        line += piece if line != indent or not piece.isspace() else ""
    return "\n".join([*lines, line.rstrip()])
