"""What a service's bad status code means: the session is over, or a well-formed "no" with its next step."""

from asyncua.ua.status_codes import StatusCodes, get_name_and_doc

from agent.model.errors import DeviceError, Refused, Unreachable

_LOST = frozenset(
    {
        StatusCodes.BadCommunicationError,
        StatusCodes.BadConnectionClosed,
        StatusCodes.BadConnectionRejected,
        StatusCodes.BadNoSubscription,
        StatusCodes.BadRequestTimeout,
        StatusCodes.BadSecureChannelClosed,
        StatusCodes.BadSecureChannelIdInvalid,
        StatusCodes.BadSecureChannelTokenUnknown,
        StatusCodes.BadServerHalted,
        StatusCodes.BadServerNotConnected,
        StatusCodes.BadSessionClosed,
        StatusCodes.BadSessionIdInvalid,
        StatusCodes.BadSessionNotActivated,
        StatusCodes.BadShutdown,
        StatusCodes.BadSubscriptionIdInvalid,
        StatusCodes.BadTcpEndpointUrlInvalid,
        StatusCodes.BadTcpInternalError,
        StatusCodes.BadTcpMessageTooLarge,
        StatusCodes.BadTcpServerTooBusy,
        StatusCodes.BadTimeout,
        StatusCodes.BadTooManySessions,
    }
)
_USER = "is the user known there, and what proves it right? without `user` it is asked as anonymous"
_OURS = "does the server trust our certificate? it lies in pki/own, and `floorgate pki show own` shows its fingerprint"
_LESS = "that is more than fits into one message: give its tags several groups, or a smaller `queue_size`"
FULL = "the server watches no more nodes; raise its limit, take fewer tags, or `mode: poll`"
_HINTS = {
    StatusCodes.BadCertificateChainIncomplete: _OURS,
    StatusCodes.BadCertificateHostNameInvalid: _OURS,
    StatusCodes.BadCertificateInvalid: _OURS,
    StatusCodes.BadCertificateRevoked: _OURS,
    StatusCodes.BadCertificateTimeInvalid: "is the server's clock right, and our certificate in time? "
    "`floorgate pki show own`",
    StatusCodes.BadCertificateUntrusted: _OURS,
    StatusCodes.BadCertificateUriInvalid: _OURS,
    StatusCodes.BadCertificateUseNotAllowed: _OURS,
    StatusCodes.BadIdentityTokenInvalid: _USER,
    StatusCodes.BadIdentityTokenRejected: _USER,
    StatusCodes.BadNoMatch: "is the path of the endpoint right?",
    StatusCodes.BadResponseTooLarge: _LESS,
    StatusCodes.BadEncodingLimitsExceeded: _LESS,
    StatusCodes.BadSecurityChecksFailed: _OURS,
    StatusCodes.BadSecurityModeRejected: "the server takes no connection without encryption: write security: auto",
    StatusCodes.BadSecurityPolicyRejected: "the server takes no connection without encryption: write security: auto",
    StatusCodes.BadTcpEndpointUrlInvalid: "is the path of the endpoint right?",
    StatusCodes.BadTooManyMonitoredItems: FULL,
    StatusCodes.BadTooManyOperations: "the server takes fewer items at once than it says",
    StatusCodes.BadTooManySessions: "other clients hold all of the server's sessions",
    StatusCodes.BadUserAccessDenied: _USER,
    StatusCodes.BadUserSignatureInvalid: _USER,
}


class ServiceRefused(Refused):
    """A service's well-formed "no", with its status code."""

    def __init__(self, message: str, code: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code


def lost(code: int) -> bool:
    """Whether no further request on this session can succeed."""
    return code in _LOST


def refusal(endpoint: str, doing: str, code: int) -> DeviceError:
    message, hint = f"{endpoint}: {doing}: {name(code)}", _HINTS.get(code, "")
    return Unreachable(message, hint=hint) if lost(code) else ServiceRefused(message, code, hint)


def reason(code: int) -> str:
    """Why a server does not watch a node: the word for the status code, and what to do where that helps."""
    return f"{name(code)}: {FULL}" if code == StatusCodes.BadTooManyMonitoredItems else name(code)


def name(code: int) -> str:
    """The word for a status code, such as BadNodeIdUnknown."""
    return get_name_and_doc(code)[0]
