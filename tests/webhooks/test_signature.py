"""Signatures of Standard Webhooks, without a server."""

from base64 import b64decode
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from fullhouse.webhooks.signature import derive_webhook_secret, sign, signature_headers

KEY = b"a secret key of the tests, 32 bytes and more"
ENDPOINT = UUID("018f0000-0000-7000-8000-000000000001")


def test_the_example_of_the_specification() -> None:
    signed = sign(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_has_32_bytes_and_is_another_for_each_endpoint_and_number_and_server() -> None:
    made = {
        derive_webhook_secret(key, endpoint, number)
        for key in (KEY, KEY[::-1])
        for endpoint in (ENDPOINT, UUID(int=ENDPOINT.int + 1))
        for number in (1, 2, 256)
    }
    assert len(made) == 12
    assert all(secret.startswith("whsec_") and len(b64decode(secret[6:])) == 32 for secret in made)
    assert derive_webhook_secret(KEY, ENDPOINT, 1) == derive_webhook_secret(KEY, ENDPOINT, 1)


def test_headers_carry_a_signature_for_each_secret() -> None:
    secrets = [derive_webhook_secret(KEY, ENDPOINT, number) for number in (2, 1)]
    headers = signature_headers(secrets, "m1", 1_700_000_000, b"{}")
    assert headers["webhook-id"] == "m1"
    assert headers["webhook-timestamp"] == "1700000000"
    assert headers["webhook-signature"].split(" ") == [sign(secret, "m1", 1_700_000_000, b"{}") for secret in secrets]


@given(body=st.binary(max_size=200), flipped=st.integers(min_value=0))
def test_no_byte_can_be_changed(body: bytes, flipped: int) -> None:
    secret = derive_webhook_secret(KEY, ENDPOINT, 1)
    whole = sign(secret, "m1", 7, body)
    changed = bytearray(body or b"x")
    changed[flipped % len(changed)] ^= 1
    assert sign(secret, "m1", 7, bytes(changed)) != whole
    assert sign(secret, "m2", 7, body) != whole
    assert sign(secret, "m1", 8, body) != whole
