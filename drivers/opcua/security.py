"""Which endpoint of a server is used, and how a user proves who he is; nothing here is sent (part 4, 5.6 and 7.40).

Nothing is taken that a third party could have made worse on the way: policies on SHA-1 never, no encryption only where
the configuration says so, and what the server lists inside the secured channel must be what it had listed outside.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asyncua import ua
from asyncua.crypto import security_policies
from asyncua.crypto.security_policies import SecurityPolicy, SecurityPolicyNone
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from agent.model.errors import Refused
from drivers.opcua import certificates

PREFIX = "http://opcfoundation.org/UA/SecurityPolicy#"
TRANSPORT = "http://opcfoundation.org/UA-Profile/Transport/uatcp-uasc-uabinary"
# from the best to the least
POLICIES: Mapping[str, type[SecurityPolicy]] = {
    "Aes256Sha256RsaPss": security_policies.SecurityPolicyAes256Sha256RsaPss,
    "Aes128Sha256RsaOaep": security_policies.SecurityPolicyAes128Sha256RsaOaep,
    "Basic256Sha256": security_policies.SecurityPolicyBasic256Sha256,
}
_BY_URI = {policy.URI: policy for policy in POLICIES.values()}
_PADDING = {uri: 66 if uri.endswith("Pss") else 42 for uri in _BY_URI}  # bytes that each block of a password loses
MODES = {"encrypt": ua.MessageSecurityMode.SignAndEncrypt, "sign": ua.MessageSecurityMode.Sign}
_MODES_SAID = {1: "None", 2: "Sign", 3: "SignAndEncrypt"}
_TOKENS_SAID = {0: "anonymous", 1: "user name", 2: "certificate", 3: "issued token"}
NONCE = 32  # bytes that a server must add to what is signed


@dataclass(frozen=True, slots=True)
class Login:
    """The user: nobody, one with a name and a password, or one with a certificate and its key."""

    user: str = ""
    password: str = ""
    certificate: x509.Certificate | None = None
    key: rsa.RSAPrivateKey | None = None

    @property
    def kind(self) -> ua.UserTokenType:
        if self.certificate is not None:
            return ua.UserTokenType.Certificate
        return ua.UserTokenType.UserName if self.user else ua.UserTokenType.Anonymous


ANONYMOUS = Login()


def choose(where: str, listed: Sequence[ua.EndpointDescription], security: str, mode: str) -> ua.EndpointDescription:
    """The best endpoint that is allowed. Raises Refused, with what the server offers."""
    ours = [POLICIES[security].URI] if security in POLICIES else list(_BY_URI)
    fit = [each for each in usable(listed) if each.SecurityPolicyUri in ours and each.SecurityMode == MODES[mode]]
    if fit:
        return min(fit, key=lambda each: ours.index(each.SecurityPolicyUri))
    offered = ", ".join(dict.fromkeys(_said(each) for each in usable(listed))) or "nothing"
    wanted = security if security in POLICIES else " or ".join(POLICIES)
    what = f"{where}: the server offers no {wanted} with {_MODES_SAID[MODES[mode]]}, only {offered}"
    raise Refused(what, hint=_advice(listed, mode))


def _advice(listed: Sequence[ua.EndpointDescription], mode: str) -> str:
    good = [each for each in usable(listed) if each.SecurityPolicyUri in _BY_URI]
    if any(each.SecurityMode == MODES["encrypt"] for each in good):
        return "write security: auto and security_mode: encrypt"
    if good and mode == "encrypt":
        return "switch SignAndEncrypt on at the server; or write security_mode: sign, then everybody can read along"
    if all(each.SecurityMode == ua.MessageSecurityMode.None_ for each in usable(listed)):
        return "switch a policy on at the server; or write security: none, then everybody can read and change it"
    return "those are broken (SHA-1) and not used: switch a newer policy on at the server"


def usable(listed: Iterable[ua.EndpointDescription] | None) -> list[ua.EndpointDescription]:
    """Those over the one transport that we speak; some servers do not say which it is."""
    return [
        each
        for each in listed or ()
        if (each.TransportProfileUri or TRANSPORT) == TRANSPORT and str(each.EndpointUrl).startswith("opc.tcp://")
    ]


def compare(
    where: str,
    before: Sequence[ua.EndpointDescription],
    after: Sequence[ua.EndpointDescription],
    used: ua.EndpointDescription,
) -> None:
    """Whether the signed list is the one by which we chose (part 4, 5.6.2). Raises Refused."""
    outside, inside = _facts(before), _facts(after)
    if outside != inside:
        changed = ", ".join(sorted(_named(fact) for fact in outside ^ inside))
        raise _downgrade(where, f"they differ in {changed}")
    if not any(_fact(each) == _fact(used) and _tokens(each) == _tokens(used) for each in usable(after)):
        raise _downgrade(where, "they differ in how users log in")


def listed_here(where: str, after: Sequence[ua.EndpointDescription], policy: SecurityPolicy) -> ua.EndpointDescription:
    """The endpoint that this session is on. Raises Refused when the server does not have it."""
    for each in usable(after):
        if each.SecurityPolicyUri == policy.URI and each.SecurityMode == policy.Mode:
            return each
    offered = ", ".join(dict.fromkeys(_said(each) for each in usable(after))) or "nothing"
    raise Refused(
        f"{where}: without encryption the server offers no endpoint, only {offered}", hint="write security: auto"
    )


def prove(
    where: str, login: Login, endpoint: ua.EndpointDescription, policy: SecurityPolicy, nonce: bytes
) -> tuple[object, ua.SignatureData]:
    """What the user shows at an endpoint, and his signature. Raises Refused before anything secret is used wrongly."""
    kinds = [each for each in endpoint.UserIdentityTokens or () if each.TokenType == login.kind]
    if not kinds:
        raise _no_login(where, login, endpoint)
    if login.kind == ua.UserTokenType.Anonymous:
        return ua.AnonymousIdentityToken(PolicyId=kinds[0].PolicyId), ua.SignatureData()
    ways = [(each, _effective(each, policy)) for each in kinds]
    fit = [(each, uri) for each, uri in ways if uri in _BY_URI]
    if login.kind == ua.UserTokenType.Certificate:
        return _by_certificate(where, login, fit, policy, nonce)
    plain = [(each, uri) for each, uri in ways if uri == SecurityPolicyNone.URI]
    return _by_name(where, login, [*fit, *plain], policy, nonce)


def _by_name(
    where: str,
    login: Login,
    ways: Sequence[tuple[ua.UserTokenPolicy, str]],
    policy: SecurityPolicy,
    nonce: bytes,
) -> tuple[object, ua.SignatureData]:
    secret = policy.Mode == ua.MessageSecurityMode.SignAndEncrypt and policy.URI in _BY_URI
    fit = [(each, uri) for each, uri in ways if secret or uri in _BY_URI]
    if not fit or policy.URI not in _BY_URI:
        raise Refused(
            f"{where}: the password of {login.user!r} would travel unprotected, so it was not sent",
            hint="give the server's user name policy an encryption, or write security_mode: encrypt",
        )
    best, uri = next((way for way in fit if way[1] == policy.URI), fit[0])
    token = ua.UserNameIdentityToken(PolicyId=best.PolicyId, UserName=login.user)
    if uri in _BY_URI:
        token.Password, token.EncryptionAlgorithm = _sealed(login.password, nonce, policy, uri)
    else:
        token.Password = login.password.encode()
    return token, ua.SignatureData()


def _by_certificate(
    where: str,
    login: Login,
    ways: Sequence[tuple[ua.UserTokenPolicy, str]],
    policy: SecurityPolicy,
    nonce: bytes,
) -> tuple[object, ua.SignatureData]:
    if not ways or policy.URI not in _BY_URI:
        raise Refused(f"{where}: the server takes certificates of users only by a policy that is not used here")
    best, uri = next((way for way in ways if way[1] == policy.URI), ways[0])
    assert login.certificate is not None
    token = ua.X509IdentityToken(PolicyId=best.PolicyId, CertificateData=certificates.der(login.certificate))
    sign: Any = security_policies.sign_asymmetric
    signed, how = sign(login.key, (policy.peer_certificate or b"") + nonce, uri)
    return token, ua.SignatureData(Algorithm=how, Signature=signed)


def _sealed(password: str, nonce: bytes, policy: SecurityPolicy, uri: str) -> tuple[bytes, str]:
    """For the server's eyes only, in blocks as long as its key can take (part 4, 7.40.2)."""
    key = certificates.read(policy.peer_certificate or b"")[0].public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    data = password.encode() + nonce
    data = len(data).to_bytes(4, "little") + data
    size = key.key_size // 8 - _PADDING[uri]
    encrypt: Any = security_policies.encrypt_asymmetric
    blocks = [encrypt(key, data[at : at + size], uri) for at in range(0, len(data), size)]
    return b"".join(block for block, _ in blocks), blocks[0][1]


def _effective(token: ua.UserTokenPolicy, policy: SecurityPolicy) -> str:
    return str(token.SecurityPolicyUri or policy.URI)


def _no_login(where: str, login: Login, endpoint: ua.EndpointDescription) -> Refused:
    kinds = dict.fromkeys(_TOKENS_SAID.get(int(each.TokenType), "?") for each in endpoint.UserIdentityTokens or ())
    offered = ", ".join(kinds) or "nobody"
    if login.kind == ua.UserTokenType.Anonymous:
        hint = "give `user` and `password`, or `user_certificate` and `user_key`; they need security: auto"
        return Refused(f"{where}: the server wants a user: {offered}", hint=hint)
    hint = "is that kind of user switched on at the server?"
    return Refused(f"{where}: the server takes no {_TOKENS_SAID[login.kind]}, only {offered}", hint=hint)


def _downgrade(where: str, what: str) -> Refused:
    return Refused(
        f"{where}: the endpoints listed before and after connecting are not the same: {what}",
        hint="was the server reconfigured this moment? if not, somebody on the way weakens the connection",
    )


def _fact(endpoint: ua.EndpointDescription) -> tuple[str, int]:
    return str(endpoint.SecurityPolicyUri), int(endpoint.SecurityMode)


def _facts(listed: Iterable[ua.EndpointDescription]) -> set[tuple[str, int]]:
    return {_fact(each) for each in usable(listed)}


def _tokens(endpoint: ua.EndpointDescription) -> set[tuple[str, int, str]]:
    tokens = endpoint.UserIdentityTokens or ()
    return {(str(each.PolicyId), int(each.TokenType), str(each.SecurityPolicyUri or "")) for each in tokens}


def _said(endpoint: ua.EndpointDescription) -> str:
    return _named(_fact(endpoint))


def _named(fact: tuple[str, int]) -> str:
    name = fact[0].removeprefix(PREFIX)
    return "None" if name == "None" else f"{name[:60]} with {_MODES_SAID.get(fact[1], '?')}"
