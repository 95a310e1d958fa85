"""nginx with the configuration from `deploy/`, on loopback and without TLS; in front of the sandbox too, where its log
counts the requests to the gateway."""

import re
import shutil
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

PUBLISHED = Path(__file__).parents[2] / "deploy" / "nginx.conf"
SERVER = re.compile(r"server \S+:8000( [^;]*);")

GATEWAY = """
    log_format asked '$request_method $uri $status $request_time';
    upstream sandbox {{
        {servers}
        keepalive 64;
        keepalive_timeout 4s;
    }}
    server {{
        listen 127.0.0.1:{port};
        access_log {log} asked;
        client_max_body_size 64m;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $http_host;
        location / {{ proxy_pass http://sandbox; }}
    }}
"""


def find_nginx() -> str:
    """Fails the test where nginx is missing, rather than skipping it."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found is None:
        pytest.fail("this test needs nginx: apt-get install -y --no-install-recommends nginx-light")
    return found


def configuration(directory: Path, port: int, replicas: Sequence[int], gateway: int, sandboxes: Sequence[int]) -> str:
    """The published file, with only its addresses and directories changed."""
    text = PUBLISHED.read_text()
    first = SERVER.search(text)
    assert first, f"{PUBLISHED} names no servers"
    options = first[1]
    servers = "\n".join(f"server 127.0.0.1:{replica}{options};" for replica in replicas)
    text = text[: first.start()] + servers + SERVER.sub("", text[first.end() :])
    text = text.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    text = re.sub(r"ssl_certificate\S* \S+;", "", text)
    text = text.replace("/dev/stdout", str(directory / "calls.log"))
    sandbox_server = GATEWAY.format(
        port=gateway,
        log=directory / "asked.log",
        servers="\n".join(f"server 127.0.0.1:{sandbox};" for sandbox in sandboxes),
    )
    temp_paths = "\n".join(
        f"{kind}_temp_path {directory / kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    text = text.replace("http {", f"http {{\n{temp_paths}\n{sandbox_server}", 1)
    return f"pid {directory / 'nginx.pid'};\ndaemon off;\n{text}"


@contextmanager
def nginx(
    directory: Path, port: int, replicas: Sequence[int], gateway: int, sandboxes: Sequence[int]
) -> Generator[None]:
    """Run until the end of the block. The logs are `calls.log`, `asked.log` and `nginx.log` in the directory."""
    file = directory / "nginx.conf"
    file.write_text(configuration(directory, port, replicas, gateway, sandboxes))
    command = [find_nginx(), "-p", str(directory), "-e", "stderr", "-c", str(file)]
    subprocess.run([*command, "-t"], check=True, capture_output=True)
    with (directory / "nginx.log").open("w") as log, subprocess.Popen(command, stderr=log) as process:
        try:
            yield
        finally:
            process.terminate()
            process.wait(10)
