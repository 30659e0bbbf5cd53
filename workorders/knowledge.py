"""The knowledge base: suggests articles to the agent from what is being said. Pure except for loading.

The articles are a folder, replaceable by configuration: `*.md` (first line `# Title`, then the text) and
`*.tsv` (columns `title`, `text`; optional `keywords`). Search is BM25 over character 2-grams, which needs no
Chinese word list.
"""

import math
import re
from collections import Counter
from pathlib import Path

from msgspec import Struct

from domain.orders import KnowledgeHit
from workorders.directories.reference import ReferenceDataError, read_rows

FOLDER = Path(__file__).parent / "data" / "knowledge"
K1, B = 1.4, 0.6
TITLE_WEIGHT = 3
LEAST = 0.12
RARE = 10
"""A rare gram occurs in at most one in this many articles."""
PASSAGE = 120


class Article(Struct, frozen=True):
    """One article; `id` is the file name, for tables with the line number."""

    id: str
    title: str
    text: str
    keywords: str = ""


class KnowledgeBase:
    """An index of articles; read-only, so safe to share between threads."""

    def __init__(self, articles: tuple[Article, ...]) -> None:
        self.articles = articles
        counted = [
            Counter({gram: TITLE_WEIGHT * titled[gram] + body[gram] for gram in {*titled, *body}})
            for titled, body in (
                (_grams(f"{one.title} {one.keywords}"), _grams(one.text)) for one in articles
            )
        ]
        self._titles = [frozenset(_grams(f"{one.title} {one.keywords}")) for one in articles]
        self._lengths = [sum(grams.values()) for grams in counted]
        self._mean = sum(self._lengths) / max(1, len(articles))
        self._postings: dict[str, list[tuple[int, int]]] = {}
        for at, grams in enumerate(counted):
            for gram, count in grams.items():
                self._postings.setdefault(gram, []).append((at, count))

    def search(self, text: str, limit: int = 3) -> tuple[KnowledgeHit, ...]:
        """Return the best articles; `score` is the share of the query's weight an article covers."""
        wanted = _grams(text)
        scores: Counter[int] = Counter()
        most = 0.0
        for gram in wanted:
            postings = self._postings.get(gram)
            if not postings:
                continue
            weight = math.log(1 + (len(self.articles) - len(postings) + 0.5) / (len(postings) + 0.5))
            most += weight * (K1 + 1) * 0.7
            for at, count in postings:
                scale = 1 - B + B * self._lengths[at] / self._mean
                scores[at] += weight * count * (K1 + 1) / (count + K1 * scale)  # type: ignore[assignment]
        found = [(at, score) for at, score in scores.most_common() if self._about(at, wanted)]
        return tuple(
            KnowledgeHit(
                self.articles[at].id,
                self.articles[at].title,
                round(min(1.0, score / most), 3),
                _passage(self.articles[at].text, wanted),
            )
            for at, score in found[:limit]
            if most and score / most >= LEAST
        )

    def _about(self, at: int, wanted: Counter[str]) -> bool:
        """Whether the title or keywords match too: words of the text alone (可以, 一个) mean little.

        One of their grams is enough if hardly any other article has it; otherwise it takes two.
        """
        named = self._titles[at] & wanted.keys()
        rare = max(1, len(self.articles) // RARE)
        return len(named) > 1 or any(len(self._postings[gram]) <= rare for gram in named)


def _grams(text: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for run in re.findall(r"[\u4e00-\u9fff]+|[A-Za-z0-9]+", text):
        found.update([run] if run.isascii() else [run[at : at + 2] for at in range(len(run) - 1)])
    return found


def _passage(text: str, wanted: Counter[str]) -> str:
    """Return the sentence that shares most with the query and what follows it, cut to size."""
    sentences = re.findall(r"[^。！？\n]+[。！？]?", text)
    if not sentences:
        return ""
    best = max(range(len(sentences)), key=lambda at: sum((wanted & _grams(sentences[at])).values()))
    return "".join(sentences[best:]).strip()[:PASSAGE]


def load_knowledge(folder: Path | None = None) -> KnowledgeBase:
    """Load the articles in a folder; by default the samples that ship with the package.

    Raises:
        ReferenceDataError: the folder or a file in it cannot be used; names file, line and fix.
    """
    folder = folder or FOLDER
    if not folder.is_dir():
        raise ReferenceDataError(f"{folder}: no such folder; correct [reference] knowledge or create it")
    articles = []
    for path in sorted(folder.glob("*.md")):
        try:
            title, _, text = path.read_text(encoding="utf-8").strip().partition("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ReferenceDataError(
                f"{path}: cannot be read as UTF-8 text ({error}); save it as UTF-8"
            ) from error
        if not title.startswith("# ") or not text.strip():
            raise ReferenceDataError(f"{path}:1: an article is wanted: `# Title`, then its text")
        articles.append(Article(path.stem, title[2:].strip(), text.strip()))
    for path in sorted(folder.glob("*.tsv")):
        for number, row in read_rows(path, ("title", "text"), ("keywords",)):
            articles.append(Article(f"{path.stem}:{number}", row["title"], row["text"], row["keywords"]))
    return KnowledgeBase(tuple(articles))
