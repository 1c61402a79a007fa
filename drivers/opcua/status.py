"""OPC UA status codes as qualities: the one table (part 4, 7.39; part 8, 6.3.2)."""

from agent.model.quality import Quality

PLAIN = 0xFFFF0000  # of a code: what it says, without limits, overflow and what has changed
CHANGED = 0xC000  # structure or semantics changed: what was read of a node's meaning holds no more (part 4, 7.39)
OVERFLOW = 0x0480  # info bits: a data value whose queue on the server was too short, so that older ones are gone

# name: (code, quality); a code that is not here follows its severity
TABLE: dict[str, tuple[int, Quality]] = {
    "GoodClamped": (0x00300000, Quality.CLAMPED),
    "GoodLocalOverride": (0x00960000, Quality.SUBSTITUTED),
    "UncertainNoCommunicationLastUsableValue": (0x408F0000, Quality.STALE),
    "UncertainLastUsableValue": (0x40900000, Quality.STALE),
    "UncertainSubstituteValue": (0x40910000, Quality.SUBSTITUTED),
    "UncertainInitialValue": (0x40920000, Quality.SUBSTITUTED),
    "UncertainEngineeringUnitsExceeded": (0x40940000, Quality.CLAMPED),
    "UncertainSimulatedValue": (0x42090000, Quality.SUBSTITUTED),
    "BadCommunicationError": (0x80050000, Quality.BAD_COMM),
    "BadTimeout": (0x800A0000, Quality.BAD_COMM),
    "BadShutdown": (0x800C0000, Quality.BAD_COMM),
    "BadServerNotConnected": (0x800D0000, Quality.BAD_COMM),
    "BadServerHalted": (0x800E0000, Quality.BAD_COMM),
    "BadNoCommunication": (0x80310000, Quality.BAD_COMM),
    "BadWaitingForInitialData": (0x80320000, Quality.BAD_COMM),
    "BadNotConnected": (0x808A0000, Quality.BAD_COMM),
    "BadConnectionClosed": (0x80AE0000, Quality.BAD_COMM),
    "BadDecodingError": (0x80070000, Quality.BAD_DECODE),
    "BadEncodingError": (0x80060000, Quality.BAD_DECODE),
    "BadTypeMismatch": (0x80740000, Quality.BAD_DECODE),
    "BadDataEncodingUnsupported": (0x80390000, Quality.BAD_DECODE),
    "BadOutOfRange": (0x803C0000, Quality.BAD_RANGE),
    "BadUserAccessDenied": (0x801F0000, Quality.BAD_CONFIG),
    "BadNodeIdInvalid": (0x80330000, Quality.BAD_CONFIG),
    "BadNodeIdUnknown": (0x80340000, Quality.BAD_CONFIG),
    "BadAttributeIdInvalid": (0x80350000, Quality.BAD_CONFIG),
    "BadIndexRangeInvalid": (0x80360000, Quality.BAD_CONFIG),
    "BadNotReadable": (0x803A0000, Quality.BAD_CONFIG),
    "BadNotSupported": (0x803D0000, Quality.BAD_CONFIG),
    "BadConfigurationError": (0x80890000, Quality.BAD_CONFIG),
}
# severity, the two highest bits of a code: good, uncertain, bad, and a reserved one that counts as bad
_BY_SEVERITY = (Quality.GOOD, Quality.ESTIMATED, Quality.BAD_DEVICE, Quality.BAD_DEVICE)
_BY_CODE = {code: int(quality) for code, quality in TABLE.values()}


def quality(code: int) -> int:
    """How far a value with this status code can be trusted; the code's lower half (limits, overflow) does not count."""
    known = _BY_CODE.get(code & PLAIN)
    return int(_BY_SEVERITY[code >> 30 & 3]) if known is None else known


def is_bad(code: int) -> bool:
    return code >> 31 & 1 == 1


def overflowed(code: int) -> bool:
    return code & OVERFLOW == OVERFLOW
