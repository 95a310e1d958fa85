"""Files that ChatGPT passes with a call, as OpenAI documents it: the tool lists its file parameters in
`_meta["openai/fileParams"]`, and ChatGPT passes these as objects, `{download_url, file_id, …}`, with a temporary link.

https://developers.openai.com/apps-sdk/reference
"""

from collections.abc import Mapping
from typing import Any

import mcp_types

from hailuo_mcp.core.parameters import IMAGE_PARAMETERS
from hailuo_mcp.gateways.answers import mapping
from hailuo_mcp.media.fetched_image import fetch_as_data_uri
from hailuo_mcp.service.session import Session

FILE_PARAMS = "openai/fileParams"
PARAMETERS = ("first_frame_image", "last_frame_image")
"""Parameters of generate_video that may be files; its schema has them if a usable model does."""


def with_file_params(tool: mcp_types.Tool) -> mcp_types.Tool:
    """The tool, with its file parameters listed in `_meta`."""
    names = [name for name in PARAMETERS if name in tool.input_schema.get("properties", {})]
    return tool.model_copy(update={"meta": {**(tool.meta or {}), FILE_PARAMS: names}}) if names else tool


async def fetched(session: Session, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, with each file that ChatGPT passed replaced by its content. Only over HTTP.

    Raises:
        InvalidImage: a file cannot be fetched.
    """
    complete = dict(arguments)
    for name in IMAGE_PARAMETERS if session.services.uploads else ():
        link = mapping(complete.get(name)).get("download_url")
        if isinstance(link, str):
            complete[name] = await fetch_as_data_uri(name, link, session.services.link_policy)
    return complete
