"""What the log may not say."""

import io
import logging

import pytest
import structlog

from gateway.logs import configure


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_traceback_shows_no_variables(form: str) -> None:
    root, kept = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers, root.level
    try:
        configure("INFO", form)
        (handler,) = root.handlers
        assert isinstance(handler, logging.StreamHandler)
        text = io.StringIO()
        handler.setStream(text)
        password = "never-" + "logged"
        try:
            raise RuntimeError("it broke")
        except RuntimeError:
            structlog.get_logger("test").exception("failed", of=len(password))
        assert "it broke" in text.getvalue()
        assert "test_a_traceback_shows_no_variables" in text.getvalue()
        assert "never-logged" not in text.getvalue()
    finally:
        root.handlers, root.level = handlers, level
        structlog.configure(**kept)
