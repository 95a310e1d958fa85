"""The frameworks that are run against the server, and the observed results: `docs/frameworks.md` is generated from this
table, and the tests compare every row with a real run."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

HERE = Path(__file__).parent
EXAMPLES, LOCKS, SCRIPTS = HERE / "examples", HERE / "locks", HERE / "scripts"


@dataclass(frozen=True, slots=True)
class Case:
    """One framework."""

    name: str
    """Of its script and its example."""
    title: str
    packages: tuple[str, ...]
    """What was run, the framework itself first; their versions are in the lock."""
    ran: str
    """Which parts of the framework were run, besides a session with the server."""
    reads: Literal["text", "structured content", "text and structured content"]
    """The part of a result that the model reads."""
    first_wait: int
    """The `wait_seconds` that the first next step names, in seconds."""
    job_seconds: float = 2
    """How long a sandbox job takes in its run."""
    example_shows: str = "Call get_status with request_id"
    """What its example prints: most submit a clip."""
    lock: str = ""
    """The name of its lock, for Python; Node's frameworks share one, unless they have a `node_lock`."""
    node_lock: str = ""
    """The directory of its own lock, for Node."""

    @property
    def version(self) -> str:
        return self.versions[self.packages[0]]

    @property
    def versions(self) -> dict[str, str]:
        """Package to version, as locked."""
        if not self.lock:
            locked = json.loads((LOCKS / self.node_lock / "package-lock.json").read_text())["packages"]
            return {name: locked[f"node_modules/{name}"]["version"] for name in self.packages}
        pinned = dict(
            line.split("==", 1) for line in (LOCKS / f"{self.lock}.txt").read_text().splitlines() if "==" in line
        )
        return {name: pinned[name] for name in self.packages}


CASES = (
    Case(
        name="langchain_adapters",
        title="LangChain",
        packages=("langchain-mcp-adapters", "langchain-openai", "langchain-anthropic", "langchain-google-genai"),
        ran="tools bound for OpenAI (strict too), Anthropic and Google; results as each of their APIs is sent them",
        reads="text",
        first_wait=4,
        lock="langchain",
    ),
    Case(
        name="openai_agents",
        title="OpenAI Agents SDK",
        packages=("openai-agents",),
        ran="strict schemas, every optional argument sent as null; the default time-out of 5 s",
        reads="text",
        first_wait=4,
        job_seconds=10,
        lock="openai-agents",
    ),
    Case(
        name="google_genai",
        title="Google Gen AI SDK",
        packages=("google-genai", "mcp"),
        ran="an MCP session as its tool: schemas and results converted by its own code",
        reads="text",
        first_wait=4,
        lock="google-genai",
    ),
    Case(
        name="pydantic_ai_run",
        title="Pydantic AI",
        packages=("pydantic-ai-slim",),
        ran="agent runs, with a function in the model's place",
        reads="structured content",
        first_wait=45,
        lock="pydantic-ai",
    ),
    Case(
        name="fastmcp_client",
        title="FastMCP client",
        packages=("fastmcp",),
        ran="its client",
        reads="text",
        first_wait=45,
        lock="fastmcp",
    ),
    Case(
        name="google_adk",
        title="Google ADK",
        packages=("google-adk", "mcp"),
        ran="agent runs, with a function in the model's place; the default time-out of 5 s",
        reads="text",
        first_wait=4,
        job_seconds=8,
        example_shows="generate_video",  # a tool cannot be called without a model's run
        lock="google-adk",
    ),
    Case(
        name="llama_index_tools",
        title="LlamaIndex",
        packages=("llama-index-tools-mcp", "llama-index-core"),
        ran="its tools, every optional argument sent as null",
        reads="text and structured content",
        first_wait=4,
        lock="llama-index",
    ),
    Case(
        name="smolagents_tools",
        title="smolagents",
        packages=("smolagents", "mcpadapt", "mcp"),
        ran="its tools by mcpadapt, which needs version 1 of the MCP SDK",
        reads="text",
        first_wait=4,
        lock="smolagents",
    ),
    Case(
        name="mcp_sdk_js",
        title="MCP TypeScript SDK",
        packages=("@modelcontextprotocol/sdk",),
        ran="its client",
        reads="text",
        first_wait=4,
    ),
    Case(
        name="ai_sdk",
        title="Vercel AI SDK",
        packages=("@ai-sdk/mcp", "ai"),
        ran="`generateText`, with a function in the model's place",
        reads="text",
        first_wait=4,
    ),
    Case(
        name="mcp_use",
        title="mcp-use",
        packages=("mcp-use", "@langchain/core"),
        ran="its client, and its tools as its agents are given them; version 2 needs Node 22",
        reads="text and structured content",
        first_wait=4,
        node_lock="mcp-use",
    ),
)


def table() -> str:
    """The rows of `docs/frameworks.md`."""
    head = "| framework | versions run | what was run | the model reads | first wait |\n| --- | --- | --- | --- | --- |"
    rows = [
        f"| {case.title} | {', '.join(f'{name} {version}' for name, version in case.versions.items())} | {case.ran} "
        f"| {case.reads} | {case.first_wait} s |"
        for case in CASES
    ]
    return "\n".join([head, *rows])


def examples() -> str:
    """The examples, each as a section."""
    parts: list[str] = []
    for case in CASES:
        (file,) = EXAMPLES.glob(f"{case.name}.*")
        language = {".py": "python", ".mjs": "js"}[file.suffix]
        parts.append(f"### {case.title}\n\n```{language}\n{file.read_text().strip()}\n```")
    return "\n\n".join(parts)
