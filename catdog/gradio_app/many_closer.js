// The dialog with one of many photos. `element` and `watch` are given by Gradio.

watch('value', () => element.querySelector('dialog')?.showModal());
element.addEventListener('click', ({target}) => {
  if (target.matches('dialog, dialog > header > button')) target.closest('dialog').close();
});
