"""Q.850 causes in words: why a channel was hung up, as the network says it."""

CAUSES: dict[int, tuple[str, str]] = {
    1: ("空号", "unallocated number"),
    2: ("无路由到中转网", "no route to transit network"),
    3: ("无路由到目的地", "no route to destination"),
    6: ("通道不可用", "channel unacceptable"),
    7: ("呼叫已在已建通道上送达", "call awarded and delivered"),
    16: ("正常挂断", "normal clearing"),
    17: ("用户忙", "user busy"),
    18: ("用户无响应", "no user responding"),
    19: ("用户未应答", "no answer from user"),
    20: ("用户不在服务区", "subscriber absent"),
    21: ("呼叫被拒绝", "call rejected"),
    22: ("号码已改", "number changed"),
    23: ("改发到新号码", "redirected to new destination"),
    26: ("已由其他话机接听", "answered elsewhere"),
    27: ("目的地故障", "destination out of order"),
    28: ("号码格式不对", "invalid number format"),
    29: ("业务被拒绝", "facility rejected"),
    30: ("状态询问响应", "response to status enquiry"),
    31: ("正常，未指明", "normal, unspecified"),
    34: ("无可用电路", "no circuit available"),
    38: ("网络故障", "network out of order"),
    41: ("临时故障", "temporary failure"),
    42: ("交换设备拥塞", "switching equipment congestion"),
    43: ("接入信息被丢弃", "access information discarded"),
    44: ("媒体中断或所请求的通道不可用", "media lost, or requested channel not available"),
    50: ("未开通该业务", "facility not subscribed"),
    52: ("不允许呼出", "outgoing call barred"),
    54: ("不允许呼入", "incoming call barred"),
    57: ("承载能力未授权", "bearer capability not authorized"),
    58: ("承载能力暂不可用", "bearer capability not available"),
    65: ("承载能力不支持", "bearer capability not implemented"),
    66: ("通道类型不支持", "channel type not implemented"),
    69: ("业务不支持", "facility not implemented"),
    81: ("呼叫参考无效", "invalid call reference"),
    88: ("终端不兼容", "incompatible destination"),
    95: ("消息无效", "invalid message"),
    96: ("缺少必需信息", "mandatory information missing"),
    97: ("消息类型不支持", "message type not implemented"),
    98: ("消息与状态不符", "message not compatible with state"),
    99: ("信息单元不支持", "information element not implemented"),
    100: ("信息内容无效", "invalid information contents"),
    101: ("消息与呼叫状态不符", "wrong call state"),
    102: ("定时器超时", "recovery on timer expiry"),
    103: ("参数不支持", "parameter not implemented"),
    111: ("协议错误", "protocol error"),
    127: ("互通错误，未指明", "interworking, unspecified"),
}
"""Cause → (Chinese, English)."""


def in_words(cause: int | None) -> tuple[str, str]:
    """The cause in Chinese and English, its number in front; empty where there is none."""
    if not cause:
        return "", ""
    chinese, english = CAUSES.get(cause, ("未知原因", "unknown cause"))
    return f"{cause} {chinese}", f"{cause} {english}"
