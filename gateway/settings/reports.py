"""Figures that last, and reports of them that are sent by schedule."""

import re
from datetime import time
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AnyHttpUrl, Field, field_validator, model_validator

from gateway.settings.base import Identifier, SecretHolder, Section, shell

OF_DAY = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


class ScheduledReport(SecretHolder):
    """A report that is sent each day, week, month or year. `secret` signs what goes to `url`."""

    id: Identifier
    every: Literal["day", "week", "month", "year"] = Field(
        default="month", description="the report is of the one that is over: yesterday, last week (Monday on)"
    )
    at: str = Field(default="07:00", description="time of day, HH:MM, on the first day after it")
    by: Literal["line", "agent", "unit", "place", "category", "source", "hour", "day", "month", "year"] = (
        "day"
    )
    line: Identifier | None = Field(default=None, description="of this line alone")
    format: Literal["html", "xlsx", "csv", "json"] = "xlsx"
    language: Literal["zh", "en"] = "zh"
    folder: Path | None = Field(default=None, description="where the file is put; it must exist")
    url: AnyHttpUrl | None = Field(default=None, description="where it is posted")
    timeout_s: Annotated[float, Field(gt=0)] = 30.0

    @field_validator("at")
    @classmethod
    def _of_day(cls, at: str) -> str:
        if not OF_DAY.fullmatch(at):
            raise ValueError("write the time of day like 07:00")
        return at

    @model_validator(mode="after")
    def _goes_somewhere(self) -> Self:
        if (self.folder is None) == (self.url is None):
            raise ValueError("say where it goes: either folder or url")
        return self

    @property
    def time_of_day(self) -> time:
        """When it is due."""
        return time.fromisoformat(self.at)

    @property
    def secret_variable(self) -> str:
        return f"HOTLINE_REPORTS_{shell(self.id)}_SECRET"


class ReportSettings(Section):
    repeat_days: Annotated[float, Field(gt=0, le=90)] = Field(
        default=7.0, description="a call is a repeated one if its number called within so many days before"
    )
    scheduled: list[ScheduledReport] = Field(default_factory=list)
