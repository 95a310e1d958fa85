"""The text of every result. It is complete by itself: many hosts and frameworks show a model nothing else."""

import json
from datetime import timedelta

from hailuo_mcp.core.errors import Problem
from hailuo_mcp.core.job import State, utc_now
from hailuo_mcp.ledger import JobPage
from hailuo_mcp.mcp.views import Download, JobList, JobView, is_reachable

SANDBOX = " [sandbox: a preview, nothing is charged; set a gateway's key for real clips]"
SOON = timedelta(minutes=15)
"""A link that expires within this time is worth a warning."""


def job_text(view: JobView) -> str:
    """The id (which begins with the model), state, price, link with its expiry, error, warnings, and the next step
    (which names the saved file)."""
    head = "Dry run, nothing was sent." if view.state == "dry_run" else f"request_id: {view.request_id}"
    if view.request_id and f'"{view.request_id}"' in view.next_step:
        head = ""  # once is enough: a request id takes about thirty tokens
    lines = [f"{head}{SANDBOX if view.sandbox else ''}".strip(), _facts(view)]
    if view.request:
        body = json.dumps(view.request["body"], ensure_ascii=False)
        lines.append(f"{view.request['method']} {view.request['url']} {body}")
    if view.video_url and is_reachable(view.video_url):
        lines.append(f"video_url: {view.video_url}" + (f" (expires at {view.expires_at})" if view.expires_at else ""))
    if view.error:
        lines.append(error_text(view.error))
    lines += [f"Warning: {warning}" for warning in view.warnings]
    if not view.error or view.next_step != view.error.hint:
        lines.append(f"Next: {view.next_step}")
    return "\n".join(filter(None, lines))


def _facts(view: JobView) -> str:
    time = ""
    if view.poll_after_seconds is not None and view.estimated_seconds:
        time = f", {view.elapsed_seconds:.0f} s of about {view.estimated_seconds:.0f} s"
    model = "" if view.request_id else f"model: {view.model}; "  # a request id begins with its model
    return f"state: {view.state}{time}; {model}{_price(view)}"


def _price(view: JobView) -> str:
    if view.error and view.error.charged == "no":
        return "price: nothing was charged"
    if view.cost_usd is not None:
        return f"price: ${view.cost_usd:.4g} (reported by the gateway)"
    if view.estimated_cost_usd is not None:
        return f"price: ${view.estimated_cost_usd:.4g} (estimated)"
    return "price: unknown, not published"


def error_text(error: Problem) -> str:
    """What happened, how to fix it, and for programs that see only text: code, whether it was charged, whether to
    retry."""
    retry = "safe to retry" if error.safe_to_retry else "do not retry unchanged"
    message = error.message if error.message.endswith((".", "!", "?", "…")) else f"{error.message}."
    return f"{message} {error.hint} [code: {error.code}; charged: {error.charged}; {retry}]"


def job_list_text(view: JobList, page: JobPage, *, sandbox: bool) -> str:
    """`view` has the jobs of `page` as their caller may see them: on other machines, with links instead of paths."""
    if not view.jobs:
        return "No jobs. Call generate_video to submit one."
    spent = f"${view.spent_usd:.2f}" + (" in the sandbox, where nothing is charged" if sandbox else "")
    lines = [f"{len(view.jobs)} of {view.total} jobs, newest first; spent {spent}."]
    now = utc_now()
    for row, job in zip(view.jobs, page.jobs, strict=True):
        line = f'{row.request_id}: {row.state}, {row.created_at}, "{row.prompt}"'
        if job.state is State.COMPLETED:
            line += f", saved at {row.video_path}" if row.video_path else ", saved" if job.video_path else ", not saved"
            if row.video_url and not row.video_path and is_reachable(row.video_url):
                line += f", video_url {row.video_url}"
            if not job.video_path and job.expires_at and job.expires_at - now < SOON:
                line += f"; its link expires at {row.expires_at}: call download_video now"
        lines.append(line)
    return "\n".join(lines)


def saved_text(view: Download) -> str:
    where = f"Saved at {view.video_path}" if view.video_path else f"Saved; video_url: {view.video_url}"
    return f"{where} ({megabytes(view.bytes, None)})."


def unfinished_download_text(view: Download) -> str:
    return f"The clip is not saved yet: {megabytes(view.bytes, view.total)} so far. {view.next_step}"


def megabytes(received: int, total: int | None) -> str:
    return f"{received / 1e6:.1f} MB" if total is None else f"{received / 1e6:.1f} of {total / 1e6:.1f} MB"
