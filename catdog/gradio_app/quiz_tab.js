// Leads through the quiz, whose questions are all on the page: one at a time, in another order each time.
// `element` and `trigger` are given by Gradio.

let left = [];
let right = 0;

const all = (selector) => [...element.querySelectorAll(selector)];
const current = () => element.querySelector('.cd-question:not([hidden])');

function begin() {
  right = 0;
  left = shuffled(all('.cd-question'));
  left.forEach((question, index) => {
    question.querySelector('[data-number]').textContent = `${index + 1} of ${left.length}`;
    question.querySelector('.cd-told').hidden = true;
    question.querySelector('.cd-answers').hidden = false;
  });
  show();
}

// Every order is equally likely (Fisher and Yates).
function shuffled(items) {
  for (let last = items.length - 1; last > 0; last -= 1) {
    const other = Math.floor(Math.random() * (last + 1));
    [items[last], items[other]] = [items[other], items[last]];
  }
  return items;
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
  const count = Number(article.dataset.count);
  const mine = article.querySelector('[data-you]');
  mine.dataset.score = right;
  mine.querySelector('b').textContent = `${right} of ${count}`;
  mine.querySelector('rect').setAttribute('width', `${(100 * right) / count}%`);
  const models = all('.cd-ranking [data-score]:not([data-you])').map((row) => Number(row.dataset.score));
  const best = Math.max(...models);
  const better = models.filter((score) => score > right).length;
  const words = right > best ? 'You beat the models' : right === best ? 'You are as good as the best model'
    : right > Math.min(...models) ? `You beat ${models.filter((score) => right > score).length} of ${models.length} models`
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

// While the quiz has the focus, a number is an answer.
element.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const buttons = current()?.querySelectorAll('.cd-answers:not([hidden]) button') ?? [];
  buttons[Number(event.key) - 1]?.click();
});

watch('value', () => { if (element.querySelector('.cd-question')) begin(); });
