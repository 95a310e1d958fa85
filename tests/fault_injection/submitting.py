"""One of several processes that submit the same prompts. Prints `ready`, waits for a line on stdin, and then prints
the result of each prompt as JSON: the state of a job, or the code of an error.
"""

import json
import os
import random
import sys

import anyio

from hailuo_mcp.app import load_settings
from hailuo_mcp.core.errors import HailuoError
from tests.support import open_session

CONCURRENT_CALLS = 6


async def main(model: str, prompts: list[str]) -> None:
    settings = load_settings()
    results: dict[str, tuple[str, str]] = {}
    random.Random(os.getpid()).shuffle(prompts)
    limiter = anyio.CapacityLimiter(CONCURRENT_CALLS)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    async with open_session(settings) as session, anyio.create_task_group() as tasks:

        async def submit(prompt: str) -> None:
            async with limiter:
                try:
                    submitted = await session.generate({"model": model, "prompt": prompt})
                except HailuoError as error:
                    results[prompt] = (error.problem.code, "")
                else:
                    results[prompt] = (submitted.job.state, submitted.job.request_id)

        for prompt in prompts:
            tasks.start_soon(submit, prompt)
    sys.stdout.write(json.dumps(results) + "\n")


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], json.loads(sys.argv[2]))
