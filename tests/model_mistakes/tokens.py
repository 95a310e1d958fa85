"""What a text costs a model's context. A test that counts filters the warning that importing the counter gives."""

import functools
from collections.abc import Callable, Sequence

IMPORT_WARNING = "ignore:open_binary is deprecated:DeprecationWarning"


def tokens(text: str) -> int:
    """How many tokens of `o200k_base`."""
    return len(_encoder()(text))


@functools.cache
def _encoder() -> Callable[[str], Sequence[int]]:
    """Made once: each one builds its tables again."""
    import bpe_openai  # it warns while it is imported, which only a test's own filter sees

    return bpe_openai.get_encoding("o200k_base").encode
