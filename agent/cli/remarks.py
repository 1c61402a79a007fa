"""What stands behind a `#` in a first site file, in the language of whoever had it written."""

from agent.lang import said
from agent.model.text import plain


def head() -> list[str]:
    return [
        said("A site of floorgate. `floorgate check` says what is wrong or odd. Durations are 250ms, 1s, 5m, 2h, 7d."),
        said("More files in conf.d/ beside this one are part of it."),
    ]


def gateway() -> str:
    return said("part of every message")


def identity(who: str) -> str:
    """`who` is empty where it says nothing."""
    return said(f"says that it is: {plain(who)}") if who else ""


def guess(how: str) -> str:
    """How well a map fits; empty where nobody guessed."""
    return said(plain(how))


def no_map() -> str:
    return said("no map is known: `floorgate probe` finds out how a register is meant")


def security() -> str:
    return said("encrypted; the server's certificate has to be trusted once: floorgate pki")


def pattern() -> str:
    return said('all variables that it has; a pattern such as "Press*/**/Temp" finds fewer: floorgate browse')


def nowhere() -> str:
    return said("Where it goes; without a sink everything waits on disk.")


def sink() -> str:
    return said("what it is owed is kept under this name")


def secret() -> str:
    return said("readable by us alone")


def buffer() -> str:
    return said("How long data waits for a platform that is away, and what a power cut may cost.")
