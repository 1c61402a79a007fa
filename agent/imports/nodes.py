"""What the OPC UA importers share: node ids, browse paths, security, and who is asking."""

import re
from typing import Any

from agent.imports.draft import Draft, Kept
from agent.imports.names import valid
from agent.imports.node import Node

BROKEN = ("Basic256", "Basic128Rsa15")
POLICIES = ("Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss")
OWN_CERTIFICATE = "Floorgate makes a certificate of its own, once: have the server trust it (`floorgate pki show own`)"
_URI = re.compile(r"(?P<uri>[A-Za-z][\w+.-]*:[^#;]*)#(?P<node>[isgb]=.+)")
_NODE = re.compile(r"(?:ns=\d{1,5};|nsu=.+?;)?[isgb]=.+")


def node_id(text: str) -> str:
    """`ns=2;s=Temp`, `nsu=urn:press;s=Temp`, `i=2258`, or `urn:press#s=Temp`, as we write it; empty: it is none."""
    text = text.strip()
    found = _URI.fullmatch(text)
    if found:
        return f"nsu={found['uri']};{found['node']}"
    text = text.removeprefix("ns=0;")
    return text if _NODE.fullmatch(text) else ""


def escaped_uri(uri: str) -> str:
    return uri.replace("%", "%25").replace(";", "%3B")


def endpoint(node: Node, key: str, draft: Draft) -> str:
    """`opc.tcp://…`; of a user and a password in it nothing is kept."""
    text = node.text(key)
    if "@" in text.partition("//")[2].partition("/")[0]:
        node.note("not carried", f"`{key}`: who is asking stands in it", "`user` and `password: ${NAME}`", key)
        text = f"opc.tcp://{text.rpartition('@')[2]}"
    if not re.fullmatch(r"opc\.tcp://[^\s\\]+", text):
        if text:
            node.note("not carried", f"`{key}`: {text!r} is no endpoint", "write opc.tcp://HOST:4840", key)
        return draft.endpoint(node, "opc.tcp", 4840)
    return text


def security(node: Node, policy: str, mode: str, *, open_: bool | None = None) -> dict[str, str]:
    """Our `security` and `security_mode`. `open_` says whether the file asks for none; None: it does not say."""
    policy = policy.rpartition("#")[2].replace("_", "")
    keys: dict[str, str] = {}
    if policy in BROKEN:
        node.note("changed", f"the policy {policy} is broken (SHA-1) and not used: the best that the server has is")
    elif policy in POLICIES:
        keys["security"] = policy
    elif policy == "None" or (open_ and not policy) or mode == "None":
        keys["security"] = "none"
    elif policy not in ("", "auto", "Best"):
        node.note("assumed", f"the policy {policy[:40]!r} is not known: the best that the server has is used")
    if mode == "Sign" and keys.get("security") != "none":
        keys["security_mode"] = "sign"
    if not keys and not policy and open_ is None:
        node.note("assumed", "nothing is said of security: encrypted, by the best policy that the server has")
    return keys


def untyped(node: Node) -> None:
    """Of a node whose file does not say what it holds."""
    node.note(
        "assumed", "what the node holds is not said: a number", "text wants `type: str`; `floorgate browse` shows it"
    )


def user(node: Node, name: str, password: Any, keys: dict[str, Any], device: str) -> None:
    """Who is asking, as keys of the device; a password is never written, only where to put it."""
    if not name:
        return
    if keys.get("security") == "none":
        del keys["security"]
        node.note("changed", "a user without encryption: anybody could read the password, so it is encrypted here")
    keys["user"] = name
    if password:
        variable = variable_of(device)
        keys["password"] = secret(variable)
        node.note("changed", f"a password is not written into the file: ${{{variable}}} takes it from the environment")


def variable_of(name: str) -> str:
    """A name for the environment: `press-3` is `PRESS_3_PASSWORD`."""
    word = re.sub(r"[^A-Z0-9]+", "_", valid(name, "DEVICE").upper()).strip("_")
    return f"{word if word[:1].isalpha() else 'DEVICE'}_PASSWORD"


def secret(variable: str) -> Kept:
    return Kept(f"${{{variable}}}")
