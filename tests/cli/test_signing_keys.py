"""``fullhouse signing-keys`` lists, rotates and revokes the keys that sign access tokens."""

import re
import subprocess
from pathlib import Path

from harness.terminal import run_here


def test_keys_are_listed_rotated_and_revoked(fresh_database: str, valkey_url: str, tmp_path: Path) -> None:
    settings = {
        "FULLHOUSE_DATABASE_URL": fresh_database,
        "FULLHOUSE_VALKEY_URL": valkey_url,
        "FULLHOUSE_SECRET_KEY": "k" * 32,
    }

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return run_here(tmp_path, ("signing-keys", *arguments), settings)

    assert run("list").stdout == "There is no key yet; the first one is made when it is needed.\n"
    first = run("rotate").stdout.splitlines()
    second = run("rotate").stdout.splitlines()
    assert (len(first), len(second)) == (1, 2), (first, second)
    signing, coming = (line.split(" ", 1) for line in second)
    assert re.fullmatch(r" signs.*", signing[1])
    assert re.fullmatch(r" signs from \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", coming[1])
    left = run("revoke", signing[0]).stdout
    assert signing[0] not in left
    unknown = run("revoke", "nobody's")
    assert unknown.returncode == 2
    assert unknown.stderr == "fullhouse: there is no key nobody's; 'fullhouse signing-keys list' shows them\n"
