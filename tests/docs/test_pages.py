"""The pages are linked: each can be reached from the README, and no link is broken."""

import pytest
import yaml

from tests.docs.blocks import PAGES, ROOT, anchors, links


def _target(page: str, link: str) -> tuple[str, str] | None:
    """The file of the checkout that a link leads to, and the place in it; nothing for one that leads out."""
    if "://" in link:
        return None
    file, _, place = link.partition("#")
    path = (ROOT / page).parent / file if file else ROOT / page
    return str(path.resolve().relative_to(ROOT)), place


def test_every_page_is_reached_from_the_readme() -> None:
    reached, open_ = {"README.md"}, ["README.md"]
    while open_:
        page = open_.pop()
        targets = {found[0] for link in links(page) if (found := _target(page, link))}
        new = (targets & {*PAGES}) - reached
        reached |= new
        open_ += new
    assert {*PAGES} - reached == set(), "link it from a page"


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    for link in links(page):
        if found := _target(page, link):
            file, place = found
            assert (ROOT / file).exists(), link
            assert not place or place in anchors(file), link


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    entries = [entry for section in nav for entry in section.values()]
    named = [page for entry in entries for page in ([entry] if isinstance(entry, str) else entry)]
    assert sorted(f"docs/{page}" for page in named) == sorted({*PAGES} - {"README.md"})
