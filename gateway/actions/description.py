"""Describe the whole public API in one OpenAPI 3.1 document, from what each service says about its part."""

import asyncio
import copy
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from gateway.actions.deps import Deps
from gateway.clients import fetch_openapi
from gateway.model import SCOPES, Route, Upstream
from gateway.policy.routes import ROUTES, shape
from hubkit.errors import UnavailableError

Json = dict[str, Any]
_FRESH: Final = timedelta(minutes=1)
_SCHEME: Final = "onward"
#: The services with public calls.
_DESCRIBED: Final = sorted({route.upstream for route in ROUTES})
_SECTIONS: Final = ("schemas", "responses", "parameters", "headers", "requestBodies", "examples", "links")


class Description:
    """The merged document, fetched at the first wish and again when it is a minute old.

    Parameters
    ----------
    own
        The gateway's own OpenAPI document.
    """

    def __init__(self, deps: Deps, own: Json) -> None:
        self._deps = deps
        self._own = own
        self._document: Json | None = None
        self._fetched_at: datetime | None = None

    async def document(self) -> Json:
        """Return the document.

        Raises
        ------
        UnavailableError
            When a service is away and has never been heard; later on what it said last stands.
        """
        now = self._deps.clock.now()
        if self._document is None or self._fetched_at is None or now - self._fetched_at > _FRESH:
            try:
                parts = await asyncio.gather(*(fetch_openapi(self._deps.upstreams[name]) for name in _DESCRIBED))
            except UnavailableError:
                if self._document is None:
                    raise UnavailableError(retry_after_s=1) from None
            else:
                self._document = merge(self._own, dict(zip(_DESCRIBED, parts, strict=True)), self._deps.issuer)
            self._fetched_at = now
        return self._document


def merge(own: Json, parts: Mapping[Upstream, Json], public_url: str) -> Json:
    """Return one document: the gateway's own calls, and of each service the calls of the route table alone.

    Parameters
    ----------
    parts
        OpenAPI document of each service. A component whose name another service gives to something else is renamed.
    """
    merged = copy.deepcopy(own)
    merged["servers"] = [{"url": public_url}]
    components = merged.setdefault("components", {})
    for upstream, part in parts.items():
        document = _with_own_names(part, components, upstream)
        for section in _SECTIONS:
            components.setdefault(section, {}).update(document.get("components", {}).get(section, {}))
        for path, operations in _public(document, upstream).items():
            merged["paths"].setdefault(path, {}).update(operations)
    merged["components"] = _used(merged["paths"], components)
    flow = {"tokenUrl": f"{public_url}/oauth/token", "scopes": dict(SCOPES)}
    merged["components"]["securitySchemes"] = {
        _SCHEME: {"type": "oauth2", "flows": {"clientCredentials": flow}},
        "clientSecret": {"type": "http", "scheme": "basic"},
    }
    return merged


def _public(document: Json, upstream: Upstream) -> dict[str, Json]:
    """Return the operations of the route table, each with the scope it needs."""
    wanted = {(shape(route.template), route.method.lower()): route for route in ROUTES if route.upstream is upstream}
    found: dict[str, Json] = {}
    for path, operations in document.get("paths", {}).items():
        for method, operation in operations.items():
            route = wanted.get((shape(path), method))
            if route is not None:
                found.setdefault(path, {})[method] = {**operation, "security": _security(route)}
    return found


def _security(route: Route) -> list[Json]:
    return [] if route.is_public else [{_SCHEME: [route.scope]}]


def _with_own_names(part: Json, taken: Json, upstream: Upstream) -> Json:
    """Rename components that stand under the same name for something else, and all references to them."""
    renamed: dict[str, str] = {}
    components = copy.deepcopy(part.get("components", {}))
    for section in _SECTIONS:
        for name in list(components.get(section, {})):
            other = taken.get(section, {}).get(name)
            if other is not None and other != components[section][name]:
                new = f"{upstream.capitalize()}{name}"
                renamed[f"#/components/{section}/{name}"] = f"#/components/{section}/{new}"
                components[section][new] = components[section].pop(name)
    document: Json = _mapped({"components": components, "paths": part.get("paths", {})}, renamed)
    return document


def _mapped(node: Any, renamed: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {
            key: renamed.get(value, value) if isinstance(value, str) else _mapped(value, renamed)
            for key, value in node.items()
        }
    return [_mapped(each, renamed) for each in node] if isinstance(node, list) else node


def _used(paths: Json, components: Json) -> Json:
    """Return the components that the paths reach: what only internal calls use stays unsaid."""
    used: Json = {}
    waiting = _references(paths)
    while waiting:
        _, _, section, name = waiting.pop().split("/", 3)
        component = components[section][name]
        if name not in used.setdefault(section, {}):
            used[section][name] = component
            waiting |= _references(component)
    return used


def _references(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        # A discriminator names its schemas without `$ref`.
        mapping = node.get("mapping")
        if isinstance(mapping, dict):
            own |= {value for value in mapping.values() if isinstance(value, str) and value.startswith("#/")}
        return own.union(*(_references(value) for value in node.values()))
    return set().union(*(_references(each) for each in node)) if isinstance(node, list) else set()
