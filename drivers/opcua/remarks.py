"""What a person should hear of: said when it comes to be so, and not again until it changes."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from drivers.opcua.events import Events
from drivers.opcua.gap import LIMIT, Gap
from drivers.opcua.group import Group
from drivers.opcua.tally import Tally

SHOWN = 3  # tags that are named


class Remarks:
    """Remembers what it has said."""

    def __init__(self) -> None:
        self._said: dict[str, int] = {}

    def fresh(
        self, groups: Sequence[Group], gap: Gap | None, events: Sequence[Events] = (), tally: Tally | None = None
    ) -> list[str]:
        """What is new since the last call."""
        topics = [*_all(groups, gap), *_of_events(events), *(_of_items(tally) if tally else ())]
        return [text for topic, count, text in topics if self._changed(topic, count) and text]

    def _changed(self, topic: str, count: int) -> bool:
        before, self._said[topic] = self._said.get(topic, 0), count
        return count != before


def _all(groups: Sequence[Group], gap: Gap | None) -> Iterator[tuple[str, int, str]]:
    """Topic, a number that changes when there is something to say, and the text."""
    refused = [group.refused for group in groups if group.refused]
    count = sum(map(len, refused))
    yield "refused", count, f"the server refuses {_tags(count, refused)}; tried again later" if count else ""
    plain = [(group, column) for group in groups for column in group.unfiltered]
    names = {group.plan.schema.tags[column].name: "each change comes" for group, column in islice(plain, SHOWN)}
    yield (
        "deadband",
        len(plain),
        f"the server takes no such deadband or trigger: {_tags(len(plain), [names])}" if plain else "",
    )
    closed = [(group, column, why) for group in groups for column, why in group.closed.items()]
    reasons = {group.plan.schema.tags[column].name: why for group, column, why in islice(closed, SHOWN)}
    yield "closed", len(closed), f"no fields of {_tags(len(closed), [reasons])}" if closed else ""
    if gap is not None:
        without = len(gap.without)
        yield "history", without, f"no history of {_tags(without, [gap.without])}" if without else ""
        yield "cut", int(gap.cut), f"the gap holds more than {LIMIT:,} values: its end is missing" if gap.cut else ""


def _of_events(events: Sequence[Events]) -> Iterator[tuple[str, int, str]]:
    deaf = [each.refused for each in events if each.refusal is not None]
    told = f"the server refuses {_tags(len(deaf), deaf, 'groups of events')}; tried again later"
    yield "events", len(deaf), told if deaf else ""
    fields = [each.refused for each in events if each.refusal is None and each.refused]
    count = sum(map(len, fields))
    yield "fields", count, f"the server knows nothing of {_tags(count, fields, 'fields of events')}" if count else ""


def _of_items(tally: Tally) -> Iterator[tuple[str, int, str]]:
    again = dict.fromkeys(islice(tally.tags, SHOWN), "asked for again")
    yield "lost", tally.lost, f"the server has forgotten that it watches {_tags(len(tally.tags), [again])}"
    yield "strays", tally.strays, f"the server watched {tally.strays} items that nobody had asked for: they are deleted"
    yield "doubtful", int(tally.doubtful), "the server's list of monitored items is wrong: it is looked at no more"


def _tags(count: int, reasons: Sequence[Mapping[str, str]], noun: str = "tags") -> str:
    named = [f"{tag}: {why}" for each in reasons for tag, why in islice(each.items(), SHOWN)][:SHOWN]
    more = f" and {count - SHOWN} more" if count > SHOWN else ""
    return f"{count} {noun} ({', '.join(named)}{more})"
