# A Docker Space, or any machine: docker build -t catdog . && docker run -p 7860:7860 catdog
FROM python:3.12-slim

RUN useradd --create-home --uid 1000 user
WORKDIR /home/user/app

COPY locks/runtime.txt locks/runtime.txt
RUN pip install --no-cache-dir --require-hashes -r locks/runtime.txt

COPY --chown=user . .
USER user

# The server must be reachable from outside the container; start-up needs no network.
ENV GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860 \
    GRADIO_ANALYTICS_ENABLED=False \
    PYTHONUNBUFFERED=1 \
    TF_CPP_MIN_LOG_LEVEL=2
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:7860/gradio_api/info', timeout=4)"]
CMD ["python", "app.py"]
