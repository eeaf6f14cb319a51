"""What agents use: tools over MCP, and calls with named parameters."""

import ast
import asyncio
import json
from pathlib import Path

import httpx
import pytest
from gradio.utils import get_upload_folder
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from tests.conftest import PATIENCE

from .calls import GOOD, META, answer_of, data_url, without_times

PHOTO = GOOD["large.jpg"]


def with_session(url: str, use):
    """What `use(session)` returns, with a session of a real MCP client."""

    async def run():
        async with (
            asyncio.timeout(PATIENCE),
            streamable_http_client(f"{url}/gradio_api/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            return await use(session)

    return asyncio.run(run())


def tool(url: str, name: str, **arguments):
    return with_session(url, lambda session: session.call_tool(name, arguments))


def upload(url: str) -> str:
    return httpx.post(f"{url}/gradio_api/upload", files={"files": ("cat.jpg", PHOTO)}, timeout=PATIENCE).json()[0]


def test_the_tools_are_the_public_endpoints_and_say_what_they_take(url):
    tools = with_session(url, lambda session: session.list_tools()).tools
    public = httpx.get(f"{url}/gradio_api/info", timeout=PATIENCE).json()["named_endpoints"]
    assert [f"/{tool.name}" for tool in tools] == list(public)
    for tool in tools:
        assert tool.description.startswith(public[f"/{tool.name}"]["description"])
        assert list(tool.inputSchema["properties"]) == tool.inputSchema["required"]
        for parameter in tool.inputSchema["properties"].values():
            assert parameter["type"] == "string" and "data: URL" in parameter["description"]


@pytest.mark.parametrize("kind", ["data", "upload", "elsewhere"])
def test_a_tool_answers_as_python_does(url, comparator, kind):
    path = upload(url)
    # The host in an address of an upload may be any: behind a proxy the server does not know its own.
    image = {
        "data": data_url(PHOTO), "upload": f"{url}/gradio_api/file={path}",
        "elsewhere": f"https://user-name.hf.space/gradio_api/file={path}",
    }[kind]  # fmt: skip
    result = tool(url, "predict", image=image)
    assert not result.isError
    *_, comparison = ast.literal_eval(result.content[0].text)
    expected = json.loads(json.dumps(comparator.compare(PHOTO).to_dict()))
    assert without_times(comparison) == without_times(expected)


def test_explain_gives_addresses_of_pictures(url):
    pictures, comparison = ast.literal_eval(tool(url, "explain", image=data_url(PHOTO)).content[0].text)
    assert [verdict["heatmap"] is not None for verdict in comparison["models"]] == [True, True]
    for picture in pictures:
        assert httpx.get(picture["image"]["url"], timeout=PATIENCE).headers["content-type"] == "image/jpeg"


@pytest.mark.parametrize(
    "image",
    [
        "/etc/passwd", "file:///etc/passwd", "http://127.0.0.1:1/cat.jpg", "http://x/gradio_api/file=/etc/passwd", "",
        "http://x/gradio_api/file=", "http://x/gradio_api/file={outside}", "{outside}", "data:text/plain;base64,aGk=",
        {"path": "/etc/passwd", **META}, {"path": "{outside}", **META}, None, 7, ["{outside}"],
    ],
)  # fmt: skip
def test_a_tool_reads_nothing_else(url, outside, image):
    image = json.loads(json.dumps(image).replace("{outside}", str(outside)))
    result = tool(url, "predict", image=image)
    assert result.isError and "Traceback" not in result.content[0].text
    assert "root:" not in result.content[0].text


def test_unknown_tools_and_parameters_are_refused(url):
    for name, arguments in (("work", {}), ("show", {}), ("predict", {}), ("predict", {"photo": data_url(PHOTO)})):
        assert tool(url, name, **arguments).isError


def named(url: str, endpoint: str, body) -> httpx.Response:
    return httpx.post(f"{url}/gradio_api/call/v2/{endpoint}", json=body, timeout=PATIENCE)


def answer(url: str, body) -> tuple[str, object]:
    return answer_of(url, "predict", named(url, "predict", body).raise_for_status())


def test_a_call_with_named_parameters_takes_a_photo_in_every_form(url, comparator):
    path = upload(url)
    expected = without_times(json.loads(json.dumps(comparator.compare(PHOTO).to_dict())))
    address = f"{url}/gradio_api/file={path}"
    for image in ({"path": path, **META}, {"path": path}, path, address, data_url(PHOTO), {"url": data_url(PHOTO)}):
        event, data = answer(url, {"image": image})
        assert (event, without_times(data[-1])) == ("complete", expected)


@pytest.mark.parametrize("image", ["/etc/passwd", "{outside}", "http://x/gradio_api/file={outside}", "cat.jpg", ""])
def test_such_a_call_reads_nothing_else(url, outside, image):
    event, data = answer(url, {"image": image.format(outside=outside)})
    assert event == "error" and "Send the photo itself" in data["error"]


@pytest.mark.parametrize(
    ("endpoint", "body", "status"),
    [("predict", {"photo": "x"}, 422), ("predict", {}, 422), ("nothing", {}, 404), ("work", {}, 404),
     ("predict", ["x"], 422), ("predict", "x", 422)],
)  # fmt: skip
def test_calls_by_wrong_names_are_refused(url, endpoint, body, status):
    response = named(url, endpoint, body)
    assert response.status_code == status and response.json()["detail"]


def test_what_agents_send_goes_where_uploads_are_deleted(url):
    before = set(Path(get_upload_folder()).rglob("*"))
    tool(url, "predict", image=data_url(GOOD["png.png"]))
    new = {path for path in {*Path(get_upload_folder()).rglob("*")} - before if path.is_file()}
    assert all(len(path.parent.name) == 64 for path in new)
