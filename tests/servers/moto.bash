# shellcheck shell=bash disable=SC2034,SC2154
# moto: S3 (and nothing else of AWS) in one Python process, objects in memory. Started by `moto/serve.py`,
# since moto alone lets two racing puts win now and then.

version=5.2.5

install() {
    need python3
    python3 -m venv "$home/venv"
    "$home/venv/bin/pip" install --quiet --disable-pip-version-check --retries 2 \
        --requirement "$here/moto/requirements.txt"
}

start() {
    local port
    free_port
    endpoint=http://127.0.0.1:$port
    serve "$home/venv/bin/python" "$here/moto/serve.py" "$port"
    # moto checks no signatures: the bucket is made without one.
    wait_until http --request PUT "$endpoint/$bucket"
}
