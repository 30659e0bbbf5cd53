"""Speech recognition, extraction, and delivery of work orders."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import jmespath
from pydantic import AfterValidator, AnyHttpUrl, Field, field_validator, model_validator

from domain.order_status import Step
from domain.outcomes import Detail, OutcomeKind, Sends
from gateway.settings.base import Identifier, SecretHolder, Section, Text, shell


class AsrSettings(SecretHolder):
    """Speech recognition. `secret` is the HTTP endpoint's key, if it needs one."""

    engine: Literal["faster-whisper", "http", "none"] = "faster-whisper"
    model: str = Field(default="", description="a directory or a hub name; empty: the offline default")
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    compute_type: str = "int8"
    threads: Annotated[int, Field(ge=0)] = Field(default=0, description="per worker; 0: cores / workers")
    workers: Annotated[int, Field(ge=0, le=64)] = Field(
        default=0, description="processes, each with the model; 0: one per core up to 4, on a GPU 1"
    )
    batch: Annotated[int, Field(ge=0, le=256)] = Field(
        default=0, description="utterances from any calls computed together; 0: 1 on the CPU, 16 elsewhere"
    )
    beam_size: Annotated[int, Field(ge=1, le=10)] = 1
    initial_prompt: str = "以下是政务服务便民热线的通话，使用简体中文和标点。"
    hotwords: str = Field(default="", description="names to expect on every line, separated by spaces")
    full_window: bool = Field(
        default=False, description="encode 30 s for every utterance, however short (slower; large models)"
    )
    url: AnyHttpUrl | None = Field(
        default=None, description="engine http: the endpoint's base URL, up to /v1"
    )
    timeout_s: Annotated[float, Field(gt=0)] = Field(default=30.0, description="engine http: per request")
    partials: bool = Field(default=True, description="show text while an utterance is spoken")
    live: bool = Field(default=True, description="transcribe during the call; otherwise only afterwards")

    @property
    def secret_variable(self) -> str:
        return "HOTLINE_ASR_SECRET"

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.engine == "http" and self.url is None:
            raise ValueError('engine "http" needs url: the base of an OpenAI-compatible endpoint, up to /v1')
        return self


def _jmespath(expression: str) -> str:
    if expression:
        try:
            jmespath.compile(expression)
        except jmespath.exceptions.JMESPathError as error:
            raise ValueError(
                f"is no JMESPath expression, write it like success == `true`: {error}"
            ) from error
    return expression


class InboundSettings(Section):
    """How a work-order system's messages about its orders are read; by default they are written as ours."""

    places: dict[
        Literal[
            "order", "number", "status", "at", "unit", "person", "deadline", "text", "satisfied", "resolved"
        ],
        Annotated[str, AfterValidator(_jmespath)],
    ] = Field(default_factory=dict, description="where each stands in the message (JMESPath)")
    words: dict[str, Step] = Field(default_factory=dict, description="the system's words → our steps")
    poll_s: Annotated[float, Field(ge=0, le=86400)] = Field(
        default=30.0,
        description="a system that cannot call is asked so often, where its mapping says how; 0: never",
    )

    @field_validator("words")
    @classmethod
    def _told_apart(cls, words: dict[str, Step]) -> dict[str, Step]:
        if twice := [word for word, count in Counter(map(str.casefold, words)).items() if count > 1]:
            raise ValueError(f"{', '.join(twice)} is given twice; capitals do not count")
        return words


class WorkOrderEndpoint(SecretHolder):
    """A work-order system. `secret` signs its deliveries (Standard Webhooks)."""

    id: Identifier
    url: AnyHttpUrl
    lines: list[Identifier] = Field(default_factory=list, description="empty: all lines")
    timeout_s: Annotated[float, Field(gt=0)] = 10.0
    max_attempts: Annotated[int, Field(ge=1)] = 20
    first_retry_s: Annotated[float, Field(gt=0)] = 5.0
    max_retry_s: Annotated[float, Field(gt=0)] = 3600.0
    at_once: Annotated[int, Field(ge=1, le=256)] = Field(
        default=8, description="deliveries at once; the revisions of one order never overtake each other"
    )
    success_if: Annotated[str, AfterValidator(_jmespath)] = Field(
        default="", description="JMESPath that must be true of the JSON reply; empty: HTTP 2xx is enough"
    )
    inbound: InboundSettings = InboundSettings()
    preset: str = Field(
        default="", max_length=64, description="a mapping that ships with the gateway (docs/mapping.md)"
    )
    mapping: dict[str, Any] | Path | None = Field(
        default=None,
        description="what is otherwise than in the preset, or a file that says so; all, without one",
    )
    secret_files: dict[str, Path] = Field(
        default_factory=dict, description="the mapping's own secrets, such as tokens; by name"
    )
    sign: bool | None = Field(
        default=None, description="Standard Webhooks headers; none: as the mapping says"
    )

    @property
    def secret_variable(self) -> str:
        return f"HOTLINE_WORKORDERS_{shell(self.id)}_SECRET"


class OutcomeSettings(Section):
    """One more outcome of a call (通话结果) that agents can choose."""

    id: Identifier
    name: Text
    name_en: str = Field(default="", max_length=40, description="empty: as name")
    sends: Literal["order", "closed", "nothing"] = Field(
        default="closed",
        description="what leaves: an order to work on, a closed one, or nothing",
    )
    asks: list[Literal["answer", "target"]] = Field(
        default_factory=list, description="what the agent can say beside it"
    )
    reasons: list[Identifier] = Field(default_factory=list, description="one of which must be chosen")

    def model(self) -> OutcomeKind:
        """Return the plain form used by the other packages."""
        details = [Detail(one) for one in self.asks] + [Detail.REASON] * bool(self.reasons)
        return OutcomeKind(
            id=self.id,
            name=self.name,
            name_en=self.name_en or self.name,
            sends=Sends(self.sends),
            details=tuple(details),
            reasons=tuple(self.reasons),
        )


class ReferenceSettings(Section):
    """Reference data files used by extraction; by default the example district that ships with the package.

    The formats are described in docs/workorders.md.
    """

    places: Path | None = Field(default=None, description="towns, streets, villages, communities")
    units: Path | None = Field(default=None, description="units that handle requests")
    enterprises: Path | None = Field(default=None, description="the enterprise directory")
    contacts: Path | None = Field(default=None, description="people known by number; VIPs, blacklist")
    glossary: Path | None = Field(default=None, description="policies and other terms used on the lines")
    taxonomy: Path | None = Field(default=None, description="request categories, three levels")
    knowledge: Path | None = Field(default=None, description="a folder of articles for agents")
    classifier: Path | None = Field(default=None, description="a folder made by scripts/train_classifier.py")
    related_days: Annotated[int, Field(ge=0)] = Field(
        default=90, description="how far back to look for related orders"
    )
    hot_words: bool = Field(
        default=False, description="give the recogniser the reference data's names in advance"
    )


class LlmSettings(SecretHolder):
    """A local language model that also fills fields, on any OpenAI-compatible endpoint.

    Off if `url` is empty.
    """

    url: AnyHttpUrl | None = Field(default=None, description="base URL, e.g. http://127.0.0.1:8000/v1")
    model: str = "local"
    timeout_s: Annotated[float, Field(gt=0)] = 8.0
    finish_wait_s: Annotated[float, Field(ge=0)] = Field(
        default=1.0, description="how long after hang-up to wait for a pending answer"
    )
    every_s: Annotated[float, Field(gt=0)] = Field(
        default=5.0, description="at most one request per call in this time"
    )

    @property
    def secret_variable(self) -> str:
        return "HOTLINE_LLM_SECRET"
