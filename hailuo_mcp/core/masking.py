"""Masking known secrets in a text, however they are encoded: in gateway messages, links, findings and the log."""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from functools import lru_cache
from html import unescape

MASK = "***"
SECRET_MIN = 5
"""Shorter values are not masked: they would match parts of ordinary words."""
_ESCAPED = re.compile(
    r"\\{1,32}+u(?P<utf16>[0-9a-f]{4})|\\{1,32}+x(?P<byte>[0-9a-f]{2})|\\{1,32}+(?P<escaped>[^\\])|"
    r"%(?:25){0,4}+(?P<percent>[0-9a-f]{2})|(?P<html>&(?:#[0-9]{1,7}|#x[0-9a-f]{1,6}|amp|lt|gt|quot|apos);)",
    re.IGNORECASE | re.DOTALL,
)
"""A character as escaped by URLs, JSON, Python and HTML, possibly more than once."""


def mask(text: str, secrets: Iterable[str]) -> str:
    """The text with these secrets masked: plain, with any characters escaped, and in base64 or hex."""
    pieces, at = list[str](), 0
    for start, end in _found(text, tuple(secrets)):
        pieces += (text[at:start], MASK)
        at = end
    return "".join(pieces) + text[at:]


def holds_secret(text: str, secrets: Iterable[str]) -> bool:
    """Whether `mask` would change the text."""
    return next(_found(text, tuple(secrets)), None) is not None


def _found(text: str, secrets: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    """The spans of the secrets in the text."""
    pattern = _pattern(secrets)
    if pattern is None:
        return
    spans = [match.span() for match in pattern.finditer(text)]
    if _ESCAPED.search(text):
        plain, places = _unescaped(text)
        spans += ((places[match.start()][0], places[match.end() - 1][1]) for match in pattern.finditer(plain))
    end = 0
    for span in sorted(spans):  # one that both texts contain is found twice
        if span[1] > end:
            yield max(span[0], end), span[1]
            end = span[1]


def _unescaped(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The text without escapes, and the original position of each character."""
    pieces, places, at = list[str](), list[tuple[int, int]](), 0
    for match in _ESCAPED.finditer(text):
        pieces += (text[at : match.start()], _character(match))
        places += [(index, index + 1) for index in range(at, match.start())]
        places.append(match.span())
        at = match.end()
    places += [(index, index + 1) for index in range(at, len(text))]
    return "".join(pieces) + text[at:], places


def _character(match: re.Match[str]) -> str:
    if html := match["html"]:
        return unescape(html)[:1] or " "
    code = match["utf16"] or match["byte"] or match["percent"]
    return chr(int(code, 16)) if code else match["escaped"]


@lru_cache(maxsize=64)
def _pattern(secrets: tuple[str, ...]) -> re.Pattern[str] | None:
    longest_first = sorted({secret for secret in secrets if len(secret) >= SECRET_MIN}, key=len, reverse=True)
    forms = dict.fromkeys(form for secret in longest_first for form in _forms(secret))
    return re.compile("|".join(forms), re.IGNORECASE) if forms else None


def _forms(secret: str) -> Iterator[str]:
    raw = secret.encode(errors="surrogatepass")
    secret = secret.rstrip("\\")  # as the last character, one looks like the escape of what follows
    for written in (secret, raw.decode("latin-1"), raw.hex()):
        if len(written) >= SECRET_MIN:
            yield re.escape(written)
    if len(secret) >= SECRET_MIN and len(plain := _unescaped(secret)[0]) > 1:
        yield re.escape(plain)  # one that itself looks like escapes may be short without them
    for offset in range(3):  # where the secret begins within three bytes of what is encoded
        begin, end = -(-offset * 8 // 6), (offset + len(raw)) * 8 // 6
        encoded = b64encode(bytes(offset) + raw).decode()[begin:end]
        yield encoded.replace("+", "[+-]").replace("/", "[/_]")
