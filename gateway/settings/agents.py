"""Lines, agents and their desks, privacy, and alarm rules."""

from itertools import pairwise
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, Field, field_validator, model_validator

from domain.alarms import DAY_MEASURES, LINE_MEASURES, AlarmRule, Level, Measure
from domain.lines import Line
from domain.phones import AgentProfile, PhoneKind
from domain.queues import reserved_reason
from domain.visibility.policy import Privacy, Visibility
from gateway.settings.base import (
    DIALLED,
    Identifier,
    SecretHolder,
    Section,
    Text,
    one_line,
    shell,
    zone,
)

PHONE = r"^(PJSIP|SIP|IAX2|Local)/[A-Za-z0-9][A-Za-z0-9_.@/-]{0,95}$"

FIRST_PENALTY = 1
"""Penalty limit before any overflow. Not 0: as an upper limit, Asterisk takes 0 to mean none."""


class OverflowStep(Section):
    """After `after_s` seconds of waiting, agents with a penalty up to `max_penalty` are rung."""

    after_s: Annotated[int, Field(ge=0, le=86400)]
    max_penalty: Annotated[int, Field(ge=FIRST_PENALTY, le=100)]


class LineSettings(Section):
    id: Identifier
    name: Text
    numbers: list[Annotated[str, Field(pattern=DIALLED)]] = Field(default_factory=list)
    queue: Identifier
    digit: Annotated[str, Field(pattern=r"^[0-9*#]?$")] = ""
    service_level_s: Annotated[float, Field(gt=0)] = 15.0
    service_level_target: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.8, description="share of callers to answer within service_level_s: the wall's target"
    )
    connection_target: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.95, description="share of callers to answer at all (接通率): the wall's target"
    )
    abandon_after_s: Annotated[float, Field(ge=0)] = Field(
        default=5.0, description="a hang-up before this is a short abandon (短时放弃), counted separately"
    )
    wrap_up_s: Annotated[float, Field(ge=0, le=3600)] = Field(
        default=0.0, description="wrap-up (话后处理) after each call; 0: none"
    )
    wrap_up_max_s: Annotated[float, Field(gt=0, le=14400)] = Field(
        default=300.0, description="longest wrap-up, including extensions"
    )
    timezone: Annotated[str, AfterValidator(zone)] = Field(
        default="Asia/Shanghai", description="its figures start at midnight here"
    )
    priority: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=0, description="an agent with several lines gets calls of the highest priority first"
    )
    overflow: list[OverflowStep] = Field(
        default_factory=list, description="whom to ring after how long; empty: all at once, by penalty"
    )
    ring_timeout_s: Annotated[int, Field(ge=1, le=300)] = Field(
        default=20, description="how long an agent's phone rings for a queue call"
    )
    queue_timeout_s: Annotated[int, Field(ge=0)] = Field(default=0, description="0: wait without limit")
    form: Literal["general", "enterprise", "talent"] = "general"
    colour: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")] = "#1677ff"
    submit: Literal["on_hangup", "agent"] = Field(
        default="on_hangup", description="who submits the order: the gateway after the call, or the agent"
    )
    survey: bool = Field(
        default=False, description="once the agent has hung up, the caller is asked how it was (满意度调查)"
    )
    send_after_s: Annotated[float, Field(ge=0, le=3600)] = Field(
        default=20.0,
        description="so long after wrap-up an order leaves; until then it can be held back. 0: at hang-up",
    )

    @field_validator("overflow")
    @classmethod
    def _ever_more(cls, steps: list[OverflowStep]) -> list[OverflowStep]:
        for before, after in pairwise(steps):
            if after.after_s <= before.after_s or after.max_penalty <= before.max_penalty:
                raise ValueError("each step must come later and reach further than the one before it")
        return steps

    @property
    def overflow_steps(self) -> list[OverflowStep]:
        """The steps from the first second on; unless configured, only penalties 0 and 1 are rung at first."""
        if self.overflow and self.overflow[0].after_s > 0:
            return [OverflowStep(after_s=0, max_penalty=FIRST_PENALTY), *self.overflow]
        return self.overflow

    def model(self) -> Line:
        """Return the plain form used by the other packages."""
        return Line(
            id=self.id,
            name=self.name,
            numbers=tuple(self.numbers),
            queue=self.queue,
            digit=self.digit,
            service_level_s=self.service_level_s,
            service_level_target=self.service_level_target,
            connection_target=self.connection_target,
            abandon_after_s=self.abandon_after_s,
            wrap_up_s=self.wrap_up_s,
            wrap_up_max_s=max(self.wrap_up_max_s, self.wrap_up_s),
            timezone=self.timezone,
            form=self.form,
            colour=self.colour,
        )


class AgentSettings(SecretHolder):
    """An agent and their phone. `secret` is the phone's SIP password, if not in `phones_file`."""

    id: Identifier
    name: Text
    phone: Annotated[str, Field(pattern=PHONE)]
    softphone: bool = Field(default=False, description="the phone is the browser (WebRTC), not a desk phone")
    desk_phone: Annotated[str, Field(pattern=r"^PJSIP/[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")] | None = Field(
        default=None,
        description="a desk phone besides the browser; the agent chooses which one rings",
    )
    pbx: Identifier | None = Field(default=None, description="default: the first")
    lines: dict[Identifier, Annotated[int, Field(ge=0, le=100)]] = Field(
        default_factory=dict, description="line id -> penalty (0 is rung first)"
    )

    @property
    def secret_variable(self) -> str:
        return f"HOTLINE_AGENTS_{shell(self.id)}_SECRET"

    @property
    def sip_user(self) -> str | None:
        """SIP account of the phone; `None` if it is not a PJSIP phone."""
        return self.sip_users.get(self.kind)

    @property
    def kind(self) -> PhoneKind:
        """The kind of `phone`; a `desk_phone` comes in addition."""
        return PhoneKind.BROWSER if self.softphone else PhoneKind.DESK

    @property
    def phones(self) -> dict[PhoneKind, str]:
        """All phones the agent has."""
        return {self.kind: self.phone, **({PhoneKind.DESK: self.desk_phone} if self.desk_phone else {})}

    @property
    def sip_users(self) -> dict[PhoneKind, str]:
        """SIP account of each PJSIP phone."""
        split = {kind: phone.partition("/") for kind, phone in self.phones.items()}
        return {kind: user for kind, (technology, _, user) in split.items() if technology == "PJSIP"}

    def model(self) -> AgentProfile:
        """Return the plain form used by the other packages."""
        return AgentProfile(self.id, self.name, self.phone, self.kind, self.desk_phone or "")

    @model_validator(mode="after")
    def _browser_speaks_pjsip(self) -> Self:
        if self.softphone and self.sip_user is None:
            raise ValueError(f'agent {self.id}: a browser phone needs phone = "PJSIP/…", not {self.phone}')
        if self.desk_phone and not self.softphone:
            raise ValueError(
                f"agent {self.id}: desk_phone is for agents who also have a browser phone;"
                " set softphone = true, or name it as phone"
            )
        return self


class DeskSettings(Section):
    """What agents may do, and what the desk does for them."""

    pause_reasons: list[Annotated[str, Field(min_length=1, max_length=20), AfterValidator(one_line)]] = Field(
        default=["小休", "培训", "会议", "用餐"], min_length=1, description="offered for a pause (置忙)"
    )
    login: Literal["always", "desk"] = Field(
        default="always", description="always: in the queues by configuration; desk: agents log in and out"
    )
    missed_limit: Annotated[int, Field(ge=0, le=100)] = Field(
        default=3, description="unanswered queue calls in a row that pause the agent; 0: never"
    )

    repeat_calls: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=3, description="calls from one number that make the screen-pop warn; 0: never"
    )
    repeat_days: Annotated[int, Field(ge=1, le=366)] = Field(
        default=7, description="counted over this many days"
    )

    @field_validator("pause_reasons")
    @classmethod
    def _free(cls, reasons: list[str]) -> list[str]:
        if taken := [reason for reason in reasons if reserved_reason(reason)]:
            raise ValueError(f"{', '.join(taken)}: reserved by the gateway; choose another reason")
        if len(set(reasons)) < len(reasons):
            raise ValueError("a reason is given twice; make each one unique")
        return reasons


Viewer = Literal["agent", "supervisor", "admin", "screen", "system"]
EVERYBODY: list[Viewer] = ["agent", "supervisor", "admin"]


class PrivacySettings(Section):
    """Who sees callers' data unmasked, wherever it is shown; `screen` is the wall's big screen,
    `system` whoever asks with an API token."""

    whole_numbers: list[Viewer] = Field(default=EVERYBODY, description="who sees callers' numbers unmasked")
    whole_names: list[Viewer] = Field(default=EVERYBODY, description="who sees names unmasked")
    whole_addresses: list[Viewer] = Field(default=EVERYBODY, description="who sees addresses unmasked")
    whole_transcripts: list[Viewer] = Field(
        default=EVERYBODY, description="who reads transcripts, including names and addresses in them"
    )

    def model(self) -> Privacy:
        """Return the plain form used by the other packages."""
        return Privacy(
            {
                viewer: Visibility(
                    numbers=viewer in self.whole_numbers,
                    names=viewer in self.whole_names,
                    addresses=viewer in self.whole_addresses,
                    transcripts=viewer in self.whole_transcripts,
                )
                for viewer in get_args(Viewer)
            }
        )


class AlarmSettings(Section):
    """A threshold rule: supervisors are alerted while `measure` is beyond the threshold."""

    id: Identifier
    name: Text
    measure: Measure
    above: float | None = None
    below: float | None = None
    for_s: Annotated[float, Field(ge=0, le=86400)] = Field(
        default=0.0, description="and has been for this long"
    )
    level: Level = Level.WARNING
    lines: list[Identifier] = Field(default_factory=list, description="empty: all lines")
    reasons: list[str] = Field(default_factory=list, description='for "paused"; empty: all reasons')
    min_offered: Annotated[int, Field(ge=0)] = Field(
        default=10, description="daily rates: evaluate only from this many calls on"
    )

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if (self.above is None) == (self.below is None):
            raise ValueError(f"alarm {self.id}: give either above or below")
        if self.lines and self.measure not in LINE_MEASURES:
            raise ValueError(f"alarm {self.id}: {self.measure} is not measured per line; leave lines out")
        if self.reasons and self.measure is not Measure.PAUSED:
            raise ValueError(f'alarm {self.id}: reasons only apply to measure "paused"')
        limit = self.above if self.above is not None else self.below
        if self.measure in DAY_MEASURES and not 0 <= (limit or 0) <= 1:
            raise ValueError(f"alarm {self.id}: {self.measure} is a share, 0 to 1")
        return self

    def model(self) -> AlarmRule:
        """Return the plain form used by the other packages."""
        return AlarmRule(
            id=self.id,
            name=self.name,
            measure=self.measure,
            above=self.above,
            below=self.below,
            for_s=self.for_s,
            level=self.level,
            lines=frozenset(self.lines),
            reasons=frozenset(self.reasons),
            min_offered=self.min_offered,
        )
