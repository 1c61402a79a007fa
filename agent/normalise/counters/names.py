"""What is made of a counter has the counter's name, and what it is."""

_HOURS = ("Wh", "varh", "VAh")  # energies by their names that end in an hour
_UCUM = ".h"


def total_name(tag: str) -> str:
    """`energy_total`; of a tag that is called so itself `energy_total_monotone`."""
    return f"{tag}_monotone" if tag.endswith("_total") else f"{tag}_total"


def interval_name(tag: str, length: str) -> str:
    return f"{tag}_{length}"


def demand_name(tag: str, length: str, *, sliding: bool = False) -> str:
    return f"{tag}_demand_{length}{'_sliding' if sliding else ''}"


def peak_names(tag: str, *, sliding: bool = False) -> tuple[tuple[str, str], ...]:
    """The highest of the day and of the month, each with its time."""
    peak = f"{tag}_demand{'_sliding' if sliding else ''}_peak"
    day, month = f"{peak}_day", f"{peak}_month"
    return (day, f"{day}_at"), (month, f"{month}_at")


def tariff_name(tag: str, period: str) -> str:
    return f"{tag}_{period}"


def power_unit(unit: str) -> str:
    """What so much in an hour is: kW for kWh, m3/h for m3."""
    if unit.endswith(_UCUM):
        return unit.removesuffix(_UCUM)
    if unit.endswith(_HOURS):
        return unit[:-1]
    return f"{unit}/h" if unit else ""
