"""Alive, ready, and what Prometheus reads."""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Annotated, Literal, cast

from fastapi import APIRouter, Depends, Request, Response
from pydantic import ConfigDict
from starlette.types import Receive, Scope, Send

from fullhouse.access.http import public
from fullhouse.infra.glance import Asked
from fullhouse.infra.hot import hot_route, send_answer
from fullhouse.infra.http import ApiModel, ResourcesDep
from fullhouse.infra.postgres import NO_ORGANIZATION, connection
from fullhouse.infra.resources import Resources
from fullhouse.infra.telemetry import METRICS_TYPE, get_log, render_metrics
from fullhouse.web.edge import Traffic
from fullhouse.web.gauges import Gauges

CHECK_SECONDS_MAX = 2
NEEDED = frozenset({"postgres"})
"""Without these nothing can be sold. Without the others the sale goes on, and what they do waits or is slower."""

PartState = Literal["ok", "unreachable"]
_log = get_log("web.health")

router = APIRouter(tags=["operation"], dependencies=[public()])


class Alive(ApiModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


_ALIVE = Alive().model_dump_json().encode()


class Readiness(ApiModel):
    """Whether requests should come here, and each part by name."""

    model_config = ConfigDict(json_schema_extra={"description": "`degraded` means that sales go on, but slower."})

    status: Literal["ready", "degraded", "not_ready", "draining"]
    parts: Mapping[str, PartState]


def get_traffic(request: Request) -> Traffic:
    """Return the state of this process's traffic."""
    traffic: Traffic = request.app.state.traffic
    return traffic


def get_gauges(request: Request) -> Gauges:
    """Return what reads the depths of queues."""
    gauges: Gauges = request.app.state.gauges
    return gauges


def health_at_a_glance(asked: Asked) -> bool:
    """Say so without the framework: it would take as long as refusing a hundred, where there are too many."""
    asked.answer(200, _ALIVE)
    return True


@hot_route(router, "GET /healthz", takes={}, at_once=True, glance=health_at_a_glance, response_model=Alive)
async def get_health(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Say that the process is alive. It asks no other part, so that a restart is not the answer to their trouble."""
    await send_answer(send, 200, _ALIVE)


@router.get("/readyz", responses={503: {"model": Readiness, "description": "Send requests elsewhere."}})
async def get_readiness(
    resources: ResourcesDep, traffic: Annotated[Traffic, Depends(get_traffic)], response: Response
) -> Readiness:
    """Say whether each part can be reached: 503 without PostgreSQL or while shutting down, else 200."""
    parts = await check_parts(resources)
    away = {name for name, state in parts.items() if state != "ok"}
    if traffic.draining:
        status = "draining"
    elif away & NEEDED:
        status = "not_ready"
    else:
        status = "degraded" if away else "ready"
    if status in {"draining", "not_ready"}:
        response.status_code = 503
    return Readiness(status=status, parts=parts)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def get_metrics(gauges: Annotated[Gauges, Depends(get_gauges)]) -> Response:
    """Write the metrics of this process, and the depths of the queues that all processes share."""
    await gauges.refresh()
    return Response(render_metrics(), media_type=METRICS_TYPE)


async def check_parts(resources: Resources) -> dict[str, PartState]:
    """Ask every part at once whether it answers, each for at most two seconds."""
    checks: dict[str, Awaitable[object]] = {
        "postgres": _check_postgres(resources),
        "valkey": _check_valkey(resources),
        "object_store": resources.object_store.check(),
        "mailer": resources.mailer.check(),
    }
    states = await asyncio.gather(*(_state(name, check) for name, check in checks.items()))
    return dict(zip(checks, states, strict=True))


async def _check_postgres(resources: Resources) -> None:
    async with connection(resources.pool, NO_ORGANIZATION) as conn:
        await conn.fetchval("SELECT 1")


async def _check_valkey(resources: Resources) -> None:
    # The client's types leave open whether it answers at once; this one, for asyncio, never does.
    await cast("Awaitable[object]", resources.valkey.ping())  # pyright: ignore[reportUnknownMemberType]


async def _state(name: str, check: Awaitable[object]) -> PartState:
    try:
        async with asyncio.timeout(CHECK_SECONDS_MAX):
            await check
    except Exception as error:  # noqa: BLE001 (whatever is wrong with a part, it is not reachable)
        _log.warning("part_unreachable", part=name, error=f"{type(error).__name__}: {error}")
        return "unreachable"
    return "ok"
