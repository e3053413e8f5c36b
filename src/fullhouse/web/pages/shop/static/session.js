// Keeps the numbers on the page of a session up to date. Without it the page is right as of when it was loaded.
import { follow } from "./stream-1.js";

const FEW = 20;
const page = document.querySelector("[data-stream]");
const words = JSON.parse(page.dataset.words);
const format = new Intl.NumberFormat(document.documentElement.lang);
let stop = null;

function text(count) {
  if (count === 0) return words.sold_out;
  return (count <= FEW ? words.few : words.left)[count === 1 ? 0 : 1].replace("{n}", format.format(count));
}

function say(element, count) {
  const said = document.createElement("span");
  said.className = count === 0 ? "badge badge-off" : count <= FEW ? "badge badge-few" : "left";
  said.textContent = text(count);
  element.replaceChildren(said);
}

/** Return the most that any ticket type may still have of each price category. */
function leftByCategory(state) {
  const left = new Map();
  for (const type of state.ticket_types) {
    for (const price of type.prices) {
      left.set(price.price_category, Math.max(left.get(price.price_category) ?? 0, price.available));
    }
  }
  return left;
}

/** Count what is left in a part of the room: an area, a run of seats, or price categories. */
function leftOf(part, state, left) {
  if (part.area !== undefined) return state.areas.find((area) => area.key === part.area)?.available ?? 0;
  const sold = part.categories.reduce((sum, key) => sum + (left.get(key) ?? 0), 0);
  if (part.first === undefined) return sold;
  let free = 0;
  for (let seat = part.first; seat < part.first + part.count; seat++) free += state.seats[seat] === 0;
  return Math.min(free, sold);
}

function showPlace(element, count) {
  if (element.tagName === "OPTION") {
    element.textContent = `${element.dataset.name} · ${text(count)}`;
    element.disabled = count === 0 && !element.selected;
    return;
  }
  say(element, count);
  const input = element.closest("label").querySelector("input");
  // What was chosen stays chosen: if it is gone, the answer to the form says so.
  input.disabled = count === 0 && !input.checked;
}

function show(state) {
  const left = leftByCategory(state);
  for (const element of page.querySelectorAll("[data-parts]")) {
    const parts = JSON.parse(element.dataset.parts);
    showPlace(element, parts.reduce((sum, part) => sum + leftOf(part, state, left), 0));
  }
  const types = new Map(state.ticket_types.map((type) => [type.id, type.available]));
  for (const element of page.querySelectorAll("[data-type]")) say(element, types.get(element.dataset.type) ?? 0);
  const again = page.querySelector("[data-again]");
  if (again) again.hidden = !(state.on_sale && state.ticket_types.some((type) => type.available > 0));
}

function watch() {
  if (document.hidden) {
    stop?.();
    stop = null;
  } else {
    stop ??= follow(page.dataset.stream, show);
  }
}

document.addEventListener("visibilitychange", watch);
watch();
