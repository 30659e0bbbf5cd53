"""Parts that are made from the settings in more than one place: the gateway, the doctor, the command line."""

import os
from pathlib import Path

from asr.config import AsrConfig, usual_workers
from domain.reports.counting import Rules
from gateway.settings import Settings
from gateway.storage.database import Database
from workorders.delivery.links import DocumentLinks

OFFLINE_MODEL = Path(".cache/models/whisper-base")


def asr_config(settings: Settings) -> AsrConfig:
    """What the engine pool is to know; the model as configured, else the offline default.

    Raises ValueError: the secret's file cannot be read.
    """
    asr = settings.asr
    remote = asr.engine == "http"
    return AsrConfig(
        model=asr.model or ("whisper-1" if remote else str(OFFLINE_MODEL.absolute())),
        device=asr.device,
        compute_type=asr.compute_type,
        threads=asr.threads,
        workers=asr.workers or usual_workers(asr.device, asr.engine, os.cpu_count() or 1),
        batch=asr.batch,
        beam_size=asr.beam_size,
        initial_prompt=asr.initial_prompt,
        hotwords=asr.hotwords,
        full_window=asr.full_window,
        engine=asr.engine,
        url=str(asr.url or ""),
        api_key=asr.read_secret() if remote and (asr.secret or asr.secret_file) else "",
        timeout_s=asr.timeout_s,
    )


def counting_rules(settings: Settings) -> Rules:
    """What figures that last are counted by."""
    return Rules(
        timezone=settings.timezone,
        lines=tuple(line.model() for line in settings.lines),
        outcomes=settings.outcome_kinds,
        repeat_days=settings.reports.repeat_days,
    )


def document_links(settings: Settings) -> DocumentLinks | None:
    """What makes the links in orders' documents; `None`: there are to be none.

    Raises:
        ValueError: its secret is not there, or is none; the message names the fix.
    """
    if settings.links.url is None:
        return None
    try:
        secret = settings.links.read_secret()
    except ValueError as error:
        raise ValueError(f"links: {error}") from error
    return DocumentLinks(str(settings.links.url), secret, settings.links.days)


def open_database(settings: Settings, *, session: str = "hotline") -> Database:
    """The configured database, not yet migrated; `session`: what a server calls the connections."""
    password = settings.database.password
    secret = password.get_secret_value() if password else None
    return Database(settings.database_url, secret, session=session)
