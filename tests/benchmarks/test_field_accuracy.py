"""Floors of accuracy over whole sets of calls, a little under what `make eval` measures (docs/figures.md)."""

import json

from benchmarks.field_accuracy.__main__ import heard, large, noised, read, tally, true
from benchmarks.field_accuracy.dialogues import dialogues, district
from workorders.extraction.classifier import load_classifier


def test_recorded_calls_as_said_and_as_heard_by_the_base_model() -> None:
    calls = read("recorded.jsonl")
    reference = large(calls)
    said = tally(calls, true, reference, load_classifier()).accuracy()
    for name in ("request_type", "town", "village", "phone", "urgent", "confidential"):
        assert said[name] >= 0.95, name
    for name in ("caller_name", "enterprise", "unit"):
        assert said[name] >= 0.9, name
    base = tally(calls, heard, reference, load_classifier())
    accuracy = base.accuracy()
    assert min(accuracy["request_type"], accuracy["town"]) >= 0.85
    assert min(accuracy["village"], accuracy["enterprise"], accuracy["unit"]) >= 0.75
    assert accuracy["surname"] >= 0.6
    assert base.confident(["phone"])[1] >= 0.95


def test_held_out_calls_by_neural_voices_as_heard_by_the_base_model() -> None:
    calls = [one for one in read("voiced.jsonl") if not one["id"].startswith("a")]
    assert len(calls) >= 40
    base = tally(calls, heard, large(calls), load_classifier())
    accuracy = base.accuracy()
    assert min(accuracy["request_type"], accuracy["town"]) >= 0.85
    assert min(accuracy["village"], accuracy["enterprise"], accuracy["unit"]) >= 0.75
    assert accuracy["surname"] >= 0.6
    assert base.confident(["phone"])[1] >= 0.95


def test_held_out_calls_as_said_and_noised() -> None:
    calls = dialogues(40, "b", district(99), 31)
    reference = large(calls)
    assert min(len(reference.villages), len(reference.enterprises), len(reference.units)) > 2000
    said = tally(calls, true, reference, load_classifier()).accuracy()
    for name in ("request_type", "town", "village", "phone", "urgent", "confidential"):
        assert said[name] >= 0.95, (name, json.dumps(said))
    noisy = tally(calls, noised, reference, load_classifier())
    accuracy = noisy.accuracy()
    assert min(accuracy["request_type"], accuracy["town"]) >= 0.85
    assert min(accuracy["village"], accuracy["enterprise"], accuracy["unit"]) >= 0.75
    assert noisy.confident(["phone"])[1] >= 0.95
