"""Listening without sound card, model or clock: where utterances end, how texts are cleaned, resampling."""

import zlib

import numpy as np
import pytest
import soxr

from asr.engine import EngineSegment
from asr.evaluate import cer, normalise, score
from asr.guards import Evidence, chinese_marks, is_loop, parse_phantoms, shorten_loops, spoken
from asr.resample import Resampler
from asr.segmenter import Segmenter, Span
from asr.spans import add, subtract
from asr.timeline import Timeline
from asr.transcript import utterance
from asr.vad import WINDOW, VoiceActivity
from domain.calls import Side
from domain.transcripts import Source

SURE = Evidence(no_speech=0.05, log_probability=-0.3, compression=1.1, duration=3.0)


def cut(probabilities: list[float], levels: list[float] | None = None) -> list[Span]:
    segmenter = Segmenter()
    spans = [
        span
        for at, probability in enumerate(probabilities)
        if (span := segmenter.push(probability, levels[at] if levels else probability))
    ]
    return [*spans, *([last] if (last := segmenter.flush()) else [])]


def test_an_utterance_has_margins_and_ends_after_silence() -> None:
    (span,) = cut([0.0] * 50 + [0.9] * 30 + [0.0] * 50)
    assert span == Span(50 - 9, 80 + 5)


def test_a_short_pause_does_not_end_it_and_a_click_is_none() -> None:
    assert len(cut([0.9] * 20 + [0.0] * 15 + [0.9] * 20 + [0.0] * 40)) == 1
    assert cut([0.0] * 20 + [0.9] * 2 + [0.0] * 40) == []


def test_an_utterance_is_open_then_pausing_then_settled() -> None:
    segmenter, seen = Segmenter(), []
    for probability in [0.9] * 10 + [0.0] * 12:
        segmenter.push(probability, 0.1)
        now = segmenter.open
        seen.append("" if now is None else "settled" if now.settled else "pausing" if now.pausing else "open")
    assert seen == [""] * 2 + ["open"] * 8 + ["pausing"] * 4 + ["settled"] * 8


def test_utterances_do_not_overlap() -> None:
    first, second = cut([0.9] * 20 + [0.0] * 20 + [0.9] * 20 + [0.0] * 40)
    assert first.end <= second.start


def test_what_is_too_long_is_cut_at_the_quietest_spot_and_nothing_is_lost() -> None:
    levels = [1.0] * 700
    levels[398:403] = [0.1] * 5
    spans = cut([0.9] * 700, levels)
    assert spans[0] == Span(0, 400)
    assert [span.start for span in spans[1:]] == [span.end for span in spans[:-1]]
    assert spans[-1].end == 700
    assert max(span.end - span.start for span in spans) <= 469


def test_frames_in_order_are_seamless_also_faster_than_real_time() -> None:
    line: Timeline[int] = Timeline()
    placed = [item for n in range(50) for item in line.place(n, 0.02, 5.0)]
    assert [item.frame for item in placed] == list(range(50))
    assert [item.start for item in placed] == [pytest.approx(4.98)] + [None] * 49


def test_a_burst_after_a_stall_stays_in_place() -> None:
    line: Timeline[int] = Timeline()
    line.place(0, 0.02, 1.0)
    placed = [item for n in range(1, 200) for item in line.place(n, 0.02, 4.0)]
    assert [item.frame for item in placed] == list(range(1, 200))
    assert all(item.start is None for item in placed)


def test_after_a_gap_time_is_anchored_anew() -> None:
    line: Timeline[int] = Timeline()
    line.place(0, 0.02, 1.0)
    placed = [item for n in range(100) for item in line.place(n, 0.02, 11.0 + n * 0.02)]
    assert [item.frame for item in placed] == list(range(100))
    assert placed[0].start == pytest.approx(10.98)
    assert all(item.start is None for item in placed[1:])


def test_a_gap_just_before_the_end() -> None:
    line: Timeline[int] = Timeline()
    line.place(0, 0.02, 1.0)
    assert line.place(1, 0.02, 9.0) == []
    (item,) = line.flush()
    assert item.start == pytest.approx(8.98)


def test_spans() -> None:
    assert subtract([(0, 10)], [(2, 3), (5, 5.1), (9.8, 20)]) == [(0, 2), (3, 5), (5.1, 9.8)]
    assert subtract([(0, 1), (4, 6)], []) == [(0, 1), (4, 6)]
    assert subtract([(0, 5)], [(0.2, 4.8)]) == []
    assert subtract([(0, 5)], [(3, 6), (0, 3)]) == []
    spans: list[tuple[float, float]] = []
    for start, end in ((-1.0, 1.0), (1.0, 2.0), (2.0, 2.0), (3.0, 4.0)):
        add(spans, start, end)
    assert spans == [(0.0, 2.0), (3.0, 4.0)]


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("电话是一三九六二八。", "电话是139628"),
        ("幺二三四五", "１２３４５"),
        ("在十二组，", "在12组"),
        ("一百零五号", "105号"),
        ("八万六千块", "86000块"),
        ("Ｗｉｆｉ　密码", "wifi密码"),
    ],
)
def test_spelling_is_no_error(written: str, same: str) -> None:
    assert normalise(written) == normalise(same)
    assert cer(written, same) == 0


def test_error_rate() -> None:
    assert cer("五接镇的人", "五街正的") == pytest.approx(3 / 5)
    assert cer("", "") == 0
    assert cer("", "幻觉") == 1
    assert (score("你好吗", "你好") + score("再见", "再见")).rate == pytest.approx(1 / 5)
    assert cer("万一下雨", "万一下雨") == 0


@pytest.mark.parametrize(
    ("text", "evidence"),
    [
        ("请不吝点赞 订阅 转发 打赏支持明镜与点点栏目", SURE),
        ("中文字幕志愿者 李宗盛", SURE),
        ("字幕。", SURE),
        ("……", SURE),
        ("你好", Evidence(0.9, -0.9, 1.0, 3.0)),
        ("你好", Evidence(0.1, -2.0, 1.0, 3.0)),
        ("好好学习天天向上一二三", Evidence(0.1, -0.3, 3.0, 3.0)),
        ("这么多字不可能在一秒钟里全部说完的所以是假的", Evidence(0.1, -0.3, 1.2, 0.5)),
        ("以下是政务服务便民热线的通话，使用简体中文和标点。", SURE),
        ("字幕由Amara.org社区提供", SURE),
        ("感谢您的观看，我们下期视频再见！", SURE),
        ("本期视频就到这里，我们下期再见", SURE),
        ("欢迎订阅我的频道", SURE),
        ("优优独播剧场——YoYo Television Series Exclusive", SURE),
        ("作词作曲：李宗盛", SURE),
        ("谢谢观看，谢谢观看，谢谢观看", SURE),
    ],
)
def test_phantoms_are_dropped(text: str, evidence: Evidence) -> None:
    assert spoken(text, evidence, "以下是政务服务便民热线的通话，使用简体中文和标点。") is None


@pytest.mark.parametrize(
    "text", ["我家的字幕机坏了。", "谢谢你们。", "好。", "电话是18888888888。", "对对对，就是这样。"]
)
def test_speech_stays(text: str) -> None:
    assert spoken(text, SURE, "以下是政务服务便民热线的通话，使用简体中文和标点。") == text


@pytest.mark.parametrize("copies", range(1, 6))
@pytest.mark.parametrize(
    "sentence",
    [
        "快来救人，有人掉河里了。",
        "救命！",
        "我要投诉",
        "你听得到吗？",
        "我家的水管爆了，水漫到三楼来了，你们到底管不管？",
    ],
)
@pytest.mark.parametrize("mark", ["", "，", " "])
def test_what_somebody_says_over_and_over_is_kept(sentence: str, copies: int, mark: str) -> None:
    text = chinese_marks(mark.join([sentence] * copies))
    raw = text.encode()
    evidence = Evidence(0.1, -0.3, len(raw) / len(zlib.compress(raw)), len(text) / 5)
    assert spoken(text, evidence) == text
    assert not is_loop(text, evidence.compression)


@pytest.mark.parametrize(
    "number",
    [
        "八八八八八八八八八八八八",
        "零" * 20,
        "一三一三一三一三一三一三一三",
        "幺幺零" * 6,
        "1" * 18,
        "八百八百八百八百八百八百",
    ],
)
def test_numbers_are_no_loops(number: str) -> None:
    for text in (f"{number}。", f"我的卡号是{number}，对。"):
        raw = text.encode()
        assert spoken(text, Evidence(0.1, -0.3, len(raw) / len(zlib.compress(raw)), 6.0)) == text


def test_a_loop_of_the_engine_is_told_from_it() -> None:
    for text in ("我要投诉，" * 30, "快来救人，有人掉河里了。" * 12):
        raw = text.encode()
        evidence = Evidence(0.1, -0.3, len(raw) / len(zlib.compress(raw)), 30.0)
        assert is_loop(text, evidence.compression)
        assert spoken(text, evidence) == text[: text.index("了。") + 2 if "了。" in text else 5]
    # Four times in a second: said once.
    assert spoken("快来救人，有人掉河里了。" * 4, Evidence(0.1, -0.3, 2.6, 1.0)) == "快来救人，有人掉河里了。"


@pytest.mark.parametrize(
    "text",
    [
        "我要给他们点赞，订阅了你们公众号，还有个事要投诉。",
        "你们的字幕组把我们村的名字写错了。",
        "电视上谢谢收看完了以后就停电了。",
        "他让我欢迎订阅，然后就扣了我三百块钱。",
        "大家好，我要反映一个问题。",
        "那个本期视频里面说的补贴怎么领？",
    ],
)
def test_who_speaks_of_captions_is_heard(text: str) -> None:
    assert spoken(text, SURE) == text


def test_echo_loops_and_marks_are_fixed() -> None:
    assert spoken("好的谢谢，使用简体中文和标点。", SURE, "热线的通话，使用简体中文和标点。") == "好的谢谢"
    assert shorten_loops("我要投诉" * 6) == "我要投诉"
    assert shorten_loops("啊啊啊啊啊啊啊") == "啊"
    assert chinese_marks("这里是12,345,您好 请讲?") == "这里是12345，您好，请讲？"


def test_phantom_list_says_which_line_is_wrong() -> None:
    with pytest.raises(ValueError, match=r"line 2: .*sometimes"):
        parse_phantoms(["# fine", "sometimes\t字幕"])


def test_phrases_become_one_utterance() -> None:
    phrases = [
        EngineSegment(0, 1, "你好", 0.9),
        EngineSegment(1, 2, " 我要投诉。", 0.5),
        EngineSegment(2, 2, "", 0),
    ]
    said = utterance("p-1", Side.CALLER, 7.0, 9.0, phrases, Source.LIVE)
    assert said is not None
    assert (said.id, said.text, said.start, said.end) == (
        "p-1/caller/000007000",
        "你好，我要投诉。",
        7.0,
        9.0,
    )
    assert 0.5 < said.confidence < 0.9
    assert utterance("p-1", Side.CALLER, 7.0, 9.0, [], Source.LIVE) is None


def test_resampling_keeps_time_and_pitch_in_any_cut() -> None:
    time = np.arange(8_000) / 8_000
    tone = (np.sin(2 * np.pi * 1_000 * time) * 16_000).astype(np.int16)
    resampler = Resampler(8_000)
    out = np.concatenate(
        [*(resampler.push(tone[at : at + 160]) for at in range(0, 8_000, 160)), resampler.flush()]
    )
    assert out.size == 16_000
    expected = np.sin(2 * np.pi * 1_000 * np.arange(16_000) / 16_000) * 16_000 / 32_768
    assert np.abs(out - expected)[500:-500].max() < 0.01


@pytest.mark.parametrize("rate", [8_000, 12_000, 48_000])
def test_each_window_is_resampled_as_if_all_were_there_12_ms_after_it(rate: int) -> None:
    sound = np.random.default_rng(2).normal(0, 4_000, rate // 5).astype(np.int16)
    cuts = []
    for lot in (1, 7, 160, 5_000, sound.size):
        resampler, out, late = Resampler(rate), [], []
        for at in range(0, sound.size, lot):
            out.append(resampler.push(sound[at : at + lot]))
            late.append(min(at + lot, sound.size) / rate - sum(one.size for one in out) / 16_000)
        assert max(late) < 0.032 + 0.0125
        out.append(resampler.flush())
        cuts.append(np.concatenate(out))
    whole = soxr.resample(sound.astype(np.float32) / 32_768, rate, 16_000)
    assert np.abs(cuts[0] - whole).max() < 1e-4
    assert all(np.array_equal(one, cuts[0]) for one in cuts)


def test_voice_activity_is_the_same_in_any_cut_and_deaf_to_tones() -> None:
    noise = np.random.default_rng(1).normal(0, 0.05, WINDOW * 60).astype(np.float32)
    tone = (0.3 * np.sin(2 * np.pi * 450 * np.arange(WINDOW * 60) / 16_000)).astype(np.float32)
    sound = np.concatenate([noise, tone])
    whole, pieces = VoiceActivity(), VoiceActivity()
    at_once = whole.probabilities(sound)
    by_three = [pieces.probabilities(sound[at : at + 3 * WINDOW]) for at in range(0, sound.size, 3 * WINDOW)]
    np.testing.assert_allclose(at_once, np.concatenate(by_three), atol=1e-4)
    assert at_once.shape == (120,)
    assert np.median(at_once) < 0.3
    with pytest.raises(ValueError, match="whole number"):
        whole.probabilities(sound[:100])
