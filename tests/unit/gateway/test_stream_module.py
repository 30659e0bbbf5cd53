"""What a screen shows of a call that a new process finds going on: all that was said and written before."""

from contextlib import AsyncExitStack

from msgspec import structs

from domain.facts import RESYNC, CallAnswered, CallUpdated, OrderChanged
from gateway.facts.bus import LocalBus
from gateway.facts.recorder import FactRecorder
from gateway.modules.stream import StreamModule
from gateway.runtime import Runtime
from gateway.settings import Settings
from gateway.storage.calls import CallRepository
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from gateway.storage.orders import OrderRepository
from gateway.stream.state import LiveView
from tests.support.orders import AT, OrdersOfProcess, a_call, heard


async def test_a_call_found_again_brings_its_transcript_and_its_order(database: Database) -> None:
    call = a_call(1)
    async with JournalWriter(database) as journal:
        before = OrdersOfProcess(database, journal)
        answered = CallAnswered(at=AT, call=call, agent="1001", channel="PJSIP/1001-1", waited=1.0)
        journal.put(answered)
        said = heard(call, "路灯不亮")
        journal.put(said)
        await journal.flush()
        await before.orders.on_call_answered(answered)
        (order,) = await before.orders.orders_of_call(call.id)
        assert order is not None

        # A new process: its screens know nothing yet.
        async with AsyncExitStack() as stack:
            runtime = Runtime(Settings(), stack)
            runtime.provide(FactRecorder(journal, LocalBus()))
            runtime.provide(CallRepository(database), OrderRepository(database))
            module = StreamModule()
            await module.open(runtime)
            view = runtime.get(LiveView)
            (publish,) = module.listeners()
            found = CallUpdated(at=AT, call=call, what=RESYNC)
            publish(found)
            await module.consumers()[CallUpdated](found)
            assert [key for key, _ in view.values("transcripts")] == [said.utterance.id]
            assert [key for key, _ in view.values("orders")] == [order.id]

            # Found once more, what is newer by then stays.
            newer = OrderChanged(at=AT, order=structs.replace(order, revision=9), changed=())
            publish(newer)
            await module.consumers()[CallUpdated](found)
            assert dict(view.values("orders"))[order.id].revision == 9
