"""What a person waits for who sets up a site."""

import subprocess
import time
from collections.abc import Iterator

import rig
from report import Row, at_most

DEVICES, TAGS = 100, 100


def rows() -> Iterator[Row]:
    with rig.folder() as place:
        rig.write_site(place, tuple(range(15000, 15000 + DEVICES)), TAGS, "1s", 1883)
        began = time.monotonic()
        subprocess.run([str(rig.FLOORGATE), "check", str(place / "site.yaml")], check=True, capture_output=True)
        yield at_most(f"check of {DEVICES} devices with {TAGS} tags: wall time", time.monotonic() - began, 2, "s")
