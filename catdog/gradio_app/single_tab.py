"""The tab for one photo."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache
from markupsafe import Markup

from catdog.comparator import Comparator
from catdog.errors import CatDogError
from catdog.gradio_app.parts import LIVE_REGION, ONE_PHOTO, PRIVATE, html, on_failure, script
from catdog.gradio_app.uploads import PhotoInput, Sent
from catdog.pages import CAMERA, CHOOSING, banners, cards
from catdog.pages.examples import fitting, thumbnails
from catdog.pages.opening import Opening
from catdog.pages.pictures import overlay_urls
from catdog.pages.render import icon_url, render
from catdog.wording import UNANSWERED, scope

# Runs when the photo is no longer the example that the address of the page names.
_FORGET_EXAMPLE = """() => {
  const address = new URL(location.href);
  address.searchParams.delete('example');
  history.replaceState(null, '', address);
  for (const button of document.querySelectorAll('[data-example][aria-pressed=true]')) {
    button.setAttribute('aria-pressed', false);
  }
}"""
# A banner about an address, whose button fetches once more; that of others asks about the photo.
_AGAIN = Markup('<div data-again="submit">{}</div>')
# The back camera of a phone, with enough pixels: Gradio asks for those only if there are no other constraints.
_CAMERA = {"video": {"facingMode": "environment", "width": {"ideal": 1920}, "height": {"ideal": 1440}}}


def add(comparator: Comparator) -> PhotoInput:
    """Build the content of the current `gr.Tab`; returns its photo input."""
    specs, opening = comparator.specs, Opening(comparator)
    banner, example = opening()
    largest = comparator.settings.max_upload_bytes
    constants = {"drawing": icon_url("paw", "#b5a999"), "refusal": banners.objection(), "largest": largest}
    with gr.Row(elem_classes="cd-main"):
        with gr.Column(scale=4, min_width=280):
            photo = _photo_input()
            address = _address_input() if comparator.settings.fetch == "on" else None
            files = fitting(specs)
            row = render("example_row.html", thumbnails=thumbnails(files), scope=scope(specs))
            examples = html(row, js_on_load=script("example_row.js") if files else None)
        with gr.Column(scale=8, min_width=280):
            headline = html(banner, script("single_tab.js", LIVE_REGION, CHOOSING, CAMERA, **constants))
            maps = gr.Checkbox(True, label="Show what the models looked at", container=False, elem_id="cd-maps")
            shown = html(example)
    if files:
        _add_example_events(examples, files, photo, headline)
    if address:
        _add_address_events(comparator, address, photo, [headline, shown])
    _add_events(comparator, opening, photo, maps, [headline, shown])
    return photo


def _photo_input() -> PhotoInput:
    return PhotoInput(
        label="Photo",
        alt_text="The photo to judge",
        placeholder="# Drop a photo here\nor click to choose one",
        sources=["upload", "webcam", "clipboard"],
        webcam_options=gr.WebcamOptions(mirror=False, constraints=_CAMERA),
        buttons=["fullscreen"],
        height=340,
        elem_id="cd-photo",
    )


def _address_input() -> gr.Textbox:
    return gr.Textbox(
        label="Or its address",
        placeholder="Or its address: https://…",
        show_label=False,
        container=False,
        max_lines=1,
        submit_btn="Fetch it",
        elem_id="cd-address",
    )


def _add_address_events(comparator: Comparator, address: gr.Textbox, photo: PhotoInput, results: list[gr.HTML]) -> None:
    """Put the photo at an address into `photo`; say in `results` why there is none."""
    blank = cards.blank(comparator.specs)

    def fetch(address: str) -> Iterator[tuple]:
        yield gr.skip(), banners.looking(), cards.blank(comparator.specs, busy=True)
        try:
            content = comparator.fetch(address.strip())
        except CatDogError as error:
            yield gr.skip(), _AGAIN.format(banners.failed(error)), blank
        else:
            # Browsers look at the content, whatever it is called; the same name again would be no change.
            path = save_bytes_to_cache(content, f"{secrets.token_hex(4)}.jpg", photo.GRADIO_CACHE)
            yield path, gr.skip(), gr.skip()

    outputs = [photo, *results]
    asked = [address.submit, results[0].submit]
    fetched = gr.on(asked, fetch, address, outputs, concurrency_id=ONE_PHOTO, **PRIVATE)
    on_failure(fetched, results, [_AGAIN.format(banners.unanswered()), blank])
    address.submit(None, js=_FORGET_EXAMPLE, api_visibility="private")
    photo.input(None, cancels=[fetched], api_visibility="private")  # or the older wish would replace the newer photo


def _add_example_events(examples: gr.HTML, files: dict[str, Path], photo: PhotoInput, headline: gr.HTML) -> None:
    """Put one of `files` into `photo` when its button is pressed, or the address of the page names it."""

    def choose(click: gr.EventData) -> tuple:
        name = click._data.get("example", "") if isinstance(click._data, dict) else ""
        if name is None:  # back to the page without an example
            return None, gr.skip()
        if not isinstance(name, str) or name not in files:
            return gr.skip(), banners.refused(f"There is no such example. Choose one of {', '.join(files)}.")
        return str(files[name]), gr.skip()

    # All choices, one after the other: by default one would be lost while the one before is on its way, and with
    # "always_last" Gradio sends the earlier one again.
    chosen = examples.click(choose, None, [photo, headline], trigger_mode="multiple", concurrency_limit=1, **PRIVATE)
    on_failure(chosen, headline, banners.refused(UNANSWERED))
    photo.input(None, js=_FORGET_EXAMPLE, api_visibility="private")


def _add_events(
    comparator: Comparator, opening: Opening, photo: PhotoInput, maps: gr.Checkbox, results: list[gr.HTML]
) -> None:
    """Show the verdicts whenever the photo changes, and again when the switch for heat maps does."""
    specs = comparator.specs

    def answer(photo: Sent, with_maps: bool) -> tuple[str, str]:
        if photo is None:
            return opening(with_maps)
        try:
            comparison, image = comparator.look(photo, explain=with_maps)
        except CatDogError as error:
            return banners.failed(error), cards.blank(specs)
        addresses = overlay_urls(comparison, image, specs) if with_maps else None
        return banners.verdict(comparison, specs), cards.filled(comparison, specs, addresses)

    def show(photo: Sent, with_maps: bool) -> Iterator[tuple[str, str]]:
        if photo is not None:
            yield banners.looking(), cards.blank(specs, busy=True)
        yield answer(photo, with_maps)

    options = {"inputs": [photo, maps], "outputs": results, "concurrency_id": ONE_PHOTO, **PRIVATE}
    for event in (photo.change(show, **options), maps.change(answer, **options), results[0].click(show, **options)):
        on_failure(event, results, [banners.unanswered(), cards.blank(specs)])
