"""What `hailuo-mcp demo` prints, for the documentation.

`uv run python -m tests.transcript` runs the demo and writes `docs/demo.txt`; then `uv run cog -r docs/sandbox.md`. What
differs each time is normalized: ids, dates, durations, sizes, paths, and the number of polls.
"""

import os
import re
import subprocess
import sys
import tempfile
from itertools import takewhile
from pathlib import Path

TRANSCRIPT = Path(__file__).parent.parent / "docs" / "demo.txt"
PROGRAM = Path(sys.executable).with_name("hailuo-mcp")
JOB_SECONDS = "16"
"""How long the sandbox takes: long enough to see all jobs running, even on a busy machine."""
HOME = "/home/you"
DAY = "2026-01-31"
UUID = "1f2e3d4c-5b6a-4788-9aab-bccddeef0011"
NUMBER = "304218760951"
TITLE = "What the demo prints"


def play() -> str:
    """Run the demo in an empty home, and normalize its output.

    Raises:
        subprocess.CalledProcessError: it did not succeed.
    """
    with tempfile.TemporaryDirectory() as home:
        environ = {"PATH": os.environ["PATH"], "HOME": home, "HAILUO_MCP_SANDBOX_SECONDS": JOB_SECONDS}
        done = subprocess.run(
            [PROGRAM, "demo"], env=environ, cwd=home, capture_output=True, text=True, check=True, timeout=110
        )
        return normalized(done.stdout, home)


def normalized(text: str, home: str) -> str:
    """The transcript without what differs each time; a job's polls between its first and its last are left out."""
    text = text.replace(str(PROGRAM), f"{HOME}/.local/bin/{PROGRAM.name}").replace(home, HOME)
    text = re.sub(r"\d+\.\d (s|MB)\b", r"… \1", text)
    text = re.sub(r"/\d{4}-\d\d-\d\d-", f"/{DAY}-", text)
    for found in dict.fromkeys(re.findall(r"request_id: \S+/(\S+)", text)):
        ours = UUID if "-" in found else NUMBER
        text = text.replace(found, ours).replace(f"-{found[-8:].replace('-', '')}.", f"-{ours[-8:]}.")
    head, *turns = re.split(r"\n\n(?= ?\d+  )", text)
    *_, last = turns
    turns[-1], _, ending = last.partition("\n\n")
    kept: list[str] = []
    for turn in turns:
        body = re.sub(r"^ *\d+", "", turn)
        if "← processing" not in body or body not in kept:
            kept.append(body)
    numbered = [f"{number:>2}{body}" for number, body in enumerate(kept, 1)]
    return "\n\n".join([head, *numbered, ending.rstrip()]) + "\n"


def folded() -> str:
    """For the documentation, up to the list of clips: what follows is described on its own pages."""
    lines = TRANSCRIPT.read_text().splitlines()
    shown = takewhile(lambda line: not line.startswith("To do the same by hand"), lines)
    text = "\n".join(shown).strip()
    return f"<details><summary>{TITLE}</summary>\n\n```text\n{text}\n```\n\n</details>\n"


if __name__ == "__main__":
    TRANSCRIPT.write_text(play())
