// Reads lines of {"module": path} and then {"snapshot": …, "changes": […]}; answers each run with its states as JSON.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

let library = null;
for await (const line of createInterface({ input: process.stdin })) {
  const read = JSON.parse(line);
  if (library === null) {
    library = await import(pathToFileURL(read.module).href);
    continue;
  }
  let state = library.fromSnapshot(read.snapshot);
  const states = [plain(state)];
  for (const change of read.changes) {
    const before = JSON.stringify(plain(state));
    const next = library.applyChange(state, change);
    if (JSON.stringify(plain(state)) !== before) throw new Error("a state was changed in place");
    state = next;
    states.push(plain(state));
  }
  console.log(JSON.stringify(states));
}

function plain(state) {
  return { ...state, seats: state.seats === null ? null : [...state.seats] };
}
