"""What values are called in tables. Pure."""

from gateway.models.call import Direction, EndReason
from gateway.models.order import OrderState
from gateway.models.queue import AgentState

DIRECTIONS = {Direction.INBOUND: "呼入", Direction.OUTBOUND: "呼出", Direction.INTERNAL: "内部"}
END_REASONS = {
    EndReason.COMPLETED: "正常结束",
    EndReason.ABANDONED_IVR: "语音导航中放弃",
    EndReason.ABANDONED_QUEUE: "排队中放弃",
    EndReason.ABANDONED_RINGING: "振铃中放弃",
    EndReason.ABANDONED_PARKED: "寄存中放弃",
    EndReason.QUEUE_TIMEOUT: "排队超时",
    EndReason.FAILED: "呼叫失败",
    EndReason.MERGED: "并入其他通话",
    EndReason.UNSEEN: "结束未观测",
}
ORDER_STATES = {
    OrderState.DRAFT: "草稿",
    OrderState.SUBMITTED: "已提交",
    OrderState.DELIVERED: "已送达",
    OrderState.DEAD: "送达失败",
}
DELIVERY_STATES = {"pending": "待送达", "delivered": "已送达", "dead": "送达失败"}
AGENT_STATES = {
    AgentState.LOGGED_OUT: "签出",
    AgentState.AVAILABLE: "空闲",
    AgentState.RINGING: "振铃",
    AgentState.TALKING: "通话",
    AgentState.ON_HOLD: "保持",
    AgentState.WRAP_UP: "话后处理",
    AgentState.PAUSED: "置忙",
    AgentState.UNREACHABLE: "话机离线",
}
YES_NO = {True: "是", False: "否"}
