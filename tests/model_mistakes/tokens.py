"""How many tokens a text takes. Tests that count tokens ignore the warning that importing the tokenizer causes."""

import functools
from collections.abc import Callable, Sequence

IMPORT_WARNING = "ignore:open_binary is deprecated:DeprecationWarning"


def tokens(text: str) -> int:
    """The number of `o200k_base` tokens."""
    return len(_encoder()(text))


@functools.cache
def _encoder() -> Callable[[str], Sequence[int]]:
    """Created only once, because every instance builds its tables again."""
    import bpe_openai  # importing it causes a warning, which only a filter on the test itself ignores

    return bpe_openai.get_encoding("o200k_base").encode
