// A change is asked for twice: what will happen is said first, and why it is done is asked for.

import { byId, fill, h, say } from "./dom.js";

const box = byId("confirm");

/**
 * Say what will happen and ask why. `run(reason)` does it; what it throws is shown, and one may try again.
 * `optional`: the text may be left empty.
 */
export function confirm({ title, what, label = "Reason", hint = "", button, tone = "main", optional = false, run }) {
  const field = h("textarea", { id: "reason", rows: "2", maxlength: "500", required: !optional, "aria-describedby": "reason-hint" });
  const refused = h("p.refused", { role: "alert" });
  const submit = h(`button.${tone}`, { type: "submit" }, button);
  const form = h("form", { method: "dialog", onsubmit },
    h("h2", { id: "confirm-title" }, title),
    h("ul.will", {}, what.filter(Boolean).map((one) => h("li", {}, one))),
    h("label", { for: "reason" }, label, optional && h("span.small", {}, " (may be left out)")),
    field,
    h("p.small", { id: "reason-hint" }, hint || "It is written to the audit trail, with your name and the time."),
    refused,
    h("div.buttons", {}, h("button.quiet", { type: "button", onclick: () => box.close() }, "Cancel"), submit),
  );

  async function onsubmit(event) {
    event.preventDefault();
    const reason = field.value.trim();
    if (!reason && !optional) {
      say(refused, "Please say why.");
      field.focus();
      return;
    }
    submit.disabled = true;
    say(refused, "");
    try {
      const said = await run(reason);
      box.close();
      if (said) toast(said);
    } catch (error) {
      say(refused, [error.message, error.cure].filter(Boolean).join(" "));
    } finally {
      submit.disabled = false;
    }
  }

  fill(box, form);
  box.showModal();
  field.focus();
}

/** Say that something was done, for a while. */
function toast(text) {
  const one = h("p.toast", {}, text);
  byId("toasts").append(one);
  setTimeout(() => one.remove(), 8000);
}

for (const dialog of document.querySelectorAll("dialog")) {
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // beside it
  });
}
