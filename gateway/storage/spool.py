"""Facts that could not be committed before the process had to end, kept in a file for the next start."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import structlog

from domain.facts import AnyFact

log = structlog.get_logger(__name__)

Numbered = tuple[int, AnyFact]
"""A fact with its id."""


def spool_of_terms(plain: Path, terms: Sequence[int]) -> Path:
    """The spool of a process that serves by leases with these terms, beside `plain`.

    What the holder of the terms just before left here is taken up. An older file is put aside, loudly:
    another process has served since, and knows better.
    """

    def named(one: Sequence[int]) -> Path:
        return plain.with_name(f"{plain.stem}-{'-'.join(map(str, one))}{plain.suffix}")

    ours, before = named(terms), named([term - 1 for term in terms])
    for path in (plain, *sorted(plain.parent.glob(f"{plain.stem}-*{plain.suffix}"))):
        if path == ours or not path.exists():
            continue
        if path == before or (path == plain and set(terms) == {1}):
            path.rename(ours)
            continue
        log.error("spool_outdated", file=str(path), kept_as=f"{path.name}.outdated")
        path.rename(path.with_name(f"{path.name}.outdated"))
    return ours


class _Line(msgspec.Struct):
    id: int
    fact: AnyFact


def write_spool(path: Path, facts: Iterable[Numbered]) -> int:
    """Append the facts to the file, readable by its owner only; how many. What has no JSON form is logged."""
    lines: list[bytes] = []
    for identity, fact in facts:
        try:
            lines.append(msgspec.json.encode(_Line(identity, fact)))
        except (ValueError, TypeError, msgspec.MsgspecError) as error:
            log.error("fact_not_spooled", fact=ascii(fact)[:2000], error=str(error))
    if lines:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            file.write(b"\n".join(lines) + b"\n")
            file.flush()
            os.fsync(file.fileno())
    return len(lines)


def read_spool(path: Path) -> list[Numbered]:
    """The facts in the file in order, each once; none where there is no file.

    A line cut short is left out, loudly.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    found: dict[int, AnyFact] = {}
    decode = msgspec.json.Decoder(_Line).decode
    for line in content.splitlines():
        try:
            one = decode(line)
        except msgspec.MsgspecError as error:
            log.error("spooled_fact_unreadable", line=line[:500].decode(errors="replace"), error=str(error))
            continue
        found[one.id] = one.fact
    return list(found.items())
