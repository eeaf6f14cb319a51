// The row of example photos. A click is sent as one of the whole component, with the name of the example. The address
// of the page then leads to the example, and whoever opens such an address sees it. `element` and `trigger` are given
// by Gradio.

element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-example]');
  if (!button) return;
  choose(button.dataset.example);
  const address = new URL(location.href);
  address.searchParams.set('example', button.dataset.example);
  history.replaceState(null, '', address);
});

const asked = new URLSearchParams(location.search).get('example');
if (asked) choose(asked);

function choose(example) {
  trigger('click', {example});
  for (const button of element.querySelectorAll('button[data-example]')) {
    button.setAttribute('aria-pressed', button.dataset.example === example);
  }
}
