"""Files that ChatGPT hands over with a call, as OpenAI documents it: the tool names the parameters that are files in
`_meta["openai/fileParams"]`, and these then come as objects, `{download_url, file_id, …}`, with a temporary link.

https://developers.openai.com/apps-sdk/reference
"""

from collections.abc import Mapping
from typing import Any

import mcp_types

from hailuo_mcp.core.parameters import IMAGE_PARAMETERS
from hailuo_mcp.gateways.base import mapping
from hailuo_mcp.media.fetched_image import fetch_as_data_uri
from hailuo_mcp.service.session import Session

FILE_PARAMS = "openai/fileParams"
PARAMETERS = ("first_frame_image", "last_frame_image")
"""Of generate_video, as far as its schema has them."""


def with_file_params(tool: mcp_types.Tool) -> mcp_types.Tool:
    """The tool, naming its parameters that are files."""
    names = [name for name in PARAMETERS if name in tool.input_schema.get("properties", {})]
    return tool.model_copy(update={"meta": {**(tool.meta or {}), FILE_PARAMS: names}}) if names else tool


async def fetched(session: Session, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, with the content of files that were handed over. Only where callers are on other machines.

    Raises:
        InvalidImage: a file cannot be fetched.
    """
    if session.services.uploads is None:
        return dict(arguments)
    return {name: await _fetched(session, name, value) for name, value in arguments.items()}


async def _fetched(session: Session, name: str, value: object) -> object:
    link = mapping(value).get("download_url")
    if name not in IMAGE_PARAMETERS or not isinstance(link, str):
        return value
    return await fetch_as_data_uri(name, link, session.services.link_policy)
