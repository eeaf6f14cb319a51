// Each tab has an address, as each example has (example_row.js), and Back leads to the one before.

const tabs = () => [...document.querySelectorAll('#cd-tabs [role=tab][data-tab-id]')];
const pressed = () => document.querySelector('[data-example][aria-pressed=true]')?.dataset.example;

document.addEventListener('click', ({isTrusted, target}) => {
  const tab = target.closest('#cd-tabs [role=tab][data-tab-id]');
  if (!isTrusted || !tab) return; // `follow` clicks, too
  const first = tab === tabs()[0], address = new URL(location.href);
  address.searchParams.delete('tab');
  address.searchParams.delete('example');
  if (!first) address.searchParams.set('tab', tab.dataset.tabId);
  else if (pressed()) address.searchParams.set('example', pressed());
  if (address.href !== location.href) history.pushState(null, '', address);
});

// Opens the tab of the address; the first one if the address names none.
function follow() {
  const asked = new URLSearchParams(location.search).get('tab');
  const tab = tabs().find(({dataset}) => dataset.tabId === asked) ?? tabs()[0];
  if (tab?.ariaSelected !== 'true') tab?.click();
}

addEventListener('popstate', follow);
// The tabs come after this element.
const waiting = new MutationObserver(() => {
  if (!tabs().length) return;
  waiting.disconnect();
  follow();
});
waiting.observe(document.body, {childList: true, subtree: true});
