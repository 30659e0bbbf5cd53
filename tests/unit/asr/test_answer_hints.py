"""What is expected of the caller's next utterance, by what the agent asked."""

from asr.answer_hints import UNASKED_S, AnswerHints
from asr.engine import EngineRequest, Expected
from domain.calls import Side
from domain.transcripts import Utterance, utterance_id
from workorders.extraction.people import BEGINNINGS, NAME_QUESTION, name_beginnings

USUAL = EngineRequest(hotwords="川姜镇")
PERHAPS = EngineRequest(hotwords="川姜镇", expected=Expected(NAME_QUESTION, BEGINNINGS, UNASKED_S))
NAMED = EngineRequest(hotwords="川姜镇", expected=Expected(NAME_QUESTION, BEGINNINGS))


def said(side: Side, start: float, end: float, text: str, *, final: bool = True) -> Utterance:
    return Utterance(utterance_id("c-1", side, start), "c-1", side, start, end, text, final)


def expecting(*utterances: Utterance) -> AnswerHints:
    found = AnswerHints(NAME_QUESTION, BEGINNINGS, name_beginnings)
    for one in utterances:
        found.heard(one)
    return found


def test_the_answer_to_the_question_for_the_name_is_expected_as_one() -> None:
    on = expecting(said(Side.AGENT, 8.0, 10.0, "好的，请问您贵姓？"))
    assert on.request("c-1", Side.CALLER, 10.4, USUAL) == NAMED
    assert on.request("c-1", Side.CALLER, 9.7, USUAL) == NAMED  # before the question was quite over
    # Said before it was asked, or the question was not heard: only if it is short.
    assert on.request("c-1", Side.CALLER, 4.0, USUAL) == PERHAPS
    assert on.request("c-1", Side.CALLER, 30.0, USUAL) == USUAL  # long after
    assert on.request("c-1", Side.AGENT, 10.4, USUAL) == USUAL
    assert on.request("c-2", Side.CALLER, 10.4, USUAL) == PERHAPS


def test_a_question_heard_as_another_word_is_known_by_its_sound() -> None:
    on = expecting(said(Side.AGENT, 8.0, 10.0, "请问您贵行？"))
    assert on.request("c-1", Side.CALLER, 10.4, USUAL) == NAMED


def test_the_next_question_is_another_one() -> None:
    on = expecting(
        said(Side.AGENT, 8.0, 10.0, "请问您贵姓？"),
        said(Side.CALLER, 10.4, 11.0, "我姓顾。"),
        said(Side.AGENT, 12.0, 14.0, "您的联系电话是多少？"),
    )
    assert on.request("c-1", Side.CALLER, 10.4, USUAL) == NAMED
    assert on.request("c-1", Side.CALLER, 14.3, USUAL) == USUAL


def test_partial_questions_and_what_callers_ask_mean_nothing() -> None:
    on = expecting(
        said(Side.AGENT, 8.0, 10.0, "请问您贵姓？", final=False), said(Side.CALLER, 8.0, 10.0, "您贵姓？")
    )
    assert on.request("c-1", Side.CALLER, 10.4, USUAL) == PERHAPS


def test_a_call_that_is_over_is_forgotten() -> None:
    on = expecting(said(Side.AGENT, 8.0, 10.0, "请问您贵姓？"))
    on.forget("c-1")
    assert on.request("c-1", Side.CALLER, 10.4, USUAL) == PERHAPS
