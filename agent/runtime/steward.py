"""Who changes a running agent to another configuration, keeps the history of what ran, and ends trials.

One task does it all, one thing after the other: what people ask for over HTTP, SIGHUP, files that changed, and the look
at a trial once a second. What is decided is on the disk before it is done, so that a kill in between ends in the last
good version.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, Protocol

from agent.config import Invalid, Site
from agent.health import Part
from agent.model.clock import SYSTEM, Clock
from agent.model.errors import AgentError
from agent.runtime import heap
from agent.runtime.history import History, HistoryError, Why
from agent.runtime.history_files import Taken, digest_of
from agent.runtime.loading import Asked, Loaded, Watch, beside, take, told
from agent.runtime.startup import Start
from agent.runtime.trial import S, Trial, Vitals

LOOK = 1.0  # seconds between two looks at a trial
POLL = 2.0  # seconds between two looks at the files
MOVING = 0.5  # while they change
WAITING = 16  # questions at once
Answer = dict[str, Any]
Job = Callable[[], Coroutine[Any, Any, Answer]]
P = ParamSpec("P")
log = logging.getLogger("floorgate")


class Runs(Protocol):
    """The running agent; `part` is what its health says of the configuration."""

    part: Part

    async def apply(self, site: Site) -> Any:
        """Change to it. Raises ConfigError, and then nothing has changed."""
        ...

    def vitals(self) -> Vitals: ...

    def patience(self) -> dict[str, int]:
        """How long a device may take until it has given all of its values, in ns."""
        ...


class Steward:
    """`config` is the file that the agent was started with."""

    def __init__(
        self, config: Path, history: History, start: Start, clock: Clock = SYSTEM, *, watch: bool = True
    ) -> None:
        self._config, self._history, self._clock = config.absolute(), history, clock
        self._part = Part("config", config.name)  # until there is an agent
        self._start: Start | None = start
        self._state, self._digest = start.state, digest_of(start.taken)  # of what runs
        self._watch, self._watches = Watch(start.files), watch
        self._trial: Trial | None = None
        self._old: Site | None = None  # what a trial goes back to
        self._jobs: asyncio.Queue[tuple[Job, asyncio.Future[Answer] | None]] = asyncio.Queue(WAITING)
        self._unwritten: tuple[Taken, Why, str] | None = None  # what runs, where the history could not take it,
        self._trouble = ""  # and why not
        self._untold: tuple[int, Taken, Taken] | None = None  # of which version nobody knows yet what changed
        self._app: Runs | None = None

    # What others ask for. It is done by `run`.

    async def apply(self, confirm: float | None, who: str, digest: str = "") -> Answer:
        """Load the file and go over to it; on trial for `confirm` seconds. Raises AgentError, and when its files are
        not those of `digest`, which somebody has looked at."""
        return await self._asked(partial(self._apply, "apply", who, confirm, digest))

    async def confirm(self) -> Answer:
        """The trial is over, and good. Raises AgentError."""
        return await self._asked(self._confirm)

    async def rollback(self, n: int | None, who: str) -> Answer:
        """Back to a version of the history; without a number to the one before. Raises AgentError."""
        return await self._asked(partial(self._rollback, n, who))

    def reload(self) -> None:
        """SIGHUP"""
        with suppress(asyncio.QueueFull):
            self._jobs.put_nowait((partial(self._apply, "SIGHUP", "", None), None))

    def standing(self) -> Answer:
        """`{"file", "running", "good", "trouble", "trial", "versions"}`"""
        state, trial = self._state, self._trial
        return {
            "file": str(self._config),
            "running": state.running,
            "good": state.good,
            "trouble": self._part.error,
            "trial": trial.as_dict(self._clock.mono()) if trial else None,
            "versions": [asdict(each) for each in state.versions],
        }

    async def _asked(self, job: Job) -> Answer:
        if self._jobs.full():
            raise AgentError("too much is asked of the configuration at once", hint="try again")
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._jobs.put_nowait((job, answer))
        return await asyncio.shield(answer)

    # The task.

    async def run(self, app: Runs) -> None:
        """For ever; called again, it goes on."""
        self._app, self._part = app, app.part
        if self._start is not None:
            start, self._start = self._start, None
            await self._started(start)
        while True:
            if self._jobs.empty():
                await self._tell()
            job = await self._next()
            if job is not None:
                await self._do(*job)
            elif self._trial is not None:
                await self._look(self._trial)
            elif self._watches and await asyncio.to_thread(self._watch.due, self._clock.mono()):
                await self._do(partial(self._apply, "file", "", None), None)

    async def _next(self) -> tuple[Job, asyncio.Future[Answer] | None] | None:
        """What is asked for, or None when it is time to look."""
        wait = (
            LOOK
            if self._trial or self._unwritten
            else None
            if not self._watches
            else MOVING
            if self._watch.moving
            else POLL
        )
        try:
            async with asyncio.timeout(None if self._jobs.qsize() else wait):
                return await self._jobs.get()
        except TimeoutError:
            return None

    async def _do(self, job: Job, answer: asyncio.Future[Answer] | None) -> None:
        """An error goes to who asked; health and log have it already."""
        waits = answer is not None and not answer.done()
        error: AgentError | None = AgentError("this failed in a way nobody foresaw", hint="see the log of the agent")
        try:
            with heap.undisturbed():  # until what was loaded has gone again
                found = await job()
            error = None
        except AgentError as known:
            error = known
        finally:
            if answer is not None and waits and error is not None:
                answer.set_exception(error)
        if answer is not None and waits and error is None:
            answer.set_result(found)
        del error  # which holds all that failed

    async def _started(self, start: Start) -> None:
        """How the last run ended is put in order; what the history cannot take is told."""
        await asyncio.to_thread(self._watch.loaded, start.files)
        for trial in [each for each in start.state.versions if each.outcome == "trial"]:
            await self._written(self._history.settle, trial.n, "reverted", "the agent ended before it was confirmed")
        if start.instead is None or start.barred is None:
            await self._ran(start.taken, "start", "")
            if self._part.state == "starting":
                self._part.up()
        else:
            await self._written(self._history.runs, start.instead.n)
            barred = self._state[start.barred.n]
            self._is_barred(barred.n, barred.reason)

    # What it does. Each leaves `part` as the whole stands.

    async def _apply(self, why: Why, who: str, confirm: float | None, digest: str = "") -> Answer:
        if self._trial is not None:
            raise self._busy(self._trial, why)
        loaded = await self._load()
        if digest not in ("", loaded.digest):
            self._watch.passed_over()
            what = f"{self._config}: a file has changed since it was looked at: nothing was applied"
            raise AgentError(what, hint="`floorgate apply` shows it anew")
        if loaded.digest == self._digest:
            self._part.up()
            return self._unchanged()
        barred = self._state.barred(loaded.digest)
        if why != "apply" and barred is not None:
            self._is_barred(barred.n, barred.reason)
            return self._unchanged()
        if confirm is not None:
            return await self._try(loaded, who, confirm)
        applied = await self._go(loaded.site)
        self._part.up()
        return {"changed": True, "version": await self._ran(loaded.taken, why, who), "applied": applied, "trial": None}

    async def _try(self, loaded: Loaded, who: str, confirm: float) -> Answer:
        """Nothing is tried of which nobody knows how to go back."""
        assert self._app is not None
        running = self._state.running and (await asyncio.to_thread(self._history.state)).running  # if still there
        if not running or self._unwritten:
            hint = "the history of the configuration is gone or cannot be written; without --confirm it works"
            raise AgentError("there is nothing to go back to", hint=hint)
        content = await beside(partial(self._history.content, running))
        old = (await beside(partial(take, self._config, Asked(content)))).site
        heap.set_aside()  # it stays for as long as the trial
        new = await asyncio.to_thread(partial(self._history.add, loaded.taken, self._config, "apply", "trial", who=who))
        self._state = await asyncio.to_thread(self._history.state)
        before = self._app.vitals()
        try:
            applied = await self._go(loaded.site)
        except AgentError as error:
            await self._written(self._history.settle, new.n, "reverted", error.message)
            raise
        self._digest, self._old = loaded.digest, old
        self._trial = Trial(new.n, before, self._clock.mono(), round(confirm * S), self._app.patience())
        self._untold = new.n, content, loaded.taken
        self._part.up()
        log.info("configuration on trial", extra={"version": new.n, "seconds": confirm, "who": who})
        row = self._trial.as_dict(self._clock.mono())
        return {"changed": True, "version": new.n, "applied": applied, "trial": row}

    async def _look(self, trial: Trial) -> None:
        assert self._app is not None
        if trial.look(self._clock.mono(), self._app.vitals()) == "reverted":
            with suppress(AgentError):  # it is told, and the next look tries again
                await self._revert(trial)

    async def _confirm(self) -> Answer:
        trial = self._trial
        if trial is None:
            hint = "`floorgate history` shows what became of the last one"
            raise AgentError("no configuration is on trial", hint=hint)
        now = self._clock.mono()
        if trial.phase == "running" and trial.left(now):  # on the disk first, or a kill reverts what was confirmed
            await asyncio.to_thread(self._history.settle, trial.version, "good")
        if trial.confirm(now) == "reverted":
            await self._revert(trial)
            raise AgentError(f"version {trial.version} was reverted: {trial.reason}", hint="apply it again")
        self._state = await asyncio.to_thread(self._history.state)
        self._trial = self._old = None
        log.info("configuration confirmed", extra={"version": trial.version})
        return {"version": trial.version}

    async def _revert(self, trial: Trial) -> Any:
        """On the disk first: a kill in between starts with the good one. Raises AgentError after it was told; then the
        trial is not over."""
        assert self._app is not None
        assert self._old is not None
        if self._state[trial.version].outcome != "reverted":
            await self._written(self._history.settle, trial.version, "reverted", trial.reason)
        good = self._state[self._state.good]
        try:
            applied = await self._app.apply(self._old)
        except AgentError as error:
            what = (
                f"version {trial.version} was reverted ({trial.reason}); to go back to version {good.n} fails: {error}"
            )
            hint = "it is tried again and again; a restart of the agent is with the good one"
            self._down(what, hint)
            raise AgentError(what, hint=hint) from error
        self._old = self._trial = None
        self._digest = good.digest
        self._is_barred(trial.version, trial.reason)
        return applied

    async def _rollback(self, n: int | None, who: str) -> Answer:
        state, trial = self._state, self._trial
        if trial is not None and n in (None, state.good):
            trial.revert(f"{who or 'somebody'} rolled it back")
            return {"changed": True, "version": state.good, "applied": await self._revert(trial)}
        version = state[n] if n is not None else state.before()
        if version is None:
            raise AgentError("there is no good version before the one that runs", hint="see `floorgate history`")
        if Path(version.file) != self._config:
            hint = f"start the agent with -c {version.file}"
            raise AgentError(f"version {version.n} is one of {version.file}, and {self._config} runs", hint=hint)
        if version.digest == self._digest and trial is None:
            await self._compare()
            return self._unchanged()
        loaded = await beside(
            partial(take, self._config, Asked(await beside(partial(self._history.content, version.n))))
        )
        applied = await self._go(loaded.site)
        if trial is not None:
            await self._written(self._history.settle, trial.version, "reverted", f"{who or 'somebody'} rolled it back")
            self._trial = self._old = None
        ran = await self._ran(loaded.taken, "rollback", who)
        await self._compare()
        return {"changed": True, "version": ran, "applied": applied}

    async def _compare(self) -> None:
        """Whether the file on disk says what runs: else the next start would undo it."""
        loaded = await self._load()
        self._part.up()
        if loaded.digest != self._digest:
            what = f"{self._config} says something else than version {self._state.running}, which runs"
            self._down(what, "the next start takes the file: change it, or `floorgate apply`")

    async def _load(self) -> Loaded:
        """What the file says now. Raises ConfigError after it was told."""
        files = Asked()
        await asyncio.to_thread(self._watch.begin)
        try:
            return await beside(partial(take, self._config, files))
        except AgentError as error:
            self._refused(error)
            raise
        finally:
            await asyncio.to_thread(self._watch.loaded, files)

    async def _go(self, site: Site) -> Any:
        """Raises AgentError after it was told."""
        assert self._app is not None
        try:
            return await self._app.apply(site)
        except AgentError as error:
            self._refused(error)
            raise

    # What is told, and kept.

    async def _ran(self, taken: Taken, why: Why, who: str) -> int:
        """It runs now, for good; the number that it has in the history, 0 if that cannot be written."""
        self._digest, self._unwritten, before = digest_of(taken), None, self._state
        known = before.running and before[before.running].digest == self._digest
        if known and before[before.running].outcome == "good":
            await self._written(self._history.runs, before.running)
            return before.running
        old: Taken = {}
        with suppress(HistoryError):
            old = await beside(partial(self._history.content, before.running)) if before.running else {}
        added = partial(self._history.add, taken, self._config, why, "good", who=who)
        if not await self._written(added):
            self._unwritten, self._trouble = (taken, why, who), self._part.error
            return 0
        self._untold = self._state.running, old, taken
        log.info("configuration", extra={"version": self._state.running, "why": why, "who": who})
        return self._state.running

    async def _written(self, change: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> bool:
        """What cannot be written is told; what runs goes on."""
        done = False
        try:
            await asyncio.to_thread(change, *args, **kwargs)
            self._state = await asyncio.to_thread(self._history.state)
            done = True
        except HistoryError as error:
            self._down(error.message, error.hint)
        while self._history.remarks:
            self._part.noticed(self._history.remarks.pop(0), logging.WARNING)
        return done

    async def _tell(self) -> None:
        """What the history is owed, when nobody waits for anything else: what runs, and what changed with it."""
        if self._unwritten and await self._ran(*self._unwritten) and self._part.error == self._trouble:
            self._part.up()
        if self._untold is not None:
            n, old, new = self._untold
            try:
                await self._written(self._history.tell, n, await beside(partial(told, self._config, old, new)))
            finally:
                self._untold = None

    def _refused(self, error: AgentError) -> None:
        problems = error.problems if isinstance(error, Invalid) else ()
        for problem in problems:
            log.warning("configuration: %s", problem)
        many = f"{self._config}: {len(problems)} problem{'s' * (len(problems) > 1)}" if problems else error.message
        goes_on = f"version {self._state.running} goes on"
        self._down(f"{many}; {goes_on}", error.hint or f"`floorgate check {self._config}`")

    def _down(self, what: str, hint: str) -> None:
        """Said in the log each time that it is something else."""
        part, error = self._part, AgentError(what, hint=hint)
        again = part.state == "down" and part.error != str(error)
        part.down(error)
        if again:
            part.noticed(str(error), logging.WARNING)

    def _is_barred(self, n: int, reason: str) -> None:
        back = self._state.running
        what = f"{self._config} is version {n}, which was reverted ({reason}); version {back} runs"
        hint = f"correct the file, or `floorgate rollback {back}`, or `floorgate apply` to take it all the same"
        self._down(what, hint)

    def _busy(self, trial: Trial, why: Why) -> AgentError:
        left = trial.left(self._clock.mono())
        what = f"version {trial.version} is on trial for another {left:.0f} s"
        if why != "apply":
            log.warning("%s: nothing is loaded: %s", why, what)
        return AgentError(what, hint="`floorgate confirm` or `floorgate rollback` first")

    def _unchanged(self) -> Answer:
        return {"changed": False, "version": self._state.running, "applied": None, "trial": None}
