"""The encoded answer what is left of a session, and how it travels to the other processes."""

import json
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Shown:
    """An encoded answer, and as long as it is right: while the version stands and no instant has passed."""

    organization_id: UUID
    version: int
    etag: str
    public: bool
    """False for a session of a draft."""
    valid_until: datetime | None
    body: bytes

    def fits(self, version: int, now: datetime) -> bool:
        """Say whether it is still right."""
        return self.version >= version and (self.valid_until is None or now < self.valid_until)


def pack_shown(shown: Shown) -> bytes:
    """Write one line of facts, then the body."""
    facts = {
        "organization_id": str(shown.organization_id),
        "version": shown.version,
        "etag": shown.etag,
        "public": shown.public,
        "valid_until": None if shown.valid_until is None else shown.valid_until.isoformat(),
    }
    return json.dumps(facts).encode() + b"\n" + shown.body


def unpack_shown(packed: bytes) -> Shown | None:
    """Read it back; what another version of the program wrote is no answer."""
    line, _, body = packed.partition(b"\n")
    try:
        facts = json.loads(line)
        until = facts["valid_until"]
        return Shown(
            organization_id=UUID(facts["organization_id"]),
            version=int(facts["version"]),
            etag=str(facts["etag"]),
            public=bool(facts["public"]),
            valid_until=None if until is None else datetime.fromisoformat(until),
            body=body,
        )
    except (ValueError, KeyError, TypeError):
        return None
