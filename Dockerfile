# make release builds dist/ first. Models: --volume ./models.yaml:/etc/claude-code-proxy/models.yaml:ro
# Runs with --read-only too: nothing is written.
FROM python:3.13-slim AS build
COPY requirements.lock dist/*.whl /tmp/
RUN python -m venv /app \
 && /app/bin/pip install --no-cache-dir --require-hashes --requirement /tmp/requirements.lock \
 && /app/bin/pip install --no-cache-dir --no-deps /tmp/*.whl \
 && /app/bin/pip uninstall --yes pip

FROM python:3.13-slim
COPY --from=build /app /app
USER 65532:65532
ENV PATH=/app/bin:$PATH PYTHONDONTWRITEBYTECODE=1 CLAUDE_CODE_PROXY_MODELS=/etc/claude-code-proxy/models.yaml
EXPOSE 8082
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8082/health', timeout=2)"]
ENTRYPOINT ["claude-code-proxy"]
CMD ["serve", "--host", "0.0.0.0", "--allow-remote", "--port", "8082"]
