# One image for every process: web, worker, beat and migrate differ only in their command.
FROM python:3.11-slim AS build
ENV PIP_NO_CACHE_DIR=1 UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1 VIRTUAL_ENV=/opt/venv
WORKDIR /app
COPY requirements-uv.lock requirements.lock ./
RUN python -m venv /opt/venv \
    && /opt/venv/bin/python -m pip install --quiet --require-hashes -r requirements-uv.lock \
    && /opt/venv/bin/uv pip sync --quiet --require-hashes requirements.lock
COPY . .
# Installed in place: the templates lie beside the packages, and adapters are found as entry points.
RUN /opt/venv/bin/uv pip install --quiet --no-deps --no-build-isolation --editable .
# The keys of this one command are thrown away with it; a start without keys of its own is refused.
RUN ERPBRIDGE_MODE=production ERPBRIDGE_ALLOWED_HOSTS=build.invalid ERPBRIDGE_DATA_DIR=/tmp/build \
    ERPBRIDGE_SECRET_KEY="$(/opt/venv/bin/python -c 'import secrets; print(secrets.token_hex(32))')" \
    ERPBRIDGE_FIELD_KEYS="$(/opt/venv/bin/python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())')" \
    /opt/venv/bin/python manage.py collectstatic --noinput --verbosity 0

FROM python:3.11-slim
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=erpbridge.settings ERPBRIDGE_MODE=production \
    ERPBRIDGE_DATA_DIR=/var/lib/erpbridge
RUN useradd --system --uid 10001 --no-create-home erpbridge \
    && install -d -m 700 -o erpbridge -g erpbridge /var/lib/erpbridge
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
USER erpbridge
VOLUME /var/lib/erpbridge
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s CMD ["python", "bin/healthcheck"]
CMD ["gunicorn", "erpbridge.wsgi", "--bind=0.0.0.0:8000", \
     "--config=python:erpbridge.processes.gunicorn_conf", "--workers=2", "--worker-tmp-dir=/dev/shm"]
