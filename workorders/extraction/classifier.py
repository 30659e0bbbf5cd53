"""Classify a text with a small linear model: category, kind of body that answers, request type. Pure.

The model is data (`data/classifier/`): a vocabulary of character 1-3-grams, their weights, and a card that
describes its training data and accuracy. Loading it runs no code from the files. It is trained by
scripts/train_classifier.py.
"""

import json
from collections import Counter
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

MODEL = Path(__file__).parents[1] / "data" / "classifier"
FORMAT = "hotline-classifier/1"
MAX_TEXT = 700
"""Characters read: people say early on what it is about."""


class ClassifierError(ValueError):
    """The model's files cannot be used; the message names the fix."""


class Classifier:
    """Read-only, so safe to share between threads."""

    def __init__(self, directory: Path = MODEL) -> None:
        """Load the model. Raises ClassifierError."""
        try:
            self.card = json.loads((directory / "card.json").read_text(encoding="utf-8"))
            grams: list[str] = json.loads((directory / "vocabulary.json").read_text(encoding="utf-8"))
            with np.load(directory / "weights.npz", allow_pickle=False) as stored:
                arrays = {name: stored[name].astype(np.float32) for name in stored.files}
        except (OSError, ValueError, KeyError) as error:
            raise ClassifierError(f"{directory}: {error}; make it with `make classifier`") from error
        if self.card.get("format") != FORMAT:
            raise ClassifierError(
                f"{directory}/card.json: format {self.card.get('format')!r}, not {FORMAT}; `make classifier`"
            )
        self._number = {gram: number for number, gram in enumerate(grams)}
        self._idf = arrays["idf"]
        self._longest = max(map(len, grams))
        self.heads: dict[str, tuple[str, ...]] = {
            name: tuple(head["classes"]) for name, head in self.card["heads"].items()
        }
        self._weights = {name: (arrays[f"{name}_w"], arrays[f"{name}_b"]) for name in self.heads}
        self._sharpness = {name: float(head["sharpness"]) for name, head in self.card["heads"].items()}
        if any(len(weights) != len(grams) for weights, _ in self._weights.values()) or len(self._idf) != len(
            grams
        ):
            raise ClassifierError(f"{directory}: vocabulary and weights do not fit; `make classifier`")

    def predict(self, text: str, head: str = "category") -> dict[str, float]:
        """Return class → probability, likeliest first; they sum to 1."""
        numbers, values = self.features(text)
        weights, bias = self._weights[head]
        score = (weights[numbers] * values[:, None]).sum(axis=0) + bias
        score = np.exp(self._sharpness[head] * (score - score.max()))
        share = score / score.sum()
        order = np.argsort(-share)
        return {self.heads[head][int(at)]: float(share[at]) for at in order}

    @property
    def size(self) -> int:
        """How many features there are."""
        return len(self._idf)

    def features(self, text: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Return (numbers of its features, their weights): a vector of length 1, sparse, or empty."""
        text = text[:MAX_TEXT]
        counted: Counter[int] = Counter()
        for size in range(1, self._longest + 1):
            for at in range(len(text) - size + 1):
                number = self._number.get(text[at : at + size])
                if number is not None:
                    counted[number] += 1
        if not counted:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        numbers = np.fromiter(counted.keys(), np.int64)
        values = (1 + np.log(np.fromiter(counted.values(), np.float32))) * self._idf[numbers]
        return numbers, (values / np.linalg.norm(values)).astype(np.float32)


@lru_cache(maxsize=2)
def load_classifier(directory: Path = MODEL) -> Classifier:
    """Load the model in a directory, once. Raises ClassifierError."""
    return Classifier(directory)


def message_text(subject: str, text: str) -> str:
    """Return a written message as the model reads it, with the subject counted three times."""
    return (subject + "。") * 3 + text
