"""MiniMax itself, the vendor behind the other gateways. https://platform.minimax.io/docs

Errors come with HTTP 200: `base_resp.status_code` counts. A finished job names a file, whose link takes another
request.
"""

import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

import anyio

from hailuo_mcp.core.errors import ContentViolation, GatewayError, HailuoError, Unconfirmed
from hailuo_mcp.core.job import Job, Observation, State
from hailuo_mcp.core.parameters import MEDIA_PARAMETERS
from hailuo_mcp.core.request_id import REMOTE_ID_MAX
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.gateways import history, minimax_h3
from hailuo_mcp.gateways.answers import link_in, mapping, number, sequence
from hailuo_mcp.gateways.base import Gateway
from hailuo_mcp.gateways.client import Request, Response
from hailuo_mcp.gateways.definition import Transfer
from hailuo_mcp.gateways.minimax_models import S2V01, Hailuo02, Hailuo23, Hailuo23Fast, OfficialBody
from hailuo_mcp.gateways.uploads import form_request, uploaded_link

log = logging.getLogger(__name__)

_STATES = {
    "preparing": State.QUEUED,
    "queueing": State.QUEUED,
    "processing": State.PROCESSING,
    "success": State.COMPLETED,
    "fail": State.FAILED,
    "failed": State.FAILED,
}
_INPUT_SENSITIVE, _OUTPUT_SENSITIVE = 1026, 1027
_EITHER = {1002: 429, 1004: 401, 1008: 402, 2049: 401, 2056: 402, 2061: 403}
# Each of these means that the request was rejected before anything started. 1027 is missing: it concerns an output, so
# something was generated and may be billed. Codes not documented for a submission are missing too, such as internal
# errors and time-outs: without a task id, they leave open whether the job runs.
_SUBMISSION = {**_EITHER, _INPUT_SENSITIVE: 400, 2013: 400}
# A poll has one parameter: if it is wrong, the task is unknown. Sensitive content is the reason why a task failed.
_POLL = {**_EITHER, 2013: 404, _INPUT_SENSITIVE: 200, _OUTPUT_SENSITIVE: 200}
_HISTORY_ROWS = 100
_CODE_UNKNOWN = 500
"""Treated as internal errors of the gateway: a poll is retried, a submission becomes unconfirmed."""


class Minimax(Gateway):
    name = "minimax"
    title = "MiniMax"
    hosts: ClassVar[Mapping[str, str]] = {"base": "https://api.minimax.io"}
    models = (Hailuo23, Hailuo23Fast, Hailuo02, minimax_h3.H3, minimax_h3.H3Max, S2V01)
    body_formats: ClassVar[Mapping[str, type[ModelSpec]]] = {"official": OfficialBody, "h3": minimax_h3.H3Body}
    key_advice = (
        "Keys are bound to a region: for one from China set MINIMAX_BASE_URL=https://api.minimaxi.com, for all others "
        "https://api.minimax.io."
    )
    image_transfer = "data"
    image_formats = ("JPEG", "PNG", "WebP")
    retention = None  # a link expires after an hour, but each poll gives a new one
    requests_per_minute = 20
    callbacks = True
    check_hint = "Look at the billing page of the MiniMax platform to see whether the job was taken."

    def submit_request(self, spec: ModelSpec) -> Request:
        path = minimax_h3.SUBMIT if isinstance(spec, minimax_h3.H3Body) else "/v1/video_generation"
        return self.post(path, spec.to_body())

    def remote_id_in(self, body: Mapping[str, Any]) -> object:
        return body.get("task_id")

    def callback_answer(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"challenge": body["challenge"]} if "challenge" in body else {}

    def submission_status_of(self, response: Response) -> int:
        if _id_in(mapping(response.body), "task_id"):
            return response.status  # a task id that can be polled overrides an error code
        return _status(response, _SUBMISSION)

    def status_of(self, response: Response) -> int:
        body = mapping(response.body)
        if _STATES.get(str(body.get("status")).strip().lower()) is State.FAILED:
            return response.status  # the code is the reason why the task failed
        return _status(response, _POLL) if _code(body) else minimax_h3.status_of(response.status, body)

    def message_in(self, body: Mapping[str, Any]) -> object:
        return mapping(body.get("base_resp")).get("status_msg") or body.get("message") or body.get("error")

    def code_in(self, body: Mapping[str, Any]) -> object:
        return _code(body)

    def error_class(self, status: int, message: str, body: Mapping[str, Any]) -> type[HailuoError]:
        sensitive = _code(body) == _INPUT_SENSITIVE or (status == 422 and body.get("type") == "error")
        return ContentViolation if sensitive else super().error_class(status, message, body)

    async def poll(self, model: type[ModelSpec], remote_id: str) -> Observation:
        if issubclass(model, minimax_h3.H3Body):
            path = f"{minimax_h3.QUERY}/{quote(remote_id, safe='')}"
            body, _ = await self.fetch_json(self.get(path))
            return self._from_task(model, mapping(body.get("task")))
        ends = anyio.current_time() + self.client.retry.poll_timeout
        query = f"task_id={quote(remote_id, safe='')}"
        body, response = await self.fetch_json(self.get(f"/v1/query/video_generation?{query}"))
        code = _code(body)
        sensitive = code in (_INPUT_SENSITIVE, _OUTPUT_SENSITIVE)
        state = State.FAILED if sensitive else self.state(_STATES, body.get("status"), response)
        return self.observation(
            state,
            output=await self._link(body, ends) if state is State.COMPLETED else None,
            reason=f"{code} {self.clean(self.message_in(body))}" if code else None,  # without a code it is “success”
            kind=ContentViolation if sensitive else None,
        )

    async def upload(self, media_type: str, content: bytes, seconds: float) -> str:
        """Uploads are kept for seven days; a file that H3 would not accept is refused."""
        texts = {"purpose": "video_generation_input"}
        request = form_request(self, "/v1/files/upload", "file", media_type, content, texts)
        response = await self.client.send_with_retry(request, seconds, self.submission_status_of)
        file_id = _id_in(mapping(mapping(response.body).get("file")), "file_id")
        return uploaded_link(self, response, f"mm_file://{file_id}" if file_id else None)

    async def _link(self, body: Mapping[str, Any], ends: float) -> str | None:
        """The clip's link, valid for an hour. None if it cannot be fetched now: the job still counts as completed and
        is polled again for the link."""
        file_id = _id_in(body, "file_id")
        if file_id is None:
            return None
        with anyio.move_on_after(max(0.0, ends - anyio.current_time())):
            try:
                found, _ = await self.fetch_json(self.get(f"/v1/files/retrieve?file_id={quote(file_id, safe='')}"))
                return link_in(mapping(found.get("file")).get("download_url"))
            except HailuoError as error:
                log.info("%s: no link to a finished clip yet: %s", self.title, error.problem.code)
        return None

    @classmethod
    def transfer(cls, model: type[ModelSpec], parameter: str, size: int) -> Transfer:
        if not issubclass(model, minimax_h3.H3Body):
            return super().transfer(model, parameter, size)
        is_small = MEDIA_PARAMETERS[parameter] == "image" and size <= minimax_h3.INLINE_BYTES_MAX
        return "data" if is_small else "upload"

    # --- H3 -------------------------------------------------------------------------------------------------------

    def keeps_history(self, model_id: str) -> bool:
        return self._is_h3(model_id)

    def cancels(self, model_id: str) -> bool:
        return self._is_h3(model_id)

    def _is_h3(self, model_id: str) -> bool:
        model = self.model(model_id)
        return model is not None and issubclass(model, minimax_h3.H3Body)

    async def balance(self) -> float | None:
        response = await self.client.send_with_retry(self.get("/account/query_balance"))
        return number(mapping(response.body).get("available_amount")) if response.ok else None

    async def cancel(self, job: Job) -> Observation | None:
        """Only a queued task may be deleted: for an ended one, this would delete its record."""
        if job.state is not State.QUEUED or not job.remote_id or not self._is_h3(job.model):
            return None
        request = self.get(f"{minimax_h3.SUBMIT}/{quote(job.remote_id, safe='')}")
        try:
            response = await self.client.send_once(replace(request, method="DELETE"), self.client.retry.poll_timeout)
        except Unconfirmed:
            raise GatewayError(f"{self.title} did not answer; the next poll shows whether it was cancelled.") from None
        body = mapping(response.body)
        if not response.ok:
            if response.status in (400, 404, 409, 422):
                return None  # it has started
            raise self.refusal(response.status, response)
        cancelled = minimax_h3.STATES.get(str(body.get("status")).lower()) is State.CANCELLED
        return Observation(state=State.CANCELLED) if cancelled else None

    async def find_submissions(self, model: type[ModelSpec], job: Job) -> AsyncGenerator[tuple[object, Observation]]:
        if not issubclass(model, minimax_h3.H3Body):
            return
        for page in range(1, history.PAGES_MAX + 1):
            tasks = await self._tasks(page, {"filter.model": model.remote_name})
            for task in tasks:
                if minimax_h3.is_same(job, task):
                    yield _id_in(task, "id"), self._from_task(model, task)
            if len(tasks) < _HISTORY_ROWS or minimax_h3.is_older(job, tasks[-1]):
                return
        raise history.too_long(self.title)

    async def look_up_expired(self, job: Job) -> Observation | None:
        model = self.model(job.model)
        if model is None or not issubclass(model, minimax_h3.H3Body) or not job.remote_id:
            return None
        tasks = await self._tasks(1, {"filter.task_ids": job.remote_id})
        task = next((task for task in tasks if _id_in(task, "id") == job.remote_id), None)
        return self._from_task(model, task) if task else None

    async def _tasks(self, page: int, wanted: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
        """A page of the account's tasks, newest first."""
        query = urlencode({"page_num": page, "page_size": _HISTORY_ROWS, **wanted})
        body, _ = await self.fetch_json(self.get(f"{minimax_h3.QUERY}?{query}"))
        if "items" not in body:
            raise history.unreadable(self.title)
        return [mapping(item) for item in sequence(body["items"])]

    def _from_task(self, model: type[ModelSpec], task: Mapping[str, Any]) -> Observation:
        error = mapping(task.get("error"))
        return self.observation(
            self.state(minimax_h3.STATES, task.get("status")),
            output=mapping(task.get("content")).get("url"),
            reason=[text for part in ("code", "message") if (text := error.get(part))],
            kind=ContentViolation if str(error.get("code")) in minimax_h3.SENSITIVE else None,
            cost_usd=minimax_h3.cost_of(model, task),
        )


def _code(body: Mapping[str, Any]) -> int:
    """The vendor's status code; 0 for success, or if there is none."""
    return int(number(mapping(body.get("base_resp")).get("status_code")) or 0)


def _status(response: Response, meanings: Mapping[int, int]) -> int:
    """The code as an HTTP status. It refines 2xx and 4xx; redirects and 5xx take precedence."""
    code = _code(mapping(response.body))
    if not code or not (response.ok or 400 <= response.status < 500):
        return response.status
    return meanings.get(code, _CODE_UNKNOWN if response.ok else response.status)


def _id_in(body: Mapping[str, Any], name: str) -> str | None:
    """An id that may be a string or a number, with all its digits."""
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    text = str(value).strip()
    return text if 0 < len(text) <= REMOTE_ID_MAX else None
