"""The step `sums`: SHA256SUMS over all that is shipped, and with KEY a signature of it, for `packaging/verify.sh`.

KEY is the private half of an SSH key, or its public half where ssh-agent or a token holds the other. Who signs makes a
release, so the changelog has to have its date by then.
"""

import os
import re
from pathlib import Path

from context import Context, Failure, say
from sbom import sha256

NAME = "SHA256SUMS"
NAMESPACE = "floorgate"  # a signature for something else is none for this


def step(context: Context) -> None:
    """Raises Failure where there is nothing to sum up, and where a release is not ready to be signed."""
    key = os.environ.get("KEY", "")
    if key:
        released(context)
    files = (
        sorted(each for each in context.dist.iterdir() if not each.name.startswith((".", NAME)))
        if context.dist.is_dir()
        else []
    )
    if not files:
        raise Failure("there is nothing in dist/", hint="make package")
    made = context.build / NAME
    made.write_text("".join(f"{sha256(each)}  {each.name}\n" for each in files), "utf-8")
    signature = sign(context, made, Path(key).expanduser()) if key else None
    context.publish(made)
    if signature:
        context.publish(signature)
    else:
        say("      not signed: nobody can tell who made these; make package STEP=sums KEY=~/.ssh/… signs them")


def sign(context: Context, sums: Path, key: Path) -> Path:
    """What `ssh-keygen -Y sign` makes of it, beside it."""
    if not key.exists():
        raise Failure(
            f"KEY={key} is not there", hint="it is the path of an SSH key; packaging/README.md says how to make one"
        )
    context.need({"ssh-keygen": "openssh-client"})
    signature = sums.with_name(f"{sums.name}.sig")
    signature.unlink(missing_ok=True)
    hint = "a key with a passphrase has to be in ssh-agent: ssh-add KEY, and then KEY=KEY.pub"
    context.run("ssh-keygen", "-Y", "sign", "-f", key, "-n", NAMESPACE, sums, hint=hint)
    return signature


def released(context: Context) -> None:
    """Raises Failure while the changelog has no section of this version with its date, or more that is unreleased."""
    text = (context.root / "CHANGELOG.md").read_text("utf-8")
    newest = re.search(r"^## \[(\d[^\]]*)\](?: - (\S+))?", text, re.MULTILINE)
    if newest is None or newest[1] != context.version or not re.fullmatch(r"\d{4}-\d\d-\d\d", newest[2] or ""):
        raise Failure(
            f"CHANGELOG.md has no date for {context.version}, so this is no release",
            hint=f"it needs a heading such as: ## [{context.version}] - 2026-12-01; without KEY nothing is signed",
        )
    unreleased = re.search(r"^## \[Unreleased\]\n(.*?)^## ", text, re.MULTILINE | re.DOTALL)
    if unreleased and unreleased[1].strip():
        raise Failure("CHANGELOG.md has lines below Unreleased", hint=f"move them below [{context.version}]")
