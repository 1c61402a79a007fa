"""Asks the person before something is done."""

import sys

from agent.cli import voice
from agent.model.errors import AgentError


def agree(question: str, *, yes: bool) -> None:
    """Returns when the answer is yes. Raises AgentError where nobody can be asked, and Abort for a no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise AgentError("nobody is there to be asked", hint="--yes does it without asking")
    voice.confirm(question)
