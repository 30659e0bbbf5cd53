"""Which scheduled reports were sent: a row for each due time, claimed by whoever sends it."""

from sqlalchemy import func, select, update

from gateway.storage.database import Database
from gateway.storage.figure_tables import report_runs

CLAIM_S = 300.0
"""A claim is void after so long: whoever made it is gone."""
FIRST_RETRY_S, LONGEST_RETRY_S = 30.0, 3600.0
MAX_ATTEMPTS = 50
"""Two days, by and large."""
MAX_ERROR = 500


class ReportRuns:
    """By the database's clock, so that processes need not agree on theirs."""

    def __init__(self, database: Database, holder: str) -> None:
        self._database = database
        self._holder = holder

    async def last_due(self, report: str) -> int | None:
        """When the newest known run was due; `None`: the report is new."""
        async with self._database.reading() as connection:
            newest = select(func.max(report_runs.c.due_at)).where(report_runs.c.report == report)
            last: int | None = await connection.scalar(newest)
            return last

    async def add(self, report: str, due_at: int, *, over: bool = False) -> None:
        """Note that it is due; twice is once. `over`: it was due before anybody asked for it."""
        values = {"report": report, "due_at": due_at}
        row = {**values, "sent_at": self._database.now} if over else values
        async with self._database.writing() as connection:
            await connection.execute(self._database.insert(report_runs).values(row).on_conflict_do_nothing())

    async def claim(self, report: str) -> int | None:
        """Claim the oldest run that is to be sent now, for some minutes; when it was due."""
        c, now = report_runs.c, self._database.now
        free = (
            c.report == report,
            c.sent_at.is_(None),
            c.attempts < MAX_ATTEMPTS,
            c.next_attempt_at <= now,
            c.claimed_until <= now,
        )
        async with self._database.writing() as connection:
            due_at = await connection.scalar(select(c.due_at).where(*free).order_by(c.due_at).limit(1))
            if due_at is None:
                return None
            # Conditions once more: somebody else may have taken it since.
            taken = await connection.execute(
                update(report_runs)
                .where(c.due_at == due_at, *free)
                .values(claimed_by=self._holder, claimed_until=now + CLAIM_S, attempts=c.attempts + 1)
            )
            return int(due_at) if taken.rowcount == 1 else None

    async def sent(self, report: str, due_at: int) -> None:
        """It has arrived."""
        await self._settle(report, due_at, sent_at=self._database.now, error=None)

    async def failed(self, report: str, due_at: int, why: str) -> None:
        """It has not; it is tried again, later each time."""
        c = report_runs.c
        async with self._database.reading() as connection:
            which = select(c.attempts).where(c.report == report, c.due_at == due_at)
            attempts = await connection.scalar(which) or 1
        wait_s = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2 ** min(attempts - 1, 10))
        await self._settle(report, due_at, next_attempt_at=self._database.now + wait_s, error=why[:MAX_ERROR])

    async def _settle(self, report: str, due_at: int, **values: object) -> None:
        c = report_runs.c
        own = (c.report == report, c.due_at == due_at, c.claimed_by == self._holder)
        async with self._database.writing() as connection:
            await connection.execute(
                update(report_runs).where(*own).values(claimed_by="", claimed_until=0.0, **values)
            )
