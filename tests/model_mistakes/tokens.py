"""What a text costs a model's context. A test that counts filters the warning that importing the counter gives."""

IMPORT_WARNING = "ignore:open_binary is deprecated:DeprecationWarning"


def tokens(text: str) -> int:
    """How many tokens of `o200k_base`."""
    import bpe_openai  # it warns while it is imported, which only a test's own filter sees

    return len(bpe_openai.get_encoding("o200k_base").encode(text))
