"""Names of tables, columns and values in the app's two languages. Pure.

Each entry is (Chinese, English).
"""

from collections.abc import Mapping
from typing import Literal, TypeVar

from domain.calls import Direction, EndedBy, EndReason
from domain.orders import OrderState
from domain.queues import AgentState

K = TypeVar("K")
Language = Literal["zh", "en"]
Both = tuple[str, str]
LANGUAGES: tuple[Language, ...] = ("zh", "en")

SHEETS: Mapping[str, Both] = {
    "calls": ("通话", "Calls"),
    "orders": ("工单", "Orders"),
    "deliveries": ("送达", "Deliveries"),
    "audit": ("审计", "Audit"),
    "agents": ("坐席", "Agents"),
    "queues": ("队列", "Queues"),
    "accounts": ("账号", "Accounts"),
    "places": ("热点地区", "Hot places"),
    "endpoints": ("工单系统", "Endpoints"),
}
HEADERS: Mapping[str, Both] = {
    "abandon_rate": ("放弃率", "Abandon rate"),
    "abandoned": ("放弃", "Abandoned"),
    "account": ("账号", "Account"),
    "after_call": ("话后处理(秒)", "Wrap-up (s)"),
    "agent": ("坐席", "Agent"),
    "agent_id": ("工号", "Agent ID"),
    "answered": ("接听", "Answered"),
    "answered_in_time": ("及时接听", "Answered in time"),
    "args": ("参数", "Arguments"),
    "attempts": ("尝试次数", "Attempts"),
    "available_s": ("空闲(秒)", "Available (s)"),
    "average_abandon": ("平均放弃时长(秒)", "Average time to abandon (s)"),
    "average_answer": ("平均应答速度(秒)", "Average speed of answer (s)"),
    "average_handling": ("平均处理时长(秒)", "Average handling time (s)"),
    "began": ("开始时间", "Began"),
    "call_id": ("通话编号", "Call ID"),
    "called": ("被叫号码", "Called number"),
    "caller_name": ("主叫名称", "Caller name"),
    "caller_number": ("主叫号码", "Caller number"),
    "categories": ("诉求分类", "Categories"),
    "code": ("代码", "Code"),
    "command_id": ("操作编号", "Command ID"),
    "connection_rate": ("接通率", "Connection rate"),
    "count": ("工单数", "Orders"),
    "created": ("创建时间", "Created"),
    "dead": ("投递失败", "Dead"),
    "delivered_at": ("送达时间", "Delivered"),
    "delivered_count": ("已投递", "Delivered"),
    "delivery_id": ("送达编号", "Delivery ID"),
    "did": ("操作", "Action"),
    "direction": ("方向", "Direction"),
    "end_reason": ("结束原因", "How it ended"),
    "ended_by": ("挂机方", "Hung up by"),
    "hangup_cause": ("挂机原因", "Hang-up cause"),
    "endpoint": ("接收系统", "Endpoint"),
    "ended": ("结束时间", "Ended"),
    "external_id": ("外部编号", "External ID"),
    "first_instant": ("统计起点", "Since"),
    "from": ("起", "From"),
    "held": ("保持(秒)", "On hold (s)"),
    "host": ("主机", "Host"),
    "last_attempt": ("上次尝试", "Last attempt"),
    "last_error": ("最近错误", "Last error"),
    "last_success": ("最近成功", "Last success"),
    "line": ("线路", "Line"),
    "lines": ("线路", "Lines"),
    "longest_wait": ("最长等待(秒)", "Longest wait (s)"),
    "message": ("说明", "Reason"),
    "missed": ("未接", "Missed"),
    "missed_rings": ("振铃未接", "Rang unanswered"),
    "name": ("姓名", "Name"),
    "next_attempt": ("下次尝试", "Next attempt"),
    "occupancy": ("占用率", "Occupancy"),
    "offered": ("来电", "Offered"),
    "ok": ("成功", "Done"),
    "order_id": ("工单编号", "Order ID"),
    "order_state": ("工单状态", "Order state"),
    "order_title": ("工单标题", "Order title"),
    "other": ("其他离队", "Left otherwise"),
    "outcome": ("通话结果", "Outcome"),
    "paused_s": ("置忙(秒)", "Paused (s)"),
    "pbx": ("交换机", "PBX"),
    "pending": ("待投递", "Pending"),
    "phone": ("话机", "Phone"),
    "queue": ("队列", "Queue"),
    "queues": ("队列", "Queues"),
    "reason": ("置忙原因", "Pause reason"),
    "recorded": ("有录音", "Recorded"),
    "ringing_s": ("振铃(秒)", "Ringing (s)"),
    "role": ("角色", "Role"),
    "scope": ("范围", "Span"),
    "sequence": ("序号", "No."),
    "service_level": ("服务水平", "Service level"),
    "short_abandoned": ("短时放弃", "Short abandons"),
    "signed_in_s": ("签入(秒)", "Logged in (s)"),
    "state": ("状态", "State"),
    "state_since": ("状态开始", "State since"),
    "submitted": ("提交时间", "Submitted"),
    "taken": ("接听", "Taken"),
    "talked": ("通话(秒)", "Talked (s)"),
    "time": ("时间", "Time"),
    "timeout": ("超时", "Timed out"),
    "to": ("止", "To"),
    "town": ("镇街", "Town"),
    "transferred": ("转出", "Transferred"),
    "transfers": ("转接次数", "Transfers"),
    "unseen": ("未观测", "Unseen"),
    "village": ("村居", "Village"),
    "waited": ("等待(秒)", "Waited (s)"),
    "withdrawn": ("代接", "Picked up"),
}
DIRECTIONS: Mapping[Direction, Both] = {
    Direction.INBOUND: ("呼入", "Inbound"),
    Direction.OUTBOUND: ("呼出", "Outbound"),
    Direction.INTERNAL: ("内部", "Internal"),
}
END_REASONS: Mapping[EndReason, Both] = {
    EndReason.COMPLETED: ("正常结束", "Completed"),
    EndReason.ABANDONED_IVR: ("语音导航中放弃", "Gave up in the menu"),
    EndReason.ABANDONED_QUEUE: ("排队中放弃", "Gave up waiting"),
    EndReason.ABANDONED_RINGING: ("振铃中放弃", "Gave up ringing"),
    EndReason.ABANDONED_PARKED: ("寄存中放弃", "Gave up parked"),
    EndReason.QUEUE_TIMEOUT: ("排队超时", "Queue timed out"),
    EndReason.FAILED: ("呼叫失败", "Failed"),
    EndReason.MERGED: ("并入其他通话", "Merged into another"),
    EndReason.UNSEEN: ("结束未观测", "End not seen"),
}
ENDED_BY: Mapping[EndedBy, Both] = {
    EndedBy.CALLER: ("对方", "The other side"),
    EndedBy.AGENT: ("坐席", "The agent"),
    EndedBy.SYSTEM: ("系统", "The system"),
}
ORDER_STATES: Mapping[OrderState, Both] = {
    OrderState.DRAFT: ("草稿", "Draft"),
    OrderState.SUBMITTED: ("已提交", "Submitted"),
    OrderState.DELIVERED: ("已送达", "Delivered"),
    OrderState.DEAD: ("送达失败", "Not delivered"),
    OrderState.DROPPED: ("未发送", "Not sent"),
}
DELIVERY_STATES: Mapping[str, Both] = {
    "pending": ("待送达", "Pending"),
    "delivered": ("已送达", "Delivered"),
    "dead": ("送达失败", "Dead"),
}
AGENT_STATES: Mapping[AgentState, Both] = {
    AgentState.LOGGED_OUT: ("签出", "Logged out"),
    AgentState.AVAILABLE: ("空闲", "Available"),
    AgentState.RINGING: ("振铃", "Ringing"),
    AgentState.TALKING: ("通话", "Talking"),
    AgentState.ON_HOLD: ("保持", "On hold"),
    AgentState.WRAP_UP: ("话后处理", "Wrap-up"),
    AgentState.PAUSED: ("置忙", "Paused"),
    AgentState.UNREACHABLE: ("话机离线", "Unreachable"),
}
ROLES: Mapping[str, Both] = {
    "agent": ("坐席", "Agent"),
    "supervisor": ("班长", "Supervisor"),
    "admin": ("管理员", "Administrator"),
    "console": ("命令行", "Command line"),
}
OPEN: Mapping[bool, Both] = {True: ("可登录", "Open"), False: ("已锁定", "Locked")}
SCOPES: Mapping[bool, Both] = {True: ("当日", "Day"), False: ("时段", "Interval")}
YES_NO: Mapping[bool, Both] = {True: ("是", "Yes"), False: ("否", "No")}
COMMA: Both = ("、", ", ")
ALL: Both = ("全部", "All")
UNCATEGORISED: Both = ("未分类", "Uncategorised")
CUT: Both = (
    "仅导出前 {count} 行，其余未导出：请缩小时间范围后分次导出",
    "The first {count} rows only, the rest is left out: export in parts of less time",
)


class Words:
    """The wording in one language."""

    def __init__(self, language: Language = "zh") -> None:
        self._place = LANGUAGES.index(language)

    def __call__(self, both: Both) -> str:
        return both[self._place]

    def of(self, words: Mapping[K, Both], value: K) -> str:
        """Return what a value is called; a value without a name of its own is returned as it is."""
        both = words.get(value)
        return str(value) if both is None else self(both)
