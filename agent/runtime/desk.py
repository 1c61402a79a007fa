"""What the status server may ask of the store: answers are cut such that commits never wait long for one.

The owner of the store takes calls in turn. A question that needs much of it comes as many short calls.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import msgspec

from agent.model.errors import StoreError
from agent.runtime.storage import Storage
from buffer.ledger import Account
from buffer.parcel import unpack
from buffer.ranges import Range
from buffer.shelf import SMALL, Pick
from buffer.snapshots import Past
from buffer.stats import Stats

SLICE = 0.01  # seconds of the owner thread for one call
AT_ONCE = 500  # frames
ROWS = 1000  # accounts that are written out at once
_MS = 1_000_000
encode = msgspec.msgpack.Encoder().encode


class Desk:
    """The store of one running agent; every call raises StoreError."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def ledger(self) -> list[dict[str, Any]]:
        """Where each sample went, as it stands now."""
        storage = self._storage
        while not await storage.call(storage.store.warm, SLICE):
            pass
        rows: list[dict[str, Any]] = []
        accounts = await storage.call(storage.store.ledger)
        for first in range(0, len(accounts), ROWS):
            rows += map(account_row, accounts[first : first + ROWS])
            await asyncio.sleep(0)  # others have their turn
        return rows

    async def since(self, at: int) -> dict[str, Any]:
        """What has changed in the ledger since then (ns UTC), or since the nearest time before that is known."""
        past = await self._storage.call(self._storage.store.past, at)
        return since_row(await self.ledger(), past)

    async def stats(self) -> dict[str, Any]:
        """How full the store is, and how fast it fills at present."""
        storage = self._storage
        found = await storage.call(storage.store.stats)
        return stats_row(found, storage.meter.rate(), storage.inflow.rate())

    async def frames(self, cursor: int, *, back: bool, sink: str, device: str, aside: bool, until: int) -> bytes:
        """Frames above seq `cursor`, or below it: a `Page` as MessagePack; see `Pick`."""
        shelf, pick = self._storage.store.shelf, Pick(sink, device, aside, until)
        return encode(await self._storage.call(shelf.before if back else shelf.after, cursor, pick))

    async def schemas(self, ids: Sequence[int]) -> bytes:
        """What the frames of these schemas hold: `Key` by number, as MessagePack."""
        return encode(await self._storage.call(self._storage.store.shelf.schemas, ids))

    async def check(self, table: str) -> list[str]:
        """What is wrong in a small table. Raises LookupError for any other name."""
        if table not in SMALL:
            raise LookupError(table)
        return await self._storage.call(self._storage.store.shelf.check, table)

    async def copy(self, cursor: int) -> bytes:
        """What a copy of the file has after seq `cursor`: the run, and a `Piece`, as MessagePack. Raises StoreError."""
        store = self._storage.store
        if store.volatile:
            raise StoreError("the store lies in memory while its disk fails", hint="see the log of the agent")
        return encode((store.epoch, await self._storage.call(store.copier.piece, cursor)))

    async def put(self, parcel: bytes) -> int:
        """Frames that were once taken out, owed to all sinks now; how many. Raises ValueError for no parcel."""
        count = await self._storage.call(self._storage.store.put_back, unpack(parcel))
        self._storage.ring()
        return count

    async def retry(self, sink: str, seqs: Sequence[Range] | None) -> int:
        """What was set aside for a sink, all or these, is owed to it again; how many frames."""
        count = await self._storage.call(self._storage.store.retry, sink, seqs)
        self._storage.ask_anew()
        return count

    async def forget(self, sink: str) -> int:
        """Some of what a sink that is not in use is owed is given up; how many frames, 0 when none is left."""
        return await self._storage.call(self._storage.store.forget, sink, AT_ONCE)


def account_row(account: Account) -> dict[str, Any]:
    """An account as it is printed and served."""
    return {
        "sink": account.sink,
        "device": account.device,
        "read": account.read,
        "delivered": account.delivered,
        "buffered": account.buffered,
        "suppressed": dict(account.suppressed),
        "dropped": dict(account.dropped),
        "set_aside": account.set_aside,
        "made": account.made,
        "balanced": account.balanced,
    }


def since_row(now: Sequence[dict[str, Any]], past: Past | None) -> dict[str, Any]:
    """The account of a period as it is printed and served. Raises StoreError.

    What is buffered and set aside is told as it is now, and so is whether the whole account balances.
    """
    if past is None:
        raise StoreError("the store does not know yet how its ledger stood", hint="the agent notes it every hour")
    then = {(account.sink, account.device): account for account in past.accounts}
    accounts = [_less(row, then.get((row["sink"], row["device"]))) for row in now]
    return {"since_ts": past.at // _MS, "accounts": accounts}


def _less(row: dict[str, Any], then: Account | None) -> dict[str, Any]:
    """An account without what had been counted then."""
    if then is None:
        return row
    less: dict[str, Any] = {key: row[key] - getattr(then, key) for key in ("read", "made", "delivered")}
    for key, counts in (("suppressed", then.suppressed), ("dropped", then.dropped)):
        left = {reason: samples - counts.get(reason, 0) for reason, samples in row[key].items()}
        less[key] = {reason: samples for reason, samples in left.items() if samples}
    return row | less


def stats_row(stats: Stats, samples_per_s: float | None = None, bytes_per_s: float | None = None) -> dict[str, Any]:
    """Stats as they are printed and served; without a rate nobody knows how long the room will do."""
    row = asdict(stats)
    oldest = row.pop("oldest")
    row |= {"set_aside": row.pop("aside"), "oldest_ts": oldest // _MS if oldest else None}
    row |= {"limit": stats.limit or None, "room": stats.room if stats.limit else None}
    row |= {"samples_per_s": _rounded(samples_per_s), "bytes_per_s": _rounded(bytes_per_s)}
    return {**row, "hours_left": _hours_left(stats, bytes_per_s or 0.0)}


def _hours_left(stats: Stats, bytes_per_s: float) -> float | None:
    return _rounded(stats.room / bytes_per_s / 3600) if stats.limit and bytes_per_s >= 1 else None


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 1)
