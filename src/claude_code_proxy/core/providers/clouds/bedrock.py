"""AWS Bedrock."""

from __future__ import annotations

from claude_code_proxy.core.providers.profile import NativeProfile, NativeRoute, Profile
from claude_code_proxy.core.providers.types import Provider

PROVIDER = Provider(
    name="bedrock",
    title="AWS Bedrock",
    aliases=("aws", "aws-bedrock"),
    api_base="https://bedrock-runtime.REGION.amazonaws.com/openai/v1",
    anthropic_base="https://bedrock-runtime.REGION.amazonaws.com/anthropic",
    key_variables=("AWS_BEARER_TOKEN_BEDROCK",),
    key_source="aws:",
    docs="docs.aws.amazon.com/bedrock",
    note=(
        "The key is a Bedrock API key, long or short-lived. Claude is served at the native address, with ids "
        "like `anthropic.claude-...`; `https://bedrock-mantle.REGION.api.aws/anthropic` is its other host. "
        "What only InvokeModel serves is at `https://bedrock-runtime.REGION.amazonaws.com/model`, with "
        "`format: anthropic`, by ids and inference profiles like `us.anthropic.claude-...-v1:0`."
    ),
    hosts=(
        "bedrock-runtime*.amazonaws.com",
        "bedrock-runtime*.amazonaws.com.cn",
        "bedrock-runtime*.api.aws",
        "bedrock-mantle*.api.aws",
        "*.bedrock-runtime*.vpce.amazonaws.com",
    ),
    profile=Profile(
        name="bedrock",
        evidence=(
            "docs: Chat Completions and Responses at /openai/v1 with a Bedrock API key as bearer; assumed: "
            "the common behaviour of every field"
        ),
    ),
    native=NativeProfile(
        name="bedrock",
        auth="bearer",
        route=NativeRoute(
            base="/model",
            whole="/{model}/invoke",
            streamed="/{model}/invoke-with-response-stream",
            version="bedrock-2023-05-31",
            drop_stream=True,
            betas_in_body=True,
        ),
        other_host=True,
        evidence=(
            "docs: Messages with server-sent events at /anthropic/v1/messages; InvokeModel with the model in "
            "the path, anthropic_version and the list anthropic_beta in the body, an event stream in frames; "
            "keys as bearer"
        ),
    ),
)
