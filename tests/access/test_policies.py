"""What depends on a state beside the role, without a server."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullhouse.access.policies import reservation
from fullhouse.access.policies.event import may_delete, may_look
from fullhouse.access.policies.refund import RefundAboveLimit, check_refund
from fullhouse.access.policies.role import RoleAboveOwn, check_gives, check_gives_role, check_touches
from fullhouse.access.policies.seat import may_block, may_sell
from fullhouse.access.policies.ticket import OutsideBinding, Post, find_post
from fullhouse.access.rules import PERMISSIONS, Asker
from fullhouse.core.actor import ANONYMOUS, Actor, ActorKind
from fullhouse.core.secrets import hash_secret
from fullhouse.organizations.rules import Role

OURS, THEIRS = UUID(int=1), UUID(int=2)
SESSIONS = [UUID(int=number) for number in range(10, 14)]
EVERYTHING = sorted(PERMISSIONS[Role.OWNER])

roles = st.sampled_from(Role)
scopes = st.frozensets(st.sampled_from(EVERYTHING))


def actor(role: Role, **fields: object) -> Actor:
    return Actor(ActorKind.USER, OURS, UUID(int=3), permissions=PERMISSIONS[role], **fields)  # pyright: ignore[reportArgumentType]


@given(roles, roles)
def test_nobody_gives_a_role_above_their_own(own: Role, given_role: Role) -> None:
    ladder = [Role.SCANNER, Role.BOX_OFFICE, Role.MANAGER, Role.OWNER]
    if ladder.index(given_role) <= ladder.index(own):
        check_gives_role(actor(own), given_role)
    else:
        with pytest.raises(RoleAboveOwn):
            check_gives_role(actor(own), given_role)


@given(roles, roles)
def test_nobody_touches_who_stands_beside_or_above_them_but_owners(own: Role, present: Role) -> None:
    ladder = [Role.SCANNER, Role.BOX_OFFICE, Role.MANAGER, Role.OWNER]
    if own is Role.OWNER or ladder.index(present) < ladder.index(own):
        check_touches(actor(own), present)
    else:
        with pytest.raises(RoleAboveOwn):
            check_touches(actor(own), present)


@given(scopes, scopes)
def test_what_is_given_is_never_more_than_what_the_giver_has(own: frozenset[str], wanted: frozenset[str]) -> None:
    key = Actor(ActorKind.API_KEY, OURS, UUID(int=4), permissions=own)
    if wanted <= own:
        check_gives(key, wanted)
    else:
        with pytest.raises(RoleAboveOwn) as refused:
            check_gives(key, wanted)
        assert refused.value.fields == {"permissions": sorted(wanted - own)}


@given(st.lists(st.integers(1, 500), max_size=8), st.integers(0, 2000), roles)
def test_parts_of_a_refund_never_sum_to_more_than_the_limit_without_an_owner(
    parts: list[int], limit: int, role: Role
) -> None:
    done = 0
    for part in parts:
        if role is Role.OWNER or done + part <= limit:
            check_refund(actor(role), limit, before_minor=done, amount_minor=part)
            done += part
            continue
        with pytest.raises(RefundAboveLimit) as refused:
            check_refund(actor(role), limit, before_minor=done, amount_minor=part)
        assert refused.value.fields == {"limit_minor": limit, "before_minor": done, "amount_minor": part}
    assert role is Role.OWNER or done <= limit


def test_without_a_limit_any_refund_is_allowed() -> None:
    check_refund(actor(Role.MANAGER), None, before_minor=10**12, amount_minor=10**12)


@given(
    st.frozensets(st.sampled_from(SESSIONS)),
    st.frozensets(st.sampled_from(["North", "South", "East"])),
    st.sampled_from([None, *SESSIONS]),
    st.sampled_from([None, "North", "South", "East"]),
)
def test_a_scanner_stands_only_where_its_key_is_bound_to(
    session_ids: frozenset[UUID], gates: frozenset[str], session_id: UUID | None, gate: str | None
) -> None:
    scanner = actor(Role.SCANNER, session_ids=session_ids, gates=gates)
    outside_session = bool(session_ids) and session_id is not None and session_id not in session_ids
    stands_at = next(iter(gates)) if gate is None and len(gates) == 1 else gate
    if outside_session or (gates and stands_at not in gates):
        with pytest.raises(OutsideBinding):
            find_post(scanner, session_id, gate)
        return
    assert find_post(scanner, session_id, gate) == Post(session_ids, stands_at)


def test_drafts_are_for_members_who_read_events() -> None:
    assert may_look(actor(Role.BOX_OFFICE), OURS)
    assert not may_look(actor(Role.SCANNER), OURS)
    assert not may_look(actor(Role.OWNER), THEIRS)
    assert not may_look(ANONYMOUS, OURS)


def test_what_was_ever_held_is_not_deleted() -> None:
    assert may_delete(ever_held=False)
    assert not may_delete(ever_held=True)


def test_a_reservation_opens_for_its_token_alone() -> None:
    assert reservation.opens("the secret", hash_secret("the secret"))
    assert not reservation.opens("the secreT", hash_secret("the secret"))
    assert not reservation.opens("", hash_secret("the secret"))


def test_who_may_block_may_sell_what_is_blocked() -> None:
    for role in Role:
        allowed = role is not Role.SCANNER
        assert may_block(actor(role), OURS) is allowed
        assert may_sell(Asker(actor(role)), OURS, None) is allowed
        assert not may_block(actor(role), THEIRS)
        assert not may_sell(Asker(actor(role)), THEIRS, None)
    assert not may_sell(Asker(ANONYMOUS), OURS, None)


def test_a_key_sells_from_its_own_allocation_alone_whoever_sends_it() -> None:
    hashed = hash_secret("the key")
    for who in (ANONYMOUS, actor(Role.OWNER)):
        assert may_sell(Asker(who, "the key"), OURS, hashed)
        assert not may_sell(Asker(who, "the kez"), OURS, hashed)
        assert not may_sell(Asker(who, ""), OURS, hashed)
        assert not may_sell(Asker(who, "the key"), OURS, None)
