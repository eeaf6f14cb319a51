// Keeps the page for visits without a network, and isolates it from other sites, which allows threads. The build puts
// above these lines: KEPT, the files of the page with the digests of their contents; FETCHED, the same of those that
// are not kept here, of which models.js keeps the models; VERSION, which changes with any of them; and POLICY, what the
// page may do.

const PREFIX = `catdog-page ${registration.scope} `; // several pages may share a host, and so its caches
const CACHE = PREFIX + VERSION;
const MODELS = `catdog-models ${new URL(registration.scope).pathname}`; // as in models.js
const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Content-Security-Policy": POLICY, // also for the worker, which a policy in the page does not bind
};
const addressOf = (name) => new URL(name, registration.scope).href;
const OURS = new Set(Object.keys({...KEPT, ...FETCHED}).map(addressOf)); // other pages may lie below this one

// All files of this version or none: past the caches on the way, and with the contents that the build saw.
const requested = ([name, integrity]) => new Request(name, {cache: "no-cache", integrity});
addEventListener("install", (event) => event.waitUntil((async () => {
  await caches.open(CACHE).then((cache) => cache.addAll(Object.entries(KEPT).map(requested)));
  await fetchModels();
})()));

// Whoever has kept models can go on without a network: those of this version are there before it begins.
async function fetchModels() {
  const cache = await caches.open(MODELS), kept = (await cache.keys()).map(({url}) => url);
  if (!kept.length) return; // a first visit, or no room
  const named = Object.entries(FETCHED).filter(([name]) => name.endsWith(".bin"));
  for (const entry of named.filter(([name]) => !kept.includes(addressOf(name)))) {
    const response = await fetch(requested(entry));
    if (!response.ok) throw new Error(`${entry[0]}: ${response.status}`);
    await cache.put(addressOf(entry[0]), response).catch(() => {}); // without room it is fetched when it is needed
  }
}

addEventListener("activate", (event) => event.waitUntil((async () => {
  const old = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
  const models = await caches.open(MODELS), gone = (await models.keys()).filter(({url}) => !OURS.has(url));
  await Promise.all(gone.map((request) => models.delete(request)));
  await clients.claim();
})()));

addEventListener("fetch", (event) => {
  const {method, url} = event.request;
  if (method === "GET" && OURS.has(url.replace(/[?#].*/s, ""))) event.respondWith(answer(event.request));
});

async function answer(request) {
  const cache = await caches.open(CACHE);
  const response = await cache.match(request, {ignoreSearch: true}) ?? await fetch(request);
  if (!response.status) return response; // the browser follows where it leads
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  return new Response(response.body, {status: response.status, statusText: response.statusText, headers});
}
