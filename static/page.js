// The page: its tabs, and the tab for one photo.

import site from "./site.js";
import {ask, forget, newId, on} from "./asking.js";
import {startLive} from "./camera.js";
import {isTyping, objection, obstacle} from "./choosing.js";
import {judged} from "./live.js";
import {closeCloser, example, startMany} from "./many.js";
import {answerShown, refuse} from "./showing.js";
import {refusal} from "./wording.js";

const at = (id) => document.getElementById(id);
const [input, preview, invitation, chosen, headline, cards, explain] =
  ["file", "preview", "invitation", "chosen", "headline", "cards", "explain"].map(at);
const opening = [headline, cards].map((part) => [...part.childNodes]); // before any photo
let current = null; // {id, file}: what is shown
let broken = null; // why no model can answer
let loading = true;
let answered = null; // the last answer about it
let addresses = []; // of its maps
let choices = 0; // of files and of examples

function announce(state, text) {
  headline.replaceChildren(at(state).content.cloneNode(true));
  if (text) headline.querySelector("p").textContent = text;
  reveal();
}

// On a phone it may lie below what is seen.
const reveal = () => headline.scrollIntoView({block: "nearest"});

// Leave the photo that is shown, about which answers may still come.
function leave() {
  if (current) forget(current.id);
  current = answered = null;
  preview.hidden = chosen.hidden = true;
  invitation.hidden = false;
}

function fail(text) {
  announce("failed", text);
  headline.querySelector("button").hidden = !broken;
  cards.hidden = true; // verdicts on an earlier photo would mislead
}

function judge(file) {
  leave();
  current = {id: newId(), file};
  if (broken !== null) return fail(broken);
  announce("looking");
  cards.replaceChildren(at("busy").content.cloneNode(true));
  cards.hidden = false;
  request();
}

const request = () => current && broken === null && ask({...current, explain: explain.checked, preview: true}, hear);

// What worker.js says of the photo.
function hear(answer) {
  if (answer.kind === "refused") fail(answer.message);
  else if (answer.kind === "seen") show(answer.preview);
  else showVerdicts(answer);
}

function show(photo) {
  URL.revokeObjectURL(preview.src);
  preview.src = URL.createObjectURL(photo);
  preview.alt = `The photo ${current.file.name}`;
  preview.hidden = chosen.hidden = false;
  invitation.hidden = true;
}

function showVerdicts(answer) {
  answered = answer;
  const {comparison} = answer, old = addresses, drawn = Object.entries(answer.maps);
  const maps = Object.fromEntries(drawn.map(([model, blob]) => [model, URL.createObjectURL(blob)]));
  addresses = Object.values(maps);
  const savable = loading ? "" : JSON.stringify(comparison);
  const shown = answerShown(comparison, explain.checked ? maps : null, {busy: loading, answer: savable});
  headline.innerHTML = shown.headline;
  cards.innerHTML = shown.cards;
  cards.hidden = false;
  old.forEach((address) => URL.revokeObjectURL(address));
  reveal();
}

function tell({message}) {
  const item = document.createElement("li");
  item.textContent = message;
  at("problems").append(item);
  at("problems").hidden = false;
}

on("progress", ({loaded, total}) => {
  at("loading").hidden = loaded === total || broken !== null;
  Object.assign(at("loading").querySelector("progress"), {max: total, value: loaded});
});
on("problem", tell);
on("ready", () => {
  loading = false;
  at("loading").hidden = true;
  if (answered) showVerdicts(answered);
  navigator.serviceWorker?.register("service-worker.js").catch(() => {}); // without it the page needs the network
});
on("failed", ({message}) => {
  broken = message;
  at("loading").hidden = true;
  fail(broken);
});
headline.addEventListener("click", ({target}) => target.closest("button") && startAgain());
explain.addEventListener("change", request);

// From the network, if there is one: what is kept may be of a version whose models are gone.
async function startAgain() {
  const kept = navigator.onLine && await navigator.serviceWorker?.getRegistration();
  await kept?.unregister();
  location.reload();
}

async function take(files) {
  const reason = await obstacle(files, site.limits.bytes);
  if (reason === null) return;
  if (reason) return refuse(headline, reason);
  choices += 1;
  forgetExample();
  judge(files[0]);
}

function takeChosen() {
  if (input.files.length) take([...input.files]);
  input.value = ""; // or the same file would be no change
}

input.addEventListener("change", takeChosen);

// Examples, whose names the address of the page can hold.
const buttons = [...document.querySelectorAll("[data-example]")];

async function choose(name) {
  const choice = choices += 1;
  try {
    if (!buttons.some((button) => button.dataset.example === name)) throw refusal("no example");
    const file = await example(name);
    if (choice !== choices) return; // something else was chosen meanwhile
    judge(file);
  } catch (error) {
    if (choice !== choices) return;
    leave();
    return fail(error.message);
  }
  press(name);
}

const pressed = () => buttons.find(({ariaPressed}) => ariaPressed === "true")?.dataset.example ?? null;
const press = (name) =>
  buttons.forEach((button) => button.setAttribute("aria-pressed", button.dataset.example === name));

function forgetExample() {
  history.replaceState(null, "", location.pathname);
  press(null);
}

buttons.forEach((button) => button.addEventListener("click", () => {
  const {example: name} = button.dataset;
  visit({example: name});
  choose(name);
}));

// Photos that are dropped or pasted anywhere.
const many = startMany(at("many"));
function give(files) {
  if (!at("one").hidden) take([...files]);
  else if (!at("many").hidden) files.length ? many([...files]) : refuse(at("results"), objection(files));
}

document.addEventListener("paste", (event) => isTyping(event) || give(event.clipboardData.files));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.forms[0].dataset.dragging = "";
});
document.addEventListener("dragleave", ({relatedTarget}) => relatedTarget || delete document.forms[0].dataset.dragging);
document.addEventListener("drop", (event) => {
  event.preventDefault(); // else the browser would leave the page for the photo
  delete document.forms[0].dataset.dragging;
  give(event.dataTransfer.files);
});

// Tabs
const tabs = [...document.querySelectorAll("[role=tab]")];

function open(tab) {
  closeCloser();
  for (const other of tabs) {
    const selected = other === tab;
    other.setAttribute("aria-selected", selected);
    other.tabIndex = selected ? 0 : -1;
    at(other.getAttribute("aria-controls")).hidden = !selected;
  }
}

// Opens a tab, whose address comes after the one before.
function turnTo(tab) {
  open(tab);
  visit(tab === tabs[0] ? (pressed() ? {example: pressed()} : {}) : {tab: tab.getAttribute("aria-controls")});
}

tabs.forEach((tab, i) => {
  tab.addEventListener("click", () => turnTo(tab));
  tab.addEventListener("keydown", ({key}) => {
    const step = {ArrowRight: 1, ArrowLeft: -1}[key];
    if (!step) return;
    const next = tabs[(i + step + tabs.length) % tabs.length];
    turnTo(next);
    next.focus();
  });
});

// Each tab and each example has an address, and Back leads to the one before.
function visit(asked) {
  const address = new URL(location.pathname, location.href);
  address.search = new URLSearchParams(asked);
  if (address.href !== location.href) history.pushState(null, "", address);
}

// Shows what the address names; on other tabs the photo stays as it is.
function follow() {
  const asked = new URLSearchParams(location.search), name = asked.get("example");
  open(tabs.find((tab) => tab.getAttribute("aria-controls") === asked.get("tab")) ?? tabs[0]);
  if (asked.has("tab") || name === pressed()) return;
  if (name) choose(name);
  else beginAgain();
}

function beginAgain() {
  choices += 1;
  leave();
  press(null);
  if (broken !== null) return fail(broken);
  [headline, cards].forEach((part, i) => part.replaceChildren(...opening[i].map((node) => node.cloneNode(true))));
  cards.hidden = false;
}

startLive(at("live"), judged);

// Its questions are fetched when the quiz starts.
const start = at("quiz")?.querySelector("button");
start?.addEventListener("click", async () => {
  if (start.ariaDisabled) return;
  start.ariaDisabled = true; // `disabled` would take the focus away
  try {
    const {startQuiz} = await import("./quiz.js");
    startQuiz(at("quiz"));
  } catch {
    start.ariaDisabled = null;
    tell(refusal("not fetched"));
  }
});

addEventListener("popstate", follow);
follow();
takeChosen(); // what was chosen before this script was there
