"""Where a caller comes to another matter, which is to have an order of its own (一事一单). Pure.

Callers say so: 还有一件事, 另外再反映一个问题. A mere 另外 or 还有 mostly goes on about the same matter; it
counts where what is said from there on is about something else.
"""

import re
from collections.abc import Sequence

from domain.calls import Side
from domain.orders import SplitSuggestion
from domain.transcripts import Utterance
from workorders.extraction.classifier import Classifier

LEAST_BEFORE = 12
"""Characters the caller has said before it: who has told of no matter yet comes to no other one."""
LEAST_AFTER = 6
"""Characters that tell something of the other matter."""
SURE = 0.5
"""From this probability on a category is what the words are about."""

_THING = r"(?:件|个|桩|项|码)?(?:事情?|问题|情况|诉求)"
_ASKS = r"(?:反映|问|说|咨询|投诉|举报|请教|讲|报)"
_ANOTHER = (
    r"(?:还有|另外|还想|再|另|顺便|还要)[,，]?我?(?:还有|还想|还要|想|要|再|也)?"
    rf"(?:再|另外)?{_ASKS}?(?:一下)?(?:另外|另|别的|其他的?)?"
)
SAYS_SO = re.compile(
    rf"{_ANOTHER}(?:一|有一)?个?{_THING}(?:[,，。是就]|要|想|$)"
    rf"|第[二三四234]{_THING}"
    r"|(?:^|[,，。!！])第[二三四234][件个桩项](?:呢|是|就是|[,，])"
    rf"|(?:另外?|别的|其他|其它)(?:一|的)?{_THING}"
)
_OPENS = r"(?:^|[,，。.;；!！?？])(?:那|哦|嗯|然后)?[,，]?"
GOES_ON = re.compile(rf"{_OPENS}(?:另外|还有(?!一会|多久)|对了|再就是|再一个|顺便)")
NONE_ELSE = re.compile(
    r"没(?:有)?(?:什么)?(?:别的|其他|其它|另外)|(?:别的|其他|其它|另外).{0,4}(?:没有|没了)"
    r"|没(?:有)?.{0,2}事(?:情)?了"
)


def suggest_split(said: Sequence[Utterance], classifier: Classifier | None) -> SplitSuggestion | None:
    """Return where the caller comes to another matter; `None`: nowhere yet.

    `said` in order of start. The last such place: what came before it may be one matter told in many words.
    """
    callers = [one for one in said if one.side is Side.CALLER and one.final and one.text.strip()]
    for number in range(len(callers) - 1, -1, -1):
        one = callers[number]
        before = "".join(earlier.text for earlier in callers[:number])
        after = one.text + "".join(later.text for later in callers[number + 1 :])
        if len(before) < LEAST_BEFORE or NONE_ELSE.search(one.text):
            continue
        marker = SAYS_SO.search(one.text)
        if marker is None:
            marker = GOES_ON.search(one.text)
            if marker is None or not _differ(before, after[marker.end() :], classifier):
                continue
        if len(after) - marker.end() >= LEAST_AFTER:
            return SplitSuggestion(one.start, one.text)
    return None


def _differ(before: str, after: str, classifier: Classifier | None) -> bool:
    """Whether both are about something, and not about the same."""
    if classifier is None or len(after) < LEAST_AFTER:
        return False
    likeliest = [next(iter(classifier.predict(text).items())) for text in (before, after)]
    (one, sure), (other, as_sure) = likeliest
    return one != other and min(sure, as_sure) >= SURE
