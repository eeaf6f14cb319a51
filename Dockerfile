# The page, for any machine and for a Docker Space; docs/deploy.md says more.
#
#   docker build -t catdog .
#   docker run --rm --read-only --tmpfs /tmp -p 7860:7860 catdog
#
# TensorFlow is needed once, to convert the models for OpenVINO. What serves them has none.
ARG PYTHON=python:3.12.13-slim-bookworm

FROM ${PYTHON} AS convert
WORKDIR /build
COPY locks/runtime.txt locks/
RUN pip install --no-cache-dir --require-hashes -r locks/runtime.txt
COPY catdog catdog
COPY weights weights
# Models of a Hub repository instead of those in weights/: its name, and the commit to take.
ARG CATDOG_HUB_REPO=""
ARG CATDOG_HUB_REVISION="main"
ENV CATDOG_CACHE=/models/converted \
    HF_HOME=/models/hub
RUN mkdir -p /models/hub && python -m catdog convert && chmod -R a+rX /models

FROM ${PYTHON} AS packages
WORKDIR /build
COPY locks/serve.txt locks/
RUN pip install --no-cache-dir --require-hashes --prefix /packages -r locks/serve.txt

FROM ${PYTHON}
RUN useradd --create-home --uid 1000 user
COPY --from=packages /packages /usr/local
WORKDIR /home/user/app
COPY weights weights
COPY examples examples
COPY catdog catdog
COPY app.py ./
COPY --from=convert /models /models
USER 1000

ARG CATDOG_HUB_REPO=""
ARG CATDOG_HUB_REVISION="main"
# All that is written goes to /tmp: uploads, for two hours at most. Nothing is fetched: the models are here.
# Large blocks of memory, which photos are, go back to the system as soon as they are free.
ENV CATDOG_HUB_REPO=${CATDOG_HUB_REPO} \
    CATDOG_HUB_REVISION=${CATDOG_HUB_REVISION} \
    CATDOG_ENGINE=openvino \
    CATDOG_CACHE=/models/converted \
    HF_HOME=/models/hub \
    HF_HUB_OFFLINE=1 \
    GRADIO_ANALYTICS_ENABLED=False \
    GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860 \
    GRADIO_NUM_PORTS=1 \
    GRADIO_TEMP_DIR=/tmp/gradio \
    MALLOC_MMAP_THRESHOLD_=1048576 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "import urllib.request as u; u.build_opener(u.ProxyHandler({})).open('http://127.0.0.1:7860/readyz', timeout=4)"]
CMD ["python", "app.py"]
