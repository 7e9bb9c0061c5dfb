// Asks for the page again every few seconds and swaps the parts that have changed: a page is its own fragment.
// Everything works without this script.
"use strict";
(() => {
  const seconds = Number(document.body.dataset.refresh);
  const stale = document.getElementById("stale");
  const controls = "a[href], button, summary, input, select, [tabindex]";

  // What an action has said is not said again when the page is reloaded.
  const here = new URL(location.href);
  if (here.searchParams.has("said")) {
    here.searchParams.delete("said");
    here.searchParams.delete("n");
    history.replaceState(null, "", here);
  }

  // Who follows a link from elsewhere has sent no cookie, SameSite=Strict; a request from here has it.
  const wanted = document.getElementById("wanted");
  if (wanted) {
    fetch(wanted.href, { redirect: "manual", cache: "no-store" }).then((answer) => {
      if (answer.ok) location.replace(wanted.href);
    }, () => {});
  }

  function isBusy(part) {
    const selection = getSelection();
    const typing = part.contains(document.activeElement) && document.activeElement.matches("input, select");
    const selecting = selection && !selection.isCollapsed && part.contains(selection.anchorNode);
    const asking = CSS.supports("selector(:popover-open)") && part.querySelector(":popover-open");
    return typing || selecting || asking;
  }

  function swap(part, fresh) {
    for (const open of part.querySelectorAll("details[id][open]")) {
      const same = fresh.querySelector(`#${CSS.escape(open.id)}`);
      if (same) same.open = true;
    }
    if (part.outerHTML === fresh.outerHTML) return;
    const focused = [...part.querySelectorAll(controls)].indexOf(document.activeElement);
    part.replaceWith(fresh);
    if (focused >= 0) fresh.querySelectorAll(controls)[focused]?.focus({ preventScroll: true });
  }

  async function refresh() {
    const answer = await fetch(location.href, { redirect: "manual", cache: "no-store" });
    if (answer.type === "opaqueredirect" || [403, 404].includes(answer.status)) return location.reload();
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!answer.ok) {
      const trouble = page.querySelector("#away h1")?.textContent;
      throw new Error(trouble ? `${trouble}.` : `The server answered ${answer.status}.`);
    }
    if (document.getElementById("away")) return location.reload();
    for (const part of document.querySelectorAll("[data-live]")) {
      const fresh = page.getElementById(part.id);
      if (fresh && !isBusy(part)) swap(part, fresh);
    }
    stale.hidden = true;
  }

  async function tick() {
    if (!document.hidden) {
      try {
        await refresh();
      } catch (error) {
        const reason = error instanceof TypeError ? "The server can't be reached." : error.message;
        if (stale.hidden) {
          stale.textContent = `${reason} What is shown is from ${new Date().toLocaleTimeString()}; it is tried again.`;
          stale.hidden = false;
        }
      }
    }
    setTimeout(tick, seconds * 1000);
  }
  if (seconds) setTimeout(tick, seconds * 1000);
})();
