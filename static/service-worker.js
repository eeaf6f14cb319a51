// Keeps the page for visits without a network, and isolates it from other sites, which allows threads. The build puts
// above these lines: KEPT, the files of the page with the digests of their contents; FETCHED, which are not kept here,
// but may be by models.js; VERSION, which changes with any of them; and POLICY, what the page may do.

const PREFIX = `catdog-page ${registration.scope} `; // several pages may share a host, and so its caches
const CACHE = PREFIX + VERSION;
const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Content-Security-Policy": POLICY, // also for the worker, which a policy in the page does not bind
};
const addressOf = (name) => new URL(name, registration.scope).href;
const OURS = new Set([...Object.keys(KEPT), ...FETCHED].map(addressOf)); // other pages may lie below this one

// All files of this version or none: past the caches on the way, and with the contents that the build saw.
addEventListener("install", (event) => {
  const requests = Object.entries(KEPT).map(([name, integrity]) => new Request(name, {cache: "no-cache", integrity}));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(requests)));
});

addEventListener("activate", (event) => event.waitUntil((async () => {
  const old = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
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
