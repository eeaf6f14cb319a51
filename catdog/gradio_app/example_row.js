// The row of example photos. A click is sent as one of the whole component, with the name of the example. The address
// of the page then leads to the example, and whoever opens such an address, or goes back to it, sees it. `element` and
// `trigger` are given by Gradio.

const pressed = () => element.querySelector('[data-example][aria-pressed=true]')?.dataset.example ?? null;

element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-example]');
  if (!button) return;
  choose(button.dataset.example);
  const address = new URL(location.href);
  address.searchParams.set('example', button.dataset.example);
  if (address.href !== location.href) history.pushState(null, '', address);
});

addEventListener('popstate', follow);
follow();

// On other tabs the example stays as it is.
function follow() {
  const asked = new URLSearchParams(location.search);
  if (!asked.has('tab') && asked.get('example') !== pressed()) choose(asked.get('example'));
}

// Without an example, the photo goes away.
function choose(example) {
  trigger('click', {example});
  for (const button of element.querySelectorAll('button[data-example]')) {
    button.setAttribute('aria-pressed', button.dataset.example === example);
  }
}
