"""Whole calls, as the journal gets them: queue, ring, hold, transfer (real AMI traffic), speech, order.

What is said is that of the synthetic dialogues of `field_accuracy`, several to a call, or what people wrote,
a part of a sentence a turn; the order is refilled with each utterance as the gateway does.
"""

import csv
import gzip
import io
import random
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from benchmarks.field_accuracy.dialogues import District, dialogues, district
from benchmarks.pipeline import LINES
from domain.calls import Call, Side
from domain.facts import AnyFact, CallAnswered, OrderChanged, UtteranceHeard, is_journalled
from domain.orders import OrderState
from domain.outcomes import CallOutcome
from domain.transcripts import Utterance, utterance_id
from gateway.replay.capture import Counts
from gateway.replay.fold import facts_of
from workorders import filling
from workorders.directories.reference import load_reference
from workorders.extraction import ExtractionContext, extract
from workorders.extraction.classifier import load_classifier

CAPTURE = Path(__file__).parents[1] / "tests" / "data" / "ami" / "attended.txt"
MESSAGES = Path(__file__).parents[1] / "workorders" / "data" / "training" / "messages_unlabelled.tsv.gz"
PAUSE_S = 0.6
"""Between two turns, on average."""
NODS = 0.3
"""So many turns are acknowledged by the other side."""
NODDED = (
    "嗯。", "好的。", "对的。", "是的，是的。", "哦，这样。", "您说。", "好，我记一下。", "嗯，对。",
)  # fmt: skip
ASKED = 0.4
"""So many turns of a citizen are answered by the agent."""
MOST_SAID = 24
"""Characters a turn, unless the sentence has no comma."""
FIRST_AT, APART_S = 1_790_000_000.0, 30.0
"""The first call begins then (POSIX seconds), and another one so much later."""
_STAMP = re.compile(r"(?<=Timestamp: )1[78]\d{8}\.\d{6}")
_ID = re.compile(r"\b1[78]\d{8}\.\d{1,5}\b")


def whole_calls(
    count: int, utterances: int, seed: int = 1, splits: str = "ab", *, written: bool = False
) -> Iterator[list[AnyFact]]:
    """The journalled facts of `count` calls, each with so many utterances, all with ids of their own.

    `splits`: of the dialogues' scenarios. `written`: in place of dialogues, what people wrote.
    """
    rng = random.Random(seed)
    world = district(seed)
    for number in range(count):
        answered = next(fact for fact in _signalling(number) if isinstance(fact, CallAnswered))
        turns = _written(utterances, rng) if written else _turns(utterances, world, splits, rng)
        said = list(_said(answered.call, turns, rng))
        spoken = _with_order(answered.call, answered.at, said)
        # The agent puts the caller on hold, and passes the call on, when all has been said.
        begun = _signalling(number, answered.at, spoken[-1].at - answered.at + PAUSE_S)
        before = [fact for fact in begun if fact.at <= answered.at]
        yield [*before, *spoken, *begun[len(before) :], *_delivered(spoken)]


def _signalling(number: int, since: float = 0.0, later: float = 0.0) -> list[AnyFact]:
    """The call's own facts; what happened after `since`, so many seconds later."""
    text = CAPTURE.read_text(encoding="utf-8")
    stamps = [float(found[0]) for found in _STAMP.finditer(text)]
    shift = FIRST_AT + number * APART_S - min(stamps)

    def moved(stamp: re.Match[str]) -> str:
        at = float(stamp[0]) + shift
        return f"{at + later if at > since + 1e-6 else at:.6f}"

    text = _STAMP.sub(moved, text)
    text = _ID.sub(lambda found: f"18{number:08d}.{found[0].partition('.')[2]}", text)
    facts = facts_of(text.splitlines(keepends=True), "main", LINES, (), Counts())
    return [fact for fact in facts if is_journalled(fact)]


def _said(call: Call, turns: list[tuple[str, str]], rng: random.Random) -> Iterator[Utterance]:
    start = round(call.answered_at - call.started_at if call.answered_at else 0.0, 3)
    for speaker, text in turns:
        side = Side.AGENT if speaker == "agent" else Side.CALLER
        end = round(start + 0.4 + 0.22 * len(text), 3)
        yield Utterance(
            utterance_id(call.id, side, start),
            call.id,
            side,
            start,
            end,
            text,
            confidence=round(rng.random(), 3),
        )
        start = round(end + rng.random() * 2 * PAUSE_S, 3)


def _turns(wanted: int, world: District, splits: str, rng: random.Random) -> list[tuple[str, str]]:
    """One matter, talked about for so long: what others said of the same category, and nods in between."""
    turns: list[tuple[str, str]] = []
    matter = None
    while len(turns) < wanted:
        (one,) = dialogues(1, rng.choice(splits), world, rng.randrange(2**30))
        matter = matter or one["truth"]["category"]
        if one["truth"]["category"] != matter:
            continue
        for turn in one["turns"]:
            turns.append((turn["speaker"], turn["text"]))
            if rng.random() < NODS:
                turns.append(("agent" if turn["speaker"] == "caller" else "caller", rng.choice(NODDED)))
    return turns[:wanted]


def _written(wanted: int, rng: random.Random) -> list[tuple[str, str]]:
    """Real sentences, none twice: one message after the other, with the agent's questions and nods."""
    turns: list[tuple[str, str]] = []
    while len(turns) < wanted:
        for part in _spoken_parts(rng.choice(_messages())):
            turns.append(("caller", part))
            if rng.random() < ASKED:
                turns.append(("agent", rng.choice(_questions() if rng.random() > NODS else NODDED)))
    return turns[:wanted]


def _spoken_parts(text: str) -> Iterator[str]:
    """The text in parts such as are said in a breath."""
    part = ""
    for piece in re.findall(r"[^，。！？；,!?;]+[，。！？；,!?;]*", text):
        if part and len(part) + len(piece) > MOST_SAID:
            yield part
            part = ""
        part += piece.strip()
    if part:
        yield part


@cache
def _messages() -> list[str]:
    with gzip.open(MESSAGES, "rb") as packed:
        lines = io.TextIOWrapper(packed, encoding="utf-8", newline="")
        return [row["text"] for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)]


@cache
def _questions() -> list[str]:
    """What agents say in the dialogues."""
    said = [turn for one in dialogues(60, "a", district(0), 0) for turn in one["turns"]]
    return [turn["text"] for turn in said if turn["speaker"] == "agent"]


def _with_order(call: Call, answered: float, said: list[Utterance]) -> list[AnyFact]:
    order = filling.new_order(call, LINES[0].id, answered)
    context = ExtractionContext(
        form="general",
        caller=call.caller,
        reference=load_reference(),
        classifier=load_classifier(),
        started_at=call.started_at,
    )
    facts: list[AnyFact] = [OrderChanged(at=answered, order=order, changed=tuple(order.fields))]
    for number, utterance in enumerate(said, 1):
        at = round(call.started_at + utterance.end + 0.7, 6)
        facts.append(UtteranceHeard(at=at, utterance=utterance))
        found = extract(said[:number], context)
        after, changed = filling.refill(order, found.fields, at + 0.03, found.offers)
        if after != order:
            order = after
            facts.append(OrderChanged(at=order.updated_at, order=order, changed=changed))
    return facts


def _delivered(spoken: list[AnyFact]) -> list[AnyFact]:
    order = next(fact.order for fact in reversed(spoken) if isinstance(fact, OrderChanged))
    sent = filling.submitted(order, CallOutcome("order", order.updated_at + 90.0), order.updated_at + 90.0)
    done = filling.with_state(sent, OrderState.DELIVERED, sent.updated_at + 0.4, external_id="2026-0001")
    return [OrderChanged(at=one.updated_at, order=one, changed=()) for one in (sent, done)]
