"""Mails about accounts go the whole way: asked for over HTTP, sent by the running worker, and their links work."""

from pathlib import Path
from typing import Any

from harness.mails import read_mail, token_in
from harness.people import PASSWORD, new_email
from harness.waiting import until
from harness.web import client_of, running_app
from harness.worker import resources_on, running_worker

API = "/api/v1/auth"


async def test_a_running_worker_sends_the_links_of_accounts(
    fresh_pool: Any, valkey: Any, fresh_database: str, tmp_path: Path
) -> None:
    resources = resources_on(fresh_pool, valkey, fresh_database, tmp_path)
    folder, email = tmp_path / "mailbox", new_email()

    async def mailed(count: int) -> bool:
        return len(list(folder.glob("account.*.eml"))) == count

    async with running_worker(resources), running_app(resources) as app, client_of(app) as client:
        made = await client.post(
            f"{API}/register", json={"email": email, "password": PASSWORD, "name": "Ana Souza", "language": "en"}
        )
        assert made.status_code == 201
        await until(lambda: mailed(1))
        (first,) = folder.glob("account.*.eml")
        mail = read_mail(first)
        assert mail["Subject"] == "Confirm your mail address"
        assert email in mail["To"]
        opened = await client.post(f"{API}/email/verify", json={"token": token_in(mail), "password": PASSWORD})
        assert opened.status_code == 204
        assert (await client.post(f"{API}/password/forgotten", json={"email": email})).status_code == 202
        await until(lambda: mailed(2))
        (second,) = set(folder.glob("account.*.eml")) - {first}
        body = {"token": token_in(read_mail(second)), "password": "quite another password"}
        assert (await client.post(f"{API}/password/reset", json=body)).status_code == 204
        old = await client.post(f"{API}/login", json={"email": email, "password": PASSWORD})
        new = await client.post(f"{API}/login", json={"email": email, "password": body["password"]})
        assert (old.status_code, new.status_code) == (401, 200)
