"""To be written."""


def document() -> dict[str, object]:
    return {}
