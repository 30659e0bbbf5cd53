"""What the live view holds at mid-day in a large house, folded from the facts that lead there."""

from collections.abc import Iterator

from msgspec import structs

from domain import facts as f
from domain.alarms import Alarm, Level, Measure
from domain.calls import Call, CallState, Conversation, Direction, Leg, Party, Side
from domain.figures import AgentFigures, QueueFigures
from domain.orders import Evidence, FieldValue, Method, Order, OrderState
from domain.queues import AgentState, AgentStatus, Queue, Waiting
from domain.transcripts import Utterance, utterance_id
from gateway.stream.state import LiveView

QUEUES = 10
INTERVALS = 24
"""Half hours since midnight."""
CALLS = 300
"""Going on; a third as many have ended within the last half minute."""
UTTERANCES = 40
ALARMS = 60
TOMBSTONES = 10_000
NOON = 1_780_000_000.0
SAID = "我想反映一下我们小区门口的路灯坏了好几天了，晚上出门看不见路。"


def midday(agents: int) -> LiveView:
    """The view: agents, queues and calls, the figures of the half hours so far, orders and alarms."""
    view = LiveView(tombstones=TOMBSTONES)
    for fact in _gone():
        view.apply(fact)
    view.tick(NOON + 1e6)
    for part in (_agents(agents), _queues(), _calls(agents), _alarms()):
        for fact in part:
            view.apply(fact)
    return view


def _gone() -> Iterator[f.AnyFact]:
    """Calls of the morning: each leaves tombstones, and the last ones their orders."""
    for number in range(TOMBSTONES // UTTERANCES + 50):
        yield from _call(10_000 + number, "2000", CallState.ENDED)


def _agents(agents: int) -> Iterator[f.AnyFact]:
    for number in range(agents):
        agent = str(2000 + number)
        status = AgentStatus(
            agent, f"坐席{number}", f"PJSIP/{agent}", AgentState.AVAILABLE, NOON - number % 600, pbx="main"
        )
        yield f.AgentChanged(at=NOON, agent=structs.replace(status, queues=(f"q{number % QUEUES}",)))
        figures = AgentFigures(agent, NOON - 43200, 40, 1, 9000.5, 120.25, 8000.5, 200.0, 1800.5, 600.0)
        yield f.AgentFiguresChanged(
            at=NOON, figures=structs.replace(figures, paused_by_reason={"小休": 600.0})
        )


def _queues() -> Iterator[f.AnyFact]:
    yield f.PbxLinkChanged(at=NOON, pbx="main", up=True, reason="")
    for number in range(QUEUES):
        name = f"q{number}"
        waiting = tuple(
            Waiting(f"main-{one}", f"{NOON}.{one}", one + 1, NOON - one, f"139{one:08d}") for one in range(15)
        )
        queue = Queue(name, "main", "12345", waiting, len(waiting))
        yield f.QueueChanged(at=NOON, queue=queue)
        for interval in (None, *range(INTERVALS)):
            yield f.QueueFiguresChanged(at=NOON, figures=_figures(name, interval))


def _figures(queue: str, interval: int | None) -> QueueFigures:
    return QueueFigures(
        offered=480,
        answered=460,
        answered_in_time=430,
        abandoned=12,
        served=455,
        longest_wait_s=61.25,
        talk_s=81_234.5,
        wrap_up_s=9_876.5,
        pbx="main",
        queue=queue,
        line="12345",
        start=NOON - 43200 + (interval or 0) * 1800,
        end=NOON - 43200 + (interval or 0) * 1800 + 1800,
        interval=interval,
        service_level=0.9110169491525424,
        connection_rate=0.9745762711864406,
        abandon_rate=0.025423728813559324,
        average_speed_of_answer_s=7.934782608695652,
        average_time_to_abandon_s=31.25,
        average_handling_time_s=200.24395604395604,
        occupancy=0.7612345678901234,
    )


def _calls(agents: int) -> Iterator[f.AnyFact]:
    for number in range(CALLS + CALLS // 3):
        state = CallState.TALKING if number < CALLS else CallState.ENDED
        yield from _call(number, str(2000 + number * 7 % agents), state)


def _call(number: int, agent: str, state: CallState) -> Iterator[f.AnyFact]:
    """A call with its transcript and order, up to `state`."""
    call_id = f"main-{NOON}.{number}"
    started = NOON - 300
    call = Call(
        call_id,
        "main",
        f"{NOON}.{number}",
        Direction.INBOUND,
        CallState.TALKING,
        Party(f"139{number:08d}", "季建国"),
        "12345",
        started,
        line="12345",
        queue=f"q{number % QUEUES}",
        agent=agent,
        legs=(
            Leg(
                f"{NOON}.{number}",
                f"PJSIP/trunk-{number:08x}",
                Side.CALLER,
                Party(f"139{number:08d}", "季建国"),
                started,
            ),
            Leg(
                f"{NOON}.{number}a",
                f"PJSIP/{agent}-{number:08x}",
                Side.AGENT,
                Party(agent, "坐席"),
                started,
                agent,
            ),
        ),
        conversations=(Conversation(agent, f"PJSIP/{agent}-{number:08x}", started + 12),),
    )
    yield f.CallUpdated(at=started, call=call, what="leg")
    for said in range(UTTERANCES):
        start = said * 6.0
        utterance = Utterance(
            utterance_id(call_id, Side.CALLER, start), call_id, Side.CALLER, start, start + 5, SAID
        )
        yield f.UtteranceHeard(at=started + start, utterance=utterance)
    yield f.OrderChanged(at=NOON, order=_order(number, call_id), changed=())
    if state is CallState.ENDED:
        yield f.CallEnded(at=NOON, call=structs.replace(call, state=state, ended_at=NOON))


def _order(number: int, call_id: str) -> Order:
    evidence = (Evidence(f"{call_id}/caller/000006000", 3, 12, SAID[3:12], 6.0, 8.0),)
    names = ("caller_name", "phone", "location", "town", "village", "category", "summary", "request_type")
    fields = {name: FieldValue("小区门口路灯不亮", 0.8, Method.RULE, evidence) for name in names}
    order_id = f"00000000-0000-5000-8000-{number:012d}"
    return Order(order_id, call_id, "12345", OrderState.DRAFT, fields, NOON - 290, NOON)


def _alarms() -> Iterator[f.AnyFact]:
    for number in range(ALARMS):
        alarm = Alarm(
            id=f"unsubmitted/{number}",
            rule="unsubmitted",
            name="工单未提交",
            measure=Measure.UNSUBMITTED,
            level=Level.WARNING,
            value=1900.0,
            threshold=1800.0,
            since=NOON - 1900,
            pbx="main",
            agent=str(2000 + number),
        )
        yield f.AlarmChanged(at=NOON, alarm=alarm, over=False)
