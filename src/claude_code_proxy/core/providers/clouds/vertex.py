"""Google Vertex AI, also called Agent Platform."""

from __future__ import annotations

import dataclasses

from claude_code_proxy.core.providers.hosted.gemini import PROVIDER as GEMINI
from claude_code_proxy.core.providers.profile import NativeProfile, NativeRoute, Profile
from claude_code_proxy.core.providers.types import Provider

_GEMINI = GEMINI.profile or Profile()

PROVIDER = Provider(
    name="vertex",
    title="Google Vertex AI",
    aliases=("vertex-ai", "google-vertex"),
    api_base="https://aiplatform.googleapis.com/v1/projects/PROJECT/locations/LOCATION/endpoints/openapi",
    anthropic_base="https://aiplatform.googleapis.com/v1/projects/PROJECT/locations/LOCATION/publishers/anthropic",
    key_source="google:",
    models=("google/gemini-4-argon", "google/gemini-3.8-flash"),
    docs="docs.cloud.google.com/vertex-ai",
    note=(
        "The key is an access token of Google, good for about an hour. The host for the location `global` is "
        "`aiplatform.googleapis.com`, for `us` and `eu` `aiplatform.LOCATION.rep.googleapis.com`, else "
        "`LOCATION-aiplatform.googleapis.com`. Claude is served at the native address, with ids like "
        "`claude-opus-4-1@20250805`; the other models at the first one."
    ),
    hosts=("aiplatform.googleapis.com", "*-aiplatform.googleapis.com", "aiplatform.*.rep.googleapis.com"),
    profile=dataclasses.replace(
        _GEMINI,
        name="vertex",
        evidence=(
            "docs: Chat Completions for `google/gemini-...` with Google's access tokens; assumed: what the "
            "same models need at the Gemini API; reports: signatures do not move between the two"
        ),
    ),
    native=NativeProfile(
        name="vertex",
        auth="bearer",
        route=NativeRoute(
            base="/publishers/anthropic",
            whole="/models/{model}:rawPredict",
            streamed="/models/{model}:streamRawPredict",
            counted="/models/count-tokens:rawPredict",
            version="vertex-2023-10-16",
        ),
        other_host=True,
        evidence=(
            "docs: paths, model named by the path, anthropic_version in the body, betas as a header, plain "
            "server-sent events, count-tokens with the model in the body; reports: Google's own errors, at "
            "times in a list"
        ),
    ),
    families=GEMINI.families,
    limits=GEMINI.limits,
)
