"""Fetches an image from a temporary link, which may expire before a gateway would fetch it."""

import base64
from typing import TYPE_CHECKING

import anyio

from hailuo_mcp.core.errors import HailuoError, InvalidImage
from hailuo_mcp.media.fetch import REDIRECTS_MAX, LinkPolicy, guarded_client
from hailuo_mcp.media.files import megabytes
from hailuo_mcp.media.images import BYTES_MAX

if TYPE_CHECKING:
    import httpx

SECONDS = 15.0
_AGAIN = "Attach the image again, or give a URL; nothing was sent."


async def fetch_as_data_uri(parameter: str, link: str, policy: LinkPolicy) -> str:
    """The content behind a link, from public hosts only, as an unchecked `data:` URI.

    Raises:
        InvalidImage: there is no file, it may not be fetched, or it is too large.
    """
    import httpx  # start-up time: only such calls need it

    try:
        with anyio.fail_after(SECONDS):
            async with guarded_client(policy, None, "") as client:
                content = await _fetch(parameter, client, link)
    except InvalidImage:
        raise
    except HailuoError:
        raise InvalidImage(f"{parameter}: its download_url is not a public https address.", _AGAIN) from None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, TimeoutError):
        raise InvalidImage(f"{parameter}: its download_url could not be fetched.", _AGAIN) from None
    return f"data:application/octet-stream;base64,{base64.b64encode(content).decode()}"


async def _fetch(parameter: str, client: "httpx.AsyncClient", link: str) -> bytes:
    client.max_redirects = REDIRECTS_MAX
    headers = {"Accept": "image/*", "Accept-Encoding": "identity"}
    async with client.stream("GET", link, headers=headers, follow_redirects=True) as response:
        if response.status_code != 200:
            raise InvalidImage(f"{parameter}: its download_url answered {response.status_code}.", _AGAIN)
        content = bytearray()
        async for chunk in response.aiter_raw():
            content += chunk
            if len(content) > BYTES_MAX:
                raise InvalidImage(
                    f"{parameter}: its file has more than {megabytes(BYTES_MAX)}.", "Attach a smaller image."
                )
    return bytes(content)
