"""Numbers in requests that no database, clock or calendar holds: refused or empty, never an error of ours."""

from pathlib import Path
from urllib.parse import quote

from tests.support.at_the_desk import at_the_desk

NUMBERS = [
    "1" + "0" * 20,
    str(2**63),
    str(2**31),
    "-1",
    "-1e300",
    "1e300",
    "1e400",
    "nan",
    "inf",
    "0x10",
    "٣",
    "",
]
ASKED = [
    "audit?before=", "audit?limit=", "audit?from=", "audit?to=", "calls?before=", "calls?limit=",
    "history/calls?from=", "history/calls?to=", "history/calls?limit=", "history/calls?before=",
    "history/orders?from=", "history/orders?before=", "deliveries?limit=", "export/calls.csv?from=",
    "export/calls.csv?to=", "export/orders.xlsx?from=", "export/audit.csv?to=", "export/deliveries.csv?from=",
    "recordings/x/peaks?points=", "calls/main-1/clip?to=1&from=",
]  # fmt: skip


async def test_absurd_numbers_are_refused_or_find_nothing(tmp_path: Path, database_url: str) -> None:
    async with at_the_desk(tmp_path, database_url) as (_, desk, order):
        for path in ASKED:
            cursors = [f"{number}~x" for number in NUMBERS] if "history" in path and "before" in path else []
            for number in [*NUMBERS, *cursors]:
                status = (await desk.ask("GET", f"/api/v1/{path}{quote(number)}"))[0]
                assert status in (200, 404, 422), (path, number, status)
        assert (await desk.ask("GET", "/api/v1/audit?before=" + "1" + "0" * 20))[0] == 422
        for revision in (10**20, 2**63, -1, 1e300, None):
            body = {"fields": {"title": "x"}, "revision": revision}
            status = (await desk.ask("PATCH", f"/api/v1/orders/{order}/fields", body))[0]
            assert status in (200, 409, 422), (revision, status)
