"""Train the classifier of messages and calls: `make classifier`. Seconds to train, a minute to measure.

Three heads over the same character 1-3-grams (TF-IDF):

* category: the labelled messages; the taxonomy's lower levels, each a tiny text of its upper level; and, at
  a tenth of the weight, unlabelled messages whose official reply names who answered (教育局 → 教育文体);
* function: who answered, from the replies' wording; what functions' words say, as tiny texts;
* request_type: messages whose subject says outright what they are (咨询…, 举报…), that word taken out.

Writes workorders/data/classifier/: weights.npz (float16, no pickle), vocabulary.json, card.json (data,
method, figures by cross-validation). The same data and seed give the same model.
"""

import csv
import gzip
import io
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import LinearSVC

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts.classifier_inputs import DATA, inputs, version  # noqa: E402
from workorders.directories.reference import Reference, load_reference  # noqa: E402
from workorders.extraction.classifier import FORMAT, MAX_TEXT, MODEL, message_text  # noqa: E402

FEATURES, RARE = 25_000, 6
PENALTY = 0.35
PENALTIES, REPLIES = (0.2, 0.35, 0.7), (0.03, 0.1, 0.3)
"""What nested cross-validation chooses from."""
OF_REPLY, OF_TAXONOMY, OF_WORDS = 0.1, 0.4, 0.5
FOLDS, SEEDS = 5, (0, 1, 2)
GREETING = re.compile(r"^.{0,20}您好！?您的留言已收悉。?现将有关情况回复如下[：:]?")
CATEGORY_OF = {
    "housing": "城乡建设", "city": "城乡建设", "land": "城乡建设", "water": "城乡建设",
    "environment": "环境保护",
    "labour": "劳动和社会保障", "medical_insurance": "劳动和社会保障", "education": "教育文体",
    "health": "卫生计生",
    "market": "商贸旅游", "culture": "商贸旅游", "transport": "交通运输",
}  # fmt: skip
TYPES = {
    "咨询": r"咨询|请问|询问|请教|想问|想了解", "投诉": r"投诉|控诉",
    "举报": r"举报|检举", "建议": r"建议|建言",
    "求助": r"求助|请求|恳求|恳请|盼|急|希望解决|反映", "表扬": r"感谢|表扬|点赞|致谢",
}  # fmt: skip

Rows = list[dict[str, str]]
Fit = Callable[[Any], Any]


def read(path: Path) -> Rows:
    """Rows of a TSV file, plain or gzipped; cells hold no tabs and no quotes that mean anything."""
    csv.field_size_limit(10**8)
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    return list(csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE))


def answered_by(reply: str, reference: Reference) -> str | None:
    """The function of the body whose name the reply is full of; `None` where two compete."""
    text = GREETING.sub("", reply)
    counted: Counter[str] = Counter()
    first: dict[str, int] = {}
    for function in reference.functions:
        names = sorted(map(re.escape, function.names), key=len, reverse=True)
        for match in re.finditer("|".join(names), text):
            counted[function.id] += 1
            first.setdefault(function.id, match.start())
    if not counted:
        return None
    scores = Counter(
        {
            name: count + 3 * (first[name] < 60) + 1.5 * (first[name] == min(first.values()))
            for name, count in counted.items()
        }
    )
    (best, score), *others = scores.most_common(2)
    return None if others and score < 1.5 * others[0][1] else best


def stated_type(row: dict[str, str]) -> tuple[str, str] | None:
    """(type, text without the word that says it) where the subject says outright what the message is."""
    found = [(name, pattern) for name, pattern in TYPES.items() if re.search(pattern, row["subject"])]
    if len(found) != 1:
        return None
    name, pattern = found[0]
    return name, re.sub(pattern, "", message_text(row["subject"], row["text"]))


class Head:
    """A linear SVM; `sharpness` turns its margins into probabilities."""

    def __init__(
        self, features: Any, labels: np.ndarray, weights: np.ndarray, penalty: float = PENALTY
    ) -> None:
        self.classes = sorted(set(labels))
        self.model = LinearSVC(C=penalty, class_weight="balanced", random_state=0)
        self.model.fit(features, labels, sample_weight=weights)

    def margins(self, features: Any) -> np.ndarray:
        """(texts, classes), classes in sorted order."""
        return np.asarray(self.model.decision_function(features))

    def predict(self, features: Any) -> np.ndarray:
        """The likeliest class of each text."""
        return np.array(self.classes)[self.margins(features).argmax(axis=1)]


def sharpness(margins: np.ndarray, labels: np.ndarray, classes: list[str]) -> float:
    """The factor under which softmax of held-out margins is likeliest."""
    truth = np.array([classes.index(label) for label in labels])
    best = (np.inf, 1.0)
    for factor in np.arange(0.5, 8.01, 0.25):
        scaled = factor * (margins - margins.max(axis=1, keepdims=True))
        log = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
        best = min(best, (float(-log[np.arange(len(truth)), truth].mean()), float(factor)))
    return best[1]


def cross_validate(
    features: Any, labels: np.ndarray, fit: Callable[[np.ndarray], Head]
) -> tuple[float, dict[str, float], float]:
    """(macro-F1 by cross-validation, F1 a class, sharpness); `fit` is given the training rows."""
    macro, each, factors = [], [], []
    classes = sorted(set(labels))
    for seed in SEEDS:
        held = np.zeros((len(labels), len(classes)))
        for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(labels, labels):
            held[test] = fit(train).margins(features[test])
        said = np.array(classes)[held.argmax(axis=1)]
        macro.append(f1_score(labels, said, average="macro"))
        each.append(f1_score(labels, said, average=None, labels=classes))
        factors.append(sharpness(held, labels, classes))
    by_class = {name: round(float(one), 3) for name, one in zip(classes, np.mean(each, axis=0), strict=True)}
    return round(float(np.mean(macro)), 4), by_class, float(np.mean(factors))


def nested(features: Any, labels: np.ndarray, fit: Callable[[np.ndarray, float, float], Head]) -> float:
    """Macro-F1 where penalty and weight of replies are chosen anew within each training part: no held-out row
    has a say in them.
    """
    said = np.empty(len(labels), dtype=labels.dtype)
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=7).split(labels, labels):
        scores = []
        for penalty, of_reply in product(PENALTIES, REPLIES):
            inner = np.empty(len(train), dtype=labels.dtype)
            for left, right in StratifiedKFold(3, shuffle=True, random_state=7).split(train, labels[train]):
                inner[right] = fit(train[left], penalty, of_reply).predict(features[train[right]])
            scores.append((f1_score(labels[train], inner, average="macro"), penalty, of_reply))
        _, penalty, of_reply = max(scores)
        said[test] = fit(train, penalty, of_reply).predict(features[test])
    return round(float(f1_score(labels, said, average="macro")), 4)


def main() -> None:
    """Train, measure, write."""
    began = time.perf_counter()
    reference = load_reference()
    labelled = read(DATA / "messages.tsv")
    unlabelled = read(DATA / "messages_unlabelled.tsv.gz")
    texts = [message_text(row["subject"], row["text"])[:MAX_TEXT] for row in [*labelled, *unlabelled]]
    vectors = TfidfVectorizer(
        analyzer="char",
        ngram_range=(1, 3),
        sublinear_tf=True,
        min_df=RARE,
        max_features=FEATURES,
        lowercase=False,
    )
    matrix = vectors.fit_transform(texts).astype(np.float32).tocsr()
    mine, others = matrix[: len(labelled)], matrix[len(labelled) :]
    labels = np.array([row["label"] for row in labelled])

    # category
    answered = [answered_by(row["reply"], reference) if row["reply"] else None for row in unlabelled]
    # A labelled message that stands among the unlabelled too would be held out and seen at once.
    seen = {row["text"].strip() for row in labelled}
    told = [
        at
        for at, name in enumerate(answered)
        if name in CATEGORY_OF and unlabelled[at]["text"].strip() not in seen
    ]
    told_labels = np.array([CATEGORY_OF[answered[at] or ""] for at in told])
    paths = [path for path in reference.taxonomy if path[0] in set(labels)]
    tiny = vectors.transform([f"{two}，{three}。" * 2 for _, two, three in paths]).astype(np.float32)
    tiny_labels = np.array([one for one, _, _ in paths])

    def category(train: np.ndarray, penalty: float = PENALTY, of_reply: float = OF_REPLY) -> Head:
        return Head(
            sp.vstack([mine[train], others[told], tiny]),
            np.concatenate([labels[train], told_labels, tiny_labels]),
            np.concatenate(
                [np.ones(len(train)), np.full(len(told), of_reply), np.full(len(paths), OF_TAXONOMY)]
            ),
            penalty,
        )

    heads: dict[str, tuple[Head, dict[str, Any]]] = {}
    macro, each, factor = cross_validate(mine, labels, category)
    heads["category"] = (
        category(np.arange(len(labels))),
        {
            "macro_f1": macro,
            "macro_f1_nested": nested(mine, labels, category),
            "f1": each,
            "sharpness": factor,
            "labelled": len(labels),
            "by_reply": len(told),
        },
    )

    # function
    counts = Counter(name for name in answered if name)
    rows = np.array([at for at, name in enumerate(answered) if name and counts[name] >= FOLDS])
    by_whom = np.array([answered[at] for at in rows])
    kinds = set(by_whom)
    words = [(one.id, word) for one in reference.functions for word in one.words if one.id in kinds]
    word_rows = vectors.transform([f"{word}。" * 2 for _, word in words]).astype(np.float32)
    word_labels = np.array([name for name, _ in words])

    def function(train: np.ndarray) -> Head:
        return Head(
            sp.vstack([others[rows[train]], word_rows]),
            np.concatenate([by_whom[train], word_labels]),
            np.concatenate([np.ones(len(train)), np.full(len(words), OF_WORDS)]),
        )

    macro, each, factor = cross_validate(others[rows], by_whom, function)
    heads["function"] = (
        function(np.arange(len(rows))),
        {"macro_f1": macro, "f1": each, "sharpness": factor, "by_reply": len(rows)},
    )

    # request type
    stated = [one for row in [*labelled, *unlabelled] if (one := stated_type(row)) is not None]
    stated_rows = vectors.transform([text[:MAX_TEXT] for _, text in stated]).astype(np.float32).tocsr()
    stated_labels = np.array([name for name, _ in stated])

    def kind(train: np.ndarray) -> Head:
        return Head(stated_rows[train], stated_labels[train], np.ones(len(train)))

    macro, each, factor = cross_validate(stated_rows, stated_labels, kind)
    heads["request_type"] = (
        kind(np.arange(len(stated))),
        {"macro_f1": macro, "f1": each, "sharpness": factor, "by_subject": len(stated)},
    )
    write(vectors, heads, inputs(reference), time.perf_counter() - began)


def write(
    vectors: TfidfVectorizer,
    heads: dict[str, tuple[Head, dict[str, Any]]],
    learnt_from: dict[str, str],
    seconds: float,
) -> None:
    """The artefact and its card."""
    MODEL.mkdir(parents=True, exist_ok=True)
    grams = [str(gram) for gram in vectors.get_feature_names_out()]
    arrays = {"idf": vectors.idf_.astype(np.float16)}
    for name, (head, _) in heads.items():
        arrays[f"{name}_w"] = head.model.coef_.T.astype(np.float16)
        arrays[f"{name}_b"] = head.model.intercept_.astype(np.float16)
    np.savez_compressed(MODEL / "weights.npz", **arrays)
    (MODEL / "vocabulary.json").write_text(json.dumps(grams, ensure_ascii=False), encoding="utf-8")
    card = {
        "format": FORMAT,
        "version": version(learnt_from),
        "features": f"character 1-3-grams, TF-IDF, {len(grams)} kept",
        "model": f"linear SVM, C={PENALTY}, classes balanced",
        "measured": f"{FOLDS}-fold cross-validation, {len(SEEDS)} seeds; labelled rows held out",
        "data": learnt_from,
        "heads": {name: {"classes": head.classes, **card} for name, (head, card) in heads.items()},
    }
    (MODEL / "card.json").write_text(json.dumps(card, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    for name, (_, one) in heads.items():
        print(f"{name}: macro-F1 {one['macro_f1']} (cross-validated)")
    print(f"wrote {MODEL} in {seconds:.0f} s")


if __name__ == "__main__":
    main()
