"""The gateways: one module each, with a `Gateway` subclass and the models it offers. Models are not chosen here, and
jobs are not stored here."""

from hailuo_mcp.gateways.aimlapi import Aimlapi
from hailuo_mcp.gateways.apixo import Apixo
from hailuo_mcp.gateways.base import Gateway
from hailuo_mcp.gateways.fal import Fal
from hailuo_mcp.gateways.minimax import Minimax
from hailuo_mcp.gateways.replicate import Replicate
from hailuo_mcp.gateways.segmind import Segmind

GATEWAYS: tuple[type[Gateway], ...] = (Segmind, Apixo, Aimlapi, Minimax, Fal, Replicate)
"""Every gateway, in the order in which they are listed."""
