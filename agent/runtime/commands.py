"""Commands from north: the one guard that those of every sink pass, and the one hand that carries them out.

What is asked for is judged in this order: is there such a tag, may this sink have it written, may it be written at all,
is the value of its type and within its limits; is the command fresh, is its id new, is it not one too many, is the
device up. Then what stands there is read, an entry goes to the audit, the value to the device, and is read back.

Nothing is queued: what cannot be sent within `PATIENCE` is turned away. Nothing is sent twice: an id is on the disk
before its value leaves, and of an entry without an outcome nobody says later what it was.
"""

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from agent.health import Health, Part
from agent.model.clock import Clock
from agent.model.errors import AgentError, Refused, StoreError, Unreachable
from agent.model.frame import Value
from agent.northbound.api import Commands
from agent.northbound.house import Answer, Answered, Command, Outcome
from agent.runtime.audit import NEARLY, Claim, Refusal, Repeated, Who
from agent.runtime.book import Book
from agent.runtime.doing import Doing
from agent.runtime.fresh import SECOND, OurClock, Stale, fresh
from agent.runtime.guard import Forbidden, TooSoon
from agent.runtime.logs import safe
from agent.runtime.selection import Selections
from agent.runtime.supervise import attempt, waited
from agent.runtime.targets import Target
from agent.runtime.typed import quoted, typed
from agent.runtime.write import Leaving, Written, attempted, prepared
from drivers.api import Writer, enum_names

AT_ONCE = 16  # commands of a sink that are under way
WITHIN = 30.0  # seconds that a device may take to be read, and to be written
TOLD = 10  # in a minute, of a sink's commands that were turned away at the door: so many are told one by one
LONGEST = 256  # characters of an id
SAID = 128  # characters of what a sender says of itself
MINUTE = 60
KIND, ALL = "commands", "$all"  # of the parts: one for each sink, and one for all of them
OUTCOMES: tuple[tuple[type[AgentError], Outcome], ...] = (
    (TooSoon, "busy"),
    (Forbidden, "forbidden"),
    (Stale, "stale"),
    (Repeated, "repeated"),
)
log = logging.getLogger("floorgate")


class Control:
    """What the commands of all sinks share: the tags, the audit, our clock, and the one command of a device."""

    def __init__(self, known: Mapping[str, Mapping[str, Target]], data: Path, health: Health, clock: Clock) -> None:
        self.known, self.clock, self.book, self.ours = known, clock, Book(data), OurClock(clock)
        self._health, self._all = health, health.part(KIND, ALL)
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._group: asyncio.TaskGroup | None = None
        self.clerks: list[Clerk] = []
        self._nearly = False

    def clerk(self, sink: str, commands: Commands) -> "Clerk":
        """Who takes the commands of this sink."""
        made = Clerk(self, sink, commands, self._health.part(KIND, sink))
        self.admit(made)
        return made

    def admit(self, clerk: "Clerk") -> None:
        """Its commands are carried out from now on."""
        self.clerks.append(clerk)
        if self._group is not None:
            clerk.part.up()

    def dismiss(self, sink: str) -> None:
        """No more commands of this sink; those of which nothing was sent yet are given up."""
        for clerk in [clerk for clerk in self.clerks if clerk.sink == sink]:
            clerk.drop()
            self.clerks.remove(clerk)

    @asynccontextmanager
    async def still(self, devices: Iterable[str], seconds: float) -> AsyncIterator[None]:
        """No command is carried out at these devices meanwhile; one that takes longer than that is not waited for."""
        end = asyncio.get_running_loop().time() + seconds
        async with AsyncExitStack() as turns:
            for device in sorted(devices):
                with suppress(Refused):
                    await turns.enter_async_context(self.turn(device, end - asyncio.get_running_loop().time()))
            yield

    async def run(self, stop: asyncio.Event) -> None:
        """Take commands until `stop` is set, and finish those that are under way."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._all.up()
                for clerk in self.clerks:
                    clerk.part.up()
                while not await waited(stop, MINUTE):
                    await self._settle()
                self._group = None
            await self._settle()
        finally:
            self._group = None

    def close(self) -> None:
        self.book.close()

    def begin(self, clerk: "Clerk", doing: Doing) -> bool:
        """Whether anybody is there to do it."""
        if self._group is None:
            return False
        self._group.create_task(clerk.serve(doing), name=f"command:{clerk.sink}")
        return True

    @asynccontextmanager
    async def turn(self, device: str, seconds: float) -> AsyncIterator[None]:
        """One command after the other. Raises Refused when it takes too long until it is one's turn."""
        lock = self._locks[device]
        try:
            async with asyncio.timeout(seconds):
                await lock.acquire()
        except TimeoutError:
            raise Refused("another command of this device takes too long", hint="nothing was sent") from None
        try:
            yield
        finally:
            lock.release()

    async def watch(self, part: Part) -> None:
        """Say when the audit has become nearly full."""
        before, self._nearly = self._nearly, await self.book.fill() >= NEARLY
        if self._nearly and not before:
            what = f"the audit is more than {NEARLY:.0%} full, and when it is full nothing is written to a device"
            part.noticed(f"{what}: `floorgate audit --archive FILE` makes room", logging.WARNING)

    async def _settle(self) -> None:
        for clerk in self.clerks:
            await clerk.settle()


class Clerk:
    """The commands of one sink; see `agent.runtime.house.Commander`."""

    def __init__(self, control: Control, sink: str, commands: Commands, part: Part) -> None:
        self.sink, self.part = sink, part
        self._control, self._commands = control, commands
        self._doings: set[Doing] = set()
        self._let_in: deque[int] = deque()  # when, monotonic ns
        self._told = self._untold = 0
        self._selections = Selections(control.clock)

    async def __call__(self, command: Command) -> Answer:
        """A caller that is cancelled does not take its command with it."""
        found: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.submit(command, lambda answer: None if found.done() else found.set_result(answer))
        return await found

    def submit(self, command: Command, answered: Answered) -> None:
        claim = _claim(self.sink, command)
        twin = claim is not None and any(other.claim == claim for other in self._doings)
        doing = Doing(command, answered, claim, self._control.clock, twin=twin)
        if len(self._doings) >= AT_ONCE:
            what, hint = f"{AT_ONCE} commands are under way", "give them one after the other"
        elif self._control.begin(self, doing):
            self._doings.add(doing)
            return
        else:
            what, hint = "the agent is starting or stopping", "give it again"
        self._untold += 1
        self._count("busy")
        answered(Answer("busy", message=what, hint=hint))

    def turned_away(self, command: Command, answer: Answer) -> None:
        doing = Doing(command, lambda _: None, None, self._control.clock, given=answer)
        if len(self._doings) < AT_ONCE and self._control.begin(self, doing):
            self._doings.add(doing)
        else:
            self._untold += 1
            self._count(answer.outcome)

    def drop(self) -> None:
        for doing in self._doings:
            doing.dropped = True

    async def serve(self, doing: Doing) -> None:
        await attempt(self._served(doing), self.part)

    async def _served(self, doing: Doing) -> None:
        """The command is answered once, whatever happens."""
        lost: Outcome = "refused"
        answer = None
        try:
            answer = doing.given or await self._answer(doing)
            with suppress(StoreError):  # the answer says so, if anything was to be written
                await self._keep(doing, answer)
        finally:
            self._doings.discard(doing)
            if answer is None:
                lost = "unknown" if doing.leaving.left else "refused"
                answer = Answer(lost, message="the gateway stopped in the middle of it", hint="read the tag")
            self._count(answer.outcome)
            doing.answered(answer)

    async def _answer(self, doing: Doing) -> Answer:
        try:
            target, value = self._allowed(doing.command)
            if doing.command.select:
                return await self._selected(doing)
            if self._commands.select or doing.command.nonce:
                self._selections.operate(doing.command)
            await self._admit(doing, target)
            written = await self._carried_out(doing, target, value)
        except AgentError as error:
            found = (outcome for kind, outcome in OUTCOMES if isinstance(error, kind))
            return Answer(next(found, "refused"), message=error.message, hint=error.hint)
        self._log(doing.command, written)
        return _answer(written)

    def _allowed(self, command: Command) -> tuple[Target, Value]:
        """Where it goes, and the value as the tag has it. Raises Forbidden."""
        target = self._control.known.get(command.device, {}).get(command.tag)
        if target is None:
            missing = f"device {quoted(command.device)}" if command.device not in self._control.known else ""
            raise Forbidden(f"there is no {missing or f'tag {quoted(command.tag)} of device {command.device}'}")
        where = f"{command.device}, {command.tag}"
        if not self._commands.allows(command.device, command.tag):
            raise Forbidden(f"{where}: sink {self.sink} may not have it written", hint="its `commands: allow` lets it")
        if target.tag is None or not isinstance(target.driver, Writer):
            hint = "only a tag with a section such as `write: {min: 0, max: 100}` is"
            raise Forbidden(f"{where}: the configuration does not let it be written", hint=hint)
        try:
            value = typed(command.value, getattr(target.tag, "dtype", "str"), tuple(enum_names(target.tag)))
        except ValueError as error:
            raise Forbidden(f"{where}: {error}", hint=f"the tag is a {getattr(target.tag, 'dtype', 'str')}") from error
        prepared(target.driver, target.tag, value)
        return target, value

    async def _selected(self, doing: Doing) -> Answer:
        """The first of two steps, for what is fresh and would be allowed. Raises Stale, Repeated and StoreError."""
        fresh(doing.command, self._commands.max_age, self._control.clock.wall(), self._control.ours.doubt())
        await self._is_new(doing)
        return Answer("selected", nonce=self._selections.select(doing.command))

    async def _admit(self, doing: Doing, target: Target) -> None:
        """Raises Stale, Repeated, TooSoon, Refused and StoreError."""
        command, clock = doing.command, self._control.clock
        left = fresh(command, self._commands.max_age, clock.wall(), self._control.ours.doubt())
        doing.until = None if left is None else clock.mono() + int(left * SECOND)
        await self._is_new(doing)
        self._let(clock.mono())
        doing.admitted = True
        if target.part.state != "up":
            hint = "nothing is kept for later: give it again when it is"
            raise Refused(f"device {command.device} is not up", hint=hint)

    async def _is_new(self, doing: Doing) -> None:
        claim = doing.claim
        if claim is None:
            return
        if len(claim.id) > LONGEST:
            raise Forbidden(f"an id of {len(claim.id):,} characters is too long", hint=f"{LONGEST} at most")
        if doing.twin or await self._control.book.known(claim):
            raise Repeated(f"the id {quoted(claim.id)} was there before", hint="each command has an id of its own")

    def _let(self, now: int) -> None:
        while self._let_in and now - self._let_in[0] >= MINUTE * SECOND:
            self._let_in.popleft()
        if len(self._let_in) >= self._commands.per_minute:
            left = MINUTE - (now - self._let_in[0]) / SECOND
            what = f"{len(self._let_in)} commands of sink {self.sink} were let through in the last minute"
            raise TooSoon(what, hint=f"again in {left:.1f} s, or a larger `per_minute`")
        self._let_in.append(now)

    async def _carried_out(self, doing: Doing, target: Target, value: Value) -> Written:
        driver, tag, command = target.driver, target.tag, doing.command
        assert tag is not None
        assert isinstance(driver, Writer)
        doing.leaving = Leaving(doing.go)
        async with self._control.turn(command.device, doing.wait()):
            doing.go()
            now = self._control.known.get(command.device, {}).get(command.tag)
            if now is None or now.driver is not driver:
                raise Refused("the configuration has changed meanwhile", hint="nothing was sent; give it again")
            doing.wait()
            old = await _look(driver, tag.name, doing)
            doing.wait()
            return await attempted(
                driver,
                tag,
                value,
                old,
                book=self._control.book,
                who=Who(f"sink {self.sink}", -1, via=_via(command)),
                clock=doing.clock,
                claim=doing.claim,
                leaving=doing.leaving,
                within=WITHIN,
            )

    def _count(self, outcome: Outcome) -> None:
        self.part.commands[outcome] = self.part.commands.get(outcome, 0) + 1

    def _log(self, command: Command, written: Written) -> None:
        """Also where a collector keeps a link of the chain out of reach."""
        level = logging.INFO if written.outcome == "done" else logging.WARNING
        what = f"{command.device}, {command.tag}: {quoted(command.value)}: {written.outcome}"
        extra = {"sink": self.sink, "command": safe(command.id), "audit": written.number, "chain": written.link}
        log.log(level, "command %s", what, extra=extra)
        if written.unkept is not None:
            self.part.noticed(str(written.unkept))

    async def _keep(self, doing: Doing, answer: Answer) -> None:
        """What is no entry of the audit is a refusal there, if there are not too many of them. Raises StoreError."""
        if answer.audit:
            await self._control.watch(self.part)
        if answer.audit or answer.outcome == "selected":
            return
        let_in = doing.admitted and answer.outcome != "busy"  # of which there are not many, and whose id is taken
        enough, command = self._told >= TOLD, doing.command
        if enough and not let_in:
            self._untold += 1
            return
        self._told += 1
        if not enough:
            log.warning("sink %s: a command was turned away: %s (%s)", self.sink, answer.message, answer.outcome)
        names = (self.sink, _said(command.who), _said(command.id), _said(command.device), _said(command.tag))
        what = (quoted(command.value), answer.outcome, safe(answer.message))
        refusal = Refusal(self._control.clock.wall(), *names, *what)
        await self._control.book.refuse(refusal, doing.claim if let_in else None)

    async def settle(self) -> None:
        """A minute is over: those that were turned away and not told are told as a number."""
        untold, self._told, self._untold = self._untold, 0, 0
        if untold:
            what = f"{untold:,} more commands were turned away"
            log.warning("sink %s: %s", self.sink, what)
            refusal = Refusal(self._control.clock.wall(), self.sink, "", "", "", "", "", "", what, untold)
            with suppress(StoreError):
                await self._control.book.refuse(refusal)


def _answer(written: Written) -> Answer:
    wrong = written.error or written.unkept
    message, hint = (wrong.message, wrong.hint) if wrong else ("", "")
    if written.outcome == "differs":
        message, hint = "something else stands there now", "does the device limit it, or need a release first?"
    return Answer(written.outcome, written.found, message, hint, written.number)


async def _look(driver: Writer, tag: str, doing: Doing) -> Value:
    """What stands there now; None when the device does not let it be read. Raises DeviceError."""
    leaving = Leaving(doing.go)
    try:
        async with asyncio.timeout(WITHIN):
            return await driver.look(tag, leaving)
    except TimeoutError:
        raise Unreachable(f"{driver.device}, {tag}: not read within {WITHIN:g} s", hint="nothing was written") from None
    except Refused:
        if not leaving.left:
            raise
        return None


def _claim(sink: str, command: Command) -> Claim | None:
    """What tells a command from all others: its id, or else tag and time; None where there is neither."""
    if command.id:
        return Claim(sink, command.id)
    return Claim(sink, f"{command.device}/{command.tag}@{command.issued}") if command.issued else None


def _via(command: Command) -> str:
    return ", ".join(part for part in (_said(command.who), command.id and f"command {_said(command.id)}") if part)


def _said(text: str) -> str:
    return safe(text[:SAID])
