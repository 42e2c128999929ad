# shellcheck shell=bash disable=SC2034,SC2154
# moto: S3 (and nothing else of AWS) in one Python process, objects in memory.

version=5.2.5

install() {
    need python3
    python3 -m venv "$home/venv"
    "$home/venv/bin/pip" install --quiet --disable-pip-version-check --retries 2 \
        --requirement "$here/moto.requirements.txt"
}

start() {
    local port
    free_port
    endpoint=http://127.0.0.1:$port
    serve "$home/venv/bin/moto_server" -H 127.0.0.1 -p "$port"
    # moto checks no signatures: the bucket is made without one.
    wait_until http --request PUT "$endpoint/$bucket"
}
