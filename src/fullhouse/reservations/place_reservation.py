"""Placing a reservation: the one way to claim stock for the public, through the session's desk."""

from collections.abc import Sequence
from uuid import UUID

from fullhouse.access.policies.reservation import opens
from fullhouse.core.ids import MakeId
from fullhouse.core.secrets import hash_secret
from fullhouse.events.queries import load_terms
from fullhouse.events.rules import SessionTerms
from fullhouse.infra.directory import find_organization
from fullhouse.infra.idempotency import Claim
from fullhouse.infra.postgres import Connection, Pool, connection
from fullhouse.pricing.code_queries import find_code
from fullhouse.pricing.codes import CodeNotValid, OpenedCode, Where, normal_code, open_code
from fullhouse.reservations import queries
from fullhouse.reservations.decide import Request
from fullhouse.reservations.desk import Desks, OnHeld
from fullhouse.reservations.kept_answers import find_answers
from fullhouse.reservations.placed import OnPlaced, Placed, RepeatedRefusal, Telling, placed_of
from fullhouse.reservations.refuse_again import anew
from fullhouse.reservations.rules import ItemRequest, Reservation, ReservationNotFound, SessionNotFound
from fullhouse.reservations.tokens import read_token, reservation_key, reservation_secret
from fullhouse.reservations.waiting import Patience, no_patience
from fullhouse.reservations.wish import Memory, Wish, idempotency_scope

__all__ = ["BoxOffice", "Placed", "RepeatedRefusal", "open_code_at"]

ORGANIZATIONS_REMEMBERED_MAX = 50_000


async def open_code_at(conn: Connection, terms: SessionTerms, text: str, *, again: bool = False) -> OpenedCode:
    """Say what a code, as somebody typed it, does at a session now. Raises ``CodeNotValid``, whatever the reason.

    ``again`` says that it may have been used up by who shows it now.
    """
    found = await find_code(conn, terms.organization_id, normal_code(text))
    if found is None:
        raise CodeNotValid
    code, now = found
    return open_code(code, Where(terms.event_id, terms.session_id, terms.currency), now, again=again)


class BoxOffice:
    """What one process needs to place reservations: its desks, and whose session is whose."""

    def __init__(
        self,
        pool: Pool,
        make_id: MakeId,
        server_key: bytes,
        on_held: OnHeld | None = None,
        patience: Patience = no_patience,
    ) -> None:
        """Open without desks; ``on_held`` is told of every batch that was held, ``patience`` is that of its desks."""
        self._pool = pool
        self._make_id = make_id
        self._token_key = reservation_key(server_key)
        self._organizations: dict[UUID, UUID] = {}
        self.desks = Desks(pool, make_id, on_held, patience)

    async def place_reservation(
        self,
        session_id: UUID,
        items: Sequence[ItemRequest],
        key: str | None = None,
        fingerprint: bytes = b"",
        code: str | OpenedCode | None = None,
    ) -> Placed:
        """Hold what is asked for, all or nothing, and answer after the commit.

        ``key`` is the request's idempotency key and ``fingerprint`` its body's. A code, as typed or opened, makes
        things cheaper and opens hidden ticket types; it is used when the order is placed. Raises ``CodeNotValid``, the
        refusals of ``rules`` (``SoldOut``, ``SeatTaken``, ``NotOnSale``, ``LimitPerOrder``, ``NotSold``),
        ``SessionNotFound``, ``DeskFull``, ``IdempotencyKeyReused``, and ``RepeatedRefusal`` around a refusal that a key
        had before.
        """
        items = tuple(items)
        refusal = self.desks.refuse_again(session_id, items) if key is None and code is None else None
        if refusal is not None:
            raise anew(refusal)
        organization_id = self._organizations.get(session_id) or await self.organization_of(session_id)
        claim = Claim(organization_id, idempotency_scope(session_id), key, fingerprint) if key else None
        opened = await self._open_code(organization_id, session_id, code, claim) if isinstance(code, str) else code
        wish, secret = self._wish(items, claim, opened)
        outcome = await self.desks.decide(organization_id, session_id, wish)
        return placed_of(self._token_key, wish, secret, outcome)

    def ask(
        self, session_id: UUID, items: tuple[ItemRequest, ...], key: str | None, fingerprint: bytes, heard: OnPlaced
    ) -> bool:
        """Place a reservation as ``place_reservation`` does, and tell ``heard`` what it returns or raises.

        Returns False, with nothing done, where it is not known whose session it is. May raise what is known at once.
        """
        organization_id = self._organizations.get(session_id)
        if organization_id is None:
            return False
        if key is None:
            refusal = self.desks.refuse_again(session_id, items)
            if refusal is not None:
                heard(refusal)
                return True
        claim = Claim(organization_id, idempotency_scope(session_id), key, fingerprint) if key else None
        wish, secret = self._wish(items, claim, None)

        telling = Telling(self._token_key, wish, secret, heard)
        refusal = self.desks.ask(organization_id, session_id, wish, telling)
        if refusal is not None:
            heard(refusal)
        return True

    def _wish(self, items: tuple[ItemRequest, ...], claim: Claim | None, opened: OpenedCode | None) -> tuple[Wish, str]:
        """Return the wish for a new reservation, and the secret that will open it."""
        reservation_id = self._make_id()
        secret = reservation_secret(self._token_key, reservation_id)
        return Wish(Request(reservation_id, items, hash_secret(secret), opened), claim), secret

    async def _open_code(
        self, organization_id: UUID, session_id: UUID, code: str, claim: Claim | None
    ) -> OpenedCode | None:
        async with connection(self._pool, organization_id) as conn:
            try:
                terms = await load_terms(conn, organization_id, session_id)
                if terms is None:
                    raise SessionNotFound
                return await open_code_at(conn, terms, code)
            except CodeNotValid:
                # A repeated request hears its first answer, whatever has become of the code since.
                if claim and await find_answers(conn, Memory(organization_id, session_id), [claim]):
                    return None
                raise

    async def open_reservation(self, reservation_id: UUID, token: str) -> Reservation:
        """Return the reservation that a token opens. Raises ``ReservationNotFound`` for every other token."""
        organization_id = await self.organization_of_token(token)
        _, secret = read_token(token)
        async with connection(self._pool, organization_id) as conn:
            reservation = await queries.load_reservation(conn, organization_id, reservation_id)
        if reservation is None or not opens(secret, reservation.token_hash):
            raise ReservationNotFound
        return reservation

    async def organization_of_token(self, token: str) -> UUID:
        """Find whose session a token is of, nothing verified. Raises ``ReservationNotFound``."""
        session_id, _ = read_token(token)
        try:
            return await self.organization_of(session_id)
        except SessionNotFound as error:
            raise ReservationNotFound from error

    def peek_organization_of_token(self, token: str) -> UUID | None:
        """Return the same if it is remembered, else None. Raises ``ReservationNotFound`` for what is no token."""
        session_id, _ = read_token(token)
        return self._organizations.get(session_id)

    async def hold_seconds(self, reservation: Reservation) -> int:
        """Return how long the reservation's session holds, in seconds."""
        async with connection(self._pool, reservation.organization_id) as conn:
            terms = await load_terms(conn, reservation.organization_id, reservation.session_id)
        if terms is None:
            raise SessionNotFound
        return terms.hold_seconds

    async def organization_of(self, session_id: UUID) -> UUID:
        """Find whose session it is; that never changes, so it is remembered. Raises ``SessionNotFound``."""
        known = self._organizations.get(session_id)
        if known is not None:
            return known
        found = await find_organization(self._pool, "session", session_id)
        if found is None:
            raise SessionNotFound
        if len(self._organizations) >= ORGANIZATIONS_REMEMBERED_MAX:
            self._organizations.clear()
        self._organizations[session_id] = found
        return found

    async def close(self) -> None:
        """Take no more wishes, and wait for the decisions that are being made."""
        await self.desks.close()
