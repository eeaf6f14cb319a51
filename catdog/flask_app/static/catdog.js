// Makes the form send by itself as soon as a photo is chosen, dropped or pasted. The server answers
// with the same page as it would without a script; its result is put in the place of the old one.

import {isTyping, object, obstacle} from "./choosing.js";

const form = document.querySelector("form");
const input = document.querySelector("#file");
const address = document.querySelector("#url"); // null where photos are not fetched
const preview = document.querySelector("#preview");
const invitation = document.querySelector("#invitation");
const chosen = document.querySelector("#chosen");
const headline = document.querySelector("#headline");
const cards = document.querySelector("#cards");
let running = new AbortController();
let taken = []; // the photo that the page shows, if it is a file

// The server wrote what the page says while it waits, and when it fails, into templates.
function say(state, text) {
  headline.replaceChildren(document.querySelector(`#${state}`).content.cloneNode(true));
  if (text) headline.querySelector("p").textContent = text;
  reveal();
}

// On a phone it may lie below what is seen.
function reveal() {
  headline.scrollIntoView({ block: "nearest" });
}

// Why there is no verdict: without a text, because the server did not say, and then asking `again` may help.
function fail(text, again = !text) {
  say("failed", text);
  if (!again) headline.querySelector("button").remove();
  cards.hidden = true; // verdicts on an earlier photo would mislead
}

function show(source) {
  URL.revokeObjectURL(preview.src);
  preview.src = source;
  preview.hidden = chosen.hidden = false;
  invitation.hidden = true;
}

// Browsers cannot draw every format that the server reads, HEIC for one; its answer brings a copy that they can.
preview.addEventListener("error", () => {
  preview.hidden = chosen.hidden = true;
  invitation.hidden = false;
});

function ask() {
  const [file] = input.files;
  running.abort();
  forgetExample();
  if (address) address.value = "";
  show(URL.createObjectURL(file));
  preview.alt = `The photo ${file.name}`;
  return send();
}

// The server fetches the photo, and its answer brings a copy.
function askForAddress() {
  forgetExample();
  input.value = "";
  taken = [];
  preview.hidden = chosen.hidden = true;
  invitation.hidden = false;
  preview.alt = "The photo of that address";
  return send();
}

// Ask again about the photo that is shown; false if there is none.
function askAgain() {
  if (input.files.length) return take([...input.files]); // which may have changed since
  return Boolean(address?.value) && askForAddress();
}

async function send() {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  say("looking");
  cards.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(form.action, { method: "POST", body: new FormData(form), signal });
    const answer = await response.text();
    const page = new DOMParser().parseFromString(answer, "text/html");
    if (!page.querySelector("#headline")) {
      return fail(JSON.parse(answer).error.message, true); // from a server in front of this one, which has no page
    }
    headline.replaceChildren(...page.querySelector("#headline").childNodes);
    cards.replaceChildren(...page.querySelector("#cards").childNodes);
    cards.hidden = false;
    reveal();
    if (preview.hidden && page.querySelector("#preview").src) show(page.querySelector("#preview").src);
  } catch {
    if (!signal.aborted) fail();
  } finally {
    if (!signal.aborted) cards.removeAttribute("aria-busy");
  }
}

// What is shown is no longer the example that the address leads to.
function forgetExample() {
  history.replaceState(null, "", form.action);
  document.querySelectorAll("[aria-current]").forEach((link) => link.removeAttribute("aria-current"));
  document.querySelectorAll("section > .cd-hint").forEach((name) => name.remove());
}

// `files` is an array: what browsers give is emptied when the form or the event that it came with is.
async function take(files) {
  const reason = await obstacle(files, Number(form.dataset.maxBytes));
  if (reason === null) return;
  if (reason) object(headline, document.querySelector("#objection").innerHTML, reason);
  else taken = files;
  const kept = new DataTransfer();
  taken.forEach((file) => kept.items.add(file));
  input.files = kept.files;
  if (!reason) ask();
}

function takeChosen() {
  if (input.files.length) take([...input.files]);
}

input.addEventListener("change", takeChosen);

headline.addEventListener("click", (event) => {
  if (event.target.closest("button")) askAgain() || location.reload();
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (address?.value) askForAddress();
});

const explain = form.elements.explain;
explain.addEventListener("change", () => {
  if (askAgain()) return;
  const page = new URL(location.href);
  if (!page.searchParams.has("example")) return;
  page.searchParams.set("explain", explain.checked ? "1" : "0");
  location.assign(page);
});

document.addEventListener("paste", (event) => {
  if (!isTyping(event)) take([...event.clipboardData.files]);
});

document.addEventListener("dragover", (event) => {
  if (isTyping(event)) return;
  event.preventDefault();
  form.dataset.dragging = "";
});

document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) delete form.dataset.dragging;
});

document.addEventListener("drop", (event) => {
  delete form.dataset.dragging;
  if (isTyping(event)) return;
  event.preventDefault(); // else the browser would leave the page for the photo
  take([...event.dataTransfer.files]);
});

// What was chosen before this script was there, or before the visitor left this page and came back.
addEventListener("pageshow", () => taken.length || takeChosen());
