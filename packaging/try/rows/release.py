"""What lies in dist/ as a whole: every file of the package is in the bill of materials, and a signature holds."""

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import elf
from bundles import flip
from plant import listed
from products import deb, held, members, one
from roots import ROOT
from tests.faults.table import Seen, row
from tests.unit.packaging.bill import faults


def packaged() -> Iterator[tuple[str, str]]:
    """(path, SHA-256) of what is machine code in the .deb."""
    data = next(contents for name, contents in members(deb()) if name.startswith("data.tar"))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isreg() else None
            content = file.read() if file else b""
            if content.startswith(elf.MAGIC):
                yield member.name, hashlib.sha256(content).hexdigest()


def hashes(component: dict[str, Any]) -> Iterator[str]:
    """Those of a component and of all within it."""
    for each in component.get("hashes", []):
        yield each["content"]
    for inner in component.get("components", []):
        yield from hashes(inner)


@row("1", "the bill of materials against its schema, and against the .deb and the wheels", runs=1, short=0)
def bill(seen: Seen) -> None:
    told = json.loads(one("floorgate-*.cdx.json").read_text("utf-8"))
    listed(seen, "what the schema of CycloneDX refuses", faults(told))
    known = {each for part in (told["metadata"]["component"], *told["components"]) for each in hashes(part)}
    files = dict(packaged())
    seen.least("files with machine code in the .deb", len(files), 50)
    listed(seen, "of which it does not list", [path for path, digest in files.items() if digest not in known])
    with tarfile.open(one("floorgate-*-offline-*.tar.gz")) as archive:
        names = [name for name in archive.getnames() if name.endswith(".whl") and "/floorgate-" not in name]
        wheels = {name: file for name in names if (file := archive.extractfile(name))}
        foreign = {name: hashlib.sha256(file.read()).hexdigest() for name, file in wheels.items()}
    seen.least("wheels in the offline bundle", len(foreign), 50)
    listed(seen, "of which it does not list ", [name for name, digest in foreign.items() if digest not in known])
    texts = one("floorgate-*-licenses.txt").read_text("utf-8")
    silent = [each["name"] for each in told["components"] if f"{each['name']} {each['version']}: " not in texts]
    listed(seen, "components without a text of their licence", silent)


@row("1", "the sums, signed with a key of a moment: whole, a bit flipped, a file more", runs=1, short=0)
def signature(seen: Seen) -> None:
    key, signers, dist = seen.folder / "key", seen.folder / "signers", seen.folder / "dist"
    dist.mkdir()
    for each in held().iterdir():
        if each.is_file() and not each.name.startswith("container"):
            (dist / each.name).write_bytes(each.read_bytes())
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    signers.write_text(f"release {key.with_suffix('.pub').read_text('utf-8')}", "utf-8")
    subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", "floorgate", dist / "SHA256SUMS"], check=True)
    seen.none("exit code of verify.sh", _verify(dist, signers)[0])
    product = dist / deb().name
    flip(product)
    code, said = _verify(dist, signers)
    seen.least("exit code after a bit was flipped", code, 1)
    seen.least("times that it names the file", said.count(product.name), 1)
    product.write_bytes(deb().read_bytes())
    (dist / "more").write_text("")
    seen.least("exit code with a file more", _verify(dist, signers)[0], 1)


def _verify(dist: Path, signers: Path) -> tuple[int, str]:
    command: list[str | Path] = ["sh", ROOT / "packaging/verify.sh", "--signers", signers, dist]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr
