// What a network returned -> a verdict, and verdicts -> a comparison: the rules of catdog/classifier.py, models/ and
// verdict.py, whose JSON it makes.

import {fixed} from "./digits.js";

const LEAST = 1e-7, TINY = 1e-12, FEWEST_PHOTOS = 10, REFUSED = 0.5;

// outputs: {probabilities, maps} of one photo as typed arrays; maps has the shape (h, w, columns) of `shape`.
export function verdictOf(spec, {probabilities, maps, shape}, milliseconds) {
  const columns = widened(probabilities);
  if (!columns.every((value) => value >= -1e-4 && value <= 1.0001)) throw new Error(`${spec.name}: no probabilities`);
  const known = columns.slice(0, spec.classes.length); // the rest is the output for neither
  const calibrated = softmax(known.map((value) => Math.log(Math.min(Math.max(value, TINY), 1)) / spec.temperature));
  const best = calibrated.indexOf(Math.max(...calibrated)), confidence = calibrated[best];
  const {sureness, neither} = spec;
  return {
    model: spec.name,
    label: spec.classes[best],
    confidence,
    probabilities: Object.fromEntries(spec.classes.map((name, i) => [name, calibrated[i]])),
    milliseconds,
    error_rate: sureness ? errorRate(sureness, confidence) : null,
    strangeness: null,
    neither: neither ? Number(fixed(refusalScore(neither, columns.at(-1), sum(known)), 4)) : null,
    heatmap: maps ? heatmap(maps, shape, best, spec) : null,
  };
}

// One sigmoid is the probability of the second of two classes.
export const widened = (columns) => columns.length === 1 ? [1 - columns[0], columns[0]] : [...columns];

const sum = (values) => values.reduce((total, value) => total + value, 0);

function softmax(logits) {
  const most = Math.max(...logits), powers = logits.map((logit) => Math.exp(logit - most));
  return powers.map((power) => power / sum(powers));
}

const errorRate = (levels, confidence) =>
  levels.error_rate[Math.max(levels.confidence.filter((end) => end <= confidence).length - 1, 0)];

function refusalScore({threshold}, last, others) {
  const odds = Math.log(Math.max(last, LEAST)) - Math.log(Math.max(others, LEAST));
  return 1 / (1 + Math.exp(Math.log(threshold / (1 - threshold)) - odds));
}

// Rows of what each place adds to the label's logit, less the mean of the other classes. One column is the logit of the
// second of two classes; those beyond the classes are for neither.
function heatmap(maps, [height, width, columns], best, {classes, temperature}) {
  const value = (place) => {
    const at = (k) => columns === 1 ? k * maps[place] : maps[place * columns + k];
    const others = classes.map((_, k) => k).filter((k) => k !== best).map(at);
    return (at(best) - sum(others) / others.length) / temperature;
  };
  return Array.from({length: height}, (_row, y) => Array.from({length: width}, (_, x) => value(y * width + x)));
}

// The first of the largest; keys are compared number by number.
function largest(items, key) {
  const above = (a, b) => {
    const i = a.findIndex((value, k) => value !== b[k]);
    return i >= 0 && a[i] > b[i];
  };
  return items.reduce((best, item) => best === undefined || above(key(item), key(best)) ? item : best, undefined);
}

// Which model decides what shows none of the classes: see `keenest` in catdog/verdict.py.
const keenest = (specs) =>
  largest(specs.filter((spec) => spec.neither), (spec) => [spec.neither.auroc ?? 0, spec.accuracy]);

// Verdicts on one photo, and the specs of the models that gave them, in the same order.
export function compared(verdicts, specs) {
  const by = Object.fromEntries(verdicts.map((verdict) => [verdict.model, verdict]));
  const leading = by[largest(specs, (spec) => [spec.accuracy]).name];
  const keen = keenest(specs), decides = keen?.classes.includes(leading.label) ? keen : null;
  return {
    prediction: leading.label[0].toUpperCase() + leading.label.slice(1).toLowerCase(),
    confidence: leading.confidence,
    leader: leading.model,
    models: verdicts,
    agree: new Set(verdicts.map((verdict) => verdict.label)).size === 1,
    verdict: decides && by[decides.name].neither > REFUSED ? "neither" : leading.label,
    usually_right: usuallyRight(by, specs),
  };
}

function usuallyRight(by, specs) {
  if (new Set(specs.map((spec) => by[spec.name].label)).size === 1) return null;
  const known = specs.map((spec) => ({spec, found: caseOf(spec, by, specs)})).filter(({found}) => found);
  if (known.length < specs.length) return null;
  const {spec, found} = largest(known, (one) => [one.found.right / one.found.photos, one.spec.accuracy]);
  return {model: spec.name, rate: found.right / found.photos, photos: found.photos};
}

function caseOf(spec, by, specs) {
  const others = specs.filter((other) => other !== spec);
  const same = others.filter((other) => by[other.name].label === by[spec.name].label).map((other) => other.name);
  return spec.disagreement.find((one) => one.photos >= FEWEST_PHOTOS
    && Object.keys(one.others).length === others.length && one.same.length === same.length
    && others.every((other) => one.others[other.name] === other.sha256)
    && same.every((name) => one.same.includes(name)));
}
