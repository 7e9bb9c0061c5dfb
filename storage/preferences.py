"""What the app's users want to receive, in its database."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, bindparam, or_, select, true

from storage.batcher import Batcher
from storage.cells import as_text, text
from storage.errors import SchemaError
from storage.identity import as_id, compares_as_python, id_type, is_storable
from storage.ports import Preference
from storage.tables import AppTable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from storage.database import Database

USERS_AT_ONCE = 500
LONGEST = 200  # characters of a cell: of a time, a zone or a name
ANY = ("", "*")  # types that mean all of them
OFF = frozenset({"false", "f", "0", "no", "n", "off"})  # as databases and apps write it
FIELDS = ("channel", "type", "enabled", "quiet_from", "quiet_to", "time_zone")


class SqlPreferences:
    """The port `Preferences` over PREFERENCE_TABLE."""

    def __init__(self, database: Database) -> None:
        """The database must have been opened with `AppTable.PREFERENCE`.

        Raises SchemaError if no column says what users want.
        """
        self._database = database
        found = database.found(AppTable.PREFERENCE)
        columns = found.columns
        if "enabled" not in columns and not {"quiet_from", "quiet_to"} <= columns.keys():
            msg = f'PREFERENCE_TABLE: table "{found.table.name}" has neither "enabled" nor "quietFrom" and "quietTo"'
            raise SchemaError(msg)
        self._user_id = columns["user_id"]
        self._fields = [name for name in FIELDS if name in columns]
        cells = {name: as_text(columns[name], LONGEST) for name in self._fields}
        kind = cells.get("type")
        wanted = bindparam("types", type_=Text(), expanding=True)
        is_wanted = true() if kind is None else or_(columns["type"].is_(None), kind.in_(wanted))
        users = bindparam("users", type_=id_type(self._user_id), expanding=True)
        self._query = select(self._user_id, *cells.values()).where(self._user_id.in_(users), is_wanted)
        self._by_user = Batcher(self._look_up, USERS_AT_ONCE if compares_as_python(self._user_id) else 1)

    async def of_users(self, user_ids: Collection[str], type_: str | None) -> Mapping[str, Sequence[Preference]]:
        """The rows of each of these users that are for all types of messages, or for this one."""
        kind = type_ if type_ is not None and is_storable(type_) else ""
        keys = {each: (value, kind) for each in user_ids if (value := as_id(self._user_id, each)) is not None}
        found = await asyncio.gather(*map(self._by_user.get, keys.values()))
        return {user_id: rows for user_id, rows in zip(keys, found, strict=True) if rows}

    async def _look_up(self, keys: Sequence[tuple[Any, str]]) -> dict[tuple[Any, str], list[Preference]]:
        """What was found for each pair of a user and a type."""
        users, kinds = list(dict.fromkeys(user for user, _ in keys)), {kind for _, kind in keys}
        parameters = {"users": users} | ({"types": [*ANY, *kinds]} if "type" in self._fields else {})
        rows: dict[Any, list[Preference]] = defaultdict(list)
        async with self._database.connection() as connection:
            for user, *cells in await connection.execute(self._query, parameters):
                # What is found for one user is that user's, however the database compares.
                rows[users[0] if len(users) == 1 else user].append(self._read(cells))
        if rows.keys() - set(users):  # it compares otherwise than Python after all, as SQLite does with NOCASE
            return {key: (await self._look_up([key]))[key] for key in keys}
        return {(user, kind): [row for row in rows[user] if row.type in {*ANY, kind}] for user, kind in keys}

    def _read(self, cells: Sequence[Any]) -> Preference:
        texts = {name: text(cell).strip() for name, cell in zip(self._fields, cells, strict=True)}
        enabled = texts.pop("enabled", "")
        return Preference(enabled=enabled.lower() not in OFF if enabled else None, **texts)
