"""Jobs as TypeScript: their payloads and results, as producers write and read them, from the models' JSON Schema.

A schema says all that a validator takes. A type says what producers should write: a form of a value that the
schema calls `deprecated` is left out, and so is a null that means the same as no value.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections import Counter
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic.json_schema import JsonSchemaMode, JsonSchemaValue
    from pydantic_core import core_schema

    from queue_lib.processor import JobSchema

Schema = dict[str, Any]
WIDTH = 120  # characters of a line
DEFS = "#/$defs/"
BASE = "x-base"  # what a model extends
IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
TYPE_NAME = re.compile(r"[A-Z][A-Za-z0-9_]*")
PLAIN = {"string": "string", "number": "number", "integer": "number", "boolean": "boolean", "null": "null"}
FORMATS = {"date": "an ISO date", "date-time": "an ISO date and time", "duration": "an ISO duration"}
NULL: Schema = {"type": "null"}
NEVER: Schema = {"not": {}}  # of a property that an alternative has not


class Schemas(GenerateJsonSchema):
    """JSON Schemas for types: a title is there only where a class or a field sets one, and models name their bases."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """No title is made of a field's name."""
        del schema
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """A model that adds fields to those of a base names it."""
        made = super().model_schema(schema)
        cls = schema["cls"]
        for base in cls.__bases__:
            if issubclass(base, BaseModel) and set() < base.model_fields.keys() < cls.model_fields.keys():
                made[BASE] = self.generate_inner(base.__pydantic_core_schema__)
        return made

    def field_is_required(self, field: Any, total: bool) -> bool:  # noqa: FBT001 -- pydantic's own
        """What comes out has all its fields."""
        return self.mode == "serialization" or super().field_is_required(field, total)

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> JsonSchemaValue:
        """A value of which JSON Schema knows nothing may be any."""
        del schema, error_info
        return {}


class Types:
    """The named types of jobs. With `is_page` comments stand at the ends of lines, for a page; else they are JSDoc."""

    def __init__(self, jobs: Sequence[JobSchema], *more: type[BaseModel], is_page: bool = False) -> None:
        """`more` are models that come out of the worker beside the jobs' results."""
        payloads: list[tuple[type[BaseModel], JsonSchemaMode]] = [(job.payload, "validation") for job in jobs]
        results: list[tuple[type[BaseModel], JsonSchemaMode]] = [
            (model, "serialization") for model in (*(job.result for job in jobs), *more) if model is not None
        ]
        self._refs, schema = models_json_schema([*dict.fromkeys(payloads + results)], schema_generator=Schemas)
        self._defs: dict[str, Schema] = schema.get("$defs", {})
        self._names = _names(self._defs)
        self._is_page = is_page
        self._declared: dict[str, str] = {}
        self.jobs = {job.name: (job.queue, *self._of_job(job)) for job in jobs}
        for model in more:
            self._type(self._refs[model, "serialization"])

    def declarations(self) -> str:
        """All types, each before or after those that use it, as they are met in the jobs."""
        return "\n".join(self._declared.values())

    def _of_job(self, job: JobSchema) -> tuple[str, str]:
        payload = self._type(self._refs[job.payload, "validation"])
        return payload, "unknown" if job.result is None else self._type(self._refs[job.result, "serialization"])

    def _type(self, schema: Any) -> str:
        """The type of a value; the named types in it get their declarations."""
        if not isinstance(schema, dict):
            return "unknown"
        if "$ref" in schema:
            key = schema["$ref"].removeprefix(DEFS)
            return self._named(self._names[key], self._defs[key])
        title = schema.get("title", "")
        if ("enum" in schema or "properties" in schema) and TYPE_NAME.fullmatch(title):
            return self._named(title, {**schema, "description": ""})  # a description is that of its place
        return self._unnamed(schema)

    def _named(self, name: str, schema: Schema) -> str:
        if name not in self._declared:
            base = self._type(schema[BASE]) if BASE in schema else None  # it is declared before what extends it
            self._declared[name] = ""
            self._declared[name] = self._declaration(name, schema, base)
        return name

    def _declaration(self, name: str, schema: Schema, base: str | None) -> str:
        said = _comment_above(schema.get("description", "").split("\n\n")[0], "", self._is_page)
        if "properties" not in schema:
            return f"{said}export type {name} = {self._unnamed(schema)};\n"
        inherited = self._base_properties(schema)
        own = {key: each for key, each in schema["properties"].items() if key not in inherited}
        if "anyOf" in schema:
            either = "\n".join(f"  | {{\n{alternative}    }}" for alternative in self._alternatives(schema, own))
            return f"{said}export type {name} = {f'{base} & ' if base else ''}(\n{either}\n);\n"
        head = f"interface {name} extends {base}" if base else f"interface {name}"
        return f"{said}export {head} {{\n{self._members(schema, own, '  ')}}}\n"

    def _base_properties(self, schema: Schema) -> set[str]:
        base = self._defs[schema[BASE]["$ref"].removeprefix(DEFS)] if BASE in schema else {}
        return {key for key, each in base.get("properties", {}).items() if schema["properties"].get(key) == each}

    def _alternatives(self, schema: Schema, properties: Schema) -> Iterator[str]:
        """The members, for each alternative in the `anyOf` of a model.

        It has those that it requires, none that another one requires, and none that it says are never there.
        """
        for alternative in schema["anyOf"]:
            required: list[str] = alternative["required"]
            others = [key for each in schema["anyOf"] for key in each["required"] if key not in required]
            others += [key for key, each in alternative.get("properties", {}).items() if each == NEVER]
            kept = {key: _without_null(each) for key, each in properties.items() if key not in others}
            whole = {**schema, "required": [*schema.get("required", []), *required]}
            yield self._members(whole, kept, " " * 6) + "".join(f"      {_key(key)}?: never;\n" for key in others)

    def _members(self, schema: Schema, properties: Schema, indent: str) -> str:
        lines = [self._member(key, each, key in schema.get("required", ()), indent) for key, each in properties.items()]
        if schema.get("additionalProperties", False) is not False:
            lines.append(f"{indent}[more: string]: unknown;\n")
        return "".join(lines)

    def _member(self, key: str, schema: Schema, is_required: bool, indent: str) -> str:  # noqa: FBT001 -- a fact of it
        value = schema if is_required else _without_null(schema)
        line = f"{indent}{_key(key)}{'' if is_required else '?'}: {self._type(value)};"
        said = "; ".join(_said(schema, is_required=is_required))
        if schema.get("deprecated"):
            said = f"deprecated: {said}" if self._is_page else f"@deprecated {said}"
        if self._is_page and said and len(line) + len(said) + 4 <= WIDTH:
            return f"{line} // {said}\n"
        return f"{_comment_above(said, indent, self._is_page)}{line}\n"

    def _unnamed(self, schema: Schema) -> str:
        match schema:
            case {"anyOf": branches} | {"oneOf": branches}:
                return self._union(branches)
            case {"allOf": parts}:
                return " & ".join(_grouped(self._type(each)) for each in parts)
            case {"enum": values}:
                return " | ".join(map(json.dumps, values))
            case {"type": "array"}:
                return self._array(schema)
            case {"type": "object"} | {"properties": _}:
                return self._object(schema)
            case _:
                return (
                    json.dumps(schema["const"]) if "const" in schema else PLAIN.get(schema.get("type", ""), "unknown")
                )

    def _union(self, branches: list[Schema]) -> str:
        kinds = [self._type(each) for each in branches if not each.get("deprecated")]
        return "unknown" if "unknown" in kinds else " | ".join(dict.fromkeys(kinds))

    def _array(self, schema: Schema) -> str:
        if "prefixItems" in schema:
            return f"[{', '.join(self._type(each) for each in schema['prefixItems'])}]"
        return f"{_grouped(self._type(schema.get('items')))}[]"

    def _object(self, schema: Schema) -> str:
        if "properties" in schema:
            members = [
                f"{_key(key)}{'' if key in schema.get('required', ()) else '?'}: {self._type(each)}"
                for key, each in schema["properties"].items()
            ]
            return f"{{ {'; '.join(members)} }}"
        values = self._type(schema.get("additionalProperties"))
        keys = schema.get("propertyNames", {})
        return f"Partial<Record<{self._type(keys)}, {values}>>" if "enum" in keys else f"Record<string, {values}>"


def _names(defs: dict[str, Schema]) -> dict[str, str]:
    """Definition -> type: its title, or if another has that too, its whole name."""
    titles = Counter(schema.get("title") for schema in defs.values())
    return {
        key: title if titles[title := schema.get("title", "")] == 1 else re.sub(r"\W", "", key.replace("-", ""))
        for key, schema in defs.items()
    }


def _key(name: str) -> str:
    return name if IDENTIFIER.fullmatch(name) else json.dumps(name)


def _grouped(kind: str) -> str:
    return f"({kind})" if " | " in kind or " & " in kind else kind


def _without_null(schema: Schema) -> Schema:
    """The schema of a property that may be left out: null, if that means the same, is left out as well."""
    if schema.get("default", ...) is not None or "anyOf" not in schema:
        return schema
    return {**schema, "anyOf": [each for each in schema["anyOf"] if each != NULL]}


def _said(schema: Schema, *, is_required: bool) -> Iterator[str]:
    """What is to be said of a property: its description, bounds and default."""
    if "description" in schema:
        yield " ".join(schema["description"].split())
    branches = [each for each in schema.get("anyOf", []) if each != NULL and not each.get("deprecated")]
    value = {**branches[0], **schema} if len(branches) == 1 else schema
    if value.get("format") in FORMATS:
        yield FORMATS[value["format"]]
    if "prefixItems" not in value:
        yield from _bounds(value)
    if not is_required:
        yield from _default(schema)


def _bounds(schema: Schema) -> Iterator[str]:
    for least, most, what in (("minimum", "maximum", ""), ("minItems", "maxItems", " of them")):
        low, high = schema.get(least), schema.get(most)
        if low is not None and high is not None:
            yield f"{low:,} to {high:,}{what}"
        elif high is not None:
            yield f"at most {high:,}{what}"
        elif low:
            yield f"at least {low:,}{what}"


def _default(schema: Schema) -> Iterator[str]:
    """A default that says something; a switch is off."""
    default = schema.get("default")
    if isinstance(default, int | float) and not isinstance(default, bool):
        yield f"default {default:,}"
    elif default and not isinstance(default, dict):
        yield f"default {json.dumps(default)}"


def _comment_above(said: str, indent: str, is_page: bool) -> str:  # noqa: FBT001 -- a fact of it
    """A comment in lines of its own."""
    said = " ".join(said.split()).replace("*/", "* /")
    if not said:
        return ""
    if is_page:
        return "".join(f"{indent}// {line}\n" for line in textwrap.wrap(said, WIDTH - len(indent) - 3))
    if len(indent) + len(said) + 7 <= WIDTH:
        return f"{indent}/** {said} */\n"
    lines = "".join(f"{indent} * {line}\n" for line in textwrap.wrap(said, WIDTH - len(indent) - 3))
    return f"{indent}/**\n{lines}{indent} */\n"
