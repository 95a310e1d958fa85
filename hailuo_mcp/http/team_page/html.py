"""The page's documents: plain HTML without scripts. All external values are escaped."""

import base64
import hashlib
from datetime import datetime
from html import escape
from importlib.resources import files

from hailuo_mcp.core.errors import Problem
from hailuo_mcp.core.job import Job
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.ledger import JobPage
from hailuo_mcp.mcp.player import icon_uri
from hailuo_mcp.service.session import Spent

STYLE = (files(__name__.rpartition(".")[0]) / "page.css").read_text("utf-8")
_STYLE_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_DIGEST}'; img-src data:; media-src 'self'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",  # with a stricter one, browsers send no Origin with a form
    "X-Content-Type-Options": "nosniff",
}


def sign_in(message: str = "") -> str:
    alert = f'<p role="alert" class="bad">{escape(message)}</p>' if message else ""
    return _document(
        "Sign in",
        f"""
<main class="narrow">
<h1>Sign in</h1>
<p>Paste the token that your MCP client sends to this server. It is exchanged for a cookie and not kept.</p>
{alert}
<form method="post" action="./">
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus spellcheck="false">
<button>Sign in</button>
</form>
</main>""",
    )


def unavailable(problem: Problem) -> str:
    return _document(
        "Not available",
        f'<main class="narrow"><h1>Not available</h1><p role="alert">{escape(problem.message)}</p>'
        f"<p>{escape(problem.hint)}</p></main>",
    )


def overview(tenant: str, spent: Spent, settings: Settings, page: JobPage, base: str) -> str:
    """The page of a signed-in tenant. Links to clips below `base`, this server's URL, become relative."""
    cards = "\n".join(_card(job, base) for job in page.jobs)
    jobs = f"<ul>{cards}</ul>" if cards else "<p>No jobs yet. Ask your assistant for a video.</p>"
    unit = "in the sandbox, where nothing is charged" if settings.in_sandbox else "since midnight UTC"
    shown = f"the {len(page.jobs)} newest of {page.total}" if page.total > len(page.jobs) else f"{page.total}"
    return _document(
        "Jobs",
        f"""
<header>
<h1>Hailuo video</h1>
<p>{escape(tenant)}</p>
<form method="post" action="./"><button name="action" value="sign-out" class="quiet">Sign out</button></form>
</header>
<main>
<section aria-labelledby="today">
<h2 id="today">Today <small>{unit}</small></h2>
<div class="meters">
{_meter("Jobs", spent.jobs, settings.max_jobs_per_day, "{:.0f}")}
{_meter("Spending", spent.usd, settings.max_usd_per_day, "${:.2f}")}
</div>
</section>
<section aria-labelledby="jobs">
<h2 id="jobs">Jobs <small>{shown}</small></h2>
{jobs}
</section>
</main>""",
    )


def _meter(label: str, value: float, limit: float | None, form: str) -> str:
    text = form.format(value)
    if limit is None:
        return f"<p>{label}: <strong>{text}</strong>, no limit</p>"
    share = 1.0 if value >= limit else value / limit
    return (
        f"<p>{label}: <strong>{text}</strong> of {form.format(limit)}"
        f'<meter aria-label="{label} of the day\'s limit" value="{share:.3f}" high="0.8" optimum="0"></meter></p>'
    )


def _card(job: Job, base: str) -> str:
    state = job.state.value
    lines = [
        f"<h3>{escape(job.excerpt) or 'Prompt unknown'}</h3>",
        f'<p class="facts"><span class="state {state}">{state}</span> {_moment(job.created_at)}</p>',
        f'<p class="facts">{escape(job.model)}, {_price(job)}{", sandbox" if job.sandbox else ""}</p>',
    ]
    if job.error and job.state.is_terminal:
        lines.append(f'<p class="bad">{escape(job.error.message)}</p>')
    lines.append(f"<code>{escape(job.request_id)}</code>")
    return f"<li>{_clip(job, base)}{''.join(lines)}</li>"


def _clip(job: Job, base: str) -> str:
    link = job.video_url or ""
    label = escape(f"Clip: {job.excerpt}")
    if link.startswith(f"{base}/"):
        source = escape(link.removeprefix(f"{base}/"))
        return (
            f'<video src="{source}" aria-label="{label}" controls preload="metadata" playsinline></video>'
            f'<p class="facts"><a href="{source}" download>Download<span class="sr"> {label}</span></a></p>'
        )
    if link.startswith("https://"):
        until = f" until {_moment(job.expires_at)}" if job.expires_at else ""
        return (
            f'<p class="facts"><a href="{escape(link)}" rel="noreferrer noopener">Clip at the gateway'
            f'<span class="sr"> {label}</span></a>{until}</p>'
        )
    return ""


def _price(job: Job) -> str:
    if job.not_charged:
        return "not charged"
    if job.cost_usd is not None:
        return f"${job.cost_usd:.4g}"
    return "price unknown" if job.estimated_cost_usd is None else f"about ${job.estimated_cost_usd:.4g}"


def _moment(moment: datetime) -> str:
    return f'<time datetime="{moment.isoformat()}">{moment:%d %b %Y, %H:%M} UTC</time>'


def _document(title: str, body: str) -> str:
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} – Hailuo video</title>
<link rel="icon" href="{icon_uri()}">
<style>{STYLE}</style>
</head>
<body>{body}
</body>
</html>
"""
