// What a network returned -> a verdict, and verdicts -> a comparison: the rules of catdog/classifier.py, models/ and
// verdict.py, whose JSON it makes.

import {fixed} from "./digits.js";

const LEAST = 1e-7, TINY = 1e-12, FEWEST_PHOTOS = 10;

// What the JSON of a spec packs into strings -> rows of numbers. Once per model, because it takes a while.
export function unpacked(spec) {
  const matrix = ({steps, int8}) => {
    const whole = new Int8Array(Uint8Array.from(atob(int8), (c) => c.charCodeAt(0)).buffer);
    const columns = whole.length / steps.length;
    return steps.map((step, i) => Float64Array.from(whole.subarray(i * columns, (i + 1) * columns), (n) => n * step));
  };
  const {novelty} = spec;
  return novelty ? {...spec, novelty: {...novelty, means: matrix(novelty.means), axes: matrix(novelty.axes)}} : spec;
}

// outputs: {probabilities, features, maps} of one photo as typed arrays; maps has the shape (h, w, columns) of `shape`.
export function verdictOf(spec, {probabilities, features, maps, shape}, milliseconds) {
  const columns = widened(probabilities);
  if (!columns.every((value) => value >= -1e-4 && value <= 1.0001)) throw new Error(`${spec.name}: no probabilities`);
  const known = columns.slice(0, spec.classes.length); // the rest is the output for neither
  const calibrated = softmax(known.map((value) => Math.log(Math.min(Math.max(value, TINY), 1)) / spec.temperature));
  const best = calibrated.indexOf(Math.max(...calibrated)), confidence = calibrated[best];
  const {sureness, novelty, neither} = spec;
  return {
    model: spec.name,
    label: spec.classes[best],
    confidence,
    probabilities: Object.fromEntries(spec.classes.map((name, i) => [name, calibrated[i]])),
    milliseconds,
    error_rate: sureness ? errorRate(sureness, confidence) : null,
    strangeness: novelty && features ? rounded(strangeness(novelty, features)) : null,
    neither: neither ? rounded(refusalScore(neither, columns.at(-1), sum(known))) : null,
    heatmap: maps ? heatmap(maps, shape, best, spec) : null,
  };
}

const rounded = (value) => value === null ? null : Number(fixed(value, 4));

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

// Mahalanobis distance to the nearest class mean, in units of the threshold: see catdog/models/novelty.py.
function strangeness({means, axes, variances, rest, threshold}, features) {
  const length = Math.max(Math.hypot(...features), TINY);
  const squares = means.map((mean) => {
    const offset = mean.map((value, i) => features[i] / length - value);
    const along = axes.map((axis) => axis.reduce((total, value, i) => total + value * offset[i], 0) ** 2);
    const beside = Math.max(offset.reduce((total, value) => total + value * value, 0) - sum(along), 0);
    return sum(along.map((square, i) => square / variances[i])) / along.length + beside / rest;
  });
  const distance = Math.sqrt(Math.min(...squares)) / threshold;
  return Number.isFinite(distance) ? Math.min(distance, 1e6) : null;
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

const refusalOf = (verdict) => verdict.neither === null ? verdict.strangeness : 2 * verdict.neither;

// The first of the largest; keys are compared number by number.
function largest(items, key) {
  const above = (a, b) => {
    const i = a.findIndex((value, k) => value !== b[k]);
    return i >= 0 && a[i] > b[i];
  };
  return items.reduce((best, item) => best === undefined || above(key(item), key(best)) ? item : best, undefined);
}

// Which model decides what shows none of the classes: see `keenest` in catdog/verdict.py.
function keenest(specs) {
  const able = specs.filter((spec) => spec.neither);
  if (able.length) return largest(able, (spec) => [spec.neither.auroc ?? 0, spec.accuracy]);
  return largest(specs.filter((spec) => spec.novelty), (spec) => [spec.novelty.variances.length, spec.accuracy]);
}

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
    verdict: decides && refusalOf(by[decides.name]) > 1 ? "neither" : leading.label,
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
