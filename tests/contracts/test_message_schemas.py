"""Schemas are read from the facts themselves, and no change that a reader could not follow gets past the check."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, ClassVar, NotRequired, TypedDict
from uuid import UUID, uuid4

import pytest
from harness.contract import FOLDER, kept_schemas, validator
from jsonschema import Draft202012Validator

import fullhouse
from fullhouse.core.message import Fact, Id, Instant, Means, Minor
from fullhouse.core.message_schema import incompatibilities, samples_of, schema_of
from fullhouse.events.rules import SessionStatus
from fullhouse.facts import PUBLISHED, WAITING_TYPES
from fullhouse.operations.publish_messages import Contract


class Part(TypedDict):
    part_id: Id
    size: int


class Data(TypedDict):
    thing_id: Id
    at: Instant | None
    price_minor: Minor
    status: SessionStatus
    mood: Annotated[str, Means("How it is.", example="glad")]
    parts: list[Part]
    note: NotRequired[str]


@dataclass(frozen=True)
class Base:
    organization_id: UUID
    key: UUID
    type: ClassVar[str] = "thing.made"
    version: ClassVar[int] = 1
    key_waits: ClassVar[bool] = False


@dataclass(frozen=True)
class Made(Base):
    """A thing was made.

    More about it.
    """

    def data(self) -> Data:
        raise NotImplementedError


def test_schema_is_read_from_the_type_of_the_data() -> None:
    assert schema_of(Made) == {
        "title": "thing.made.v1",
        "description": "A thing was made.",
        "type": "object",
        "required": ["at", "mood", "parts", "price_minor", "status", "thing_id"],
        "properties": {
            "thing_id": {"type": "string", "format": "uuid"},
            "at": {"type": ["string", "null"], "format": "date-time"},
            "price_minor": {"type": "integer", "description": "Money in minor units of `currency`."},
            "status": {"type": "string", "enum": ["cancelled", "moved", "postponed", "scheduled"]},
            "mood": {"type": "string", "description": "How it is.", "examples": ["glad"]},
            "parts": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["part_id", "size"],
                    "properties": {"part_id": {"type": "string", "format": "uuid"}, "size": {"type": "integer"}},
                },
            },
            "note": {"type": "string"},
        },
    }


def test_samples_fit_the_schema_full_and_empty() -> None:
    full, empty = samples_of(schema_of(Made))
    check = Draft202012Validator(schema_of(Made))
    assert check.is_valid(full)
    assert check.is_valid(empty)
    assert (full["mood"], full["at"] is None, empty["at"]) == ("glad", False, None)


def test_fact_without_a_typed_dict_is_refused() -> None:
    class Untyped(Made):
        def data(self) -> dict[str, float]:  # pyright: ignore[reportIncompatibleMethodOverride]
            raise NotImplementedError

    with pytest.raises(TypeError, match=r"Untyped\.data returns .*float"):
        schema_of(Untyped)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"properties": {"mood": None}}, ["data.mood is gone"]),
        ({"properties": {"mood": None, "temper": {"type": "string"}}}, ["data.mood is gone"]),
        ({"properties": {"mood": {"type": "integer"}}}, ["data.mood: type was string, and is integer"]),
        (
            {"properties": {"mood": {"type": ["string", "null"]}}},
            ["data.mood: type was string, and is ['string', 'null']"],
        ),
        ({"properties": {"thing_id": {"type": "string"}}}, ["data.thing_id: format was uuid, and is None"]),
        (
            {"properties": {"status": {"type": "string", "enum": ["moved", "new"]}}},
            [
                "data.status: enum was ['cancelled', 'moved', 'postponed', 'scheduled'], and is ['moved', 'new']",
            ],
        ),
        ({"required": ["note"]}, ["data.note is required, and old messages may not have it"]),
        (
            {"properties": {"colour": {"type": "string"}}, "required": ["colour"]},
            ["data.colour is required, and old messages may not have it"],
        ),
        ({"optional": "mood"}, ["data.mood is required no more, and readers rely on it"]),
        (
            {"properties": {"parts": {"type": "array", "items": {"type": "object", "properties": {}}}}},
            ["data.parts[].part_id is gone", "data.parts[].size is gone"],
        ),
        ({"properties": {"colour": {"type": "string"}}}, []),
        ({"description": "Said better."}, []),
    ],
)
def test_change_is_refused_where_a_reader_could_not_follow(change: dict[str, Any], said: list[str]) -> None:
    kept = schema_of(Made)
    properties = {
        name: schema for name, schema in {**kept["properties"], **change.get("properties", {})}.items() if schema
    }
    required = {*kept["required"], *change.get("required", ())} & set(properties) - {change.get("optional")}
    description = change.get("description", kept["description"])
    now = {**kept, "properties": properties, "required": sorted(required), "description": description}
    assert incompatibilities(kept, now) == said


def published(folder: Path, *facts: Any) -> Contract:
    Contract(folder, facts).write()
    return Contract(folder, facts)


def test_what_was_published_is_neither_broken_nor_stale(tmp_path: Path) -> None:
    contract = published(tmp_path, Made)
    assert (contract.broken(), contract.stale()) == ([], [])


class Retyped(TypedDict):
    thing_id: int


@dataclass(frozen=True)
class Remade(Base):
    """A thing was made."""

    def data(self) -> Retyped:
        raise NotImplementedError


@dataclass(frozen=True)
class RemadeAnew(Remade):
    version: ClassVar[int] = 2


@dataclass(frozen=True)
class RemadeTooNew(Remade):
    version: ClassVar[int] = 3


def test_incompatible_change_needs_a_new_version_and_the_old_one_stays(tmp_path: Path) -> None:
    published(tmp_path, Made)
    broken = Contract(tmp_path, [Remade]).broken()
    assert "thing.made.v1: data.parts is gone; raise the version of Remade" in broken
    assert "thing.made.v1: data.thing_id: type was string, and is integer; raise the version of Remade" in broken

    assert Contract(tmp_path, [RemadeAnew]).broken() == []
    contract = published(tmp_path, RemadeAnew)
    assert sorted(contract.kept) == ["thing.made.v1", "thing.made.v2"]
    assert contract.broken() == []
    assert Contract(tmp_path, [Made]).broken() == ["thing.made.v1: version 2 was published already"]


def test_version_is_never_left_out(tmp_path: Path) -> None:
    published(tmp_path, Made)
    said = "it should follow the versions that were published, which are"
    assert Contract(tmp_path, [RemadeTooNew]).broken() == [f"thing.made.v3: {said} [1]"]
    assert Contract(tmp_path / "none", [RemadeAnew]).broken() == [f"thing.made.v2: {said} []"]


def test_type_that_nothing_announces_any_more_is_named(tmp_path: Path) -> None:
    published(tmp_path, Made)
    said = "nothing announces it; if nobody waits for it any more, delete its file"
    assert Contract(tmp_path, []).broken() == [f"thing.made.v1: {said}"]


class WithColour(Data):
    colour: NotRequired[str]


@dataclass(frozen=True)
class Coloured(Base):
    """A thing was made."""

    def data(self) -> WithColour:
        raise NotImplementedError


def test_samples_of_what_was_once_sent_are_kept_when_a_field_is_added(tmp_path: Path) -> None:
    old = published(tmp_path, Made).kept["thing.made.v1"]["examples"]
    changed = Contract(tmp_path, [Coloured])
    assert (changed.broken(), len(changed.stale())) == ([], 1)
    new = published(tmp_path, Coloured).kept["thing.made.v1"]["examples"]
    assert new[: len(old)] == old
    assert new[len(old)] == {**old[0], "colour": "text"}


def test_kept_contract_is_that_of_the_code() -> None:
    contract = Contract()
    assert (contract.broken(), contract.stale()) == ([], [])


def test_every_sample_that_was_kept_fits_its_schema() -> None:
    assert len(kept_schemas()) >= len(PUBLISHED)
    for name, schema in kept_schemas().items():
        assert schema["examples"], name
        for sample in schema["examples"]:
            validator(name).validate(sample)


def test_table_of_facts_has_every_fact_of_every_feature() -> None:
    folder = Path(fullhouse.__file__).parent
    found = [path.relative_to(folder.parent).with_suffix("") for path in folder.rglob("messages.py")]
    modules = [import_module(".".join(path.parts)) for path in found]
    declared: set[type[Fact]] = {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and {"type", "version"} <= {name for base in value.__mro__ for name in vars(base)}
    }
    assert len(modules) == 10
    assert {one.__name__ for one in declared} == {fact.__name__ for fact in PUBLISHED}
    assert len({fact.type for fact in PUBLISHED}) == len(PUBLISHED)
    assert "order.paid" in WAITING_TYPES
    assert "reservation.held" not in WAITING_TYPES
    assert FOLDER.is_dir()


def test_message_that_breaks_its_schema_is_found() -> None:
    sample = dict(kept_schemas()["order.paid.v1"]["examples"][0])
    assert not validator("order.paid.v1").is_valid({**sample, "order_id": str(uuid4())[:-1]})
    assert not validator("order.paid.v1").is_valid({name: sample[name] for name in sample if name != "total_minor"})
