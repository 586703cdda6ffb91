"""The shapes of bodies: the JSON Schema files in ``schemas/``, each loaded and compiled once.

They are the only definition of each shape: requests are checked with them, tests check responses
with them, and the OpenAPI document is assembled from them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

import msgspec
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from cds_service.errors import BadRequest

_KINDS = {
    "object": "an object",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}


def _pattern(
    _validator: Draft202012Validator, pattern: str, instance: Any, _schema: Any
) -> Iterator[ValidationError]:
    # In Python $ also matches before a final line break; in JSON Schema (ECMA-262) it does not.
    if isinstance(instance, str) and not _compiled(pattern).search(instance):
        yield ValidationError("does not match")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace("$", r"\Z"))


_Validator = extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]  # jsonschema has no types here


@cache
def schema(name: str) -> dict[str, Any]:
    """The JSON Schema ``schemas/<name>.schema.json``."""
    text = files("cds_service.calls").joinpath(f"schemas/{name}.schema.json").read_bytes()
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def exists(name: str) -> bool:
    """Whether there is a JSON Schema ``schemas/<name>.schema.json``."""
    return files("cds_service.calls").joinpath(f"schemas/{name}.schema.json").is_file()


@cache
def validator(name: str) -> Draft202012Validator:
    """A compiled validator for the shape ``name``."""
    compiled: Draft202012Validator = _Validator(schema(name))
    return compiled


def check(name: str, instance: Any, where: str = "") -> None:
    """Raise BadRequest for the first place where ``instance`` does not have the shape ``name``.

    ``where`` is the place of ``instance`` in the request. Values are never quoted.
    """
    compiled = validator(name)
    # Usually nothing is wrong: look for the first error before sorting all.
    first = next(compiled.iter_errors(instance), None)
    if first is not None:
        raise _refusal(_shallowest(list(compiled.iter_errors(instance))), where)


def struct(name: str, types: Mapping[str, Any]) -> type[msgspec.Struct]:
    """A type that decodes only what the shape ``name`` allows, apart from its ``if``.

    It may be stricter. ``types`` are the types of some properties, by name; the schema of any
    other object must list its ``properties``.
    """
    return _struct(schema(name), types)


def _struct(shape: dict[str, Any], types: Mapping[str, Any]) -> type[msgspec.Struct]:
    required, optional = [], []
    for name, member in shape["properties"].items():
        member_type = types[name] if name in types else _typed(member, types)
        if name in shape["required"]:
            required.append((name, member_type))
        else:
            optional.append((name, member_type | msgspec.UnsetType, msgspec.UNSET))
    return msgspec.defstruct("Shape", [*required, *optional], frozen=True)


def _typed(shape: dict[str, Any], types: Mapping[str, Any]) -> Any:
    kinds = shape["type"] if isinstance(shape["type"], list) else [shape["type"]]
    decoded_type: Any
    match [kind for kind in kinds if kind != "null"]:
        case ["string"]:
            # In Python $ also matches before a final line break.
            pattern = shape["pattern"].replace("$", r"\Z") if "pattern" in shape else None
            decoded_type = Annotated[
                str, msgspec.Meta(pattern=pattern, min_length=shape.get("minLength"))
            ]
        case ["integer"]:
            decoded_type = int
        case ["array"]:
            decoded_type = list[_typed(shape["items"], types)]  # type: ignore[misc]  # a dynamic type
        case ["object"]:
            decoded_type = _struct(shape, types)
        case others:
            raise NotImplementedError(f"values of the types {others}")
    return decoded_type | None if "null" in kinds else decoded_type


def _shallowest(errors: list[ValidationError]) -> ValidationError:
    return min(errors, key=lambda error: len(error.absolute_path))


def _refusal(error: ValidationError, where: str) -> BadRequest:
    place = where
    for part in error.absolute_path:
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else str(part)
    properties: dict[str, Any] = error.schema if isinstance(error.schema, dict) else {}
    if error.validator == "required":
        required: list[str] = properties["required"]
        instance: Any = error.instance
        missing = next(name for name in required if name not in instance)
        place += f".{missing}" if place else missing
        expected = properties.get("properties", {}).get(missing, {}).get("description", "given")
        return BadRequest(f"{missing} is missing.", f"Send it: {expected}.", place)
    expected = properties.get("description", "as the schema says")
    if not place:
        expected = "one JSON object"
    if error.validator == "type":
        return BadRequest(f"This is {_kind(error.instance)}.", f"Send {expected}.", place)
    return BadRequest("This value cannot be used.", f"Send {expected}.", place)


def _kind(instance: Any) -> str:
    for name, words in _KINDS.items():
        if Draft202012Validator.TYPE_CHECKER.is_type(instance, name):
            return words
    return "something else"
