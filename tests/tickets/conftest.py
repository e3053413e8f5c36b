"""Paid orders to issue, render and mail tickets of."""

from functools import partial
from pathlib import Path

import pytest
from harness.sold import SENDER, Sell, make_mailroom, sell

from fullhouse.infra.mailer import open_mailer
from fullhouse.infra.object_store import ObjectStore, open_object_store
from fullhouse.infra.postgres import Pool
from fullhouse.tickets.mail_tickets import Mailroom


@pytest.fixture(name="sell")
def fixture_sell(pool: Pool) -> Sell:
    return partial(sell, pool)


@pytest.fixture
def object_store(tmp_path: Path) -> ObjectStore:
    return open_object_store(str(tmp_path / "objects"))


@pytest.fixture
def mailbox(tmp_path: Path) -> Path:
    return tmp_path / "mailbox"


@pytest.fixture
def mailroom(object_store: ObjectStore, mailbox: Path) -> Mailroom:
    return make_mailroom(object_store, open_mailer(str(mailbox), SENDER))
