"""How the configuration of a data directory stands, whether an agent runs there or not."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agent.cli.ask import Agent, find
from agent.model.errors import AgentError
from agent.runtime.history import History, State
from agent.runtime.history_files import Taken


@contextmanager
def running(data: Path) -> Iterator[Agent]:
    """The agent that runs there. Raises AgentError when none does."""
    with find(data) as agent:
        if agent is None:
            hint = "`floorgate run` starts one, with --data if it is another directory"
            raise AgentError(f"no agent runs on {data}", hint=hint)
        yield agent


def past(data: Path) -> tuple[State, Taken | None]:
    """The history, and the files of the version that runs or ran last; None where there is none. Raises
    HistoryError."""
    history = History(data)
    state = history.state()
    return state, history.content(state.running) if state.running else None


def not_this(file: Path, standing: dict[str, Any]) -> AgentError | None:
    """The agent goes by the file that it was started with, so that it finds the same at its next start."""
    ours = Path(standing["file"])
    if file.absolute() == ours or file.resolve() == ours.resolve():
        return None
    what = f"the agent runs {ours}, not {file}"
    return AgentError(what, hint=f"put it there, or start the agent with -c {file.absolute()}")
