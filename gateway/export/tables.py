"""The tables there are: which columns each has. Pure."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from msgspec import Struct

from gateway.export.cells import Cell, Column, Table
from gateway.export.words import (
    AGENT_STATES,
    DELIVERY_STATES,
    DIRECTIONS,
    END_REASONS,
    ORDER_STATES,
    YES_NO,
)
from gateway.models.audit import AuditEntry
from gateway.models.delivery import DeliveryView
from gateway.models.figures import AgentFigures, QueueFigures
from gateway.models.history import CallSummary, OrderOfCall, text_of
from gateway.models.line import Line
from gateway.models.queue import AgentStatus


class AgentNow(Struct, frozen=True):
    """An agent and the figures of their day so far."""

    agent: AgentStatus
    figures: AgentFigures | None


class Tables:
    """The tables of one house: its lines' names and time zones, its forms' labels, its agents' names."""

    def __init__(
        self,
        lines: Sequence[Line],
        timezone: str,
        field_labels: Mapping[str, str],
        agents: Mapping[str, str],
    ) -> None:
        """`timezone` is for what belongs to no line; `agents` maps ids to names."""
        self._names = {line.id: line.name for line in lines}
        self._zones = {line.id: ZoneInfo(line.timezone) for line in lines}
        self._usual = ZoneInfo(timezone)
        self._labels = field_labels
        self._agents = agents

    def calls(self) -> Table[CallSummary]:
        """Calls with their orders."""
        at = self._at
        return Table(
            "通话",
            (
                Column("通话编号", lambda one: one.id, 24),
                Column("开始时间", lambda one: at(one.started_at, one.line), 20),
                Column("结束时间", lambda one: at(one.ended_at, one.line), 20),
                Column("方向", lambda one: DIRECTIONS[one.direction], 8),
                Column("线路", lambda one: self._line(one.line), 18),
                Column("队列", lambda one: one.queue),
                Column("主叫号码", lambda one: one.caller.number, 16),
                Column("主叫名称", lambda one: one.caller.name),
                Column("被叫号码", lambda one: one.called),
                Column("坐席", lambda one: "、".join(self._agent(agent) for agent in one.agents), 18),
                Column("结束原因", lambda one: END_REASONS[one.end_reason] if one.end_reason else "", 16),
                Column("等待(秒)", lambda one: _seconds(one.waited), 10),
                Column("通话(秒)", lambda one: _seconds(one.talked), 10),
                Column("保持(秒)", lambda one: _seconds(one.held), 10),
                Column("转接次数", lambda one: one.transfers, 10),
                Column("有录音", lambda one: YES_NO[one.recorded], 8),
                Column("工单编号", lambda one: one.order.id if one.order else "", 38),
                Column("工单标题", lambda one: one.order.title if one.order else "", 40),
                Column("工单状态", lambda one: ORDER_STATES[one.order.state] if one.order else "", 10),
            ),
        )

    def orders(self) -> Table[OrderOfCall]:
        """Orders with every field of every form."""
        at = self._at
        fixed: tuple[Column[OrderOfCall], ...] = (
            Column("工单编号", lambda one: one.order.id, 38),
            Column("创建时间", lambda one: at(one.order.created_at, one.order.line), 20),
            Column("提交时间", lambda one: at(one.order.submitted_at, one.order.line), 20),
            Column("送达时间", lambda one: at(one.order.delivered_at, one.order.line), 20),
            Column("状态", lambda one: ORDER_STATES[one.order.state], 10),
            Column("线路", lambda one: self._line(one.order.line), 18),
            Column("坐席", lambda one: self._agent(one.call.agent) if one.call else "", 14),
            Column("主叫号码", lambda one: one.call.caller.number if one.call else "", 16),
            Column("外部编号", lambda one: one.order.external_id, 20),
            Column("通话编号", lambda one: one.order.call_id, 24),
        )
        fields = tuple(_field(name, label) for name, label in self._labels.items())
        return Table("工单", (*fixed, *fields))

    def deliveries(self) -> Table[DeliveryView]:
        """The outbox."""
        at = self._at
        return Table(
            "送达",
            (
                Column("送达编号", lambda one: one.id, 38),
                Column("工单编号", lambda one: one.order_id, 38),
                Column("接收系统", lambda one: one.endpoint),
                Column("状态", lambda one: DELIVERY_STATES.get(one.state, one.state), 10),
                Column("尝试次数", lambda one: one.attempts, 10),
                Column("创建时间", lambda one: at(one.created_at), 20),
                Column("送达时间", lambda one: at(one.delivered_at), 20),
                Column("下次尝试", lambda one: at(one.next_at), 20),
                Column("最近错误", lambda one: one.last_error, 40),
            ),
        )

    def audit(self) -> Table[AuditEntry]:
        """Who did what."""
        return Table(
            "审计",
            (
                Column("序号", lambda one: one.seq, 10),
                Column("时间", lambda one: self._at(one.at), 20),
                Column("账号", lambda one: one.username),
                Column("角色", lambda one: one.role),
                Column("坐席", lambda one: self._agent(one.agent)),
                Column("操作", lambda one: one.name, 20),
                Column("参数", lambda one: one.args, 40),
                Column("成功", lambda one: YES_NO[one.ok], 8),
                Column("代码", lambda one: one.code),
                Column("说明", lambda one: one.message, 30),
                Column("操作编号", lambda one: one.command_id, 38),
            ),
        )

    def agents(self) -> Table[AgentNow]:
        """Agents now, and their day."""
        return Table(
            "坐席",
            (
                Column("工号", lambda one: one.agent.id),
                Column("姓名", lambda one: one.agent.name),
                Column("话机", lambda one: one.agent.phone, 18),
                Column("状态", lambda one: AGENT_STATES[one.agent.state], 10),
                Column("置忙原因", lambda one: one.agent.reason),
                Column("状态开始", lambda one: self._at(one.agent.since), 20),
                Column("队列", lambda one: "、".join(one.agent.queues), 24),
                Column("统计起点", _of_day(lambda day: self._at(day.start)), 20),
                Column("接听", _of_day(lambda day: day.taken), 8),
                Column("未接", _of_day(lambda day: day.missed), 8),
                Column("空闲(秒)", _of_day(lambda day: _seconds(day.available_s))),
                Column("振铃(秒)", _of_day(lambda day: _seconds(day.ringing_s))),
                Column("通话(秒)", _of_day(lambda day: _seconds(day.talk_s))),
                Column("保持(秒)", _of_day(lambda day: _seconds(day.hold_s))),
                Column("话后处理(秒)", _of_day(lambda day: _seconds(day.wrap_up_s))),
                Column("置忙(秒)", _of_day(lambda day: _seconds(day.paused_s))),
                Column("签入(秒)", _of_day(lambda day: _seconds(day.logged_in_s))),
                Column("占用率", _of_day(lambda day: _ratio(day.occupancy))),
            ),
        )

    def queues(self) -> Table[QueueFigures]:
        """Queues' figures: the day so far, and its intervals."""
        at = self._at
        return Table(
            "队列",
            (
                Column("队列", lambda one: one.queue),
                Column("交换机", lambda one: one.pbx),
                Column("线路", lambda one: self._line(one.line), 18),
                Column("范围", lambda one: "当日" if one.interval is None else "时段", 8),
                Column("起", lambda one: at(one.start, one.line), 20),
                Column("止", lambda one: at(one.end, one.line), 20),
                Column("来电", lambda one: one.offered, 8),
                Column("接听", lambda one: one.answered, 8),
                Column("及时接听", lambda one: one.answered_in_time, 10),
                Column("放弃", lambda one: one.abandoned, 8),
                Column("短时放弃", lambda one: one.short_abandoned, 10),
                Column("超时", lambda one: one.timeout, 8),
                Column("其他离队", lambda one: one.other, 10),
                Column("代接", lambda one: one.withdrawn, 8),
                Column("未观测", lambda one: one.unseen, 8),
                Column("转出", lambda one: one.transferred, 8),
                Column("振铃未接", lambda one: one.missed, 10),
                Column("服务水平", lambda one: _ratio(one.service_level), 10),
                Column("接通率", lambda one: _ratio(one.connection_rate), 10),
                Column("放弃率", lambda one: _ratio(one.abandon_rate), 10),
                Column("平均应答速度(秒)", lambda one: _seconds(one.average_speed_of_answer_s), 16),
                Column("平均放弃时长(秒)", lambda one: _seconds(one.average_time_to_abandon_s), 16),
                Column("平均处理时长(秒)", lambda one: _seconds(one.average_handling_time_s), 16),
                Column("最长等待(秒)", lambda one: _seconds(one.longest_wait_s), 12),
                Column("占用率", lambda one: _ratio(one.occupancy), 10),
            ),
        )

    def _at(self, instant: float | None, line: str | None = None) -> datetime | None:
        """An instant on the wall clock of the line."""
        if instant is None:
            return None
        zone = self._zones.get(line or "", self._usual)
        return datetime.fromtimestamp(int(instant), zone).replace(tzinfo=None)

    def _line(self, line: str | None) -> str:
        return self._names.get(line or "", line or "")

    def _agent(self, agent: str | None) -> str:
        name = self._agents.get(agent or "")
        return f"{name}({agent})" if name else agent or ""


def _field(name: str, label: str) -> Column[OrderOfCall]:
    return Column(label, lambda one: text_of(one.order, name), 40 if name in ("title", "summary") else 14)


def _of_day(value: Callable[[AgentFigures], Cell]) -> Callable[[AgentNow], Cell]:
    return lambda one: value(one.figures) if one.figures is not None else None


def _seconds(value: float | None) -> Cell:
    return None if value is None else round(value)


def _ratio(value: float | None) -> Cell:
    return None if value is None else round(value, 4)
