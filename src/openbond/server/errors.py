"""What the domain refuses, said without HTTP; `api/errors.py` turns it into a response.

DomainError                 something the rules refuse
├── InvalidFields           400 {field: [messages]}    what was sent is wrong
├── Refused                 400 {detail, code}         the state of things is against it
│   ├── InUse               in_use
│   ├── Protected           protected
│   ├── TuningInProgress    tuning_in_progress
│   └── …                   one class for each code
├── Forbidden               403 {detail, code}         not allowed to this viewer
├── Vanished                404 {detail, code}         deleted since it was found
├── PreconditionFailed      412 {detail, code}         changed since it was read
└── Busy                    503 {detail, code}         a retry may pass
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

WHOLE = "non_field_errors"


class DomainError(Exception):
    """A request that the domain refuses. `code` is for programs, the message for people."""

    code: ClassVar[str] = "refused"
    words: ClassVar[str] = "The request was refused."

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.words)


class InvalidFields(DomainError):
    """Values that cannot be taken: field name → messages, every fault found together."""

    code = "invalid"

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        self.fields = {name: list(messages) for name, messages in fields.items()}
        super().__init__(
            "; ".join(f"{name}: {' '.join(messages)}" for name, messages in self.fields.items())
        )

    @classmethod
    def one(cls, field: str, message: str) -> "InvalidFields":
        return cls({field: [message]})


class Refused(DomainError):
    """What the state of things does not allow now."""


class InUse(Refused):
    code = "in_use"
    words = "Something still depends on it."


class Protected(Refused):
    code = "protected"
    words = "It is built in."


class TuningInProgress(Refused):
    code = "tuning_in_progress"
    words = "A tuning of the bond is queued or running."


class LegNotActive(Refused):
    code = "leg_not_active"
    words = "The leg's link mode is not active."


class AlreadyFinished(Refused):
    code = "already_finished"
    words = "The tuning has already ended."


class NotFinished(Refused):
    code = "not_finished"
    words = "The tuning has not ended yet."


class NotSuccessful(Refused):
    code = "not_successful"
    words = "The tuning failed or was cancelled; it recommends nothing."


class NoRecommendations(Refused):
    code = "no_recommendations"
    words = "The tuning recommends no change."


class AlreadyDecided(Refused):
    code = "already_decided"
    words = "The recommendations have already been decided on."


class Outdated(Refused):
    code = "outdated"
    words = "A leg that the recommendations name is gone."


class NoTunnelSubnet(Refused):
    code = "no_tunnel_subnet"
    words = "The tunnel network has no free subnet left. Delete unused bonds or enlarge it."


class NoActiveLegs(Refused):
    code = "no_active_legs"
    words = "The bond has no leg whose link mode is active."


class LegOffline(Refused):
    code = "leg_offline"
    words = "The leg is offline."


class PrimaryFailed(Refused):
    code = "primary_failed"
    words = "The primary aggregator is still failed."


class LastWorkingLeg(Refused):
    code = "last_working_leg"
    words = "It would take the bond's last working leg away."


class OwnAccount(Refused):
    code = "own_account"
    words = "You cannot delete or deactivate your own account."


class LastAdministrator(Refused):
    code = "last_administrator"
    words = "The root space would have no active administrator left."


class IsDelegation(Refused):
    code = "delegation"
    words = "A delegation has the routing groups of the allocation that it stems from."


class Forbidden(DomainError):
    """What this viewer may not do, whatever the state of things."""

    code = "permission_denied"
    words = "You do not have permission to perform this action."


class SharedReadOnly(Forbidden):
    code = "shared_read_only"
    words = "The object is shared from a parent space and can only be changed there."


class RootSpaceOnly(Forbidden):
    code = "root_space_only"
    words = "Only users of the root space may do this."


class Vanished(DomainError):
    code = "not_found"
    words = "Not found."


class PreconditionFailed(DomainError):
    code = "precondition_failed"
    words = "The object has changed since it was read."


class Busy(DomainError):
    code = "unavailable"
    words = "The database is busy. Try again."
