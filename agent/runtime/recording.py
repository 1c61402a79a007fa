"""Recordings of the wires of a running agent: begun and ended by whoever owns the data directory."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from agent import __version__
from agent.model.errors import AgentError
from agent.record.format import Header
from agent.record.recorder import LEAST, MOST, Recorder
from drivers.api import Driver
from drivers.tapping import Tapped

FILE = "recording.fgr"  # in the data directory
LONGEST = 7 * 86400.0  # seconds
log = logging.getLogger("floorgate")


class Recordings:
    """One at a time. `drivers` are those of now: whoever joins is tapped with the next look at the progress."""

    def __init__(self, data: Path, gateway: str, drivers: Callable[[], Sequence[Driver]]) -> None:
        self._path, self.gateway, self._drivers = data / FILE, gateway, drivers
        self._recorder: Recorder | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._tapped: dict[int, Tapped] = {}

    def start(self, size: int, seconds: float) -> dict[str, Any]:
        """Begin a new one, which ends by itself. Raises AgentError."""
        if not LEAST <= size <= MOST or not 0 < seconds <= LONGEST:
            raise AgentError("a recording has 64 KB to 4 GB, and lasts up to 7 days", hint="see --size and --for")
        if self._recorder is not None and not self._recorder.progress.why:
            raise AgentError(
                "a recording is under way", hint="wait for its end, or end it with `floorgate record --stop -o FILE`"
            )
        self._recorder = Recorder(self._path, Header(f"floorgate {__version__}", self.gateway), size)
        self._recorder.ended = self._untap
        self._tap()
        log.info("recording", extra={"path": str(self._path), "size": size, "seconds": seconds})
        self._timer = asyncio.get_running_loop().call_later(seconds, self._recorder.stop, "time")
        return self.status()

    def status(self) -> dict[str, Any]:
        """`{"state", "why", "bytes", "notes", "path"}`; `state` is `none`, `recording` or `ended`."""
        recorder = self._recorder
        if recorder is None:
            return {"state": "none", "why": "", "bytes": 0, "notes": 0, "path": ""}
        if not recorder.progress.why:
            self._tap()
            recorder.flush()
        found = recorder.progress
        state = "ended" if found.why else "recording"
        return {"state": state, "why": found.why, "bytes": found.bytes, "notes": found.notes, "path": str(self._path)}

    def stop(self) -> dict[str, Any]:
        """End it, if one is under way."""
        if self._recorder is not None:
            self._recorder.stop()
        return self.status()

    def _tap(self) -> None:
        assert self._recorder is not None
        for driver in self._drivers():
            if isinstance(driver, Tapped) and id(driver) not in self._tapped:
                self._tapped[id(driver)] = driver
                driver.tap(self._recorder)

    def _untap(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        tapped, self._tapped = self._tapped, {}
        for driver in tapped.values():
            driver.tap(None)
        log.info("recording ended", extra={"why": self.status()["why"], "notes": self.status()["notes"]})
