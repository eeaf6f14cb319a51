// Gradio translates its few words and declares the whole page to be in that language: screen readers would misread it.

const page = document.documentElement;
const english = () => { if (page.lang !== 'en') page.lang = 'en'; };
new MutationObserver(english).observe(page, {attributeFilter: ['lang']});
english();
