// Follows what is left of a session while it is sold. One file, no dependencies; docs/reference/stream.md tells more.
//
//   import { follow } from "/static/stream-1.js";
//   const stop = follow("/api/v1/sessions/…/stream", (state) => { … });

const REFUSED_WAIT_MS = 2_000;
const REFUSED_WAIT_MS_MAX = 60_000;

/** Read packed seats: one state each (0 available, 1 held, 2 sold, 3 blocked), with up to three more at the end. */
export function unpackSeats(text) {
  const packed = atob(text);
  const states = new Uint8Array(4 * packed.length);
  for (let index = 0; index < states.length; index++) {
    states[index] = (packed.charCodeAt(index >> 2) >> (2 * (index & 3))) & 3;
  }
  return states;
}

/** Return the state that a snapshot, or an availability answer, shows: the same, with its seats unpacked. */
export function fromSnapshot(snapshot) {
  return { ...snapshot, seats: snapshot.seats === null ? null : unpackSeats(snapshot.seats) };
}

/** Return what a change makes of a state. The state itself stays as it was. */
export function applyChange(state, change) {
  return {
    ...state,
    version: change.version,
    on_sale: change.on_sale,
    ticket_types: replaced(state.ticket_types, change.ticket_types, "id", (type, to) => ({
      ...type,
      available: to.available,
      prices: type.prices.map((price, index) => ({ ...price, available: to.prices[index] })),
    })),
    areas: replaced(state.areas, change.areas, "key", (area, to) => ({ ...area, available: to.available })),
    seats: seatsAfter(state.seats, change.seats),
  };
}

function replaced(items, changes, key, replace) {
  if (!changes) return items;
  const changed = new Map(changes.map((change) => [change[key], change]));
  return items.map((item) => (changed.has(item[key]) ? replace(item, changed.get(item[key])) : item));
}

function seatsAfter(seats, change) {
  if (typeof change === "string") return unpackSeats(change);
  if (!change) return seats;
  const after = seats.slice();
  for (const [state, indexes] of Object.entries(change)) {
    for (const index of indexes) after[index] = Number(state);
  }
  return after;
}

/**
 * Follow a session. `onState(state, change)` is called for each event, with the change that led to the state, or null
 * after a snapshot; `onLink(isOpen)` when the connection comes and goes. Returns a function that ends it.
 */
export function follow(url, onState, { onLink = () => {}, Source = globalThis.EventSource } = {}) {
  let source;
  let timer;
  let state = null;
  let wait = REFUSED_WAIT_MS;

  function take(next, change) {
    state = next;
    wait = REFUSED_WAIT_MS;
    onState(state, change);
  }

  function open() {
    source = new Source(url);
    source.onopen = () => onLink(true);
    source.addEventListener("snapshot", (event) => take(fromSnapshot(JSON.parse(event.data)), null));
    source.addEventListener("change", (event) => {
      const change = JSON.parse(event.data);
      take(applyChange(state, change), change);
    });
    source.onerror = () => {
      onLink(false);
      // What was cut off the browser opens again by itself; what was refused, such as for lack of room, it does not.
      if (source.readyState !== 2) return;
      timer = setTimeout(open, wait * (0.5 + Math.random()));
      wait = Math.min(2 * wait, REFUSED_WAIT_MS_MAX);
    };
  }

  open();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}
