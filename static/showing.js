// What the tabs show of an answer, as HTML: the templates of catdog/pages, filled as it fills them.

import {object} from "./choosing.js";
import site from "./site.js";
import {templates} from "./templates.js";
import {accent_of, classesOf, explanation, headline, is_neither} from "./wording.js";

const {specs} = site;
export const classes = classesOf(specs);

export const banner = (title, text, accent) => templates["banner.html"]({title, text, accent, button: ""});

// An alert above what a board shows.
export const refuse = (board, message) => object(board, document.getElementById("objection").innerHTML, message);

// The banner and the cards. `maps` has the address of each model's heat map, and is null if none are wanted; with
// `busy`, cards wait for the models that have not answered; `answer` is the JSON that can be saved.
export function answerShown(comparison, maps, {busy = false, answer = ""} = {}) {
  const verdicts = new Map(comparison.models.map((verdict) => [verdict.model, verdict]));
  const cards = templates["cards.html"]({
    state: busy ? "busy" : "done",
    rows: specs.filter(({name}) => busy || verdicts.has(name)).map((spec) => [spec, verdicts.get(spec.name)]),
    neither: is_neither(comparison),
    classes,
    refusing: specs.some((spec) => spec.neither),
    mapped: maps !== null,
    maps: maps ?? {},
    legend: site.legend,
    answer,
  });
  const text = explanation(comparison, specs);
  return {headline: banner(headline(comparison, specs), text, accent_of(comparison, specs)), cards};
}
