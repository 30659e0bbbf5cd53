"""Background work that dies is reported, started again, and keeps the gateway from being ready meanwhile."""

import asyncio

from gateway.supervision import Job, Supervisor


async def until(condition: object, seconds: float = 5.0) -> None:
    assert callable(condition)
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_work_that_dies_is_started_again_and_readiness_fails_meanwhile() -> None:
    runs: list[int] = []

    async def work() -> None:
        runs.append(len(runs))
        if len(runs) < 3:
            raise ValueError("no good")
        await asyncio.Event().wait()

    supervisor = Supervisor(first_pause_s=0.01, steady_s=0.1)
    supervisor.start(Job("work", work))
    await until(lambda: supervisor.failures)
    check = await supervisor.check()
    assert (check.name, check.ok) == ("tasks", False)
    assert "work: ValueError: no good" in check.detail
    await until(lambda: len(runs) == 3)
    assert not (await supervisor.check()).ok, "well again only when it has run for a while"
    await until(lambda: not supervisor.failures)
    assert (await supervisor.check()).ok
    assert supervisor.restarts == 2
    await supervisor.stop()


async def test_work_that_must_not_be_started_again_stays_down() -> None:
    async def work() -> None:
        raise RuntimeError("gone")

    supervisor = Supervisor(first_pause_s=0.01, steady_s=0.01)
    supervisor.start(Job("once", work, restart=False))
    await until(lambda: supervisor.failures)
    await asyncio.sleep(0.1)
    assert not (await supervisor.check()).ok
    assert supervisor.restarts == 0


async def test_work_that_is_done_is_no_failure() -> None:
    async def work() -> None:
        await asyncio.sleep(0)

    supervisor = Supervisor()
    supervisor.start(Job("brief", work))
    await asyncio.sleep(0.05)
    assert (await supervisor.check()).ok


async def test_a_task_of_somebody_else_is_watched() -> None:
    async def work() -> None:
        raise OSError("socket")

    supervisor = Supervisor()
    supervisor.watch(asyncio.create_task(work(), name="stream"))
    await until(lambda: supervisor.failures)
    assert "stream: OSError" in (await supervisor.check()).detail
