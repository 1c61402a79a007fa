"""With which configuration an agent starts: the file's, unless that is one that was reverted."""

import logging
from dataclasses import dataclass
from pathlib import Path

from agent.config import Site
from agent.model.errors import AgentError
from agent.runtime.history import History, State, Version
from agent.runtime.history_files import Taken
from agent.runtime.loading import Asked, take

log = logging.getLogger("floorgate")


@dataclass(frozen=True, slots=True)
class Start:
    """The files of what runs, how the history stood, and what is to be watched. `instead` runs where the site file says
    `barred`."""

    taken: Taken
    state: State
    files: Asked
    instead: Version | None = None
    barred: Version | None = None


def begin(config: Path, history: History) -> tuple[Site, Start]:
    """What is to run. Nothing is written: another agent may run on the same data. Raises Invalid and ConfigError for
    the file as it is: no older version runs because somebody made a mistake."""
    files, state = Asked(), State()
    loaded = take(config, files)
    try:
        state = history.state()
        barred = state.barred(loaded.digest)
        if barred is not None and state.good and (good := state[state.good]).digest != loaded.digest:
            older = take(config, Asked(history.content(good.n)))
            return older.site, Start(older.taken, state, files, good, barred)
    except AgentError as error:  # a history that is damaged, or a secret that is gone, keeps nobody from running
        log.warning("the last good version of the configuration cannot be used: %s", error)
    return loaded.site, Start(loaded.taken, state, files)
