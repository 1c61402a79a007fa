"""Which endpoint is used, whether it was tampered with, and how a user logs in: the decisions."""

from collections.abc import Sequence
from typing import Any, cast

import pytest
from asyncua import ua
from asyncua.crypto import uacrypto
from asyncua.crypto.security_policies import SecurityPolicy, SecurityPolicyNone

from agent.model.errors import Refused
from drivers.opcua.security import ANONYMOUS, POLICIES, PREFIX, Login, choose, compare, listed_here, prove, usable
from tests.sim.opcua_certificates import made

HERE = "opc.tcp://press:4840"
NONE, SIGN, BOTH = ua.MessageSecurityMode.None_, ua.MessageSecurityMode.Sign, ua.MessageSecurityMode.SignAndEncrypt
NAMES = {
    "Aes256Sha256RsaPss": "Aes256_Sha256_RsaPss",
    "Aes128Sha256RsaOaep": "Aes128_Sha256_RsaOaep",
    "Basic256Sha256": "Basic256Sha256",
}
NONCE = bytes(range(32))


def token(kind: ua.UserTokenType, policy: str = "", name: str = "t") -> ua.UserTokenPolicy:
    uri = PREFIX + policy if policy else None
    return ua.UserTokenPolicy(PolicyId=cast(Any, name), TokenType=kind, SecurityPolicyUri=cast(Any, uri))


def endpoint(policy: str, mode: Any = BOTH, tokens: Sequence[ua.UserTokenPolicy] = (), **more: Any) -> Any:
    made_of = {"EndpointUrl": HERE, "SecurityPolicyUri": PREFIX + policy, "SecurityMode": mode, **more}
    return ua.EndpointDescription(**made_of, UserIdentityTokens=list(tokens))


ALL = [endpoint("None", NONE), *(endpoint(name, mode) for name in NAMES.values() for mode in (SIGN, BOTH))]


def policy(name: str = "Basic256Sha256", mode: Any = BOTH) -> SecurityPolicy:
    ours, theirs = made("gateway", number=1), made()
    return POLICIES[name](theirs.certificate, ours.certificate, ours.key, mode)


def test_the_best_policy_that_both_have_is_taken() -> None:
    assert choose(HERE, ALL, "auto", "encrypt").SecurityPolicyUri == PREFIX + "Aes256_Sha256_RsaPss"
    assert choose(HERE, ALL, "auto", "encrypt").SecurityMode == BOTH
    fewer = [each for each in ALL if "Aes256" not in each.SecurityPolicyUri]
    assert choose(HERE, fewer, "auto", "encrypt").SecurityPolicyUri == PREFIX + "Aes128_Sha256_RsaOaep"


@pytest.mark.parametrize("mode", ["encrypt", "sign"])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_asked_for_is_taken_and_nothing_else(name: str, mode: str) -> None:
    found = choose(HERE, ALL, name, mode)
    assert found.SecurityPolicyUri == PREFIX + NAMES[name]
    assert found.SecurityMode == (BOTH if mode == "encrypt" else SIGN)


@pytest.mark.parametrize(
    ("listed", "hint"),
    [
        ([endpoint("None", NONE)], "write security: none"),
        ([endpoint("Basic256"), endpoint("Basic128Rsa15")], "broken"),
        ([endpoint("Basic256"), endpoint("None", NONE)], "broken"),
        ([endpoint("Basic256Sha256", SIGN)], "security_mode: sign"),
        ([], "switch a policy on"),
    ],
)
def test_a_server_that_offers_too_little_is_refused_with_what_would_help(listed: Any, hint: str) -> None:
    with pytest.raises(Refused, match="the server offers no") as caught:
        choose(HERE, listed, "auto", "encrypt")
    assert hint in caught.value.hint


def test_less_than_what_is_asked_for_is_never_taken() -> None:
    """`auto` and a named policy are never answered by a weaker policy, by Sign instead of encryption, or by None."""
    weak = [endpoint("None", NONE), endpoint("Basic256"), endpoint("Basic256Sha256", SIGN)]
    for security in ("auto", *NAMES):
        with pytest.raises(Refused):
            choose(HERE, weak, security, "encrypt")
    with pytest.raises(Refused, match="security_mode: encrypt"):
        choose(HERE, [endpoint("Aes256_Sha256_RsaPss")], "Basic256Sha256", "sign")


def test_other_transports_are_not_ours() -> None:
    web = endpoint("Basic256Sha256", TransportProfileUri="http://opcfoundation.org/UA-Profile/Transport/https-uabinary")
    url = endpoint("Basic256Sha256", EndpointUrl="https://press")
    assert usable([web, url, *ALL]) == ALL


def test_a_list_that_was_thinned_out_on_the_way_is_noticed() -> None:
    """Who strips the good endpoints from the unsigned list cannot do so in the signed one."""
    stripped = [each for each in ALL if "Basic256Sha256" in each.SecurityPolicyUri]
    used = choose(HERE, stripped, "auto", "encrypt")
    with pytest.raises(Refused, match="not the same: they differ in Aes128_Sha256_RsaOaep with Sign") as caught:
        compare(HERE, stripped, ALL, used)
    assert "somebody on the way" in caught.value.hint
    compare(HERE, ALL, list(reversed(ALL)), used)


def test_an_added_endpoint_is_noticed_too() -> None:
    with pytest.raises(Refused, match="Basic256Sha256"):
        compare(HERE, ALL, ALL[:-1], ALL[1])


def test_users_that_log_in_another_way_than_was_listed_are_noticed() -> None:
    """Somebody may have made the password travel in the clear."""
    before = [endpoint("Basic256Sha256", tokens=[token(ua.UserTokenType.UserName, "None")])]
    after = [endpoint("Basic256Sha256", tokens=[token(ua.UserTokenType.UserName, "Basic256Sha256")])]
    with pytest.raises(Refused, match="how users log in"):
        compare(HERE, before, after, before[0])


def test_a_session_is_on_an_endpoint_that_the_server_has() -> None:
    assert listed_here(HERE, ALL, SecurityPolicyNone()) is ALL[0]  # type: ignore[no-untyped-call]
    with pytest.raises(Refused, match="without encryption the server offers no endpoint") as caught:
        listed_here(HERE, ALL[1:], SecurityPolicyNone())  # type: ignore[no-untyped-call]
    assert caught.value.hint == "write security: auto"


def test_nobody_in_particular() -> None:
    at = endpoint("None", NONE, [token(ua.UserTokenType.Anonymous, name="anyone")])
    shown, _ = prove(HERE, ANONYMOUS, at, SecurityPolicyNone(), b"")  # type: ignore[no-untyped-call]
    assert isinstance(shown, ua.AnonymousIdentityToken) and shown.PolicyId == "anyone"


def test_a_server_that_wants_a_user_says_so() -> None:
    at = endpoint("Basic256Sha256", tokens=[token(ua.UserTokenType.UserName), token(ua.UserTokenType.Certificate)])
    with pytest.raises(Refused, match="the server wants a user: user name, certificate"):
        prove(HERE, ANONYMOUS, at, policy(), NONCE)
    only = endpoint("Basic256Sha256", tokens=[token(ua.UserTokenType.Anonymous)])
    with pytest.raises(Refused, match="takes no user name, only anonymous"):
        prove(HERE, Login("joe", "secret"), only, policy(), NONCE)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("password", ["", "secret", "密码", "x" * 1000])
def test_a_password_is_sealed_for_the_server(name: str, password: str) -> None:
    """With its length before and the nonce behind it, in as many blocks as it takes."""
    at = endpoint(NAMES[name], tokens=[token(ua.UserTokenType.UserName)])
    shown, _ = prove(HERE, Login("joe", password), at, policy(name), NONCE)
    assert isinstance(shown, ua.UserNameIdentityToken) and shown.UserName == "joe"
    sealed = bytes(cast(Any, shown.Password))
    assert shown.EncryptionAlgorithm == POLICIES[name].AsymmetricEncryptionURI
    open_up = uacrypto.decrypt_rsa_oaep_sha256 if name == "Aes256Sha256RsaPss" else uacrypto.decrypt_rsa_oaep
    plain = b"".join(open_up(made().key, sealed[at : at + 256]) for at in range(0, len(sealed), 256))
    assert plain == len(password.encode() + NONCE).to_bytes(4, "little") + password.encode() + NONCE


@pytest.mark.parametrize(
    ("mode", "tokens"),
    [(SIGN, ["None"]), (SIGN, ["None", "Basic256"]), (BOTH, ["Basic256"]), (BOTH, ["Basic128Rsa15"])],
)
def test_a_password_that_would_travel_unprotected_is_not_sent(mode: Any, tokens: list[str]) -> None:
    at = endpoint("Basic256Sha256", mode, [token(ua.UserTokenType.UserName, each) for each in tokens])
    with pytest.raises(Refused, match="was not sent") as caught:
        prove(HERE, Login("joe", "secret"), at, policy(mode=mode), NONCE)
    assert "secret" not in str(caught.value)


def test_no_password_over_an_open_channel_whatever_the_server_says() -> None:
    for uri in ("None", "Basic256Sha256"):
        at = endpoint("None", NONE, [token(ua.UserTokenType.UserName, uri)])
        with pytest.raises(Refused, match="was not sent"):
            prove(HERE, Login("joe", "secret"), at, SecurityPolicyNone(), b"")  # type: ignore[no-untyped-call]


def test_an_encrypted_channel_protects_a_password_by_itself() -> None:
    """Some servers have no policy of their own for user names; an encrypted one is preferred where there is one."""
    plain = endpoint("Basic256Sha256", tokens=[token(ua.UserTokenType.UserName, "None")])
    shown, _ = prove(HERE, Login("joe", "secret"), plain, policy(), NONCE)
    assert (cast(Any, shown).Password, cast(Any, shown).EncryptionAlgorithm) == (b"secret", None)
    kinds = [token(ua.UserTokenType.UserName, "None", "a"), token(ua.UserTokenType.UserName, "Basic256Sha256", "b")]
    shown, _ = prove(HERE, Login("joe", "secret"), endpoint("Basic256Sha256", tokens=kinds), policy(), NONCE)
    assert cast(Any, shown).PolicyId == "b"


@pytest.mark.parametrize("name", NAMES)
def test_a_user_with_a_certificate_signs_what_the_server_said(name: str) -> None:
    user, crypto = made("joe", number=2), policy(name)
    at = endpoint(NAMES[name], tokens=[token(ua.UserTokenType.Certificate)])
    shown, signature = prove(HERE, Login(certificate=user.certificate, key=user.key), at, crypto, NONCE)
    assert cast(Any, shown).CertificateData == user.der
    verify = uacrypto.verify_pss_sha256 if name == "Aes256Sha256RsaPss" else uacrypto.verify_sha256
    verify(user.certificate, cast(Any, crypto.peer_certificate) + NONCE, signature.Signature)


def test_a_user_s_certificate_is_not_used_by_a_broken_policy() -> None:
    user = made("joe", number=2)
    at = endpoint("Basic256Sha256", tokens=[token(ua.UserTokenType.Certificate, "Basic128Rsa15")])
    with pytest.raises(Refused, match="not used here"):
        prove(HERE, Login(certificate=user.certificate, key=user.key), at, policy(), NONCE)
