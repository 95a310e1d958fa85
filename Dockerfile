# The server over HTTP, as an unprivileged user. docs/deployment.md says how to run it.
FROM python:3.12-slim AS build
COPY --from=ghcr.io/astral-sh/uv:0.13 /uv /usr/local/bin/uv
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=/opt/hailuo-mcp
WORKDIR /src
COPY pyproject.toml uv.lock README.md LICENSE ./
# Dependencies change rarely, so they get their own layer.
RUN uv sync --locked --no-dev --no-install-project --extra media --extra postgres --extra otel
COPY hailuo_mcp hailuo_mcp
RUN uv sync --locked --no-dev --no-editable --extra media --extra postgres --extra otel

FROM python:3.12-slim
RUN useradd --uid 10001 --create-home --home-dir /var/lib/hailuo-mcp --shell /usr/sbin/nologin hailuo \
    && install --directory --owner hailuo /clips
COPY --from=build /opt/hailuo-mcp /opt/hailuo-mcp
ENV PATH=/opt/hailuo-mcp/bin:$PATH HAILUO_MCP_OUTPUT_DIR=/clips HAILUO_MCP_LOG_FORMAT=json
USER 10001
WORKDIR /var/lib/hailuo-mcp
VOLUME ["/clips", "/var/lib/hailuo-mcp"]
EXPOSE 8000
# Health, not readiness: an unavailable database is no reason to restart the server.
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s CMD \
    ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=2)"]
ENTRYPOINT ["hailuo-mcp"]
CMD ["serve", "--http", "--host", "0.0.0.0", "--port", "8000"]
