"""The code blocks of README.md and docs/*.md, as a Markdown parser finds them."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", *(f"docs/{page.name}" for page in sorted(ROOT.glob("docs/*.md"))))
SHELL = "sh"
INDENTED = ""
"""The language of an indented block, which does not name one."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced or indented block. `file` is the file name after the language, if the reader is to save the block as a
    file."""

    page: str
    line: int
    language: str
    file: str
    text: str
    generated: bool

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def head(self) -> str:
        return self.text.strip().splitlines()[0].strip()

    @property
    def commands(self) -> tuple[str, ...]:
        """Its lines, without comments. Only a shell block has commands."""
        return tuple(line.split("  #")[0].strip() for line in self.text.splitlines() if line.strip())


@dataclass(frozen=True, slots=True)
class Command:
    """A line of a shell that sets variables and calls one program."""

    variables: tuple[tuple[str, str], ...]
    words: tuple[str, ...]

    @classmethod
    def read(cls, line: str) -> "Command":
        words = shlex.split(line, comments=True)
        count = next((index for index, word in enumerate(words) if not re.match(r"[A-Z_]+=", word)), len(words))
        variables = tuple((name, value) for name, _, value in (word.partition("=") for word in words[:count]))
        return cls(variables, tuple(words[count:]))


@cache
def _tokens(page: str) -> tuple[Token, ...]:
    return tuple(MarkdownIt("commonmark").enable("table").parse((ROOT / page).read_text()))


def blocks(page: str) -> Iterator[Block]:
    generated = _generated((ROOT / page).read_text().splitlines())
    for token in _tokens(page):
        if token.type in ("fence", "code_block") and token.map:
            language, _, file = token.info.partition(" ")
            line = token.map[0] + 1
            yield Block(page, line, language, file.strip(), token.content, line in generated)


def all_blocks() -> tuple[Block, ...]:
    return tuple(block for page in PAGES for block in blocks(page))


def inline_code(page: str) -> tuple[str, ...]:
    """The page's inline code, without duplicates."""
    children = (child for token in _tokens(page) for child in token.children or ())
    return tuple(dict.fromkeys(child.content for child in children if child.type == "code_inline"))


def links(page: str) -> tuple[str, ...]:
    """The targets of the page's links and images."""
    children = [child for token in _tokens(page) for child in token.children or ()]
    found = [child.attrGet("href" if child.type == "link_open" else "src") for child in children]
    return tuple(dict.fromkeys(str(target) for target in found if target))


def anchors(page: str) -> frozenset[str]:
    """The anchors of a page's headings, as GitHub forms them."""
    tokens = _tokens(page)
    headings = [tokens[index + 1].content for index, token in enumerate(tokens) if token.type == "heading_open"]
    return frozenset(re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings)


def _generated(lines: list[str]) -> frozenset[int]:
    """The numbers of the lines that cog writes."""
    inside, found = False, set[int]()
    for number, line in enumerate(lines, 1):
        if "[[[end]]]" in line:
            inside = False
        elif inside:
            found.add(number)
        elif "]]]" in line:
            inside = True
    return frozenset(found)
