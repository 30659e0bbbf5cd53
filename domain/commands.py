"""Commands of the desk: what an agent or a supervisor may ask for, checked before anything is planned.

Every text here is hostile until it has passed these types: ids and numbers have closed alphabets, so that
none can become another header, another dialplan application or another channel.
"""

import json
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from domain.dialling import NUMBER
from domain.messages import Message
from domain.phones import PhoneKind
from domain.refusals import Refusal

COMMAND_ID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
"""A UUID in lower case: the client makes it, once for each thing it wants done."""

Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$(?!\n)")]
CallId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,159}$(?!\n)")]
Number = Annotated[str, Meta(pattern=NUMBER + r"(?!\n)")]
Reason = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f\u2028\u2029,]{1,40}$(?!\n)")]
"""Shown to people and sent as one header; one line, no comma (a PBX's queue log separates with it)."""


class Target(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a call goes: exactly one of an agent, a line's queue, a number outside."""

    agent: Id | None = None
    queue: Id | None = None
    """A line's id or its queue's name."""
    number: Number | None = None

    def __post_init__(self) -> None:
        if sum(one is not None for one in (self.agent, self.queue, self.number)) != 1:
            raise ValueError("name exactly one of agent, queue, number")


class Command(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="name"):
    """Base of all. `agent`: for whom; oneself unless a supervisor names another."""

    agent: Id | None = None


class CallCommand(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command about a call; `call_id` may be left out where the agent is on one call only."""

    call_id: CallId | None = None


# -- the agent's state ------------------------------------------------------------------------------------
class LogIn(Command, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="log_in"):
    """签入: become a member of one's queues."""

    lines: Annotated[list[Id], Meta(max_length=64)] = []
    """Ids of lines; empty: all that the agent serves."""


class LogOut(Command, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="log_out"):
    """签出: leave every queue."""


class Pause(Command, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="pause"):
    """示忙: no calls from the queues, with the reason (小休, 培训, 会议 …)."""

    reason: Reason


class Unpause(Command, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="unpause"):
    """示闲: take calls again."""


class WrapUpDone(Command, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="wrap_up_done"):
    """话后整理 is over."""


class WrapUpExtend(Command, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="wrap_up_extend"):
    """话后整理 takes longer."""

    seconds: Annotated[int, Meta(ge=1, le=3600)]


class UsePhone(Command, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="use_phone"):
    """选择话机: calls ring at the browser or at the phone on the desk from now on; not during a call."""

    phone: PhoneKind


class ForcePause(Command, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="force_pause"):
    """强制示忙, by a supervisor."""

    agent: Id
    reason: Reason


class ForceLogOut(Command, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="force_log_out"):
    """强制签出, by a supervisor. A call in progress goes on."""

    agent: Id


# -- calls -------------------------------------------------------------------------------------------------
class Originate(Command, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="originate"):
    """外呼 (click-to-call): the agent's phone rings first, then the target is called.

    Exactly one of `to` and `back_to`.
    """

    to: Target | None = None
    back_to: CallId | None = None
    """回拨: who called on that call, whether or not one may see their number."""
    line: Id | None = None
    """The line whose number is shown outside; default: the agent's first."""

    def __post_init__(self) -> None:
        if (self.to is None) == (self.back_to is None):
            raise ValueError("name exactly one of to, back_to")


class Answer(CallCommand, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="answer"):
    """接听: the ringing phone is told to answer (`Event: talk`)."""


class HangUp(CallCommand, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="hang_up"):
    """挂断: the agent's own leg."""


class Hold(CallCommand, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="hold"):
    """保持: the other side hears music, the agent hears nothing."""


class Resume(CallCommand, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="resume"):
    """取回 a held call."""


class Mute(CallCommand, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="mute"):
    """静音: the agent is not heard."""


class Unmute(CallCommand, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="unmute"):
    """取消静音."""


class Transfer(CallCommand, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="transfer"):
    """盲转: at once, unannounced."""

    to: Target


class Consult(CallCommand, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="consult"):
    """咨询: the first half of an attended transfer; the caller waits with music."""

    to: Target


class CompleteTransfer(
    CallCommand, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="complete_transfer"
):
    """完成转接: caller and consulted party are connected, the agent is free."""


class CancelTransfer(
    CallCommand, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="cancel_transfer"
):
    """取消咨询: back to the caller."""


class Swap(CallCommand, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="swap"):
    """切换 between caller and consulted party."""


class Conference(CallCommand, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="conference"):
    """三方会商: with `to`, that party is called in; without, the consultation becomes one."""

    to: Target | None = None


class PickUp(Command, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="pick_up"):
    """从队列中接起 a caller who waits."""

    call_id: CallId


# -- supervisors ---------------------------------------------------------------------------------------------
class Supervision(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """On another agent's call; `agent` is the supervisor's own seat, `target` the agent supervised."""

    target: Id


class Listen(Supervision, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="listen"):
    """监听: heard by nobody."""


class Whisper(Supervision, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="whisper"):
    """密语: heard by the agent only."""


class Barge(Supervision, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="barge"):
    """强插: heard by both."""


class StopListening(Command, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="stop_listening"):
    """End listening, whispering or barging."""


class TakeOver(Supervision, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="take_over"):
    """接管: the caller is connected to the supervisor, the agent's leg ends."""


AnyCommand = (
    LogIn
    | LogOut
    | Pause
    | Unpause
    | WrapUpDone
    | WrapUpExtend
    | UsePhone
    | ForcePause
    | ForceLogOut
    | Originate
    | Answer
    | HangUp
    | Hold
    | Resume
    | Mute
    | Unmute
    | Transfer
    | Consult
    | CompleteTransfer
    | CancelTransfer
    | Swap
    | Conference
    | PickUp
    | Listen
    | Whisper
    | Barge
    | StopListening
    | TakeOver
)

KINDS: dict[str, type[Command]] = {str(kind.__struct_config__.tag): kind for kind in AnyCommand.__args__}
SUPERVISORS_ONLY = frozenset(
    {ForcePause, ForceLogOut, Listen, Whisper, Barge, StopListening, TakeOver},
)


class CommandError(Refusal):
    """A command is refused. `code` is the kind of refusal, `said` the reason: cause and fix."""

    def __init__(self, code: str, reason: str, /, **params: Any) -> None:
        self.code = code
        super().__init__(reason, **params)


STATUS = {
    "forbidden": 403,
    "not_possible": 409,
    "id_reused": 409,
    "interrupted": 409,
    "bad_args": 422,
    "unknown_command": 422,
    "pbx_refused": 502,
    "pbx_down": 502,
    "pbx_timeout": 504,
    "failed": 500,
}
"""Refusal code → HTTP status."""


class Answered(Struct, frozen=True, omit_defaults=True):
    """What a command came to. The same id asked again gets the same."""

    id: str
    ok: bool = msgspec.field()
    result: dict[str, Any] = {}
    code: str = ""
    """The kind of refusal: a key of `STATUS`."""
    reason: str = ""
    """Why exactly: a key of `domain.refusals.REFUSALS`, said with `params`; `message` in English."""
    params: dict[str, Any] = {}
    message: str = ""


def refused(command_id: str, code: str, why: Message) -> Answered:
    """The answer that says no."""
    return Answered(
        command_id, ok=False, code=code, reason=why.code, params=dict(why.params), message=why.text
    )


def read_command(name: str, args: Any) -> AnyCommand:
    """The command of that name with these arguments.

    Raises:
        CommandError: `unknown_command` or `bad_args`, naming what is wrong.
    """
    if name not in KINDS:
        raise CommandError("unknown_command", "command_unknown", commands=", ".join(sorted(KINDS)))
    if not isinstance(args, dict) or "name" in args:
        raise CommandError("bad_args", "args_no_object")
    try:
        # Half a surrogate pair is a str, but no text: it could be neither sent nor stored.
        json.dumps(args, ensure_ascii=False).encode()
        command: AnyCommand = msgspec.convert({**args, "name": name}, AnyCommand)
    except (msgspec.ValidationError, TypeError, ValueError, RecursionError) as error:
        raise CommandError("bad_args", "bad_args", name=name, text=str(error)) from None
    return command


def catalogue(supervises: bool) -> list[dict[str, Any]]:
    """Every command: name, what it is for, JSON schema of its args, the roles that may."""
    found = []
    for name, kind in sorted(KINDS.items()):
        only = kind in SUPERVISORS_ONLY
        _, schemas = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
        own = schemas.pop(kind.__name__)
        own["properties"].pop("name")
        own["required"].remove("name")
        found.append(
            {
                "name": name,
                "about": (kind.__doc__ or "").strip(),
                "args": {**own, "$defs": schemas},
                "roles": ["supervisor", "admin"] if only else ["agent", "supervisor", "admin"],
                "may": supervises or not only,
            }
        )
    return found
