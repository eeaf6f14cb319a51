// For an element whose content changes. Screen readers read out what is new. On a phone, where it may lie below the
// screen, it scrolls into view when its accent changes. `element`, `props` and `watch` are given by Gradio.

element.setAttribute('aria-live', 'polite');
let shown;
watch('value', () => {
  const kind = /data-accent="([^"]*)"/.exec(props.value)?.[1];
  if (kind !== shown && innerWidth < 640) element.scrollIntoView({block: 'nearest'});
  shown = kind;
});
