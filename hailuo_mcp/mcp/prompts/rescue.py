"""The text of the prompt that saves clips before their gateways delete them: the jobs at risk, from the ledger."""

from datetime import datetime

from hailuo_mcp.core.job import IN_PROCESS, Job, State, utc_now
from hailuo_mcp.mcp.prompts.recipe import Given
from hailuo_mcp.mcp.views import timestamp
from hailuo_mcp.service.poller import FIND_WINDOW
from hailuo_mcp.service.session import Session

RESCUED_PER_STATE = 50


async def rescue_clips(session: Session, _: Given) -> list[str]:
    now = utc_now()
    pages = [await session.jobs(state, RESCUED_PER_STATE) for state in State if not state.is_terminal]
    pages.append(await session.jobs(State.COMPLETED, RESCUED_PER_STATE))
    jobs = [job for page in pages for job in page.jobs if job.origin != IN_PROCESS or session.settings.in_sandbox]
    jobs.sort(key=lambda job: _urgency(job, now))
    unsaved = [job for job in jobs if job.state is State.COMPLETED and not job.video_path]
    running = [job for job in jobs if not job.state.is_terminal and now - job.created_at < FIND_WINDOW]
    lines = ["Save the paid clips that are not on disk yet, before the gateways delete them.", ""]
    if not unsaved and not running:
        return [
            *lines,
            "All recent jobs in the ledger are saved or ended. Call list_jobs with limit 50 to make sure, and call "
            "download_video for each completed job without a video_path. Then tell the user that nothing is at risk.",
        ]
    if unsaved:
        lines += ["Completed and not saved, the most urgent first:", *(_at_risk(job, now) for job in unsaved)]
    if running:
        lines += ["Possibly not completed yet:", *(_at_risk(job, now) for job in running)]
    return [
        *lines,
        "",
        "1. For each completed job, in this order, call download_video with its request_id. Saving costs nothing, and "
        "a clip that is already saved is not fetched again.",
        "2. For each of the others, call get_status with its request_id, and save it too if it is completed. Do not "
        "submit an unconfirmed one again: it may already be charged.",
        "3. If download_video says that a clip has expired, it has already searched the gateway's history; tell the "
        "user. A new clip is charged again: do not make one without asking.",
        "4. Call list_jobs with limit 50: are there older completed jobs without a video_path? Save them too.",
        "5. Tell the user what was saved and where, what is still running, and what is lost.",
    ]


def _urgency(job: Job, now: datetime) -> tuple[int, datetime]:
    """Sort key: clips that can still be saved in time, then those with no known time, then those probably lost."""
    if job.expires_at is None:
        return 1, job.created_at
    return (0 if job.expires_at > now else 2), job.expires_at


def _at_risk(job: Job, now: datetime) -> str:
    line = f'- {job.request_id}: {job.state}, submitted {timestamp(job.created_at)}, "{job.excerpt}"'
    if job.expires_at is None:
        return f"{line}; the gateway does not say how long it keeps it"
    minutes = int((job.expires_at - now).total_seconds() // 60)
    time_left = (
        f"in {minutes} minutes" if minutes >= 1 else "within a minute" if job.expires_at > now else "already past"
    )
    return f"{line}; kept until {timestamp(job.expires_at)}, {time_left}"
