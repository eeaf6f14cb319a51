"""Real servers on free ports: in threads of the tests, and as processes of their own."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import gradio as gr
import httpx
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from catdog import Comparator, gradio_app


@contextmanager
def served_page(comparator: Comparator, **queue: int) -> Iterator[tuple[gr.Blocks, str]]:
    """The launched page, with options of its queue, and its address without a slash at the end."""
    page = gradio_app.build(comparator)
    if queue:
        page.queue(**queue)
    options = gradio_app.launch_options(page, comparator)
    try:
        url = page.launch(server_port=int(free_port()), prevent_thread_lock=True, quiet=True, **options)[1]
        yield page, url.rstrip("/")
    finally:
        page.close(verbose=False)


class Patient(WSGIRequestHandler):
    """Takes all that a client still sends before it closes: Werkzeug gives it a hundredth of a second for that."""

    def finish(self) -> None:
        super().finish()
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(20)
            while self.connection.recv(65536):
                pass


@contextmanager
def served_app(app: Flask) -> Iterator[int]:
    """The port of a server of an application."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Patient)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def served_folder(folder: Path) -> Iterator[str]:
    """The address of a server of files, with a slash at the end."""
    handler = functools.partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


class Quiet(SimpleHTTPRequestHandler):
    """Says nothing, and lets browsers keep files, as hosts of files do."""

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "max-age=600")
        super().end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


def free_port() -> str:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str | Path], folder: Path, *, inherit: bool = True, **environment: str
) -> Iterator[subprocess.Popen]:
    """A process started in `folder`, with these variables and, if it is to inherit them, ours; ended here."""
    variables = os.environ | environment if inherit else environment
    process = subprocess.Popen(
        command, cwd=folder, env=variables, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.terminate()  # which a server passes on to its workers
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def until_it_answers(url: str, process: subprocess.Popen) -> None:
    """Wait for the server of a process."""
    for _ in range(480):
        assert process.poll() is None, process.communicate()
        try:
            httpx.get(url).raise_for_status()
            return
        except httpx.TransportError:
            time.sleep(0.25)
    raise AssertionError(f"{url} does not answer")
