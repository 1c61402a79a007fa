"""Who can reach the status server: beyond this machine nobody without a token, and nothing unencrypted."""

from collections.abc import Sequence as Several

from agent.config.lists import mappings
from agent.config.problems import Scope
from agent.config.sections import StatusConfig
from agent.config.tree import Mapping
from agent.registry import SinkConfig, pulled_of


def check_doors(root: Mapping, status: StatusConfig, sinks: Several[SinkConfig], scope: Scope) -> None:
    """An address other than loopback needs TLS and a token, and each token is of one consumer."""
    pulled = {sink.name: found for sink in sinks if (found := pulled_of(sink))}
    section = root.get("status")
    if isinstance(section, Mapping) and not status.is_local:
        mark = section.value_marks.get("listen", section.mark)
        if status.tls is None:
            hint = "such as `tls: {cert: server.pem, key: server.key}`, or listen on 127.0.0.1"
            scope.add(mark, "status: listen: beyond this machine `tls` is needed", hint)
        if not any(sink.enabled for sink in sinks if sink.name in pulled):
            hint = "such as a sink `{name: apps, type: pull, token: ${APPS_TOKEN}}`, or listen on 127.0.0.1"
            scope.add(mark, "status: listen: beyond this machine a token is needed", hint)
    seen: dict[str, str] = {}
    for raw, inner in mappings(root, "sink", scope):
        name = str(raw.get("name"))
        if name not in pulled:
            continue
        other = seen.setdefault(pulled[name].token.get_secret_value(), name)
        if other != name:
            inner.add(raw.value_marks.get("token", raw.mark), f"token: it is that of {other}", "each has its own")
