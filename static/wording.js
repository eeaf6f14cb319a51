// What the pages say, in the sentences of catdog/wording.py, by the same rules.

import {fixed, whole} from "./digits.js";
import site from "./site.js";

export {grouped} from "./digits.js";

const {sentences, certainties, rarest, vertical, horizontal, numbers, refusals} = site;

const filled = (sentence, values) => sentence.replace(/\{(\w+)\}/g, (_, name) => values[name]);

export const say = (name, values = {}) => filled(sentences[name], values);

// An error with a code and a sentence for the visitor. Those of the browser may have a code, too, but no such sentence.
class Refusal extends Error {}
export const refusal = (code, values = {}) => Object.assign(new Refusal(filled(refusals[code], values)), {code});
export const asRefusal = (error, code, values = {}) =>
  error instanceof Refusal ? error : refusal(code, {...values, reason: error.message});

const UNSURE = site.unsure;
export const FEW_CLASSES = site.fewClasses;
export const measured = (spec) => spec.measured;
export const classesOf = (specs) => [...new Set(specs.flatMap((spec) => spec.classes))];
export const is_neither = (comparison) => comparison.models.every(({label}) => label !== comparison.verdict);
export const accent = (label, classes) =>
  site.usualNames[label.toLowerCase()] ?? `other-${classes.indexOf(label) % 3}`;

export function accent_of(comparison, specs) {
  if (is_neither(comparison)) return "neither";
  return comparison.agree ? accent(comparison.models[0].label, classesOf(specs)) : "split";
}

const titleOf = (model, specs) => specs.find((spec) => spec.name === model).title;
const leading = (comparison) => comparison.models.find(({model}) => model === comparison.leader);

export function headline(comparison, specs) {
  if (is_neither(comparison)) return site.neither;
  if (!comparison.agree) return say("split");
  const {label} = leading(comparison), firm = comparison.models.some((verdict) => certainty(verdict) !== UNSURE);
  const count = comparison.models.length;
  if (count === 1) return say(firm ? "one says" : "one leans", {title: titleOf(comparison.leader, specs), label});
  const everyone = count === 2 ? say("both") : say("all", {count: numbers[count] ?? count});
  return say(firm ? "all say" : "all lean", {everyone, label});
}

export function explanation(comparison, specs) {
  if (is_neither(comparison)) return say("something else");
  return usuallyRight(comparison, specs) || leaderSays(comparison, specs);
}

function usuallyRight({usually_right: known, models}, specs) {
  if (!known) return "";
  const {label} = models.find(({model}) => model === known.model);
  const right = whole(known.rate * known.photos);
  return say("usually right", {title: titleOf(known.model, specs), right, photos: whole(known.photos), label});
}

function leaderSays(comparison, specs) {
  if (comparison.models.length === 1) return "";
  const verdict = leading(comparison), sure = certainty(verdict);
  const name = sure === UNSURE ? "leader leans" : verdict.error_rate === null ? "leader claims"
    : comparison.agree ? "leader is" : "leader says";
  const {title, accuracy} = specs.find((spec) => spec.name === comparison.leader);
  const which = say(accuracy > 0 ? "most accurate" : "first");
  return say(name, {title, which, label: verdict.label, sure, confidence: percent(verdict.confidence)});
}

function certainty({error_rate: rate, confidence}) {
  const wrong = Math.max(fixed(1 - confidence, 3), rate >= rarest ? 1 / fixed(1 / rate, 0) : 0);
  return certainties.find(([largest]) => wrong <= largest)[1];
}

export function stance(verdict, neither) {
  const confidence = percent(verdict.confidence), always = verdict.neither === null;
  if (neither) return say(always ? "always picks" : "had to choose", {confidence});
  if (verdict.error_rate === null) return say("claimed", {confidence});
  const sure = certainty(verdict);
  return sure[0].toUpperCase() + sure.slice(1);
}

// The classes that a card has bars for; of equally probable ones the first, as in Python.
export function foremost({classes}, verdict) {
  if (classes.length <= FEW_CLASSES) return classes;
  const shares = verdict?.probabilities ?? {};
  return [...classes].sort((a, b) => (shares[b] ?? 0) - (shares[a] ?? 0)).slice(0, FEW_CLASSES - 1);
}

export function reliability({error_rate: rate, confidence}, {sureness, tried}) {
  if (rate === null || !sureness) return say("unmeasured");
  const ends = [...sureness.confidence, 1], reached = sureness.confidence.filter((end) => end <= confidence).length;
  const level = Math.max(reached - 1, 0);
  const [low, high] = [ends[level], ends[level + 1]], shown = (end) => percent(Math.min(end, 0.999));
  const name = high === 1 ? (low > 0 ? "above" : "always") : low > 0 ? "between" : "below";
  return say(name, {photos: tried, wrong: often(rate), low: shown(low), high: shown(high)});
}

function often(rate) {
  if (rate > 0.6) return say("share wrong", {share: percent(rate)});
  if (rate > 0.4) return say("half wrong");
  if (rate < rarest) return say("rarely wrong", {number: fixed(1 / rarest, 0)});
  return say("one wrong", {number: fixed(1 / rate, 0)});
}

export function map_alt({heatmap, label}) {
  if (!heatmap) return "";
  let most = -Infinity, place = "";
  heatmap.forEach((line, y) => line.forEach((value, x) => {
    if (value < most) return; // of equals the last, as in Python
    most = value;
    const [row, column] = [(y + 0.5) / heatmap.length, (x + 0.5) / line.length].map((part) => Math.trunc(3 * part));
    place = vertical[row] + horizontal[column];
  }));
  return most > 0 ? say("place", {label, place}) : say("no place", {label});
}

// The first cost of a spec is the time.
export function costs(spec, verdict) {
  const [time] = Object.keys(spec.costs);
  return verdict ? {...spec.costs, [time]: milliseconds(verdict.milliseconds)} : spec.costs;
}

export function percent(probability) {
  if (probability > 0 && probability < 0.0005) return "<0.1%";
  return probability >= 0.9995 && probability < 1 ? ">99.9%" : `${fixed(100 * probability, 1)}%`;
}

export const milliseconds = (value) => value < 10 ? `${fixed(value, 1)} ms` : `${whole(value)} ms`;
