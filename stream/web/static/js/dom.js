// Elements from values. Text only ever goes in as text, so nothing that a server says can become markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element `tag.class1.class2` with attributes and children; `on*` are listeners, null and false are left out. */
export function h(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag.split(".")[0]), tag, attributes, children);
}

/** The same for SVG. */
export function s(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag.split(".")[0]), tag, attributes, children);
}

function filled(element, tag, attributes, children) {
  const classes = tag.split(".").slice(1);
  if (classes.length) element.classList.add(...classes);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  add(element, children);
  return element;
}

function add(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child.nodeType ? child : document.createTextNode(String(child)));
  }
}

export const byId = (id) => document.getElementById(id);

/** Put these children in, in place of all that was there. */
export function fill(element, ...children) {
  element.replaceChildren();
  add(element, children);
  return element;
}

/** Set a text, but only if it is another one: what did not change is not touched. */
export function say(element, text) {
  const only = element.firstChild;
  if (only && only === element.lastChild && only.nodeType === Node.TEXT_NODE) {
    if (only.data !== text) only.data = text;
  } else if (element.textContent !== text) element.textContent = text;
}

/** Set an attribute or take it away (null), but only if that changes something. */
export function mark(element, name, value) {
  if (value === null || value === undefined || value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
  } else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

/** Fill an element only when `value` is not what it was filled with last. Says whether it did. */
export function whenChanged(element, value, make) {
  const signature = JSON.stringify(value);
  if (element.driftlineValue === signature) return false;
  element.driftlineValue = signature;
  const focused = element.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  fill(element, make());
  if (focused) element.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  return true;
}

/** Make `parent` hold one child per item, in order. A child is made anew only when its item changed. */
export function keyed(parent, items, keyOf, make) {
  const known = parent.driftlineChildren ?? new Map();
  const next = new Map();
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    const signature = JSON.stringify(item);
    let child = known.get(key);
    if (!child || child.driftlineValue !== signature) {
      const fresh = make(item, child);
      fresh.driftlineValue = signature;
      if (child && child === place) place = child.nextElementSibling;
      child?.remove();
      child = fresh;
    }
    next.set(key, child);
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
  while (place) {
    const after = place.nextElementSibling;
    place.remove();
    place = after;
  }
  parent.driftlineChildren = next;
}

/** A bar that is full to a part of 1, or of the colour of what is over. */
export function meter(part, over = false) {
  return h("span", { class: over ? "meter over" : "meter", "aria-hidden": "true" }, h("i", { style: `width:${Math.min(100, 100 * part)}%` }));
}

/** A table with a caption for those who do not see it; cells are text, elements or null. */
export function table(caption, columns, rows) {
  const heads = columns.map((column) => h("th", { scope: "col", class: column.number ? "number" : null }, column.head));
  const body = rows.map((cells) =>
    h("tr", {}, cells.map((cell, i) => {
      const column = columns[i];
      const attributes = { class: [column.number && "number", column.class].filter(Boolean).join(" ") || null };
      return i === 0 ? h("th", { ...attributes, scope: "row" }, cell) : h("td", { ...attributes, "data-head": column.plain ?? (typeof column.head === "string" ? column.head : "") }, cell);
    })),
  );
  return h("table", {}, h("caption.unseen", {}, caption), h("thead", {}, h("tr", {}, heads)), h("tbody", {}, body));
}

/** A region that scrolls by itself, by keyboard too. */
export function scrolls(label, ...children) {
  return h("div.scrolls", { tabindex: "0", role: "region", "aria-label": label }, ...children);
}
