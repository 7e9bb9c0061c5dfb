"""Sample payloads: what a job of a model may look like, made of its JSON Schema. People correct them before use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

DEEPEST = 8  # levels
TEXT = "example"
FORMATS = {"email": "user@example.com", "uri": "https://example.com/", "date-time": "2030-01-01T00:00:00Z"}

Schema = dict[str, Any]


def sample(model: type[BaseModel]) -> Any:
    """JSON for this model: its own example, or its required fields and as many others as it takes to be valid."""
    schema = model.model_json_schema()
    made = _Maker(schema.get("$defs", {})).made(schema, DEEPEST)
    if not isinstance(made, dict):
        return made
    grown = dict(made)
    for name, field in schema.get("properties", {}).items():
        if _is_valid(model, grown):
            return grown
        grown.setdefault(name, _Maker(schema.get("$defs", {})).made(field, DEEPEST))
    return made


def _is_valid(model: type[BaseModel], value: Any) -> bool:
    try:
        model.model_validate(value)
    except ValidationError:
        return False
    return True


class _Maker:
    """Makes a value for a schema; `known` are those to which it may refer."""

    def __init__(self, known: Schema) -> None:
        self._known = known
        self._by_type: dict[str, Callable[[Schema, int], Any]] = {
            "array": self._array,
            "string": self._text,
            "integer": self._number,
            "number": self._number,
            "boolean": lambda *_: False,
            "null": lambda *_: None,
        }

    def made(self, schema: Schema, deep: int) -> Any:
        schema = self._resolved(schema)
        given = [*schema.get("examples", [])[:1], *schema.get("enum", [])[:1]]
        given += [schema[name] for name in ("const", "default") if schema.get(name) is not None]
        if given or deep == 0:
            return given[0] if given else None
        branch = next((each for each in _branches(schema) if each.get("type") != "null"), None)
        if branch is not None and "properties" not in schema:
            return self.made(branch, deep - 1)
        return self._by_type.get(schema.get("type", ""), self._object)(schema, deep)

    def _resolved(self, schema: Schema) -> Schema:
        """The schema to which it refers, if it does; what stands beside wins."""
        return {**self._known.get(schema.get("$ref", "").rpartition("/")[2], {}), **schema}

    def _object(self, schema: Schema, deep: int) -> Any:
        """The required fields; where one of several sets is required, the first set, too."""
        fields = schema.get("properties", {})
        either: list[str] = next((each["required"] for each in _branches(schema) if "required" in each), [])
        names = dict.fromkeys([*schema.get("required", []), *either])
        return {name: self.made(fields.get(name, {}), deep - 1) for name in names}

    def _array(self, schema: Schema, deep: int) -> Any:
        return [self.made(schema.get("items", {}), deep - 1)]

    @staticmethod
    def _text(schema: Schema, _: int) -> Any:
        text = str(FORMATS.get(schema.get("format", ""), TEXT))
        return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength")]

    @staticmethod
    def _number(schema: Schema, _: int) -> Any:
        return max(schema.get("minimum", 1), schema.get("exclusiveMinimum", 0) + 1)


def _branches(schema: Schema) -> list[Schema]:
    """The several schemas of which one holds."""
    return [*schema.get("anyOf", []), *schema.get("oneOf", [])]
