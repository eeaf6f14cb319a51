// The page's side of worker.js.

import {refusal} from "./wording.js";

const worker = new Worker(new URL("worker.js", import.meta.url), {type: "module"});
const hearers = new Map(); // id -> who hears the answers
const listeners = {};
let count = 0;

worker.addEventListener("message", ({data}) => {
  hearers.get(data.id)?.(data);
  for (const listener of listeners[data.kind] ?? []) listener(data);
});
worker.addEventListener("error", () => {
  const {message} = refusal("worker");
  for (const hear of hearers.values()) hear({kind: "refused", message});
  for (const listener of listeners.failed ?? []) listener({message});
});

export const newId = () => (count += 1);

// Call `listener` with every message of a kind: "progress", "problem", "ready" or "failed".
export const on = (kind, listener) => (listeners[kind] ??= []).push(listener);

// All models that can be loaded are there; rejected with a message when none is.
export const ready = new Promise((resolve, reject) => {
  on("ready", resolve);
  on("failed", reject);
});
ready.catch(() => {}); // the tab for one photo says it

// Ask about a file; `hear` gets what worker.js answers: more than once, while models are loaded.
export function ask(question, hear) {
  hearers.set(question.id, hear);
  worker.postMessage(question);
}

export const forget = (id) => hearers.delete(id);

// The answer of all models to one file, once they are ready: {comparison, maps, thumbnail} or {message}. `wanted` has
// the largest side of the thumbnail, or `explain`, for maps.
export function answerTo(file, wanted) {
  const id = newId();
  return new Promise((resolve) => ask({id, file, ...wanted}, resolve)).finally(() => forget(id));
}
