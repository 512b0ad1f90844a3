"""Refusals of images: the limit that each names, and what becomes of the images then."""

from __future__ import annotations

import base64
import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_code_proxy.core.convert_request import convert_request
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.errors.corrections import corrections
from claude_code_proxy.core.errors.image_refusals import image_lesson
from claude_code_proxy.core.providers.profile import Profile

PROFILE = Profile(name="x")
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBOR"}}
SENT = {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}, IMAGE]}]}


def png(side: int, size: int = 0) -> str:
    head = (
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
        + side.to_bytes(4, "big")
        + b"\x00\x00\x00\x08"
        + b"\x08\x06\0\0\0"
    )
    return base64.b64encode(head.ljust(size, b"\0")).decode()


@pytest.mark.parametrize(
    ("message", "lesson"),
    [
        ("messages.3.content.1.image.source.base64: image exceeds 5 MB maximum: 6291456 bytes > 5242880 bytes", {"image_max_bytes": 5_000_000}),
        ("Image size 8.2MB exceeds the limit of 5MB", {"image_max_bytes": 5_000_000}),
        ("The image is too large: at most 20 MiB are allowed", {"image_max_bytes": 20 << 20}),
        ("Invalid image: file size must be less than 10485760 bytes", {"image_max_bytes": 10_485_760}),
        ("Multimodal file size is too large: image must be below 10 MB", {"image_max_bytes": 10_000_000}),
        ("At least one of the image dimensions exceed max allowed size: 8000 pixels", {"image_max_side": 8000}),
        ("image dimensions exceed max allowed size for many-image requests: 2000 pixels", {"image_max_side": 2000}),
        ("image dimensions 9000x4000 exceed the maximum of 4096 x 4096", {"image_max_side": 4096}),
        ("At most 1 image(s) may be provided in one request.", {"images_max": 1}),
        ("At most 4 images may be provided in one prompt.", {"images_max": 4}),
        ("You set image=2 (or defaulted to 1) in `--limit-mm-per-prompt`, but passed 3 image items: at most 2", {"images_max": 2}),
        ("Too many images in request: the maximum is 16", {"images_max": 16}),
        ("too many images and documents: 25 > 20", {"images_max": 20}),
        ("This model supports up to 10 images", {"images_max": 10}),
        ("The number of images exceeds the limit of 50", {"images_max": 50}),
        ("Maximum of 5 images allowed", {"images_max": 5}),
        ("max_tokens is too large: 5 MB", {}),
        ("The image could not be decoded", {}),
        ("this model does not support image input", {}),
        ("image is too large", {}),
        ("the image must be larger than 10 pixels", {}),
    ],
)  # fmt: skip
def test_what_a_refusal_teaches(message: str, lesson: dict[str, Any]) -> None:
    assert image_lesson(message, PROFILE, SENT) == lesson
    assert image_lesson(message, PROFILE, {"messages": [{"role": "user", "content": "an image"}]}) == {}
    assert image_lesson(message, dataclasses.replace(PROFILE, **lesson), SENT) == {} or not lesson
    found = corrections(400, {"error": {"message": message}}, PROFILE, SENT)
    if lesson:
        assert found is not None
        assert (found.kind, found.lesson, found.learned) == ("convert", lesson, True)


def test_an_input_of_responses() -> None:
    part = {"type": "input_image", "image_url": "data:"}
    sent = {"input": [{"type": "function_call_output", "output": [part]}, {"type": "reasoning"}]}
    assert image_lesson("image exceeds 5 MB", PROFILE, sent) == {"image_max_bytes": 5_000_000}


@given(st.text(alphabet="image exceeds 0123456789 MB x pixels too many maximum>(),.", max_size=200))
def test_any_text(message: str) -> None:
    for field, value in image_lesson(f"image exceeds {message}", PROFILE, SENT).items():
        assert value > 0
        assert dataclasses.replace(PROFILE, **{field: value})


def image(data: str, **more: Any) -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}, **more}


def shown(profile: Profile, *images: dict[str, Any]) -> list[str]:
    """What stands for each image: `image`, or the note."""
    content = [{"type": "text", "text": "see"}, *images]
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": content}]}
    converted = convert_request(body, profile=profile, model="m", message_id="i")
    parts = converted.body["messages"][0]["content"]
    parts = parts if isinstance(parts, list) else [{"type": "text", "text": parts}]
    text = "\n".join(part.get("text", "image") for part in parts)
    notices = [notice for notice in converted.report.loud if notice.code == "image_omitted"]
    assert len(notices) == text.count("[image omitted")
    return text.split("\n")[1:]


def test_images_within_and_beyond_a_limit() -> None:
    small, large, wide = image(png(10)), image(png(10, 4000)), image(png(5000))
    assert shown(dataclasses.replace(PROFILE, image_max_bytes=1000), small, large)[0] == "image"
    (note,) = [line for line in shown(dataclasses.replace(PROFILE, image_max_bytes=1000), large) if line]
    assert note == "[image omitted: it has 5336 bytes in base64, and the model takes 1000]"
    (note,) = [line for line in shown(dataclasses.replace(PROFILE, image_max_side=4096), wide) if line]
    assert note == "[image omitted: its longer side has 5000 pixels, and the model takes 4096]"
    assert shown(dataclasses.replace(PROFILE, image_max_side=5000), wide, image("AAAA")) == ["image"] * 2
    url = {"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}}
    assert shown(dataclasses.replace(PROFILE, image_max_bytes=1000), url) == ["image"]


def test_the_newest_images_stay() -> None:
    lines = [
        line for line in shown(dataclasses.replace(PROFILE, images_max=2), *[image(png(10))] * 4) if line
    ]
    assert [line[:6] for line in lines] == ["[image", "[image", "image", "image"]
    result = {
        "type": "tool_result",
        "tool_use_id": "t",
        "content": [image(png(10)), {"type": "text", "text": "x"}],
    }
    call = {"type": "tool_use", "id": "t", "name": "Read", "input": {}}
    messages = [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result, image(png(20))]},
    ]
    body = {"model": "m", "max_tokens": 9, "messages": messages}
    converted = convert_request(
        body, profile=dataclasses.replace(PROFILE, images_max=1), model="m", message_id="i"
    )
    assert str(converted.body).count("'image_url':") == 1
    assert "newer ones are there" in str(converted.body)


def test_odd_content_is_still_told_where_it_stands() -> None:
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": ["odd"]}]}
    with pytest.raises(ApiError, match=r"messages\.0\.content"):
        convert_request(body, profile=dataclasses.replace(PROFILE, images_max=1), model="m", message_id="i")
