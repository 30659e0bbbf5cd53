"""Find what follows the known beginnings of an answer, by the model's own probabilities. Runs in a worker.

Whisper's text is worst for short answers such as 我姓胡: with two or three syllables and no context, it
writes any words that sound alike (我幸福). Once the beginning is forced, only the name is left to decode, and
the probability of the beginning shows whether the answer begins that way at all.
"""

import math
from typing import Any

import numpy as np
from ctranslate2 import Device, StorageView
from faster_whisper.tokenizer import Tokenizer

from asr.engine import Expected
from asr.script import simplified
from domain.transcripts import Alternative

BEAM = 5
KEPT = 12
_ROOM = 4
"""Room for tokens after the beginning: a character takes up to three."""
_LEAST = 1e-9


def alternatives(
    model: Any, tokenizer: Tokenizer, encoded: StorageView, frames: int, prompt: list[int],
    expected: Expected, suppressed: list[int],
) -> tuple[Alternative, ...]:  # fmt: skip
    """Return the likeliest beginnings with the character that follows each, best first.

    `model` is CTranslate2's Whisper, `encoded` its encoder output for one stretch of `frames` feature frames,
    `prompt` all tokens before the text.
    """
    beginnings = [tokenizer.encode(beginning) for beginning in expected.beginnings]
    copies = StorageView.from_array(
        np.repeat(np.asarray(encoded.to_device(Device.cpu)), len(beginnings), axis=0)
    )
    aligned = model.align(copies, prompt, beginnings, [frames] * len(beginnings))
    found: dict[str, float] = {}
    for text, tokens, alignment in zip(expected.beginnings, beginnings, aligned, strict=True):
        given = math.prod(max(one, _LEAST) for one in alignment.text_token_probs[: len(tokens)])
        (result,) = model.generate(
            encoded,
            [prompt + tokens],
            beam_size=BEAM,
            num_hypotheses=BEAM,
            max_length=len(prompt) + len(tokens) + _ROOM,
            length_penalty=0,
            return_scores=True,
            suppress_tokens=suppressed,
        )
        for sequence, score in zip(result.sequences_ids, result.scores, strict=True):
            said = tokenizer.decode([token for token in sequence if token < tokenizer.eot])
            following = simplified(said[len(text) :].strip()[:1])
            if "\u4e00" <= following <= "\u9fff":
                # Several hypotheses may share this character and differ only after it.
                whole = text + following
                found[whole] = max(found.get(whole, 0.0), given * math.exp(score))
    best = sorted(found.items(), key=lambda item: -item[1])[:KEPT]
    return tuple(Alternative(text, probability) for text, probability in best)
