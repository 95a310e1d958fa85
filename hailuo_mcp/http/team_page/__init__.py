"""The read-only page at `/` for the members of a team: recent jobs, clips, and the day's spending."""

import anyio
from mcp.server.auth.provider import TokenVerifier
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from hailuo_mcp.core.caller import Caller
from hailuo_mcp.core.errors import HailuoError
from hailuo_mcp.core.job import utc_now
from hailuo_mcp.http.auth import READ
from hailuo_mcp.http.bodies import read_body
from hailuo_mcp.http.team_page import html
from hailuo_mcp.http.team_page.sign_in import SignIns, field_in, is_from_here
from hailuo_mcp.service.services import Services
from hailuo_mcp.service.session import Session
from hailuo_mcp.service.signed_urls import SignedUrls

PATH = "/"
JOBS_SHOWN = 24
FORM_BYTES_MAX = 16 * 1024
FAILURE_SECONDS = 1.0
"""The response to a wrong token is delayed by this time."""
FAILURES_AT_ONCE = 8
"""While this many such responses are pending, sign-ins are refused unchecked: at most eight guesses a second."""


def team_page(
    services: Services, urls: SignedUrls, verifier: TokenVerifier, *, failure_seconds: float = FAILURE_SECONDS
) -> Route:
    """The route of the page. Sign-in takes any token that `verifier` accepts."""
    sign_ins = SignIns(urls, services.settings)
    failing = 0

    async def page(request: Request) -> Response:
        if request.method == "POST":
            return await post(request)
        tenant = sign_ins.tenant_of(request, utc_now())
        return await _overview(services, tenant, urls.base) if tenant else _answer(html.sign_in())

    async def post(request: Request) -> Response:
        if not is_from_here(request):
            return _answer(html.sign_in("This form was sent from another site. Sign in here."), 403)
        form = await read_body(request, FORM_BYTES_MAX)
        if field_in(form, "action") == "sign-out":
            return sign_ins.forget(_redirect_to_page())
        return await sign_in(field_in(form, "token"))

    async def sign_in(token: str) -> Response:
        nonlocal failing
        if failing >= FAILURES_AT_ONCE:
            answer = _answer(html.sign_in("Too many wrong tokens just now. Try again in a few seconds."), 429)
            answer.headers["Retry-After"] = "2"
            return answer
        failing += 1  # until the token is known to be right
        try:
            known = await verifier.verify_token(token) if token else None
            if known is None or READ not in known.scopes:
                await anyio.sleep(failure_seconds)
                return _answer(html.sign_in("This server does not know this token. Paste it without “Bearer”."), 401)
        finally:
            failing -= 1
        return sign_ins.remember(_redirect_to_page(), known, utc_now())

    return Route(PATH, page, methods=["GET", "POST"])


async def _overview(services: Services, tenant: str, base: str) -> Response:
    session = Session(services, Caller(tenant=tenant, may_generate=False))
    try:
        spent = await session.spent_today()
        jobs = session.public_page(await session.jobs(limit=JOBS_SHOWN))
    except HailuoError as error:
        return _answer(html.unavailable(session.redact(error).problem), 503)
    return _answer(html.overview(tenant, spent, session.settings, jobs, base))


def _redirect_to_page() -> Response:
    """A redirect to the page; relative, because a proxy may serve it under another path."""
    return RedirectResponse("./", 303, headers=html.HEADERS)


def _answer(document: str, status: int = 200) -> Response:
    return HTMLResponse(document, status, headers=html.HEADERS)
