"""Every refusal code used in the source has a sentence, and gets the parameters that sentence needs."""

import ast
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

from domain.delivery_failures import FAILURES
from domain.refusals import ACCOUNTS, COMMANDS, HTTP, ORDERS, REFUSALS, STATUS, TOKENS
from gateway.doctor.findings import DETAIL, FIX, WHAT

ROOT = Path(__file__).resolve().parents[3]
# Which argument of each is the code; the sentences it is one of.
GIVEN = {
    "impossible": (0, REFUSALS),
    "forbidden": (0, REFUSALS),
    "refusal": (0, REFUSALS),
    "CommandError": (1, REFUSALS),
    "Refused": (1, REFUSALS),
    "AgentStateError": (0, REFUSALS),
    "OrderRefusedError": (0, REFUSALS),
    "FieldError": (0, REFUSALS),
    "StatusRefusedError": (0, REFUSALS),
    "AccountError": (0, REFUSALS),
    "TokenError": (0, REFUSALS),
    "LoginRefusedError": (0, REFUSALS),
    "failure": (0, FAILURES),
    "MappingError": (0, FAILURES),
    "what": (0, WHAT),
    "detail": (0, DETAIL),
    "fix": (0, FIX),
}
OURS = {"status", "code"}
"""Keywords of the exceptions themselves."""


def given() -> Iterator[tuple[str, dict[str, str], str, set[str]]]:
    """Yield (where, sentences, code, parameters) for each refusal code used in the source."""
    for room in ("agents", "domain", "gateway", "workorders"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                    continue
                at, sentences = GIVEN.get(node.func.id, (0, None))
                if sentences is None or len(node.args) <= at:
                    continue
                code = node.args[at]
                names = [code] if not isinstance(code, ast.IfExp) else [code.body, code.orelse]
                for name in names:
                    if isinstance(name, ast.Constant):
                        params = {one.arg for one in node.keywords if one.arg}
                        yield f"{path.name}:{node.lineno}", sentences, str(name.value), params


def test_every_reason_has_a_sentence_and_its_parameters() -> None:
    seen: set[str] = set()
    for where, sentences, code, params in given():
        assert code in sentences, f"{where}: {code} has no sentence"
        wanted = {name for _, name, _, _ in Formatter().parse(sentences[code]) if name}
        assert params - (OURS - wanted) == wanted, f"{where}: {code}"
        seen.add(code)
    unused = (REFUSALS.keys() | WHAT.keys() | DETAIL.keys() | FIX.keys() | FAILURES.keys()) - seen
    assert unused == {"login_throttled", "token_throttled"}, "the rest is said by nobody: take it out"


def test_no_code_has_two_sentences() -> None:
    groups = (COMMANDS, ACCOUNTS, TOKENS, ORDERS, STATUS, HTTP)
    assert len(REFUSALS) == sum(len(group) for group in groups)
