"""One connection to a server: its secure channel and at most one session in it, step by step (part 4, 5.5 and 5.6).

asyncua's client would start tasks that probe, reconnect and publish by themselves. Here each step is taken when it is
asked for, and every failure reaches the caller: asyncua's errors as they are, OSError and TimeoutError.
"""

import asyncio
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC
from typing import Any, cast

from asyncua import ua
from asyncua.client.ua_client import UaClientState
from asyncua.crypto.security_policies import SecurityPolicy, SecurityPolicyNone
from asyncua.ua.ua_binary import struct_from_binary
from asyncua.ua.uaerrors import UaError
from cryptography.exceptions import InvalidSignature

from agent.model.errors import DeviceError
from drivers.opcua import certificates
from drivers.opcua.config import address
from drivers.opcua.guard import MESSAGE, UNDECODABLE, Protocol, Wire
from drivers.opcua.security import NONCE, Login, prove

LIFETIME = 3600_000  # ms that a channel is asked to live without renewal
_OPEN = (UaClientState.CHANNEL_OPEN, UaClientState.CONNECTED)


@dataclass(frozen=True, slots=True)
class Left:
    """A session that the server may still have: its token, the nonce to be signed next, and the endpoint it is of."""

    token: ua.NodeId
    nonce: bytes
    here: ua.EndpointDescription


class Channel:
    """Made for one connection and thrown away after it."""

    def __init__(self, endpoint: str, timeout: float, policy: SecurityPolicy | None = None) -> None:
        self.endpoint = endpoint
        self.policy: SecurityPolicy = policy or _none()
        self.lifetime = LIFETIME
        self.skew: float | None = None  # seconds that the server's clock is ahead of ours, by its list of endpoints
        self.wire = Wire(timeout, self.policy)
        self._nonce = b""

    @property
    def protocol(self) -> Protocol | None:
        return cast(Protocol | None, self.wire.protocol)

    async def open(self) -> None:
        await self.wire.connect_socket(*address(self.endpoint))
        protocol = self.protocol
        if protocol is None:
            raise ConnectionError("connection lost")
        await protocol.hello(self.endpoint)
        await self._open(ua.SecurityTokenRequestType.Issue)

    async def renew(self) -> None:
        await self._open(ua.SecurityTokenRequestType.Renew)
        self.wire.revolve_security_token()

    async def endpoints(self) -> list[ua.EndpointDescription]:
        request, protocol = ua.GetEndpointsRequest(), self.protocol
        assert protocol is not None
        request.Parameters.EndpointUrl = ua.String(self.endpoint)
        asked = time.time()
        response = struct_from_binary(ua.GetEndpointsResponse, await protocol.send_request(request))
        response.ResponseHeader.ServiceResult.check()
        said = response.ResponseHeader.Timestamp.replace(tzinfo=UTC)
        if 1601 < said.year < 9999:  # 1601: no time at all
            self.skew = said.timestamp() - (asked + time.time()) / 2
        return list(response.Endpoints or ())

    async def create(self, name: str, uri: str, timeout: float) -> ua.CreateSessionResult:
        """A session, after the server has proved that it holds the key of its certificate; `timeout` in seconds."""
        asked = ua.CreateSessionParameters()
        asked.ClientDescription = ua.ApplicationDescription(
            ApplicationUri=ua.String(uri),
            ProductUri=ua.String("urn:floorgate"),
            ApplicationName=ua.LocalizedText("Floorgate"),
            ApplicationType=ua.ApplicationType.Client,
        )
        asked.EndpointUrl = ua.String(self.endpoint)
        asked.SessionName = ua.String(name)
        nonce = secrets.token_bytes(NONCE)
        asked.ClientNonce = ua.ByteString(nonce)
        ours = self.policy.host_certificate or b""
        asked.ClientCertificate = ua.ByteString(ours) if ours else None
        asked.RequestedSessionTimeout = timeout * 1000
        asked.MaxResponseMessageSize = ua.UInt32(MESSAGE)
        made = await self.wire.create_session(asked)
        self._nonce = made.ServerNonce or b""
        if ours:
            self._is_proved(made, ours + nonce)
        return made

    async def activate(self, token: object, signature: ua.SignatureData) -> None:
        result = await self.wire.activate_session(self._activation(token, signature, self._nonce))
        self._nonce = result.ServerNonce or b""
        if self.protocol is not None:
            self.protocol.longest = MESSAGE

    async def bury(self, left: "Left", login: Login) -> None:
        """Take over a session that an earlier connection has left behind, and close it (part 4, 5.6.3 and 5.6.4).

        Otherwise it would count at the server until it times out. One that the server knows no more is as good as
        closed.
        """
        protocol = self.protocol
        assert protocol is not None
        protocol.authentication_token = left.token
        try:
            take, close = ua.ActivateSessionRequest(), ua.CloseSessionRequest()
            proof = prove(self.endpoint, login, left.here, self.policy, left.nonce)
            take.Parameters = self._activation(*proof, left.nonce)
            close.DeleteSubscriptions = True
            for request, kind in ((take, ua.ActivateSessionResponse), (close, ua.CloseSessionResponse)):
                response: Any = struct_from_binary(kind, await protocol.send_request(request))
                response.ResponseHeader.ServiceResult.check()
        except (DeviceError, *UNDECODABLE):
            pass  # it is not there any more, or ends by itself after its timeout
        finally:
            protocol.authentication_token = ua.NodeId()

    def left(self, here: ua.EndpointDescription) -> "Left | None":
        """What a later connection needs to close this session."""
        protocol = self.protocol
        return None if protocol is None else Left(protocol.authentication_token, self._nonce, here)

    def _activation(self, token: object, signature: ua.SignatureData, nonce: bytes) -> ua.ActivateSessionParameters:
        asked = ua.ActivateSessionParameters()
        if self.policy.host_certificate:
            crypto: Any = self.policy.asymmetric_cryptography
            signed = crypto.signature((self.policy.peer_certificate or b"") + nonce)
            asked.ClientSignature = ua.SignatureData(self.policy.AsymmetricSignatureURI, signed)
        asked.LocaleIds = [ua.String("en")]
        asked.UserIdentityToken = token
        asked.UserTokenSignature = signature
        return asked

    @property
    def nonce(self) -> bytes:
        """What the server wants to be signed along by the user."""
        return self._nonce

    async def close(self, seconds: float) -> bool:
        """Say goodbye as far as the server listens, then let go of the wire; never raises for a dead server. Whether
        the session is closed there, too."""
        protocol = self.protocol
        transport = None if protocol is None else protocol.transport
        heard = False
        try:
            async with asyncio.timeout(seconds):
                await self._goodbye()
                heard = True
        except (TimeoutError, OSError, *UNDECODABLE):
            pass  # the next connection closes it, or it ends by itself after its timeout
        finally:
            if transport is not None:
                transport.abort()
        await asyncio.sleep(0)  # the transport closes its socket in the loop's next round
        return heard

    async def _goodbye(self) -> None:
        try:
            await self.wire.close_session(delete_subscriptions=True)
        finally:
            with suppress(OSError, *UNDECODABLE):
                if self.wire.state in _OPEN:
                    await self.wire.close_secure_channel()
            self.wire.disconnect_socket()

    async def _open(self, how: ua.SecurityTokenRequestType) -> None:
        asked = ua.OpenSecureChannelParameters()
        asked.RequestType = how
        asked.SecurityMode = self.policy.Mode
        asked.RequestedLifetime = ua.UInt32(self.lifetime)
        asked.ClientNonce = ua.ByteString(secrets.token_bytes(self.policy.secure_channel_nonce_length))
        made = await self.wire.open_secure_channel(asked)
        self.lifetime = int(made.SecurityToken.RevisedLifetime) or self.lifetime

    def _is_proved(self, made: ua.CreateSessionResult, signed: bytes) -> None:
        """The certificate is the one that the channel was opened with, and the signature is made with its key."""
        if certificates.der(certificates.read(made.ServerCertificate or b"")[0]) != self.policy.peer_certificate:
            raise UaError("the server shows another certificate than before")
        if len(self._nonce) < NONCE:
            raise UaError("the server's nonce is too short")
        crypto: Any = self.policy.asymmetric_cryptography
        try:
            crypto.verify(signed, made.ServerSignature.Signature)
        except InvalidSignature as error:
            raise UaError("the server's signature is wrong: it does not have the key of its certificate") from error


def _none() -> SecurityPolicy:
    return SecurityPolicyNone()  # type: ignore[no-untyped-call]  # asyncua's class has no types
