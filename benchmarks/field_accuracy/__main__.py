"""`make eval`: how many fields of the order are right. Prints tables; writes docs/figures/fields.json and
figures.md.

python -m benchmarks.field_accuracy                      the shipped sets
python -m benchmarks.field_accuracy --calibrate          fit workorders/data/calibration.json on split a
python -m benchmarks.field_accuracy --calls DIR          calls of your own: DIR/*.json with turns and truth
and,
    [--heard DIR] [--places F] [--units F] …             where there is one, DIR/NAME.json as recognised
python -m benchmarks.field_accuracy --messages FILE      labelled messages (label, subject, text): macro-F1
"""

import argparse
import csv
import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.field_accuracy.calibrate import calibration
from benchmarks.field_accuracy.dialogues import dialogues, district
from benchmarks.field_accuracy.noise import misheard
from benchmarks.field_accuracy.score import FIELDS, SURNAME, TEXTS, Tally, judge
from benchmarks.figures import put_figures
from workorders.directories.reference import Enterprise, Place, Reference, Unit, load_reference
from workorders.extraction.classifier import Classifier, load_classifier, message_text

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(__file__).parent / "data"
CALIBRATION = ROOT / "workorders" / "data" / "calibration.json"
WORLD = 2026
MEASURED = FIELDS[:9]
VOICES_COUNT = 4
"""What was spoken and recognised counts so many times against imitated noise, which is kind."""
Turns = Callable[[Mapping[str, Any]], Iterable[Mapping[str, Any]]]


def read(name: str) -> list[dict[str, Any]]:
    """The calls of a data file, one JSON a line."""
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def true(call: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """What was said."""
    return list(call["turns"])


def heard(call: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """What the base model heard."""
    return list(call["heard"])


def noised(call: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """What the noise model makes of what was said."""
    rng = random.Random(call["id"])
    return [{**turn, "text": misheard(turn["text"], rng), "confidence": 0.68} for turn in call["turns"]]


def large(calls: Sequence[Mapping[str, Any]]) -> Reference:
    """The names of these calls among thousands of others: 2,400 villages and enterprises, 2,000 units."""
    world = district(WORLD)
    shipped = load_reference()
    truths = [call["truth"] for call in calls]
    places = [Place(town, village) for town, village in world.places]
    places += [Place(one["town"], one["village"]) for one in truths if one["village"]]
    firms = [*world.enterprises, *(one["enterprise"] for one in truths if one["enterprise"])]
    rng = random.Random(WORLD)
    kinds = (
        "便民服务中心",
        "供电所",
        "派出所",
        "中心小学",
        "卫生院",
        "司法所",
        "综合执法局",
        "农技站",
        "财政所",
        "水利站",
    )
    others = {f"{place.village.rstrip('村居')}{rng.choice(kinds)}" for place in places if place.village}
    units = [*shipped.units, *(Unit(name) for name in sorted(others)[:2000])]
    return Reference(
        places=tuple(dict.fromkeys(places)),
        units=tuple(units),
        enterprises=tuple(Enterprise(name) for name in dict.fromkeys(firms)),
        glossary=shipped.glossary,
        taxonomy=shipped.taxonomy,
        functions=shipped.functions,
        words=shipped.words,
        surnames=shipped.surnames,
        surname_words=shipped.surname_words,
    )


def tally(
    calls: Iterable[Mapping[str, Any]],
    turns: Turns,
    reference: Reference,
    classifier: Classifier,
    *,
    calibrate: bool = True,
) -> Tally:
    """All calls judged."""
    result = Tally()
    for call in calls:
        judge(result, call, turns(call), reference, classifier, calibrate=calibrate)
    return result


def report(one: Tally, calls: int) -> dict[str, Any]:
    """The figures of a set."""
    many, right = one.confident(MEASURED)
    phones, phones_right = one.confident(["phone"])
    return {
        "calls": calls,
        "accuracy": one.accuracy(),
        "offered_at_0.8_or_more": {"values": many, "right": right},
        "phones_at_0.8_or_more": {"values": phones, "right": phones_right},
        "reliability": [
            {"stated": label, "values": values, "mean_stated": stated, "right": share}
            for label, values, stated, share in one.reliability(MEASURED)
        ],
    }


def sets() -> dict[str, tuple[list[dict[str, Any]], Turns, bool]]:
    """Name → (calls, what is read of them, held out from rules and calibration)."""
    world = district(WORLD)
    recorded, spoken, voiced = read("recorded.jsonl"), read("spoken.jsonl"), read("voiced.jsonl")
    written_b, written_c = dialogues(200, "b", world, 6), dialogues(200, "c", world, 7)
    return {
        "recorded, as said": (recorded, true, False),
        "recorded, base model": (recorded, heard, False),
        "written b, as said": (written_b, true, True),
        "written b, noise model": (written_b, noised, True),
        "written c, as said": (written_c, true, True),
        "robot b, base model": (split(spoken, "b"), heard, True),
        "robot a, base model": (split(spoken, "a"), heard, False),
        "voiced c, base model": (split(voiced, "c"), heard, True),
        "voiced b, base model": (split(voiced, "b"), heard, True),
        "voiced a, base model": (split(voiced, "a"), heard, False),
    }


def split(calls: Sequence[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """The calls of a split."""
    return [one for one in calls if one["id"].startswith(name)]


def calibrated(classifier: Classifier) -> Mapping[str, Any]:
    """The calibration that split a gives."""
    reference = large([])
    several = (
        ("written calls, noised", dialogues(200, "a", district(WORLD), 5), noised, 1),
        ("by a robot's voice", split(read("spoken.jsonl"), "a"), heard, VOICES_COUNT),
        ("voiced", split(read("voiced.jsonl"), "a"), heard, VOICES_COUNT),
    )
    made_from = ", ".join(f"{len(calls)} {kind} (x{times})" for kind, calls, _, times in several)
    tallies = (
        (tally(calls, turns, reference, classifier, calibrate=False), times)
        for _, calls, turns, times in several
    )
    return calibration(tallies, f"split a: {made_from}, as the base model heard them")


def table(figures: Mapping[str, Any]) -> str:
    """The figures as Markdown."""
    names = [*MEASURED, SURNAME, "category", *TEXTS]
    lines = ["| set | calls | " + " | ".join(names) + " |", "|---|---|" + "---|" * len(names)]
    for title, one in figures["sets"].items():
        found = one["accuracy"]
        cells = [f"{found[name]:.2f}" if name in found else "–" for name in names]
        lines.append(
            f"| {title}{' *' if one['held_out'] else ''} | {one['calls']} | " + " | ".join(cells) + " |"
        )
    lines += [
        "",
        "| set | values offered at ≥ 0.8 | right | telephone numbers at ≥ 0.8 | right |",
        "|---|---|---|---|---|",
    ]
    for title, one in figures["sets"].items():
        every, phones = one["offered_at_0.8_or_more"], one["phones_at_0.8_or_more"]
        both = f"{every['values']} | {every['right']:.3f} | {phones['values']} | {phones['right']:.3f}"
        lines.append(f"| {title} | {both} |")
    lines += [
        "",
        "Reliability over the sets marked * (all fields above):",
        "",
        "| stated | values | mean | right |",
    ]
    lines += ["|---|---|---|---|"]
    for row in figures["reliability"]:
        lines.append(f"| {row['stated']} | {row['values']} | {row['mean_stated']:.2f} | {row['right']:.2f} |")
    return "\n".join(lines)


def macro_told(category: Mapping[str, Any]) -> str:
    """The category's macro-F1, as measured and as it is worth."""
    plain, nested = category["macro_f1"], category["macro_f1_nested"]
    told = f"Category, first level, macro-F1: {plain} by cross-validation"
    if nested is None:
        return f"{told}."
    return f"{told}, {nested} by nested cross-validation (weights chosen anew without the held-out rows)."


def messages_f1(path: Path, classifier: Classifier) -> dict[str, Any]:
    """Macro-F1 of the first-level category over labelled messages."""
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    said = [next(iter(classifier.predict(message_text(row["subject"], row["text"])))) for row in rows]
    wanted = [row["label"] for row in rows]
    scores = {}
    for name in sorted(set(wanted)):
        both = sum(a == b == name for a, b in zip(said, wanted, strict=True))
        scores[name] = round(2 * both / max(1, said.count(name) + wanted.count(name)), 4)
    return {"messages": len(rows), "macro_f1": round(sum(scores.values()) / len(scores), 4), "f1": scores}


def main() -> None:
    """See the module's description."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calibrate", action="store_true")
    parser.add_argument("--calls", type=Path)
    parser.add_argument("--heard", type=Path)
    for name in ("places", "units", "enterprises", "glossary", "taxonomy"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--messages", type=Path)
    given = parser.parse_args()
    classifier = load_classifier()
    if given.calibrate:
        made = calibrated(classifier)
        CALIBRATION.write_text(json.dumps(made, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        print(f"wrote {CALIBRATION}")
    elif given.messages:
        print(json.dumps(messages_f1(given.messages, classifier), ensure_ascii=False, indent=1))
    elif given.calls:
        reference = load_reference(
            given.places, given.units, given.enterprises, given.glossary, given.taxonomy
        )
        calls = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(given.calls.glob("*.json"))]
        if given.heard:
            for call in calls:
                call["heard"] = json.loads((given.heard / f"{call['id']}.json").read_text(encoding="utf-8"))
        one = tally(calls, heard if given.heard else true, reference, classifier)
        print(json.dumps({**report(one, len(calls)), "wrong": one.wrong}, ensure_ascii=False, indent=1))
    else:
        write(classifier)


def write(classifier: Classifier) -> None:
    """All shipped sets: printed, and kept in docs/."""
    every = Tally()
    figures: dict[str, Any] = {"sets": {}}
    for title, (calls, turns, held_out) in sets().items():
        one = tally(calls, turns, large(calls), classifier)
        figures["sets"][title] = {**report(one, len(calls)), "held_out": held_out}
        if held_out:
            for name in MEASURED:
                every.stated[name] += one.stated[name]
    figures["reliability"] = report(every, 0)["reliability"]
    figures["category"] = {
        "macro_f1": classifier.card["heads"]["category"]["macro_f1"],
        "macro_f1_nested": classifier.card["heads"]["category"].get("macro_f1_nested"),
        "f1": classifier.card["heads"]["category"]["f1"],
        "measured": classifier.card["measured"],
    }
    told = f"{table(figures)}\n\n{macro_told(figures['category'])}"
    put_figures("fields", "Fields of the order", figures, told)
    print(told)


if __name__ == "__main__":
    main()
