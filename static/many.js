// The tab for many photos: a gallery, tables and a CSV file, as catdog/collection and catdog/gradio_app make them.

import site from "./site.js";
import {templates} from "./templates.js";
import {Html} from "./filling.js";
import {answerTo, ready} from "./asking.js";
import {answerShown, banner, classes, refuse} from "./showing.js";
import {shuffled} from "./shuffled.js";
import {filesIn, isZip, partsOf} from "./zip.js";
import {grouped, is_neither, refusal, say} from "./wording.js";

const {limits} = site;
const THUMBNAIL = 192; // pixels, largest side
const LONGEST_NAME = 200;
const titles = Object.fromEntries(site.specs.map((spec) => [spec.name, spec.title]));

// One of the example photos, as a file; raises what the visitor should know.
export async function example(name) {
  const response = await fetch(`examples/${name}.jpg`).catch(() => null);
  if (!response?.ok) throw refusal("not fetched");
  return new File([await response.blob()], `${name}.jpg`);
}

// Make the tab work; returns a function that judges an array of files, or those that are promised.
export function startMany(tab) {
  const results = tab.querySelector("#results"), stop = tab.querySelector("#stop");
  const inputs = [...tab.querySelectorAll("input")];
  let running = null, addresses = [];
  let awaited = null; // the photo that is to be shown closer

  const report = (done, count, text) => { results.innerHTML = templates["progress.html"]({done, count, text}); };

  async function judge(files) {
    const run = running, judged = [];
    try {
      const {refused, photos} = await entriesOf(await files);
      if (run !== running) return; // other files were chosen
      // Nobody waits for the refused. Of the others, what is judged when somebody stops is a fair part.
      const entries = [...refused, ...shuffled(photos)];
      for (const {name, label, error, read} of entries) {
        if (run.stopped) break;
        const said = {done: grouped(judged.length), photos: grouped(entries.length)};
        report(judged.length, entries.length, say("judged", said));
        await ready;
        const {comparison, thumbnail, message} = error ? {message: error} : await answerOf(read);
        if (run !== running) return;
        if (thumbnail) addresses.push(URL.createObjectURL(thumbnail));
        const place = judged.length;
        judged.push({name, label, comparison, error: message, thumbnail: thumbnail && addresses.at(-1), read, place});
      }
      results.innerHTML = shown(judged, entries.length);
      run.judged = judged;
    } catch ({message}) {
      if (run !== running) return;
      results.innerHTML = banner(say("nothing judged"), message, "error");
    }
    stop.ariaDisabled = true; // `disabled` would take the focus away
  }

  // What was shown of other files goes away.
  function take(files) {
    running = {stopped: false};
    awaited = null;
    closeCloser();
    addresses.forEach((address) => URL.revokeObjectURL(address));
    addresses = [];
    stop.ariaDisabled = null;
    report(0, 1, say("opening"));
    judge(files);
  }

  // Show a photo closer when its maps are there, unless something else was asked for meanwhile.
  async function look(entry) {
    if (awaited === entry) return;
    awaited = entry;
    try {
      const file = await entry.read(), answer = await answerTo(file, {explain: true});
      if (awaited === entry && results.checkVisibility()) openCloser(entry, file, answer);
    } catch ({message}) {
      if (awaited === entry) refuse(results, message);
    } finally {
      if (awaited === entry) awaited = null;
    }
  }

  inputs.forEach((input) => input.addEventListener("change", () => {
    take([...input.files]);
    input.value = "";
  }));
  stop.addEventListener("click", () => {
    if (stop.ariaDisabled) return;
    running.stopped = true;
    stop.ariaDisabled = true;
  });
  results.addEventListener("click", ({target}) => {
    const button = target.closest("button[data-place]");
    if (button) look(running.judged[button.dataset.place]);
  });
  tab.querySelector("#samples")?.addEventListener("click", () => {
    const buttons = [...document.querySelectorAll("[data-example]")];
    take(Promise.all(buttons.map((button) => example(button.dataset.example))));
  });
  return take;
}

export const closeCloser = () => document.querySelector(".cd-closer")?.close();

// A photo in a dialog: larger, with what the models say of it and looked at.
function openCloser({name, place}, file, {comparison, maps, message}) {
  if (!comparison) throw new Error(message);
  const [picture, ...drawn] = [file, ...Object.values(maps)].map((blob) => URL.createObjectURL(blob));
  const mapped = Object.fromEntries(Object.keys(maps).map((model, i) => [model, drawn[i]]));
  const {headline, cards} = answerShown(comparison, mapped), made = document.createElement("template");
  const html = {headline: new Html(headline), cards: new Html(cards)};
  made.innerHTML = templates["closer.html"]({name, place, picture, ...html});
  const dialog = made.content.firstElementChild;
  document.body.append(dialog);
  dialog.addEventListener("click", ({target}) => {
    if (target.matches("dialog, dialog > header > button")) dialog.close();
  });
  dialog.addEventListener("close", () => {
    [picture, ...drawn].forEach((address) => URL.revokeObjectURL(address));
    dialog.remove();
  });
  dialog.showModal();
}

const nameOf = (file) => file.webkitRelativePath || file.name;

// What operating systems add to folders unasked.
const isClutter = (part) => part.startsWith(".") || ["__MACOSX", "Thumbs.db", "desktop.ini"].includes(part);

// The class that the innermost folder in a path names, if one does.
function labelOf(name) {
  const names = classes.flatMap((label) => ["", "s"].map((end) => [label.toLowerCase() + end, label]));
  const known = Object.fromEntries(names), folders = partsOf(name.toLowerCase()).slice(0, -1).reverse();
  return known[folders.find((folder) => Object.hasOwn(known, folder))] ?? null;
}

const isKept = (name) => !partsOf(name).some(isClutter);

// What is to be judged: {name, label, read} of each of the `photos`, and {name, error} of what is `refused`.
export async function entriesOf(files) {
  const lists = await Promise.all(files.filter((file) => isKept(nameOf(file))).map(entriesIn)), entries = lists.flat();
  const most = limits.photos, received = grouped(entries.length);
  if (!entries.length) throw refusal("no photos");
  if (entries.length > most) throw refusal("too many photos", {most, received});
  return {refused: entries.filter(({error}) => error), photos: entries.filter(({error}) => !error)};
}

// The photo itself, or those in a zip. A zip that cannot be read is refused as one file.
async function entriesIn(file) {
  const name = nameOf(file);
  if (!await isZip(file)) return [{name: short(name), label: labelOf(name), read: async () => file}];
  let members;
  try {
    members = await filesIn(file, isKept);
  } catch (error) {
    if (["many in zip", "unpacked"].includes(error.code)) throw error;
    return [{name: short(name), error: error.message}];
  }
  return members.map(({name: path, content, problem, read}) => {
    const copies = content ? members.filter((other) => other.content === content) : [];
    const labels = [...new Set(copies.map((other) => labelOf(other.name)))].filter(Boolean).sort();
    const found = problem ?? (labels.length > 1 ? refusal("two labels", {labels: labels.join(" and as ")}) : null);
    return {name: short(path), label: labelOf(path), error: found?.message, read};
  });
}

// A name as the page can show it.
function short(name) {
  const printable = name.replace(/(?! )[\p{C}\p{Z}]/gu, "\ufffd");
  return printable.length <= LONGEST_NAME ? printable : `…${printable.slice(1 - LONGEST_NAME)}`;
}

const answerOf = (read) =>
  read().then((file) => answerTo(file, {thumbnail: THUMBNAIL})).catch(({message}) => ({message}));

// How doubtful a verdict is, 0 to 1: see `doubt` in catdog/collection.
const doubt = ({models, verdict}) => 1 - Math.min(...models.map(({probabilities}) => probabilities[verdict] ?? 0));

// The results as HTML, of `planned` photos.
export function shown(judged, planned) {
  const good = judged.filter(({comparison}) => comparison).sort((a, b) => doubt(b.comparison) - doubt(a.comparison));
  const bad = judged.filter(({comparison}) => !comparison);
  return templates["gallery.html"]({
    summary: new Html(summary(good, judged, planned)),
    csv: base64(csv([...good, ...bad])),
    part: judged.length < planned ? say("part", {done: grouped(judged.length), photos: grouped(planned)}) : "",
    scores: scores(good),
    kinds: kinds(good),
    bad,
    good: good.map((entry) => [entry, entry.thumbnail]),
    titles,
    classes,
    specs: site.specs,
  });
}

// The kinds of photos that can be shown alone, and how many they are.
function kinds(good) {
  const strange = good.filter(({comparison}) => is_neither(comparison));
  const wrong = good.filter((one) => one.label && !strange.includes(one) && one.comparison.verdict !== one.label);
  const disputed = good.filter(({comparison}) => !comparison.agree);
  const counts = {wrong: wrong.length, disputed: disputed.length, neither: strange.length};
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count));
}

const counted = (photos) => say(photos === 1 ? "one photo" : "some photos", {photos: grouped(photos)});

function summary(good, judged, planned) {
  const title = judged.length < planned ? say("stopped", {done: grouped(judged.length), photos: grouped(planned)})
    : say("some judged", {photos: counted(good.length)});
  if (!good.length && judged.length === planned) return banner(say("none judged"), say("reasons"), "error");
  const counts = [
    [say("split"), good.filter(({comparison}) => !comparison.agree).length],
    [site.neither, good.filter(({comparison}) => is_neither(comparison)).length],
  ];
  const found = counts.filter(([, count]) => count)
    .map(([what, count]) => say("counted", {what, photos: counted(count)}));
  return banner(title, good.length ? found.join("") + say("order") : "", "summary");
}

// How often each model was right on photos whose class it knows; rows of `confusion` are true classes.
function scores(good) {
  return site.specs.map(({name, classes: own}) => {
    const saidBy = ({models}) => models.find(({model}) => model === name)?.label;
    const pairs = good.map(({label, comparison}) => [label, saidBy(comparison)]);
    const confusion = own.map((truth) => own.map((said) =>
      pairs.filter(([label, answer]) => label === truth && answer === said).length));
    const photos = confusion.flat().reduce((sum, count) => sum + count, 0);
    const right = confusion.reduce((sum, row, i) => sum + row[i], 0);
    return {model: name, classes: own, confusion, photos, right, accuracy: right / photos};
  }).filter(({photos}) => photos);
}

// As `to_csv` in catdog/collection: spreadsheets run a cell that begins with one of =+-@ as a formula.
function csv(entries) {
  const shares = classes.map((name) => `p_${name}`);
  const columns = ["path", "model", "label", "confidence", ...shares, "error", "truth", "verdict", "neither"];
  const rows = entries.flatMap(({name, label: truth, comparison, error}) => {
    const same = {path: /^[=+@-]/.test(name) ? `'${name}` : name, truth: truth ?? ""};
    if (!comparison) return [{...same, error}];
    return comparison.models.map(({model, label, confidence, probabilities, neither}) => {
      const written = Object.entries(probabilities).map(([known, value]) => [`p_${known}`, value.toFixed(6)]);
      const row = {...same, model, label, confidence: confidence.toFixed(6), verdict: comparison.verdict};
      return {...row, ...Object.fromEntries(written), neither: neither?.toFixed(6)};
    });
  });
  const line = (cells) => `${cells.map((cell) => `"${cell.replaceAll('"', '""')}"`).join(",")}\r\n`;
  return [columns, ...rows.map((row) => columns.map((column) => row[column] ?? ""))].map(line).join("");
}

function base64(text) {
  const bytes = new TextEncoder().encode(`\ufeff${text}`);
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}
