"""A flood of lines stays short, is counted, and keeps nothing important out."""

import logging

from agent.runtime.flood import ALL, FEW, KIND, KINDS, Flood


class Rig:
    """A filter with a clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.flood = Flood(lambda: self.now)

    def say(self, about: str, level: int = logging.WARNING, what: str = "%s %s: %s") -> bool:
        made = logging.LogRecord("floorgate", level, "", 1, what, ("device", about, "away"), None)
        made.about = ("device", about)
        return self.flood.filter(made)

    def many(self, count: int, about: str = "m", level: int = logging.WARNING) -> int:
        """How many of these pass."""
        return sum(self.say(about, level) for _ in range(count))


def test_one_device_that_flaps_gets_its_share_and_the_rest_is_told() -> None:
    rig = Rig()
    passed = 0
    for _ in range(60):  # a thousand each second, for a minute
        passed += rig.many(1000)
        rig.now += 1
    assert passed == KIND + 1  # two a minute follow, and the second is not due yet
    assert rig.flood.tell() == ([(logging.WARNING, "device m: away", 60_000 - passed)], 0, 60.0)
    assert rig.flood.tell() == ([], 0, 0.0)


def test_another_device_and_another_message_are_not_kept_out_by_it() -> None:
    rig = Rig()
    rig.many(1000)
    assert rig.say("another")
    assert rig.say("m", what="%s %s is back (%s)")


def test_two_thousand_dead_devices_at_the_start_do_not_fill_the_disk() -> None:
    rig = Rig()
    assert sum(rig.say(f"meter-{number}") for number in range(2000)) == ALL
    told, rest, _ = rig.flood.tell()
    assert (len(told), rest) == (FEW, 2000 - ALL - FEW)


def test_errors_have_room_of_their_own() -> None:
    rig = Rig()
    for number in range(2000):
        rig.say(f"meter-{number}")
    assert rig.say("press", logging.ERROR)


def test_an_error_that_repeats_is_told_again_and_again() -> None:
    rig = Rig()
    passed = 0
    for _ in range(60):
        rig.many(100, level=logging.ERROR)
        (((level, newest, count),), _, _) = rig.flood.tell()
        assert (level, newest) == (logging.ERROR, "device m: away")
        assert count >= 80
        rig.now += 60
        passed += rig.many(1, level=logging.ERROR)
    assert passed == 60


def test_who_asks_for_debug_gets_all_of_it() -> None:
    assert Rig().many(10_000, level=logging.DEBUG) == 10_000


def test_what_is_remembered_is_bounded() -> None:
    rig = Rig()
    for number in range(3 * KINDS):
        rig.say(f"meter-{number}")
    assert len(rig.flood._kinds) == KINDS
    assert rig.flood.tell()[1] == 3 * KINDS - ALL - FEW
