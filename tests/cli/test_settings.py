"""Settings: one table, nothing unknown or invalid gets past it, nothing secret gets out of it."""

import stat
from ipaddress import ip_network
from pathlib import Path

import pytest

from fullhouse.cli.configuration import env_example, shown
from fullhouse.cli.parts import kept_secret_key
from fullhouse.settings import Settings, SettingsError, default_public_url, environment_of, read_settings, variable

ROOT = Path(__file__).parents[2]
KEY = "k" * 32
GIVEN = {
    "FULLHOUSE_DATABASE_URL": "postgresql://sales:pass@db.example/fullhouse",
    "FULLHOUSE_VALKEY_URL": "valkey://cache.example:6379/0",
    "FULLHOUSE_SECRET_KEY": KEY,
}


def test_everything_has_a_default() -> None:
    settings = read_settings({})
    assert settings == Settings()
    assert settings.database_url is None
    assert settings.rate_limits is True
    assert settings.trusted_proxies == ()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("FULLHOUSE_PRT", "1", "FULLHOUSE_PRT is not a setting; did you mean FULLHOUSE_PORT?"),
        ("FULLHOUSE_XYZZY", "1", "FULLHOUSE_XYZZY is not a setting; 'fullhouse settings' lists them all"),
        ("FULLHOUSE_PORT", "70000", "FULLHOUSE_PORT: input should be less than or equal to 65535"),
        ("FULLHOUSE_DATABASE_URL", "mysql://x", "FULLHOUSE_DATABASE_URL: must start with postgresql:// or postgres://"),
        ("FULLHOUSE_SECRET_KEY", "short", "FULLHOUSE_SECRET_KEY has 5 bytes; it needs at least 32"),
        ("FULLHOUSE_TRUSTED_PROXIES", "10.0.0.0/8,no", "FULLHOUSE_TRUSTED_PROXIES: input is not a valid IPv4 network"),
        ("FULLHOUSE_LOG_FORMAT", "xml", "FULLHOUSE_LOG_FORMAT: input should be 'json' or 'text'"),
    ],
)
def test_wrong_setting_is_one_clear_line(name: str, value: str, message: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings({name: value})
    assert str(refused.value) == message


def test_all_invalid_values_are_named_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings({"FULLHOUSE_PORT": "x", "FULLHOUSE_WORKERS": "0", "FULLHOUSE_HOST": "h"})
    assert [part.partition(":")[0] for part in str(refused.value).split("; ")] == [
        "FULLHOUSE_PORT",
        "FULLHOUSE_WORKERS",
    ]


def test_values_are_read_as_they_are_written() -> None:
    settings = read_settings(
        {
            "FULLHOUSE_RATE_LIMITS": "off",
            "FULLHOUSE_TRUSTED_PROXIES": "10.0.0.0/8, fd00::/8",
            "FULLHOUSE_PUBLIC_URL": "https://tickets.example/",
            "FULLHOUSE_WORKERS": "",
            "FULLHOUSE_TEST_DATABASE_URL": "postgresql:///tests",
            "PATH": "/bin",
        }
    )
    assert settings.rate_limits is False
    assert settings.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
    assert settings.public_url == "https://tickets.example"
    assert settings.workers == 1


def test_file_is_read_and_the_environment_wins(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "# a comment\n\nFULLHOUSE_PORT=9000\nexport FULLHOUSE_HOST='0.0.0.0'\nFULLHOUSE_WORKERS=2\n", encoding="utf-8"
    )
    settings = read_settings({"FULLHOUSE_PORT": "9001"}, tmp_path)
    assert (settings.port, settings.host, settings.workers) == (9001, "0.0.0.0", 2)  # noqa: S104


def test_line_that_is_none_in_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("FULLHOUSE_PORT=9000\nwhat\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"^\.env line 2: write NAME=value$"):
        read_settings({}, tmp_path)


def test_another_process_gets_the_same_settings(tmp_path: Path) -> None:
    settings = read_settings(
        {
            **GIVEN,
            "FULLHOUSE_RATE_LIMITS": "off",
            "FULLHOUSE_TRUSTED_PROXIES": "10.0.0.0/8,fd00::/8",
            "FULLHOUSE_SIMULATED_PAYMENTS": "off",
            "FULLHOUSE_DATA_DIR": str(tmp_path),
        }
    )
    assert read_settings(environment_of(settings)) == settings


@pytest.mark.parametrize("missing", sorted(GIVEN))
def test_what_a_server_cannot_do_without_is_named(missing: str) -> None:
    given = {name: value for name, value in GIVEN.items() if name != missing}
    with pytest.raises(SettingsError, match=f"^{missing} is needed here"):
        read_settings(given).places()


def test_places_follow_from_the_settings(tmp_path: Path) -> None:
    places = read_settings({**GIVEN, "FULLHOUSE_DATA_DIR": str(tmp_path), "FULLHOUSE_PORT": "9000"}).places()
    assert places.secret_key == KEY.encode()
    assert places.object_store_url == str(tmp_path / "objects")
    assert places.mail_url == str(tmp_path / "mailbox")
    assert places.public_url == "http://127.0.0.1:9000"
    assert places.broker_url == "postgres"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),  # noqa: S104
        ("::", "http://[::1]:8000"),
        ("fd00::1", "http://[fd00::1]:8000"),
        ("box.example", "http://box.example:8000"),
    ],
)
def test_public_address_can_be_opened(host: str, url: str) -> None:
    assert default_public_url(host, 8000) == url


def test_money_is_real_unless_somebody_says_otherwise() -> None:
    assert read_settings(GIVEN).offers_simulated_payments() is False
    assert read_settings({**GIVEN, "FULLHOUSE_SIMULATED_PAYMENTS": "on"}).offers_simulated_payments() is True


def test_secrets_are_not_shown() -> None:
    settings = read_settings({**GIVEN, "FULLHOUSE_OBJECT_STORE_URL": "s3://b/p?access_key_id=AK&secret_access_key=SK"})
    text = " ".join(shown(settings, name) for name in Settings.model_fields)
    assert KEY not in text
    assert "pass" not in text
    assert "SK" not in text
    assert "postgresql://sales:***@db.example/fullhouse" in text
    assert KEY not in repr(settings.places())


def test_example_file_is_written_from_the_settings() -> None:
    assert (ROOT / ".env.example").read_text(encoding="utf-8") == env_example()


def test_example_file_with_every_line_taken_means_the_defaults(tmp_path: Path) -> None:
    lines = [line.removeprefix("#") for line in env_example().splitlines() if line.startswith("#FULLHOUSE_")]
    (tmp_path / ".env").write_text("\n".join(lines), encoding="utf-8")
    assert read_settings({}, tmp_path) == Settings()
    assert [line.partition("=")[0] for line in lines] == [variable(name) for name in Settings.model_fields]


def test_every_setting_says_what_it_means() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


def test_kept_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    key = kept_secret_key(folder)
    assert len(key.encode()) >= 32
    assert kept_secret_key(folder) == key
    assert kept_secret_key(tmp_path / "other") != key
    assert stat.S_IMODE((folder / "secret.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_key_half_written_by_a_killed_start_is_written_anew(tmp_path: Path) -> None:
    (tmp_path / "secret.new").write_text("half", encoding="ascii")
    assert len(kept_secret_key(tmp_path)) == 64
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]
