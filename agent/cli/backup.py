"""`floorgate backup`"""

from datetime import UTC, datetime
from pathlib import Path

import click

from agent.cli import records, voice
from agent.cli.options import data_option, json_option, running_option
from agent.cli.progress import progress


@click.command("backup")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The archive, a new file. [default: floorgate-backup-TIME.zip here]",
)
@data_option
@running_option
@click.option("--without-keys", is_flag=True, help="Without the private keys of OPC UA: servers must trust new ones.")
@json_option
def command(output: Path | None, data: Path, config: Path | None, without_keys: bool, as_json: bool) -> None:
    """Put all that the gateway keeps into one archive: configuration, store, debts, audit, certificates, history.

    Also while the agent runs, whose commits do not wait for it. The archive holds private keys and what was measured:
    keep it as a secret. What secrets of the configuration refer to (file:, credential:, ${NAME}) is not in it.
    """
    from agent.cli.archive.container import writing  # noqa: PLC0415  # help is to come at once
    from agent.cli.archive.taking import store, take  # noqa: PLC0415  # as above

    output = output or Path(f"floorgate-backup-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.zip")
    with store(data) as found:
        frames = found.frames
    with writing(output) as out, progress("frames", frames) as done:
        taken = take(out, data, config, keys=not without_keys, done=done)
        out.finish(taken.facts)
    facts, size = taken.facts, output.stat().st_size
    if as_json:
        found_ = {"output": str(output), "bytes": size, "frames": facts.frames, "gateway": facts.gateway}
        records.show({**found_, "instance": facts.instance, "keys": facts.keys, "left_out": taken.left_out})
        return
    voice.echo(f"{output}: {facts.frames:,} frames, {size:,} bytes")
    for line in taken.left_out:
        voice.echo(f"left out: {line}", err=True)
    if facts.keys:
        voice.echo("it holds the private keys of this gateway: keep it as a secret", err=True)
