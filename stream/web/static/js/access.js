// Who looks at the page and what they may do; terms and locked buttons that explain themselves.

import { Problem, get, setToken, token } from "./api.js";
import { byId, fill, h, mark, say } from "./dom.js";
import { TERMS } from "./words.js";
import { emit, on, state } from "./state.js";

const ROLES = ["viewer", "operator", "admin"];

const may = (role) => Boolean(state.me) && ROLES.indexOf(state.me.role) >= ROLES.indexOf(role);

/** A button for a change that takes a role. Whoever lacks it finds the button locked, and is told which role it takes. */
export function action(label, role, onclick, { tone = "quiet", key = null, describe = null } = {}) {
  const button = h(`button.${tone}`, { type: "button", "data-role": role, "data-key": key, "aria-label": describe, onclick }, label);
  lock(button);
  return button;
}

function lock(button) {
  const locked = !may(button.dataset.role);
  mark(button, "aria-disabled", locked ? "true" : null);
  mark(button, "data-why", locked ? whyLocked(button.dataset.role) : null);
}

function whyLocked(role) {
  if (!state.me) return `This takes the role ${role}. You are not signed in.`;
  return `This takes the role ${role}; you are ${state.me.role}. Sign in with a token that has it.`;
}

/** Give a button that stands in the page already a role. */
export function guard(button, role) {
  button.dataset.role = role;
  lock(button);
}

on("me", () => {
  for (const button of document.querySelectorAll("[data-role]")) lock(button);
});

// A locked button keeps the focus and its place for the keyboard; only what it does is withheld.
document.addEventListener("click", (event) => {
  if (event.target.closest?.('[aria-disabled="true"]')) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }
}, true);

/** A word with its meaning on hover, focus and click. */
export function term(key, text) {
  if (!TERMS[key]) return h("span", {}, text);
  return h("button.term", { type: "button", "data-why": TERMS[key] }, text);
}

const bubble = byId("bubble");
let explained = null;

function explain(element) {
  if (explained === element) return;
  hush();
  explained = element;
  say(bubble, element.dataset.why);
  element.setAttribute("aria-describedby", "bubble");
  bubble.showPopover();
  const [at, own] = [element.getBoundingClientRect(), bubble.getBoundingClientRect()];
  const left = Math.max(8, Math.min(at.left, innerWidth - own.width - 8));
  const above = at.bottom + own.height + 12 > innerHeight;
  bubble.style.left = `${left}px`;
  bubble.style.top = `${above ? at.top - own.height - 6 : at.bottom + 6}px`;
}

function hush() {
  if (!explained) return;
  explained.removeAttribute("aria-describedby");
  explained = null;
  bubble.hidePopover();
}

for (const event of ["mouseover", "focusin", "click"]) {
  document.addEventListener(event, (happened) => {
    const found = happened.target.closest?.("[data-why]");
    if (found) explain(found);
    else if (explained !== document.activeElement) hush(); // what has the focus goes on being explained
  }, event === "click");
}
document.addEventListener("focusout", hush);
document.addEventListener("scroll", hush, { capture: true, passive: true });
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") hush();
});

const box = byId("sign-in-box");

/** Ask for a token. `why` says what it is needed for. */
export function askForToken(why) {
  if (box.open) return;
  const field = h("input", { type: "password", id: "token", autocomplete: "off", spellcheck: "false", required: true });
  const refused = h("p.refused", { role: "alert" });
  const form = h("form", { method: "dialog", onsubmit: (event) => trySignIn(event, field, refused) },
    h("h2", { id: "sign-in-title" }, "Sign in"),
    why && h("p", {}, why),
    h("label", { for: "token" }, "Token"),
    field,
    h("p.small", {}, "It is kept in this tab only and forgotten when you close it. ", h("code", {}, "driftline tokens new"), " makes one."),
    refused,
    h("div.buttons", {},
      token() && h("button.quiet", { type: "button", onclick: signOut }, "Sign out"),
      h("button.quiet", { type: "button", onclick: () => box.close() }, "Cancel"),
      h("button.main", { type: "submit" }, "Sign in")),
  );
  fill(box, form);
  box.showModal();
  field.focus();
}

async function trySignIn(event, field, refused) {
  event.preventDefault();
  const before = token();
  setToken(field.value.trim());
  try {
    state.me = await get("/v1/me");
    box.close();
    emit("me");
    emit("signed-in");
  } catch (error) {
    setToken(before);
    say(refused, error instanceof Problem && error.status === 401 ? "This token is not known here." : error.message);
    field.select();
  }
}

function signOut() {
  setToken(null);
  location.reload();
}
