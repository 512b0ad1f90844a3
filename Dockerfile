# make release builds dist/ first. Models: -v ./models.yaml:/etc/claude-code-proxy/models.yaml:ro
FROM python:3.13-slim
COPY dist/*.whl /tmp/
RUN pip install --no-cache-dir /tmp/*.whl && rm /tmp/*.whl && useradd --create-home proxy
USER proxy
ENV CLAUDE_CODE_PROXY_MODELS=/etc/claude-code-proxy/models.yaml
EXPOSE 8082
ENTRYPOINT ["claude-code-proxy"]
CMD ["serve", "--host", "0.0.0.0", "--allow-remote"]
