"""How much a server is asked at once: what it announces, what its profile says, and what it was found to refuse."""

from dataclasses import dataclass, field

from asyncua.ua.status_codes import StatusCodes

from drivers.opcua.profiles import Profile, Service

MOST = 1000  # items that any server is asked at once, so that an answer fits its deadline
_TOO_MANY = frozenset(
    {
        StatusCodes.BadTooManyOperations,
        StatusCodes.BadTooManyMonitoredItems,
        StatusCodes.BadRequestTooLarge,
        StatusCodes.BadResponseTooLarge,
        StatusCodes.BadEncodingLimitsExceeded,
        StatusCodes.BadOutOfMemory,
        StatusCodes.BadResourceUnavailable,
    }
)


@dataclass(slots=True)
class Limits:
    """Items per call of each service, for one session."""

    sizes: dict[Service, int] = field(default_factory=dict)

    def of(self, service: Service) -> int:
        return self.sizes.get(service, MOST)

    def learn(self, service: Service, code: int, asked: int) -> bool:
        """After a refusal of a call with so many items: whether fewer are worth a try."""
        if code not in _TOO_MANY or asked < 2:
            return False
        self.sizes[service] = max(1, min(asked, self.of(service)) // 2)
        return True


def limits(profile: Profile, announced: dict[Service, object]) -> Limits:
    """0 and nothing mean that a server names no limit; then the profile's holds."""
    sizes: dict[Service, int] = {}
    for service, usual in profile.sizes.items():
        said = announced.get(service)
        most = said if isinstance(said, int) and said > 0 else usual
        sizes[service] = max(1, min(most, MOST, profile.most))
    return Limits(sizes)
