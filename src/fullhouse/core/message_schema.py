"""The published schema of a fact: read from the return type of its ``data``, sampled, compared with an older one."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from inspect import getdoc
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    NotRequired,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)
from uuid import NAMESPACE_URL, uuid5

from fullhouse.core.message import Fact, Means

Schema = dict[str, Any]
"""A JSON Schema, draft 2020-12."""

_PLAIN = {str: "string", int: "integer", bool: "boolean", NoneType: "null"}
_INSTANT = "2031-07-12T21:00:00.000001+00:00"


def name_of(fact: type[Fact]) -> str:
    """Return the type with its version, as it stands in a CloudEvent: ``order.paid.v1``."""
    return f"{fact.type}.v{fact.version}"


def schema_of(fact: type[Fact]) -> Schema:
    """Return the schema of a fact's data. It is open: readers pass over fields that they do not know.

    Raises ``TypeError`` where a type has no form in JSON that we know.
    """
    returned = get_type_hints(fact.data)["return"]
    if not is_typeddict(returned):
        raise TypeError(f"{fact.__name__}.data returns {returned}, which is no TypedDict")
    described = {"title": name_of(fact), "description": (getdoc(fact) or "").partition("\n")[0]}
    return {**described, **_object(returned)}


def samples_of(schema: Schema) -> list[Any]:
    """Return data that fits the schema: with every field filled, and with null where it may be."""
    samples = [_sample("", schema, empty=False), _sample("", schema, empty=True)]
    return samples[:1] if samples[0] == samples[1] else samples


def incompatibilities(kept: Schema, now: Schema, path: str = "data") -> list[str]:
    """Say what keeps readers of the kept schema from reading new messages, or new readers from reading old ones.

    A field may be added if it is not required. All else that readers rely on needs a new version.
    """
    found = [
        f"{path}: {word} was {kept.get(word)}, and is {now.get(word)}"
        for word in ("type", "format", "enum")
        if kept.get(word) != now.get(word)
    ]
    old, new = _properties(kept), _properties(now)
    was_required, is_required = set(kept.get("required", ())), set(now.get("required", ()))
    found += [f"{path}.{name} is gone" for name in old if name not in new]
    found += [f"{path}.{name} is required, and old messages may not have it" for name in is_required - was_required]
    found += [
        f"{path}.{name} is required no more, and readers rely on it"
        for name in was_required - is_required
        if name in new
    ]
    for name in old:
        if name in new:
            found += incompatibilities(old[name], new[name], f"{path}.{name}")
    if "items" in kept and "items" in now:
        found += incompatibilities(kept["items"], now["items"], f"{path}[]")
    return sorted(found)


def _properties(schema: Schema) -> Mapping[str, Schema]:
    return cast("Mapping[str, Schema]", schema.get("properties", {}))


def _object(typed_dict: type) -> Schema:
    fields = get_type_hints(typed_dict, include_extras=True)
    return {
        "type": "object",
        "required": sorted(cast("frozenset[str]", getattr(typed_dict, "__required_keys__"))),  # noqa: B009 (TypedDict's own)
        "properties": {name: _of_type(hint) for name, hint in fields.items()},
    }


def _of_type(hint: Any) -> Schema:  # noqa: ANN401 (a type hint is of any type)
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    if is_typeddict(hint):
        return _object(hint)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return {"type": "string", "enum": [one.value for one in sorted(hint)]}
    return _of_generic(cast("object", hint))


def _of_generic(hint: object) -> Schema:
    origin: Any = get_origin(hint)
    arguments: Sequence[Any] = get_args(hint)
    if origin is Annotated:
        return _with_meaning(_of_type(arguments[0]), arguments[1:])
    if origin is NotRequired:
        return _of_type(arguments[0])
    if origin is list:
        return {"type": "array", "items": _of_type(arguments[0])}
    if origin in {Union, UnionType} and len(arguments) == 2 and NoneType in arguments:
        return _or_null(_of_type(next(argument for argument in arguments if argument is not NoneType)))
    raise TypeError(f"{hint} has no form in JSON that is known here")


def _or_null(schema: Schema) -> Schema:
    enum = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, "type": [schema["type"], "null"], **enum}


def _with_meaning(schema: Schema, meanings: Sequence[object]) -> Schema:
    for meaning in meanings:
        if isinstance(meaning, Means):
            said = {"description": meaning.description, "format": meaning.format}
            schema = {**schema, **{word: value for word, value in said.items() if value}}
            if meaning.example is not None:
                schema["examples"] = [meaning.example]
    return schema


def _sample(name: str, schema: Schema, *, empty: bool) -> Any:  # noqa: ANN401 (any JSON value)
    kinds = _kinds(schema)
    if "null" in kinds and empty:
        return None
    if kinds[0] == "object":
        return {field: _sample(field, inner, empty=empty) for field, inner in _properties(schema).items()}
    if kinds[0] == "array":
        return [_sample(name, schema["items"], empty=empty)]
    return _plain_sample(name, schema, kinds[0])


def _plain_sample(name: str, schema: Schema, kind: str) -> str | int | bool:
    if kind != "string":
        return kind == "boolean" or 1
    if schema.get("format") == "uuid":
        return str(uuid5(NAMESPACE_URL, name))
    if schema.get("format") == "date-time":
        return _INSTANT
    return [*schema.get("examples", ()), *schema.get("enum", ()), "text"][0]


def _kinds(schema: Schema) -> list[str]:
    kinds: str | list[str] = schema["type"]
    return [kinds] if isinstance(kinds, str) else kinds
