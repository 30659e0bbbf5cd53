"""Packs: the facts of several calls, small. Pure.

Calls are much alike, in what they hold and in how it is said: together they take two thirds of the room. Each
is a document of its own within the pack, and is read without the others. A pack can be read by itself.
Whatever JSON the facts are, they come back exactly.
"""

import lzma
import zlib
from collections.abc import Iterable, Sequence

import msgspec

from gateway.storage.pack_document import PackedFact, document_of, facts_of

FORM = 1
"""Of the packs written now. A new form has a new number; those of before stay readable."""
ENCODING = "gb18030"
"""Two bytes for what UTF-8 takes three; all of Unicode."""
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "pb": 0, "dict_size": 1 << 20}]
_SUM_BYTES = 4
_DAMAGE = (
    lzma.LZMAError, msgspec.MsgspecError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError,
    RuntimeError,
)  # fmt: skip


class PackError(Exception):
    """A pack cannot be read."""


def document(facts: Sequence[PackedFact]) -> bytes:
    """The facts of one call, in order, ready for `pack`."""
    # JSON has no line end within it, nor has any character of this encoding.
    return document_of(facts).decode().encode(ENCODING)


def facts(one: bytes) -> list[PackedFact]:
    """The facts of a document.

    Raises:
        PackError: it is none.
    """
    try:
        return facts_of(one.decode(ENCODING))
    except _DAMAGE as error:
        raise _unreadable(error) from error


def pack(documents: Iterable[bytes]) -> bytes:
    """The documents, in order, as one pack."""
    text = b"\n".join(documents)
    packed = lzma.compress(text, format=lzma.FORMAT_RAW, filters=_FILTERS)
    return zlib.crc32(packed).to_bytes(_SUM_BYTES) + packed


def documents(data: bytes, form: int = FORM) -> list[bytes]:
    """The documents of a pack, in order.

    Raises:
        PackError: it is damaged, or of a newer version.
    """
    if form != FORM:
        raise PackError(f"a pack of form {form}: this version knows {FORM}; use the version that wrote it")
    try:
        packed = data[_SUM_BYTES:]
        if zlib.crc32(packed).to_bytes(_SUM_BYTES) != data[:_SUM_BYTES]:
            raise ValueError("its check sum differs")
        return lzma.decompress(packed, format=lzma.FORMAT_RAW, filters=_FILTERS).split(b"\n")
    except _DAMAGE as error:
        raise _unreadable(error) from error


def _unreadable(error: Exception) -> PackError:
    return PackError(f"a pack cannot be read: {type(error).__name__}: {error}")
