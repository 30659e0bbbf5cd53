"""Matters that are no calls: from an enterprise code, an app, a form, a monitor, a grid member. Pure.

Orders hang on calls. A matter is told to them as one: a call that was over when it came, on which the sender
said the text, sentence by sentence.
"""

import re
from enum import StrEnum

from msgspec import Struct

from domain.calls import Call, CallState, Direction, EndReason, Party, Side
from domain.transcripts import Utterance, utterance_id

PREFIX = "intake:"
"""How the ids of such calls begin; no PBX is called so."""
_SENTENCE = re.compile(r"[^。！？!?\n]*[。！？!?]?")


class MatterSource(StrEnum):
    """Where a matter comes from."""

    ENTERPRISE_CODE = "enterprise_code"
    """E码监督: an enterprise scanned the code of an inspection."""
    APP = "app"
    """城市 APP."""
    WEBSITE = "website"
    """网站表单."""
    MONITORING = "monitoring"
    """监测预警: an alert of sensors or of another system."""
    GRID = "grid"
    """网格员上报."""


class Matter(Struct, frozen=True, kw_only=True):
    """One matter as it was sent. Texts are untrusted input."""

    id: str
    source: MatterSource
    line: str
    text: str
    at: float
    """When it was sent, POSIX seconds."""
    name: str = ""
    number: str = ""
    """To call back."""

    @property
    def call_id(self) -> str:
        """Of the call that it is told as."""
        return PREFIX + self.id


def call_of(matter: Matter) -> Call:
    """The matter as a call that is over."""
    return Call(
        id=matter.call_id,
        pbx="",
        linkedid=matter.id,
        direction=Direction.INBOUND,
        state=CallState.ENDED,
        caller=Party(matter.number, matter.name),
        called="",
        started_at=matter.at,
        line=matter.line,
        answered_at=matter.at,
        ended_at=matter.at,
        end_reason=EndReason.COMPLETED,
    )


def words_of(matter: Matter) -> list[Utterance]:
    """Its sentences, as the caller's utterances; one a second, which keeps their order."""
    said = [one.strip() for one in _SENTENCE.findall(matter.text) if one.strip()]
    return [
        Utterance(
            utterance_id(matter.call_id, Side.CALLER, float(at)),
            matter.call_id,
            Side.CALLER,
            float(at),
            float(at + 1),
            text,
            confidence=1.0,
        )
        for at, text in enumerate(said)
    ]
