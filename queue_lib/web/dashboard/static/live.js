// Asks for the page again every few seconds and brings what is shown up to it: a page is its own fragment.
// Everything works without this script.
"use strict";
(() => {
  const seconds = Number(document.body.dataset.refresh);
  const [stale, told, updates] = ["stale", "told", "updates"].map((id) => document.getElementById(id));
  const AIMING = 1000; // milliseconds in which nothing moves under a pointer that has just moved
  const LONGEST = 10_000; // milliseconds to wait for an answer
  const PAUSED = "pushmill-updates-paused";
  let shown = new Date(); // when what is shown was asked for
  let moved = 0; // when the pointer was, in milliseconds

  // What an action has said is not said again when the page is reloaded.
  const here = new URL(location.href);
  if (here.searchParams.has("said")) {
    here.searchParams.delete("said");
    here.searchParams.delete("n");
    history.replaceState(null, "", here);
  }

  // A link from another site sends no cookie (SameSite=Strict); a request from here does.
  const wanted = document.getElementById("wanted");
  if (wanted) {
    fetch(wanted.href, { redirect: "manual", cache: "no-store" }).then((answer) => {
      if (answer.ok) location.replace(wanted.href);
    }, () => {});
  }

  // What an element is about: the row, link or button of another job is another one, wherever it stands.
  function subject(node) {
    return node.dataset?.key || node.id || node.getAttribute?.("href") || node.getAttribute?.("commandfor") || "";
  }

  function isSame(one, other) {
    if (one.nodeName !== other.nodeName || subject(one) !== subject(other)) return false;
    return Boolean(subject(one)) || one.getAttribute?.("class") === other.getAttribute?.("class");
  }

  // From `place` on. Text is the same only in its place: elsewhere all that is between would be dropped.
  function counterpart(place, fresh) {
    if (fresh.nodeType !== Node.ELEMENT_NODE) return place && isSame(place, fresh) ? place : null;
    while (place && !isSame(place, fresh)) place = place.nextSibling;
    return place;
  }

  // Makes `old` what `fresh` is. Elements that are in both stay, and with them focus, scroll positions and what is
  // written; what the reader has opened or closed stays so.
  function update(old, fresh) {
    if (old.isEqualNode(fresh)) return;
    if (old.nodeType !== Node.ELEMENT_NODE) {
      old.data = fresh.data;
      return;
    }
    for (const { name } of [...old.attributes]) {
      if (name !== "open" && !fresh.hasAttribute(name)) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    let place = old.firstChild;
    const drop = (end) => {
      while (place !== end) {
        const gone = place;
        place = place.nextSibling;
        gone.remove();
      }
    };
    for (const next of [...fresh.childNodes]) {
      const same = counterpart(place, next);
      if (same) {
        drop(same);
        update(same, next);
        place = same.nextSibling;
      } else {
        old.insertBefore(next, place);
      }
    }
    drop(null);
  }

  // How many boxes are ticked, for screen readers: they do not read the style sheet's number.
  function count() {
    const ticked = document.querySelectorAll(".tick :checked").length;
    for (const each of document.querySelectorAll(".ticked")) each.textContent = ticked;
  }

  // What has the focus keeps it, if it had to be made anew; nothing else gets it in its place.
  function refocus(focused) {
    if (focused.isConnected || !subject(focused)) return;
    const again = [...document.querySelectorAll(focused.localName)].find((each) => isSame(each, focused));
    again?.focus({ preventScroll: true });
  }

  // Nothing moves under a pointer that aims or presses.
  function isPressing() {
    return document.querySelector(":active") || Date.now() - moved < AIMING;
  }

  // What is asked and what is selected stay as they were read.
  function isRead(part) {
    const selection = getSelection();
    const selecting = selection.type === "Range" && selection.containsNode(part, true);
    return selecting || part.querySelector(".ask:is([open], :popover-open)");
  }

  function alarms() {
    return new Set([...document.querySelectorAll(".alarm")].map((each) => each.textContent.trim()));
  }

  function announce(before) {
    const now = alarms();
    const begun = [...now].filter((each) => !before.has(each));
    const over = [...before].filter((each) => !now.has(each)).map((each) => `Over: ${each}`);
    if (begun.length || over.length) told.textContent = [...begun, ...over].join(" ");
  }

  function bring(page) {
    const [before, focused] = [alarms(), document.activeElement];
    for (const part of document.querySelectorAll("[data-live]")) {
      const fresh = page.getElementById(part.id);
      if (fresh && !isRead(part)) update(part, fresh);
    }
    count();
    refocus(focused);
    announce(before);
  }

  async function ask() {
    try {
      const signal = AbortSignal.timeout(LONGEST);
      const answer = await fetch(location.href, { redirect: "manual", cache: "no-store", signal });
      return [answer, new DOMParser().parseFromString(await answer.text(), "text/html")];
    } catch (error) {
      throw new Error(error.name === "TimeoutError" ? "The server does not answer" : "The server can't be reached");
    }
  }

  async function refresh() {
    const asked = new Date();
    const [answer, page] = await ask();
    const [away, still] = [document.getElementById("away"), page.getElementById("away")];
    if (answer.type === "opaqueredirect" || answer.status === 403 || (away && answer.ok)) return location.reload();
    if (answer.status === 404) throw new Error("It is gone");
    if (!answer.ok && !(away && still)) {
      throw new Error(still?.querySelector("h1").textContent ?? `The server answered ${answer.status}`);
    }
    // A page's policy names the pictures that it may load: those of a job that has ended meanwhile need another policy.
    if (page.body.dataset.pictures !== document.body.dataset.pictures) return location.reload();
    while (isPressing()) await new Promise((done) => setTimeout(done, AIMING / 4));
    if (isPaused()) return;
    bring(page);
    shown = asked;
    stale.hidden = true;
  }

  function say(reason) {
    const words = `${reason}. What is shown is from ${shown.toLocaleTimeString()}.`;
    stale.hidden = false;
    if (stale.textContent !== words) stale.textContent = words;
  }

  async function tick() {
    if (!document.hidden && !isPaused()) {
      try {
        await refresh();
      } catch (error) {
        say(error.message);
      }
    }
    setTimeout(tick, seconds * 1000);
  }

  function isPaused() {
    return sessionStorage.getItem(PAUSED) === "yes";
  }

  function showPaused() {
    updates.textContent = isPaused() ? "Resume updates" : "Pause updates";
    if (isPaused()) say("Updates are paused");
  }

  addEventListener("change", count);
  count();
  if (!seconds) return;
  if (updates) {
    updates.hidden = false;
    showPaused();
    updates.addEventListener("click", () => {
      sessionStorage.setItem(PAUSED, isPaused() ? "no" : "yes");
      showPaused();
      stale.hidden = !isPaused();
    });
  }
  addEventListener("pointermove", () => { moved = Date.now(); }, { passive: true });
  setTimeout(tick, seconds * 1000);
})();
