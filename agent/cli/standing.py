"""How the configuration of a data directory stands, whether an agent runs there or not."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

from agent.cli.ask import TIMEOUT, Agent, Silent, find
from agent.model.errors import AgentError
from agent.runtime.history import History, State
from agent.runtime.history_files import Taken

EVERY, PATIENCE = 0.5, 20  # seconds between two looks, and how many


@contextmanager
def running(data: Path, timeout: float = TIMEOUT) -> Iterator[Agent]:
    """The agent that runs there; `timeout` (s) for each answer. Raises AgentError when none does."""
    with find(data, timeout) as agent:
        if agent is None:
            hint = "`floorgate run` starts one, with --data if it is another directory"
            raise AgentError(f"no agent runs on {data}", hint=hint)
        yield agent


def changed(agent: Agent, data: Path, path: str, **fields: object) -> dict[str, Any]:
    """What the agent answers, which has to go over to something. Raises AgentError.

    Its server may start anew with that, and the answer is lost then: the history says what became of it.
    """
    before = History(data).state().next
    try:
        return dict(agent.post(path, **fields))
    except KeyboardInterrupt:
        what = "interrupted: the agent may go over to it all the same"
        raise AgentError(what, hint="`floorgate history` says whether it did") from None
    except Silent:
        for _ in range(PATIENCE):
            Event().wait(EVERY)
            ran = [each.n for each in History(data).state().versions if each.n >= before and each.outcome != "kept"]
            if ran:
                return {"changed": True, "version": ran[-1], "applied": None, "trial": None}
        raise


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
