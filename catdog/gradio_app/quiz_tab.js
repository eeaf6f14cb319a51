// Leads through the quiz, whose questions are all on the page: one at a time, other ones each round as long as there
// are any. `element` and `trigger` are given by Gradio; shuffled.js comes before this.

let round = []; // the questions of this round
let left = [];
let right = 0;
const asked = new Set();

const all = (selector) => [...element.querySelectorAll(selector)];
const current = () => element.querySelector('.cd-question:not([hidden])');

function begin() {
  right = 0;
  round = shuffled(drawn(Number(element.querySelector('.cd-end').dataset.count)));
  left = [...round];
  left.forEach((question, index) => {
    question.querySelector('[data-number]').textContent = `${index + 1} of ${left.length}`;
    question.querySelector('.cd-told').hidden = true;
    question.querySelector('.cd-answers').hidden = false;
  });
  show();
}

// So many questions, as many of each class, and first those that were not asked yet.
function drawn(count) {
  const questions = shuffled(all('.cd-question')).sort((a, b) => asked.has(a) - asked.has(b));
  const before = {}; // how many of a class come before
  const placed = questions.map((question) => {
    const {truth} = question.dataset;
    before[truth] = (before[truth] ?? -1) + 1;
    return [before[truth], question];
  });
  const chosen = placed.sort(([a], [b]) => a - b).slice(0, count).map(([, question]) => question);
  chosen.forEach((question) => asked.add(question));
  return chosen;
}

function show() {
  all('.cd-question, .cd-end').forEach((article) => { article.hidden = true; });
  const next = left.shift() ?? end();
  next.hidden = false;
  next.querySelector('h2').focus();
}

function answer(label) {
  const question = current();
  const truth = question.dataset.truth;
  right += label === truth ? 1 : 0;
  question.querySelector('.cd-answers').hidden = true;
  question.querySelector('.cd-told').hidden = false;
  const told = question.querySelector('.cd-told p');
  told.dataset.mark = label === truth ? 'right' : 'wrong';
  told.textContent = `${label === truth ? 'Right' : 'Wrong'}: it is a ${truth}.`;
  const next = question.querySelector('[data-do=next]');
  next.textContent = left.length ? 'Next photo' : 'See the score';
  next.focus();
}

function end() {
  const article = element.querySelector('.cd-end');
  const count = round.length;
  const answersOf = ({dataset}) => all('.cd-told [data-model]').filter((told) =>
    told.dataset.model === dataset.model && round.includes(told.closest('.cd-question')));
  for (const row of all('.cd-ranking li')) {
    const score = 'you' in row.dataset ? right
      : answersOf(row).filter((told) => told.querySelector('[data-mark=right]')).length;
    row.dataset.score = score;
    row.querySelector('b').textContent = `${score} of ${count}`;
    row.querySelector('rect').setAttribute('width', `${(100 * score) / count}%`);
  }
  const models = all('.cd-ranking [data-model]').map((row) => Number(row.dataset.score));
  const best = Math.max(...models);
  const better = models.filter((score) => score > right).length;
  const words = right > best ? 'You beat the models' : right === best ? 'You are as good as the best model'
    : right > Math.min(...models)
      ? `You beat ${models.filter((score) => right > score).length} of ${models.length} models`
    : better === models.length ? 'The models were better'
    : `${better} of ${models.length} models ${better === 1 ? 'was' : 'were'} better`;
  article.querySelector('h2').textContent = `${words}: ${right} of ${count}`;
  article.querySelector('ol').append(...all('.cd-ranking li').sort((a, b) => b.dataset.score - a.dataset.score));
  return article;
}

element.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  const actions = { answer: () => answer(button.dataset.label), next: show, again: begin };
  (actions[button.dataset.do] ?? (() => trigger('start')))();
});

// While the quiz is shown, a number is an answer.
document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || !element.checkVisibility()) return;
  const buttons = current()?.querySelectorAll('.cd-answers:not([hidden]) button') ?? [];
  buttons[Number(event.key) - 1]?.click();
});

watch('value', () => { if (element.querySelector('.cd-question')) begin(); });
