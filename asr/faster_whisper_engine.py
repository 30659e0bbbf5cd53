"""The default engine: Whisper (Mandarin, simplified) on faster-whisper's CTranslate2. Runs in a worker.

Whisper's encoder always looks at 30 s of audio, which here would be mostly padding. It is given the utterance
and a few seconds of silence instead: just as accurate, and several times faster on a CPU. Utterances of any
calls are computed together where the device benefits.
"""

import math
import zlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_suppressed_tokens

from asr.config import AsrConfig
from asr.engine import LONGEST_S, RATE, EngineError, EngineJob, EngineSegment
from asr.expected import alternatives
from asr.guards import Evidence, is_loop, spoken
from asr.script import simplified
from domain.transcripts import Alternative

_PAD = np.zeros(RATE // 5, dtype=np.float32)
"""0.2 s of silence added on each side of a stretch: Whisper drops words that touch the border."""
_TAIL_S = 5.0
"""Silence the encoder sees after the speech. With less, Whisper starts to make things up."""
_STEP = 100
"""Windows grow in steps of this many frames (1 s), so that stretches of similar length can be batched."""
_FRAMES = 3_000
"""Feature frames (10 ms each) in Whisper's full window."""
_UNSURE = -1.0
"""Mean log probability below which decoding is retried with sampling."""
_SECOND_TEMPERATURE = 0.4
_SECOND_TRIES = 3
_PROMPT_TOKENS = 220
"""Whisper has room for 223 tokens of context."""
SILENCE_RMS = 0.0005
"""About -66 dB of full scale: far below a telephone line's own noise under speech."""


class FasterWhisperEngine:
    """Whisper on CTranslate2. The constructor loads the model (seconds) and warms it up.

    If the model is a directory it is used offline, whatever the environment says. Raises EngineError.
    """

    def __init__(self, config: AsrConfig) -> None:
        self._config = config
        self._whisper = _load(config)
        self._model: Any = self._whisper.model
        self._tokenizer = Tokenizer(
            self._whisper.hf_tokenizer, multilingual=True, task="transcribe", language="zh"
        )
        # -1 stands for the library's own list (symbols that are not speech).
        self._suppressed = list(get_suppressed_tokens(self._tokenizer, [-1, *self._unsimplified()]))
        ctranslate2.set_random_seed(12345)  # same audio, same text
        noise = np.random.default_rng(1).normal(0, 0.01, RATE).astype(np.float32)
        self.transcribe([EngineJob(noise)])

    def _unsimplified(self) -> list[int]:
        """Return the tokens that write a Han character outside GB 2312: traditional or Japanese forms.

        Suppressing them makes the model write the simplified form. Rare characters in names, which are spelt
        with several tokens, remain possible.
        """
        tokenizer = self._whisper.hf_tokenizer
        return [
            token
            for token in range(tokenizer.get_vocab_size(with_added_tokens=False))
            if not _simplified(tokenizer.decode([token]))
        ]

    def transcribe(self, batch: Sequence[EngineJob]) -> list[list[EngineSegment]]:
        """Transcribe a batch; see `Engine.transcribe`. Raises EngineError if a stretch is too long."""
        results: list[list[EngineSegment]] = [[] for _ in batch]
        groups: dict[tuple[int, int], list[int]] = defaultdict(list)
        prompts = [self._prompt(job) for job in batch]
        for at, job in enumerate(batch):
            if job.samples.size > LONGEST_S * RATE:
                raise EngineError(
                    f"{job.samples.size / RATE:.0f} s of sound are too much at once; segment it"
                )
            # Whisper confidently makes up words for pure silence, so it is not given any.
            if job.samples.size and float(np.sqrt(np.mean(np.square(job.samples)))) >= SILENCE_RMS:
                # CTranslate2 requires prompts of equal length in a batch.
                groups[len(prompts[at]), job.request.beam_size or self._config.beam_size].append(at)
        for (_, beam), members in groups.items():
            decoded = self._decode([batch[at] for at in members], [prompts[at] for at in members], beam)
            for at, segment in zip(members, decoded, strict=True):
                results[at] = [] if segment is None else [segment]
        return results

    def _prompt(self, job: EngineJob) -> list[int]:
        """Build the prompt: context, then "transcribe Mandarin, without timestamps"."""
        request, config = job.request, self._config
        text = config.initial_prompt if request.initial_prompt is None else request.initial_prompt
        hotwords = " ".join(filter(None, (config.hotwords.strip(), request.hotwords.strip())))
        context = self._tokenizer.encode(" " + text.strip()) if text.strip() else []
        if hotwords:
            room = _PROMPT_TOKENS - len(context)
            context = self._tokenizer.encode(" " + hotwords)[: max(0, room)] + context
        before = [self._tokenizer.sot_prev, *context[-_PROMPT_TOKENS:]] if context else []
        return [*before, *self._tokenizer.sot_sequence, self._tokenizer.no_timestamps]

    def _decode(
        self, jobs: list[EngineJob], prompts: list[list[int]], beam: int
    ) -> list[EngineSegment | None]:
        """Decode all jobs in one pass; retry poor results one by one."""
        features = [self._features(job) for job in jobs]
        width = max(feature.shape[1] for feature in features)
        stacked = np.stack([np.pad(one, ((0, 0), (0, width - one.shape[1]))) for one in features])
        encoded = self._encode(stacked)
        found = self._generate(encoded, prompts, beam_size=beam)
        result = []
        for job, prompt, feature, first in zip(jobs, prompts, features, found, strict=True):
            best = first
            if first.doubtful:
                (second,) = self._generate(
                    self._encode(feature[None]),
                    [prompt],
                    sampling_temperature=_SECOND_TEMPERATURE,
                    sampling_topk=0,
                    num_hypotheses=_SECOND_TRIES,
                )
                best = _better(first, second)
            segment = self._segment(job, best)
            expected = job.request.expected
            if segment is not None and expected is not None and expected.longest_s * RATE >= job.samples.size:
                alone = encoded if len(jobs) == 1 else self._encode(feature[None])
                segment = replace(segment, alternatives=self._alternatives(job, alone, feature.shape[1]))
            result.append(segment)
        return result

    def _alternatives(self, job: EngineJob, encoded: Any, frames: int) -> tuple[Alternative, ...]:
        """Return how an expected answer may have begun; the prompt ends with the question."""
        expected, usual = job.request.expected, job.request.initial_prompt
        assert expected is not None
        asked = (self._config.initial_prompt if usual is None else usual) + expected.question
        prompt = self._prompt(replace(job, request=replace(job.request, initial_prompt=asked)))
        return alternatives(self._model, self._tokenizer, encoded, frames, prompt, expected, self._suppressed)

    def _features(self, job: EngineJob) -> Any:
        """Return the log mel spectrogram of the speech and trailing silence, shape (n_mels, frames)."""
        sound = np.concatenate([_PAD, job.samples, _PAD])
        whole = self._whisper.feature_extractor(sound, padding=RATE)
        wanted = _FRAMES
        if not self._config.full_window:
            wanted = min(_FRAMES, _STEP * math.ceil((sound.size / RATE + _TAIL_S) * 100 / _STEP))
        whole = whole[:, :wanted]
        return np.pad(whole, ((0, 0), (0, wanted - whole.shape[1])))

    def _encode(self, features: Any) -> Any:
        storage = ctranslate2.StorageView.from_array(np.ascontiguousarray(features, dtype=np.float32))
        return self._model.encode(storage)

    def _generate(self, encoded: Any, prompts: list[list[int]], **options: Any) -> "list[_Decoded]":
        results = self._model.generate(
            encoded,
            prompts,
            suppress_tokens=self._suppressed,
            return_scores=True,
            return_no_speech_prob=True,
            max_length=448,
            **options,
        )
        return [self._decoded(result) for result in results]

    def _decoded(self, result: Any) -> "_Decoded":
        tokens = result.sequences_ids[0]
        text = self._tokenizer.decode([token for token in tokens if token < self._tokenizer.eot]).strip()
        # The score is the mean over the tokens, with the end of text counted as one more.
        log_probability = result.scores[0] * len(tokens) / (len(tokens) + 1)
        return _Decoded(text, result.no_speech_prob, log_probability, _compression(text))

    def _segment(self, job: EngineJob, decoded: "_Decoded") -> EngineSegment | None:
        duration = job.samples.size / RATE
        prompt = self._config.initial_prompt
        if job.request.initial_prompt is not None:
            prompt = job.request.initial_prompt
        evidence = Evidence(decoded.no_speech, decoded.log_probability, decoded.compression, duration)
        text = spoken(simplified(decoded.text), evidence, prompt)
        if text is None:
            return None
        return EngineSegment(0.0, duration, text, min(1.0, math.exp(decoded.log_probability)))


@dataclass(frozen=True)
class _Decoded:
    """The model's text and what it reports about it (see `Evidence`)."""

    text: str
    no_speech: float
    log_probability: float
    compression: float

    @property
    def doubtful(self) -> bool:
        return self.loops or self.log_probability < _UNSURE

    @property
    def loops(self) -> bool:
        return is_loop(self.text, self.compression)


def _better(first: _Decoded, second: _Decoded) -> _Decoded:
    """Prefer the result that does not loop, then the more probable one."""
    if first.loops != second.loops:
        return second if first.loops else first
    return second if second.log_probability > first.log_probability else first


def _compression(text: str) -> float:
    raw = text.encode()
    return len(raw) / len(zlib.compress(raw)) if raw else 0.0


def _load(config: AsrConfig) -> WhisperModel:
    directory = Path(config.model)
    offline = directory.is_dir()
    if offline and not (directory / "model.bin").is_file():
        raise EngineError(f"{directory} holds no model.bin; give a complete faster-whisper model directory")
    if not offline and (not config.model or config.model.startswith((".", "/")) or directory.exists()):
        raise EngineError(
            f"the model directory {config.model!r} is not there; `make model` fetches the default one,"
            " or set asr.model"
        )
    try:
        return WhisperModel(
            config.model,
            device=config.device,
            compute_type=config.compute_type,
            cpu_threads=config.threads,
            local_files_only=offline,
        )
    except Exception as error:
        raise EngineError(
            f"the model {config.model!r} cannot be loaded on {config.device} as {config.compute_type}"
            f" ({error}); check asr.model, asr.device and asr.compute_type"
        ) from error


def _simplified(text: str) -> bool:
    """Whether every Han character in the text is in GB 2312, the set of simplified characters."""
    try:
        "".join(char for char in text if "\u3400" <= char <= "\u9fff").encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True
