"""Did everything arrive? The agent's ledger on one side, what the platform counted on the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent.demo.tally import Tally

Account = dict[str, Any]  # one line of `floorgate ledger --json`


@dataclass(frozen=True, slots=True)
class Result:
    """How the demo ended; `problems` is empty when each sample that was read has arrived."""

    accounts: tuple[Account, ...]
    frames: int
    samples: int
    history: int
    problems: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        return {
            "ok": not self.problems,
            "ledger": list(self.accounts),
            "received": {"frames": self.frames, "samples": self.samples, "history": self.history},
            "problems": list(self.problems),
        }

    def sentence(self) -> str:
        """What a person remembers."""
        if self.problems:
            return "\n".join(f"NOT OK: {problem}" for problem in self.problems)
        read = sum(account["read"] for account in self.accounts)
        delivered = sum(account["delivered"] for account in self.accounts)
        return (
            f"read {read:,} = delivered {delivered:,} samples, nothing lost. The platform has {self.frames:,} frames "
            f"with {self.samples:,} samples; {self.history:,} of the frames had waited on disk for the uplink."
        )


def judge(accounts: Sequence[Account], tally: Tally, devices: Sequence[str], *, exit_code: int | None = 0) -> Result:
    """Compare the agent's ledger at rest with the platform's count, device by device."""
    problems = [*_end(exit_code), *_books(accounts, devices), *_arrivals(accounts, tally)]
    return Result(tuple(accounts), tally.total, sum(tally.samples.values()), tally.history, tuple(problems))


def complete(accounts: Sequence[Account], tally: Tally) -> bool:
    """Whether the platform has as many samples of each device as the ledger calls delivered."""
    return all(tally.samples[account["device"]] == account["delivered"] for account in accounts)


def _end(exit_code: int | None) -> list[str]:
    if exit_code is None:
        return ["the agent did not stop in time"]
    return [f"the agent ended with exit code {exit_code}"] if exit_code else []


def _books(accounts: Sequence[Account], devices: Sequence[str]) -> list[str]:
    known = {account["device"] for account in accounts if account["read"]}
    problems = [f"{device}: nothing was read" for device in devices if device not in known]
    for account in accounts:
        device = account["device"]
        if not account["balanced"]:
            problems.append(f"{device}: the ledger does not balance: {dict(account)}")
        if account["buffered"]:
            problems.append(f"{device}: {account['buffered']:,} samples still wait on disk")
        if dropped := sum(account["dropped"].values()):
            problems.append(f"{device}: {dropped:,} samples were dropped: {account['dropped']}")
    return problems


def _arrivals(accounts: Sequence[Account], tally: Tally) -> list[str]:
    delivered = {account["device"]: account["delivered"] for account in accounts}
    problems = [
        f"{device}: {tally.samples[device]:,} samples have arrived, the ledger says {delivered.get(device, 0):,}"
        for device in sorted(delivered.keys() | tally.samples.keys())
        if tally.samples[device] != delivered.get(device, 0)
    ]
    if missing := tally.missing():
        problems.append(f"{missing:,} frames are missing in the sequence that the platform received")
    if tally.unreadable:
        problems.append(f"{tally.unreadable:,} messages could not be read")
    return problems
