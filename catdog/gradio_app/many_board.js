// Photos of the gallery are buttons. One whose dialog is there already is shown again. `element` and `trigger` are
// given by Gradio.

element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-place]');
  if (!button) return;
  const dialog = document.querySelector(`#cd-closer dialog[data-place="${button.dataset.place}"]`);
  if (dialog) dialog.showModal();
  else trigger('click', {place: Number(button.dataset.place)});
});
