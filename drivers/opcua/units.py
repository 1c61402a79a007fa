"""EngineeringUnits of a node as a UCUM code (part 8, 5.6.3: the id is the letters of a UNECE code as a number)."""

from asyncua import ua

from agent.model.unit_hints import spelt

UNECE: dict[str, str] = {
    "CEL": "Cel", "FAH": "[degF]", "KEL": "K", "P1": "%", "BAR": "bar", "MBR": "mbar", "PAL": "Pa", "HPA": "hPa",
    "KPA": "kPa", "MPA": "MPa", "PS": "[psi]", "MTR": "m", "CMT": "cm", "MMT": "mm", "4H": "um", "KMT": "km",
    "MTK": "m2", "MTQ": "m3", "LTR": "L", "MLT": "mL", "SEC": "s", "C26": "ms", "B98": "us", "MIN": "min",
    "HUR": "h", "DAY": "d", "KGM": "kg", "GRM": "g", "TNE": "t", "VLT": "V", "KVT": "kV", "2Z": "mV", "AMP": "A",
    "4K": "mA", "WTT": "W", "KWT": "kW", "MAW": "MW", "VA": "VA", "KVA": "kVA", "D44": "var", "KVR": "kvar",
    "WHR": "Wh", "KWH": "kWh", "MWH": "MWh", "JOU": "J", "KJO": "kJ", "HTZ": "Hz", "KHZ": "kHz", "OHM": "Ohm",
    "NEW": "N", "B47": "kN", "NU": "N.m", "MTS": "m/s", "2X": "m/min", "C16": "mm/s", "MQH": "m3/h", "MQS": "m3/s",
    "L2": "L/min", "G51": "L/h", "KGS": "kg/s", "E93": "kg/h", "RPM": "{rev}/min", "RPS": "{rev}/s", "DD": "deg",
    "C81": "rad", "59": "[ppm]", "KMH": "km/h", "KMQ": "kg/m3", "C62": "1", "E27": "1", "B22": "kA", "C31": "mW",
}  # fmt: skip
_BY_NUMBER = {int.from_bytes(code.encode(), "big"): unit for code, unit in UNECE.items()}
_SPACE = "http://www.opcfoundation.org/UA/units/un/cefact"
LONGEST = 32  # characters that a tag's unit may have


def unit(value: object) -> str:
    """The code, by number or by what the server shows; or else that text; empty for anything else."""
    if not isinstance(value, ua.EUInformation):
        return ""
    if value.NamespaceUri == _SPACE and value.UnitId in _BY_NUMBER:
        return _BY_NUMBER[value.UnitId]
    shown = value.DisplayName.Text if isinstance(value.DisplayName, ua.LocalizedText) else None
    return spelt(shown) or shown if shown and len(shown) <= LONGEST and shown.isprintable() else ""
