"""Routes of what an event asks of its buyers: set by its organizer, read by anyone who may see the event."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from fullhouse.access.http import requires
from fullhouse.access.policies.event import may_look
from fullhouse.access.rules import Grant
from fullhouse.catalogue.api.asked_by import Viewer
from fullhouse.catalogue.show_event import is_public
from fullhouse.events.form.queries import load_form
from fullhouse.events.form.rules import CHOICES_MAX, CONSENTS_MAX, QUESTIONS_MAX, ConsentText, Form, Question
from fullhouse.events.form.set_form import set_form
from fullhouse.events.queries import load_event
from fullhouse.events.rules import EventNotFound
from fullhouse.infra import directory
from fullhouse.infra.http import ApiModel, Flag, Name, ResourcesDep, ShortName, Text, problems
from fullhouse.infra.postgres import connection, transaction

router = APIRouter(tags=["events"])

Key = Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,49}$")]


class QuestionBody(ApiModel):
    """A question, once for the order or once for each ticket; with choices, the answer is one of them."""

    key: Key
    text: Name
    scope: Literal["order", "ticket"] = "order"
    required: Flag = False
    choices: Annotated[tuple[ShortName, ...], Field(max_length=CHOICES_MAX)] = ()


class ConsentTextBody(ApiModel):
    """What a buyer may agree to, or must, in the words that they read."""

    purpose: Key
    text: Annotated[Text, Field(min_length=1, max_length=2000)]
    required: Flag = False


class FormBody(ApiModel):
    """All that an event asks. It takes the place of what was asked before."""

    holders: Literal["no", "optional", "required"] = "no"
    questions: Annotated[tuple[QuestionBody, ...], Field(max_length=QUESTIONS_MAX)] = ()
    consents: Annotated[tuple[ConsentTextBody, ...], Field(max_length=CONSENTS_MAX)] = ()


class ConsentTextAnswer(ConsentTextBody):
    """A text, with the version that an order names when its buyer agreed to it."""

    text_version: str


class FormAnswer(ApiModel):
    """What an event asks. Version 0: it never asked anything."""

    version: int
    holders: Literal["no", "optional", "required"]
    questions: list[QuestionBody]
    consents: list[ConsentTextAnswer]


@router.get("/events/{event_id}/form", responses=problems(404))
async def get_event_form(event_id: UUID, viewer: Viewer, resources: ResourcesDep) -> FormAnswer:
    """Show what the event asks of its buyers: names on tickets, questions, and what they agree to."""
    organization_id = await directory.find_organization(resources.pool, "event", event_id)
    if organization_id is None:
        raise EventNotFound
    async with connection(resources.pool, organization_id) as conn:
        event = await load_event(conn, organization_id, event_id)
        form = await load_form(conn, organization_id, event_id)
    if event is None or not (is_public(event) or may_look(viewer, organization_id)):
        raise EventNotFound
    return _answer(form)


@router.put("/events/{event_id}/form", responses=problems(404, 409))
async def put_event_form(
    event_id: UUID, body: FormBody, grant: Annotated[Grant, requires("event:write")], resources: ResourcesDep
) -> FormAnswer:
    """Ask this from now on. Versions before stay: they say what earlier buyers agreed to."""
    wanted = Form(
        holders=body.holders,
        questions=tuple(
            Question(one.key, one.text, one.scope, one.required, tuple(one.choices)) for one in body.questions
        ),
        consents=tuple(ConsentText(one.purpose, one.text, one.required) for one in body.consents),
    )
    async with transaction(resources.pool, grant.organization_id) as conn:
        return _answer(await set_form(conn, grant.organization_id, event_id, wanted))


def _answer(form: Form) -> FormAnswer:
    return FormAnswer(
        version=form.version,
        holders=form.holders,
        questions=[
            QuestionBody(key=one.key, text=one.text, scope=one.scope, required=one.required, choices=one.choices)
            for one in form.questions
        ],
        consents=[
            ConsentTextAnswer(purpose=one.purpose, text=one.text, required=one.required, text_version=one.text_version)
            for one in form.consents
        ],
    )
