"""A page with a button for web push: `usePush` in the real React, and a service worker with `handlePush`."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from tests.support.programs import CiSettings
from tests.support.push_page import ROUTE, SCRIPT, SERVICE_WORKER, USER, PushPage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from embedded.google_push import GooglePush
    from tests.support.app import App

PACKAGE = Path(__file__).parents[2] / "packages" / "next"
# React has no ES modules. Its development builds check more, and run effects twice in StrictMode.
PARTS = {
    "scheduler": "scheduler/cjs/scheduler.development.js",
    "react": "react/cjs/react.development.js",
    "react-dom": "react-dom/cjs/react-dom.development.js",
    "react-dom/client": "react-dom/cjs/react-dom-client.development.js",
}
LOADER = """var process = { env: { NODE_ENV: "development" } }, parts = {}, loaded = {};
function require(name) {
  if (!(name in loaded)) parts[name]({ exports: (loaded[name] = {}) }, loaded[name], require);
  return loaded[name];
}
"""
HOOKS = "useCallback, useEffect, useMemo, useReducer, useRef, useState, useSyncExternalStore"
REACT = f"export const {{ {HOOKS} }} = require('react');"
# What the server renders is in #root, so that React complains if the first render differs.
PAGE = """<!doctype html>
<title>A page</title>
<div id="root">%s</div>
<script src="/react.cjs.js"></script>
<script type="importmap">{ "imports": { "react": "/react.js" } }</script>
<script type="module">
  import { signOutOfPush, usePush } from "/esm/react/index.js";
  const { createElement, Fragment, StrictMode } = require("react");
  const asked = new URLSearchParams(location.search);
  const options = { publicKey: asked.get("key") ?? "%s", userId: asked.get("user") ?? undefined };
  const Again = () => createElement("p", { id: "again" }, usePush(options).state);
  function Button() {
    const { state, error, subscribe, unsubscribe } = usePush(options);
    window.unsubscribe = unsubscribe;
    return createElement(Fragment, null,
      createElement("p", { id: "state" }, state),
      createElement(Again),
      createElement("p", { id: "error" }, error),
      createElement("button", { id: "on", onClick: subscribe }, "Notify me"));
  }
  window.signOutOfPush = signOutOfPush;
  const root = document.getElementById("root");
  require("react-dom/client").hydrateRoot(root, createElement(StrictMode, null, createElement(Button)));
</script>
"""
RENDERED = '<p id="state">loading</p><p id="again">loading</p><p id="error"></p><button id="on">Notify me</button>'
SAVE = """INSERT INTO "PushSubscription" ("id", "userId", "endpoint", "p256dh", "auth")
    VALUES (hex(randomblob(8)), ?, ?, ?, ?)"""
DELETE = 'DELETE FROM "PushSubscription" WHERE "endpoint" = ?'


class HookPage(PushPage):
    """The page of `user`, None after the session has ended. `asked` has the requests to its route."""

    def __init__(self, app: App, push: GooglePush) -> None:
        """Nothing is served before `serving`."""
        super().__init__(app)
        self._push = push
        self.user: str | None = USER
        self.asked: list[tuple[str, str]] = []

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve it on a free port."""
        site = web.Application()
        for path, text, kind in (
            ("/", PAGE % (RENDERED, self._app.env["VAPID_PUBLIC_KEY"]), "text/html"),
            ("/messages/7", "<!doctype html><title>A message</title>", "text/html"),
            ("/react.js", REACT, "text/javascript"),
            ("/react.cjs.js", _react(), "text/javascript"),
            ("/sw.js", SERVICE_WORKER, "text/javascript"),
            ("/pushmill-sw.js", SCRIPT.read_text(), "text/javascript"),
        ):
            site.router.add_get(path, _Text(text, kind).serve)
        site.router.add_static("/esm", PACKAGE / "dist" / "esm")
        site.router.add_post(ROUTE, self._save)
        site.router.add_delete(ROUTE, self._delete)
        runner = web.AppRunner(site, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield
        await runner.cleanup()

    async def _save(self, request: web.Request) -> web.Response:
        body = await self._heard(request)
        keys = body["subscription"]["keys"]
        endpoint = self._push.here(body["subscription"]["endpoint"])
        if self.user is None:
            return web.json_response({"error": "sign in first"}, status=401)
        for old in (endpoint, body.get("oldEndpoint")):
            self._app.sql(DELETE, old and self._push.here(old))
        self._app.sql(SAVE, self.user, endpoint, keys["p256dh"], keys["auth"])
        return web.json_response({}, status=201)

    async def _delete(self, request: web.Request) -> web.Response:
        body = await self._heard(request)
        self._app.sql(DELETE, self._push.here(body["endpoint"]))
        return web.Response(status=204)

    async def _heard(self, request: web.Request) -> Any:
        body = json.loads(await request.text())
        self.asked.append((request.method, body.get("endpoint") or body["subscription"]["endpoint"]))
        return body


class _Text:
    def __init__(self, text: str, kind: str) -> None:
        self._text, self._kind = text, kind

    async def serve(self, _: web.Request) -> web.Response:
        return web.Response(text=self._text, content_type=self._kind)


def _react() -> str:
    modules = PACKAGE / "node_modules"
    part = 'parts["%s"] = (module, exports, require) => {\n%s\n};\n'
    return LOADER + "".join(part % (name, (modules / path).read_text()) for name, path in PARTS.items())


@pytest.fixture
async def hook_page(app: App, google_push: GooglePush) -> AsyncIterator[HookPage]:
    """The page, served. Without the built npm package a test is skipped, and fails in CI."""
    if not SCRIPT.exists():
        (pytest.fail if CiSettings().ci else pytest.skip)("the npm package is not built: `make package` does it")
    page = HookPage(app, google_push)
    async with page.serving():
        yield page
