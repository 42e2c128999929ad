# shellcheck shell=bash disable=SC2034,SC2154
# Cloudflare's simulator of R2 (miniflare) behind our own S3 facade: see r2-simulator/facade.mjs.

# miniflare's, as in r2-simulator/package.json.
version=4.20251210.0

install() {
    need node npm
    cp "$here"/r2-simulator/package{,-lock}.json "$home"
    # workerd's install script only replaces its launcher with the binary that another package brings.
    npm ci --prefix "$home" --ignore-scripts --no-audit --no-fund --fetch-retries=1
}

start() {
    local port
    free_port
    endpoint=http://127.0.0.1:$port
    # Node looks for packages beside and above the file that imports them, which is why these are
    # copied to where the packages are.
    cp "$here"/r2-simulator/{start,facade}.mjs "$home"
    serve node "$home/start.mjs" "$port" "$bucket" "$data"
    # The facade has its bucket built in.
    wait_until http --head "$endpoint/$bucket"
}
