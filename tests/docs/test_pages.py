"""The pages are linked: each can be reached from the README, and no link is broken."""

import pytest
import yaml

from tests.docs.blocks import PAGES, ROOT, anchors, links


def _target(page: str, link: str) -> tuple[str, str] | None:
    """The repository file that a link leads to, and the anchor in it; None for an external link."""
    if "://" in link:
        return None
    file, _, anchor = link.partition("#")
    path = (ROOT / page).parent / file if file else ROOT / page
    return str(path.resolve().relative_to(ROOT)), anchor


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, pending = {"README.md"}, ["README.md"]
    while pending:
        page = pending.pop()
        targets = {found[0] for link in links(page) if (found := _target(page, link))}
        new = (targets & {*PAGES}) - reached
        reached |= new
        pending += new
    assert {*PAGES} - reached == set(), "link it from a page"


@pytest.mark.parametrize("page", PAGES)
def test_every_internal_link_has_a_target(page: str) -> None:
    for link in links(page):
        if found := _target(page, link):
            file, anchor = found
            assert (ROOT / file).exists(), link
            assert not anchor or anchor in anchors(file), link


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    entries = [entry for section in nav for entry in section.values()]
    named = [page for entry in entries for page in ([entry] if isinstance(entry, str) else entry)]
    assert sorted(f"docs/{page}" for page in named) == sorted({*PAGES} - {"README.md"})
