"""The key that a secret means, and the signature that the standard's own example has."""

import base64
import hashlib
import hmac
import time

import pytest
from standardwebhooks import WebhookVerificationError

from workorders.delivery.signing import sign, webhook

KEY = b"\xfb\xff\xbf" * 8 + b"\xff"
"""Whose base64 has characters of which the URL-safe alphabet has others, and wants padding."""
PADDED = base64.b64encode(KEY).decode()
URL_SAFE = base64.urlsafe_b64encode(KEY).decode()
BODY = '{"工": 1}'.encode()


def expected(key: bytes) -> str:
    digest = hmac.new(key, b"o1.3.1700000000." + BODY, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def test_the_example_of_the_standard() -> None:
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    signature = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "secret",
    [
        f"whsec_{PADDED}",
        f"whsec_{PADDED.rstrip('=')}",
        f"whsec_{URL_SAFE}",
        f"whsec_{URL_SAFE.rstrip('=')}",
        f"v1,whsec_{PADDED}",
        f"whsec_{PADDED[:20]}\n{PADDED[20:]}",
    ],
)
def test_a_secret_written_otherwise_is_the_same_key(secret: str) -> None:
    assert sign(secret, "o1.3", 1700000000, BODY) == expected(KEY)


@pytest.mark.parametrize("secret", ["a secret", "密钥", "v1,plain", PADDED, "whpk_AAAA", "WHSEC_AAAA", " "])
def test_any_other_secret_is_the_key_as_it_stands(secret: str) -> None:
    assert sign(secret, "o1.3", 1700000000, BODY) == expected(secret.encode())


@pytest.mark.parametrize(
    ("secret", "fix"),
    [
        ("", "put the one shared"),
        ("whsec_", "put the one shared"),
        ("v1,whsec_==", "put the one shared"),
        ("whsec_not!base64", "copy it anew"),
        ("whsec_QUJDR", "copy it anew"),
        ("whsec_QUI=QUI=", "copy it anew"),
        ("whsec_密钥密钥", "copy it anew"),
    ],
)
def test_a_secret_that_cannot_sign_is_refused_with_the_fix_and_not_shown(secret: str, fix: str) -> None:
    with pytest.raises(ValueError, match=fix) as refused:
        webhook(secret)
    rest = secret.removeprefix("v1,").removeprefix("whsec_").strip("=")
    assert not rest or rest not in str(refused.value)


def test_what_is_signed_is_found_right_and_what_was_changed_is_not() -> None:
    secret, stamp = f"whsec_{PADDED}", int(time.time())
    headers = {
        "Webhook-Id": "o1.3",
        "Webhook-Timestamp": str(stamp),
        "Webhook-Signature": sign(secret, "o1.3", stamp, BODY),
    }
    webhook(secret).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        webhook(secret).verify(BODY.replace(b"1", b"2"), headers)
    with pytest.raises(WebhookVerificationError):
        webhook("another").verify(BODY, headers)
