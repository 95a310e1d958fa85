"""The gateways. Every module of this package, `base` apart, holds one `Gateway` subclass; being here is being
registered."""

from hailuo_mcp.gateways.base import Gateway


def discover() -> tuple[type[Gateway], ...]:
    """Every gateway of this package, in the order of their `rank`."""
    import pkgutil
    from importlib import import_module

    for module in pkgutil.iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    return tuple(sorted(Gateway.__subclasses__(), key=lambda gateway: gateway.rank))
