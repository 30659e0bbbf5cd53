"""The default engine: faster-whisper (CTranslate2), Mandarin, simplified characters. Runs in a worker."""

import math
from pathlib import Path

import numpy as np
from faster_whisper import WhisperModel

from asr.config import AsrConfig
from asr.engine import RATE, EngineError, EngineRequest, EngineSegment, Samples
from asr.guards import Evidence, spoken

_PAD = np.zeros(RATE // 5, dtype=np.float32)
"""Silence put around each stretch: Whisper drops words that touch the border. Seconds: 0.2."""
_TEMPERATURES = (0.0, 0.4)
"""The second is tried when the first loops or is unsure; more tries cost time and add phantoms."""


SILENCE_RMS = 0.0005
"""About -66 dB of full scale: far below a telephone line's own noise under speech."""


class FasterWhisperEngine:
    """Whisper through CTranslate2. Making it loads the model (seconds) and warms it up.

    A directory as model is used offline, whatever the environment says. Raises EngineError.
    """

    def __init__(self, config: AsrConfig) -> None:
        self._config = config
        directory = Path(config.model)
        offline = directory.is_dir()
        if offline and not (directory / "model.bin").is_file():
            raise EngineError(
                f"{directory} holds no model.bin; give a complete faster-whisper model directory"
            )
        if not offline and (not config.model or config.model.startswith((".", "/")) or directory.exists()):
            raise EngineError(
                f"the model directory {config.model!r} is not there; `make model` fetches the default one,"
                " or set asr.model"
            )
        try:
            self._model = WhisperModel(
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
        # -1 stands for the library's own list (symbols that are not speech).
        self._suppressed = [-1, *self._unsimplified()]
        self.transcribe(np.zeros(RATE, dtype=np.float32), EngineRequest())

    def _unsimplified(self) -> list[int]:
        """Tokens that write a Han character outside GB 2312: traditional or Japanese forms.

        With these out of reach the model writes the simplified form; rare characters of names, which are
        spelt in several tokens, stay possible.
        """
        tokenizer = self._model.hf_tokenizer
        return [
            token
            for token in range(tokenizer.get_vocab_size(with_added_tokens=False))
            if not _simplified(tokenizer.decode([token]))
        ]

    def transcribe(self, samples: Samples, request: EngineRequest) -> list[EngineSegment]:
        """See `Engine.transcribe`."""
        # Whisper makes words of pure silence, and is sure of them: it is not asked.
        if samples.size == 0 or float(np.sqrt(np.mean(np.square(samples)))) < SILENCE_RMS:
            return []
        duration = samples.size / RATE
        prompt = self._config.initial_prompt if request.initial_prompt is None else request.initial_prompt
        phrases, _ = self._model.transcribe(
            np.concatenate([_PAD, samples, _PAD]),
            language="zh",
            task="transcribe",
            beam_size=request.beam_size or self._config.beam_size,
            temperature=_TEMPERATURES,
            initial_prompt=prompt or None,
            hotwords=request.hotwords or None,
            suppress_tokens=self._suppressed,
            condition_on_previous_text=False,
            vad_filter=False,
        )
        result = []
        pad = _PAD.size / RATE
        for phrase in phrases:
            start = min(max(phrase.start - pad, 0.0), duration)
            end = min(max(phrase.end - pad, start), duration)
            evidence = Evidence(
                no_speech=phrase.no_speech_prob,
                log_probability=phrase.avg_logprob,
                compression=phrase.compression_ratio,
                duration=end - start,
            )
            text = spoken(phrase.text, evidence, prompt)
            if text is not None:
                confidence = min(1.0, math.exp(phrase.avg_logprob))
                result.append(EngineSegment(start, end, text, confidence))
        return result


def _simplified(text: str) -> bool:
    """Whether each Han character of the text is in GB 2312, the set of simplified characters."""
    try:
        "".join(char for char in text if "\u3400" <= char <= "\u9fff").encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True
