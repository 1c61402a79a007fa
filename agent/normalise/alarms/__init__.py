"""Alarms in the words of ISA-18.2 and IEC 62682: raised, cleared, shelved, and told as frames of the group `alarm`."""

from agent.normalise.alarms.rule import GROUP, Alarm, Kind, columns_of

__all__ = ["GROUP", "Alarm", "Kind", "columns_of"]
