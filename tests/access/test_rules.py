"""Who may do what, without a server."""

from itertools import pairwise
from uuid import UUID

import pytest
from starlette.datastructures import Headers

from fullhouse.access.http import read_credential
from fullhouse.access.policies.order import opens
from fullhouse.access.rules import PERMISSIONS, Asker, Grant, PermissionMissing, check_permission
from fullhouse.core.actor import ANONYMOUS, Actor, ActorKind
from fullhouse.core.secrets import hash_secret
from fullhouse.organizations.rules import OrganizationNotFound, Role

OURS, THEIRS = UUID(int=1), UUID(int=2)
MEMBER = Actor(ActorKind.API_KEY, OURS, UUID(int=3), permissions=PERMISSIONS[Role.BOX_OFFICE])


def test_each_role_has_all_that_the_role_below_has() -> None:
    ladder = [Role.SCANNER, Role.BOX_OFFICE, Role.MANAGER, Role.OWNER]
    for below, above in pairwise(ladder):
        assert PERMISSIONS[below] < PERMISSIONS[above]


def test_a_scanner_may_scan_and_nothing_else() -> None:
    assert PERMISSIONS[Role.SCANNER] == {"ticket:scan"}


def test_what_owners_alone_may() -> None:
    assert PERMISSIONS[Role.OWNER] - PERMISSIONS[Role.MANAGER] == {
        "organization:write",
        "api_key:write",
        "audit:read",
        "payment_provider:write",
        "privacy:write",
        "refund:unlimited",
    }


def test_every_role_has_a_row() -> None:
    assert set(PERMISSIONS) == set(Role)


def test_a_permission_that_was_not_granted_is_refused_by_name() -> None:
    check_permission(MEMBER, "order:read")
    with pytest.raises(PermissionMissing) as refused:
        check_permission(MEMBER, "event:write")
    assert refused.value.fields == {"permission": "event:write"}
    with pytest.raises(PermissionMissing):
        check_permission(ANONYMOUS, "order:read")


def test_another_organization_is_not_found() -> None:
    grant = Grant(MEMBER, OURS)
    grant.check_organization(OURS)
    with pytest.raises(OrganizationNotFound):
        grant.check_organization(THEIRS)


@pytest.mark.parametrize(
    ("asker", "opened"),
    [
        (Asker(ANONYMOUS, "the secret"), True),
        (Asker(ANONYMOUS, "the secreT"), False),
        (Asker(ANONYMOUS, ""), False),
        (Asker(ANONYMOUS), False),
        (Asker(MEMBER), True),
        (Asker(Actor(ActorKind.API_KEY, THEIRS, permissions=PERMISSIONS[Role.OWNER])), False),
        # Who sends a secret is judged by it, whoever else they may be.
        (Asker(MEMBER, "wrong"), False),
    ],
)
def test_a_thing_opens_for_its_secret_and_for_its_organization(asker: Asker, opened: bool) -> None:
    assert opens(asker, OURS, hash_secret("the secret")) is opened


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Bearer abc", ("Bearer", "abc")),
        ("bearer abc", ("Bearer", "abc")),
        ("ORDER   abc ", ("Order", "abc")),
        ("Reservation a b", ("Reservation", "a b")),
        ("Basic abc", None),
        ("Bearer", None),
        ("Bearer ", None),
        ("", None),
        ("Bearer " + "x" * 4097, None),
        ("Bearer é", None),
        ("abc", None),
    ],
)
def test_the_authorization_header_is_read(header: str, expected: tuple[str, str] | None) -> None:
    read = read_credential(Headers({"authorization": header}))
    assert (None if read is None else (read.scheme, read.value)) == expected


def test_no_header_is_no_credential() -> None:
    assert read_credential(Headers({})) is None
