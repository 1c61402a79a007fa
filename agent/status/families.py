"""The metrics that there are, by name: the agreed list, which `README.md` has for people. Nothing else is told."""

from typing import Literal, NamedTuple

Kind = Literal["counter", "gauge", "histogram"]


class Family(NamedTuple):
    """A metric: its `kind`, the names of its labels, and what it is."""

    kind: Kind
    labels: tuple[str, ...]
    what: str


def _counter(labels: str, what: str) -> Family:
    return Family("counter", tuple(labels.split()), what)


def _gauge(labels: str, what: str) -> Family:
    return Family("gauge", tuple(labels.split()), what)


_ACCOUNT, _PART = "sink device", "kind name"
FAMILIES = {
    # The agent as a whole.
    "floorgate_info": _gauge("version gateway instance_id epoch python sqlite", "The agent, and what it runs on"),
    "floorgate_ready": _gauge("", "Whether it does its work, as /readyz tells it"),
    "floorgate_selftest": _gauge("check", "Whether a check of the self-test at the start was passed"),
    "floorgate_log_lines_total": _counter("level", "Lines that were logged"),
    "floorgate_log_suppressed_lines_total": _counter("", "Lines that were left out because they were too many"),
    "floorgate_clock_synchronised": _gauge("", "Whether the kernel holds the wall clock to be in step"),
    "floorgate_clock_plausible": _gauge("", "Whether the wall clock shows a time that can be"),
    "floorgate_clock_steps_total": _counter("", "Times that the wall clock was set"),
    "floorgate_clock_last_step_seconds": _gauge("", "By how much it was set the last time"),
    # Parts.
    "floorgate_part_up": _gauge(_PART, "Whether a part of the agent does its work"),
    "floorgate_part_state": _gauge(f"{_PART} state", "The state that a part is in"),
    "floorgate_part_scans_total": _counter(_PART, "Groups read"),
    "floorgate_part_late_total": _counter(_PART, "Scans whose time passed unused"),
    "floorgate_part_frames_total": _counter(_PART, "Frames handed on"),
    "floorgate_part_failures_total": _counter(_PART, "Errors; after each the part was started again"),
    "floorgate_part_bugs_total": _counter(_PART, "Errors that nobody foresaw"),
    "floorgate_part_dropped_samples_total": _counter(_PART, "Samples thrown away before they were on disk"),
    "floorgate_part_rejected_frames_total": _counter(_PART, "Frames that were given up"),
    "floorgate_part_set_aside_frames_total": _counter(_PART, "Frames that the other side refused"),
    "floorgate_certificate_expiry_timestamp_seconds": _gauge(f"{_PART} whose", "Until when a certificate is good"),
    # The field.
    "floorgate_line_busy_ratio": _gauge("line", "The share of the last minute in which the wire was in use"),
    "floorgate_line_busy_seconds_total": _counter("line", "Seconds for which the wire was in use"),
    "floorgate_line_late_total": _counter("line", "Scans whose time passed unused"),
    "floorgate_line_overloaded": _gauge("line", "Whether there is more to do than there is time for"),
    "floorgate_line_devices": _gauge("line", "Devices on the line"),
    "floorgate_line_dead_devices": _gauge("line", "Devices that do not answer"),
    "floorgate_device_breaker": _gauge(
        "device state", "Whether a device is asked (closed), left alone (open) or on trial (half_open)"
    ),
    "floorgate_device_probe_seconds": _gauge("device", "Until a dead device is asked again"),
    "floorgate_device_clock_skew_seconds": _gauge("device", "How far a device's clock is ahead"),
    "floorgate_device_refused_tags": _gauge("device", "Tags that a device does not give"),
    "floorgate_tags": _gauge("device quality", "Tags by the quality of their newest value"),
    "floorgate_alarms_active": _gauge("device", "Alarms that are active and not shelved"),
    "floorgate_alarms_shelved": _gauge("device", "Alarms that are shelved"),
    # From the field to the disk.
    "floorgate_inlet_frames": _gauge("", "Frames that wait to be committed"),
    "floorgate_inlet_bytes": _gauge("", "Bytes that they will take, about"),
    "floorgate_inlet_limit_bytes": _gauge("", "Bytes that may wait before lines have to"),
    "floorgate_commit_duration_seconds": Family("histogram", (), "How long commits took until they were on the disk"),
    # The store.
    "floorgate_store_up": _gauge("", "Whether the store answers"),
    "floorgate_store_frames": _gauge("", "Frames in the store"),
    "floorgate_store_bytes": _gauge("", "Bytes that they take"),
    "floorgate_store_limit_bytes": _gauge("", "Bytes that they may take"),
    "floorgate_store_room_bytes": _gauge("", "Bytes that may come before the oldest have to go"),
    "floorgate_store_file_bytes": _gauge("", "Size of the file"),
    "floorgate_store_wal_bytes": _gauge("", "Size of its write-ahead log"),
    "floorgate_disk_free_bytes": _gauge("", "Bytes free on the disk of the store"),
    "floorgate_last_seq": _gauge("", "Number of the newest frame"),
    "floorgate_oldest_timestamp_seconds": _gauge("", "Time of the oldest frame"),
    "floorgate_samples_per_second": _gauge("", "Samples that are committed at present"),
    "floorgate_store_bytes_per_second": _gauge("", "Bytes that they take"),
    "floorgate_store_hours_left": _gauge("", "Hours for which the room will do at the present rate"),
    # What sinks are owed, and the ledger.
    "floorgate_owed_frames": _gauge("sink", "Frames that a sink is owed"),
    "floorgate_set_aside_frames": _gauge("sink", "Frames that a sink refused"),
    "floorgate_sink_sent_bytes_total": _counter("sink", "Bytes of payload that went to a sink"),
    "floorgate_sink_confirmed_timestamp_seconds": _gauge("sink", "When a sink confirmed something last"),
    "floorgate_commands_total": _counter("sink outcome", "Commands that a sink passed on, by what became of them"),
    "floorgate_samples_total": _counter(f"{_ACCOUNT} what reason", "Where samples went"),
    "floorgate_buffered_samples": _gauge(_ACCOUNT, "Samples that a sink is owed"),
    "floorgate_set_aside_samples": _gauge(_ACCOUNT, "Samples that a sink refused"),
    "floorgate_ledger_balanced": _gauge(_ACCOUNT, "Whether an account adds up"),
}
