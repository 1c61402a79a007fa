"""What libraries say to people through us: click's own messages, and the system's words for its errors."""

import errno
import os
import re

CLICK = (
    "Usage:",
    "Options",
    "Commands",
    "Show the version and exit.",
    "Show this message and exit.",
    "Error: {message}",
    "Try '{command} {option}' for help.",
    "Invalid value: {message}",
    "Invalid value for {param_hint}: {message}",
    "Missing command.",
    "Missing argument {param_hint}.",
    "Missing option {param_hint}.",
    "required",
    "Missing parameter: {param_name}",
    "No such option {name!r}.",
    "No such command {name!r}.",
    "Did you mean {possibility}?",
    "(Did you mean one of: {possibilities}?)",
    "Option {name!r} requires an argument.",
    "Option {name!r} does not take a value.",
    "Got unexpected extra argument ({args})",
    "Got unexpected extra arguments ({args})",
    "{value!r} is not a valid {number_type}.",
    "{value} is not in the range {range}.",
    "{value!r} is not one of {choices}.",
    "{name} {filename!r} does not exist.",
    "{name} {filename!r} is a file.",
    "{name} {filename!r} is a directory.",
    "{name} {filename!r} is not readable.",
    "{name} {filename!r} is not writable.",
    "default: {default}",
    "env var: {var}",
    "Do you want to continue?",
    "Confirm the action without prompting.",
    "Error: invalid input",
    "Aborted!",
)
WORDS = ("File", "Directory", "Path")  # click's names of what a path leads to
CLICK_SOURCES = ("core.py", "decorators.py", "exceptions.py", "formatting.py", "parser.py", "termui.py", "types.py")
_ERRNOS = (
    "ENOENT EACCES EPERM EISDIR ENOTDIR EEXIST ENOTEMPTY ENOSPC EDQUOT EROFS EIO EBUSY EMFILE EPIPE ENODEV ENXIO ELOOP"
    " ENAMETOOLONG ECONNREFUSED ECONNRESET ECONNABORTED ENETUNREACH EHOSTUNREACH ETIMEDOUT EADDRINUSE EADDRNOTAVAIL"
)
SYSTEM = tuple(os.strerror(getattr(errno, name)) for name in _ERRNOS.split())
RESOLVER = ("Name or service not known", "Temporary failure in name resolution", "No address associated with hostname")


def numbered(text: str) -> str:
    """With holes by number, as ours have: `{name!r}` is `{0}`."""
    names: dict[str, int] = {}
    return re.sub(r"\{(\w+)[^}]*\}", lambda match: f"{{{names.setdefault(match[1], len(names))}}}", text)


def messages() -> list[str]:
    small = [text.lower() for text in SYSTEM if " " in text]  # within a sentence
    return [numbered(text) for text in dict.fromkeys((*CLICK, *SYSTEM, *small, *RESOLVER))]
