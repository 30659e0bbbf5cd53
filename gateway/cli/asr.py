"""`hotline asr transcribe`, `hotline asr bench`: run the recogniser on audio files."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domain.calls import Side
from gateway.cli.main import ConfigOption, asr_app, err, out, read_settings
from gateway.settings import Settings

if TYPE_CHECKING:
    from asr.audio import Audio
    from asr.pool import EnginePool
    from domain.transcripts import Utterance

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
SideOption = Annotated[Side, typer.Option(help="Who speaks in a file with one channel.")]
FilesArgument = Annotated[
    list[Path],
    typer.Argument(
        help="Audio files in any format; with two channels, left is the caller and right the agent."
    ),
]
START_S = 300.0


@asr_app.command("transcribe")
def transcribe(
    files: FilesArgument,
    as_json: JsonOption = False,
    side: SideOption = Side.CALLER,
    config: ConfigOption = None,
) -> None:
    """Transcribe audio files and print who said what and when (seconds)."""
    _work(_transcribe(read_settings(config), files, side, as_json))


@asr_app.command("bench")
def bench(files: FilesArgument, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Measure recognition speed: real-time factor, and time per utterance when nothing else is waiting.

    If NAME.txt with the correct text is next to a file, the character error rate is measured too.
    """
    _work(_bench(read_settings(config), files, as_json))


def _work(work: Any) -> None:
    from asr.audio import AudioError
    from asr.engine import EngineError

    try:
        asyncio.run(work)
    except (AudioError, EngineError, ValueError) as error:
        err.print(str(error))
        raise typer.Exit(2) from None


@asynccontextmanager
async def _pool(settings: Settings) -> "AsyncIterator[EnginePool]":
    from asr.pool import EnginePool
    from gateway.factories import asr_config
    from gateway.logs import configure

    configure("WARNING")
    if settings.asr.engine == "none":
        raise ValueError('asr.engine is "none": choose faster-whisper or http')
    async with EnginePool(asr_config(settings)) as pool:
        await pool.wait_ready(START_S)
        yield pool


def _sides(audio: "Audio", mono: Side) -> dict[Side, Any]:
    if len(audio.channels) == 1:
        return {mono: audio.channels[0]}
    return dict(zip((Side.CALLER, Side.AGENT), audio.channels, strict=False))


async def _hear(pool: "EnginePool", path: Path, audio: "Audio", mono: Side) -> "list[Utterance]":
    from asr.files import transcribe_span

    said = []
    for side, samples in _sides(audio, mono).items():
        said += await transcribe_span(
            pool,
            samples,
            rate=audio.rate,
            call_id=path.stem,
            side=side,
            offset=0.0,
            spans=[(0.0, audio.duration)],
        )
    return sorted(said, key=lambda one: one.start)


async def _transcribe(settings: Settings, files: list[Path], mono: Side, as_json: bool) -> None:
    from asr.audio import read_audio

    sounds = [(path, await asyncio.to_thread(read_audio, path)) for path in files]
    results = []
    async with _pool(settings) as pool:
        for path, audio in sounds:
            said = await _hear(pool, path, audio, mono)
            results.append(
                {
                    "file": str(path),
                    "duration": round(audio.duration, 2),
                    "utterances": [
                        {
                            "start": round(one.start, 2),
                            "end": round(one.end, 2),
                            "side": one.side.value,
                            "text": one.text,
                            "confidence": one.confidence,
                        }
                        for one in said
                    ],
                }
            )
            if not as_json:
                if len(files) > 1:
                    out.print(f"{path}")
                for one in said:
                    out.print(f"{one.start:8.2f} {one.side.value:<7}{one.text}")
    if as_json:
        _print_json({"files": results})


async def _bench(settings: Settings, files: list[Path], as_json: bool) -> None:
    from asr.audio import read_audio
    from asr.evaluate import Score, score
    from asr.listener import Listener
    from gateway.factories import asr_config

    sounds = [(path, await asyncio.to_thread(read_audio, path)) for path in files]
    config = asr_config(settings)
    took: list[float] = []
    heard, length, speech = Score(0, 0), 0.0, 0.0
    began = time.perf_counter()
    async with _pool(settings) as pool:
        loaded = time.perf_counter() - began
        began = time.perf_counter()
        for path, audio in sounds:
            texts = []
            for samples in audio.channels:
                listener = Listener(audio.rate)
                for sound in [*await asyncio.to_thread(listener.push, samples), *listener.flush()]:
                    at = time.perf_counter()
                    texts += [phrase.text for phrase in await pool.transcribe(sound.samples)]
                    took.append(time.perf_counter() - at)
                    speech += sound.end - sound.start
            length += audio.duration * len(audio.channels)
            truth = path.with_suffix(".txt")
            if truth.is_file():
                heard += score(truth.read_text(encoding="utf-8"), "".join(texts))
        elapsed = time.perf_counter() - began
    took.sort()
    result = {
        "engine": config.engine,
        "model": Path(config.model).name,
        "device": config.device,
        "compute_type": config.compute_type,
        "beam_size": config.beam_size,
        "load_s": round(loaded, 2),
        "audio_s": round(length, 1),
        "speech_s": round(speech, 1),
        "utterances": len(took),
        "real_time_factor": round(elapsed / length, 4) if length else None,
        "utterance_p50_s": round(took[len(took) // 2], 3) if took else None,
        "utterance_p95_s": round(took[int(len(took) * 0.95)], 3) if took else None,
        "cer": round(heard.rate, 4) if heard.length else None,
    }
    if as_json:
        _print_json(result)
    else:
        for name, value in result.items():
            if value is not None:
                out.print(f"{name:<18}{value}")


def _print_json(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=1) + "\n")
