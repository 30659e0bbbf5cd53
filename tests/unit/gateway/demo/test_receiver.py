"""The receiver for demonstrations, asked over HTTP as a work-order system is."""

import time

import aiohttp
import pytest

from gateway.demo.receiver import DemoReceiver
from workorders.delivery.signing import sign

SECRET = "v1,whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = '{"id": "o1", "工": 1}'.encode()


def signed(stamp: float, secret: str = SECRET) -> dict[str, str]:
    return {
        "webhook-id": "o1.3",
        "webhook-timestamp": str(int(stamp)),
        "webhook-signature": f"v2,later {sign(secret, 'o1.3', int(stamp), BODY)}",
    }


async def test_an_order_is_taken_once_and_its_repetition_answered() -> None:
    async with DemoReceiver(SECRET) as receiver, aiohttp.ClientSession() as session:
        for status in (201, 200):
            async with session.post(receiver.url, data=BODY, headers=signed(time.time())) as answer:
                assert answer.status == status
                assert await answer.json() == {"id": "GD000001"}
        assert (len(receiver.orders), receiver.repeated) == (1, 1)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (BODY, {}),
        (BODY, signed(time.time(), "another")),
        (BODY, signed(time.time() - 3600)),
        (BODY, signed(time.time() + 3600)),
        (BODY, signed(time.time()) | {"webhook-id": "o2.1"}),
        (BODY, signed(time.time()) | {"webhook-timestamp": "soon"}),
        (BODY, signed(time.time()) | {"webhook-signature": "nonsense"}),
        (BODY, signed(time.time()) | {"webhook-signature": "v1,?"}),
        (BODY + b" ", signed(time.time())),
        (b"\xff", signed(time.time())),
    ],
)
async def test_what_is_not_signed_rightly_is_refused(body: bytes, headers: dict[str, str]) -> None:
    async with DemoReceiver(SECRET) as receiver, aiohttp.ClientSession() as session:
        async with session.post(receiver.url, data=body, headers=headers) as answer:
            assert answer.status == 401
        assert not receiver.orders
