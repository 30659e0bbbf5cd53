"""A real call's log, in every dress people bring it in, tells the same story."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from domain.calls import EndReason
from domain.facts import AnyFact, CallEnded, CallFact
from domain.lines import Line
from gateway.cli import app
from gateway.replay.capture import Counts
from gateway.replay.fold import ReplayError, facts_of
from gateway.replay.timeline import Timelines
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from tests.support.databases import new_file

CAPTURE = Path(__file__).parents[3] / "data" / "ami" / "queue-call.ami"
TEXT = CAPTURE.read_bytes().decode()
LINES = [Line("12345", "政务服务便民热线", ("12345",), "q12345")]


def replayed(text: str, counts: Counts | None = None) -> list[AnyFact]:
    return list(facts_of(text.splitlines(keepends=True), "main", LINES, (), counts or Counts()))


def ascii_packets(data: bytes, size: int) -> str:
    """As tcpdump -A prints it: headers of the packet first, no CR, what is not ASCII as a dot."""
    text = []
    for number, at in enumerate(range(0, len(data), size)):
        piece = data[at : at + size]
        shown = piece.replace(b"\r\n", b"\n")
        body = "".join(chr(one) if one == 10 or 32 <= one < 127 else "." for one in shown)
        text.append(
            f"21:14:33.{number:06d} IP 127.0.0.1.5038 > 127.0.0.1.40112: Flags [P.], seq {at}:{at},"
            f" ack 1, win 512, options [nop,nop,TS val 1 ecr 1], length {len(piece)}\n"
            f"E..h..@.@............(.....Event: .........{body}\n"
            f"21:14:33.{number:06d} IP 127.0.0.1.40112 > 127.0.0.1.5038: Flags [.], ack 9, win 1, length 0\n"
            "E..4..@.@.>\n..............\n"
        )
    return "".join(text)


def story(facts: list[AnyFact]) -> list[tuple[str, float]]:
    return [(type(fact).__name__, fact.at) for fact in facts]


def test_a_plain_log_is_the_call_that_was() -> None:
    facts = replayed(TEXT)
    (ended,) = [fact for fact in facts if isinstance(fact, CallEnded)]
    call = ended.call
    assert (call.caller.number, call.caller.name, call.line) == ("13962875016", "季建国", "12345")
    assert (call.agent, call.end_reason) == ("1001", EndReason.COMPLETED)
    moments = [call.started_at, call.queued_at, call.ringing_at, call.answered_at, call.ended_at]
    assert moments == sorted(one for one in moments if one is not None)
    assert len(moments) == 5


@pytest.mark.parametrize(
    "dress",
    [
        pytest.param(TEXT.replace("\r\n", "\n"), id="line feeds only"),
        pytest.param(
            "Trying 127.0.0.1...\nConnected.\n\x1b[0m$ telnet\n" + TEXT, id="telnet's words before it"
        ),
        pytest.param(
            TEXT.replace("\r\nUniqueid: ", "\r\n\x00\xff junk\nUniqueid: "), id="rubbish between lines"
        ),
        pytest.param(TEXT.replace("\r\n\r\nEvent", "\r\nEvent"), id="blank lines lost"),
    ],
)
def test_a_log_in_another_dress_says_the_same(dress: str) -> None:
    assert story(replayed(dress)) == story(replayed(TEXT))


@pytest.mark.parametrize("size", [97, 1000, 30000])
def test_tcpdumps_packets_say_the_same_wherever_they_are_cut(size: int) -> None:
    facts = replayed(ascii_packets(TEXT.encode(), size))
    assert story(facts) == story(replayed(TEXT))


def test_our_journal_says_the_same_as_the_log_it_came_from() -> None:
    journal = "".join(msgspec.json.encode(fact).decode() + "\n" for fact in replayed(TEXT))
    assert replayed(journal) == replayed(TEXT)


def test_a_journal_that_told_who_serves_a_queue_is_read_as_before() -> None:
    row = '{"kind":"QueueChanged","at":1.0,"queue":{"name":"q","pbx":"main","line":null,"members":["1001"]}}'
    assert len(replayed(row + "\n")) == 1


def test_a_restart_in_mid_call_closes_it_as_unseen() -> None:
    cut = TEXT[: TEXT.index("Event: AgentComplete")]
    booted = "Event: FullyBooted\r\nUptime: 0\r\n\r\n"
    (ended,) = [fact for fact in replayed(cut + booted) if isinstance(fact, CallEnded)]
    assert ended.call.end_reason is EndReason.UNSEEN


def test_a_call_still_going_on_is_shown_too() -> None:
    timelines = Timelines()
    for fact in replayed(TEXT[: TEXT.index("Event: AgentComplete")]):
        assert timelines.add(fact) is None
    (line,) = timelines.open()
    kinds = [entry.kind for entry in line.entries]
    assert kinds[0] == "CallStarted"
    assert kinds[-1] == "CallAnswered"
    assert [entry.offset for entry in line.entries] == sorted(entry.offset for entry in line.entries)


@pytest.mark.parametrize(
    "text", ["", "hello\nworld\n", "\x00\xff" * 500, "{\n", '{"kind": "Nothing"}\n', "[1]\n"]
)
def test_what_is_no_log_ends_in_words(text: str) -> None:
    with pytest.raises(ReplayError, match=r"AMI log|JSON"):
        replayed(text)


def test_the_command_prints_timelines_and_json(tmp_path: Path) -> None:
    runner = CliRunner()
    plain = runner.invoke(app, ["replay", str(CAPTURE)])
    assert plain.exit_code == 0, plain.output
    assert "接听 answered by 1001" in plain.stdout
    machine = runner.invoke(app, ["replay", str(CAPTURE), "--json"])
    (call,) = [json.loads(line) for line in machine.stdout.splitlines()]
    assert call["call"]["end_reason"] == "completed"
    assert call["entries"][0]["offset"] == 0.0
    bad = tmp_path / "bad.log"
    bad.write_text("nothing\n")
    refused = runner.invoke(app, ["replay", str(bad)])
    assert refused.exit_code == 2
    assert "tcpdump -A" in refused.stderr


def test_a_callers_name_cannot_command_the_terminal(tmp_path: Path) -> None:
    log = tmp_path / "evil.log"
    log.write_text(TEXT.replace("CallerIDNum: 13962875016", "CallerIDNum: \x1b]0;x\x07"), encoding="utf-8")
    shown = CliRunner().invoke(app, ["replay", str(log)])
    assert shown.exit_code == 0
    assert "\x1b" not in shown.stdout


def test_every_fact_of_a_call_has_words() -> None:
    timelines = Timelines()
    facts = [fact for fact in replayed(TEXT) if isinstance(fact, CallFact)]
    for fact in facts:
        timelines.add(fact)
    assert facts
    assert not [e for line in timelines.open() for e in line.entries if not e.text]


def test_the_journal_is_read_back_since_an_instant_and_by_call(tmp_path: Path) -> None:
    """The facts of two calls as the gateway would have journalled them, a day of which is looked back on."""
    found = replayed(TEXT)
    begun = min(fact.at for fact in found)
    moved = [
        msgspec.json.decode(msgspec.json.encode(fact).replace(b"main-", b"east-"), type=AnyFact)
        for fact in found
    ]

    async def write() -> None:
        database = Database(new_file(tmp_path / "hotline.db"))
        async with JournalWriter(database) as journal:
            for fact in [*found, *moved]:
                journal.put(fact)
        await database.close()

    asyncio.run(write())
    config = tmp_path / "hotline.toml"
    config.write_text(f'data_dir = "{tmp_path}"\n')

    def ids(*more: str) -> list[str]:
        done = CliRunner().invoke(app, ["replay", "--json", "-c", str(config), *more])
        assert done.exit_code == 0, done.output
        return [json.loads(line)["call"]["id"].partition("-")[0] for line in done.stdout.splitlines()]

    since = datetime.fromtimestamp(begun, UTC).isoformat()
    assert ids("--since", since) == ["main", "east"]
    assert ids("--since", since, "--call", "east-") == ["east"]
    assert ids("--since", since, "--call", "%") == [], "no pattern"
    assert ids("--since", "1s") == []
