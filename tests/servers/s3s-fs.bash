# shellcheck shell=bash disable=SC2034,SC2154
# s3s-fs: S3 over a folder, whose put-if-absent lets several writers win. It is here to be refused.

version=0.14.1
install_limit_s=3600

install() {
    need cargo
    CARGO_TARGET_DIR=$home/build nice cargo install --quiet --locked --root "$home" \
        --version "$version" --features binary s3s-fs
    rm -rf "$home/build"
}

start() {
    local port
    free_port
    endpoint=http://127.0.0.1:$port
    # A bucket is a folder.
    mkdir "$bucket"
    serve "$home/bin/s3s-fs" --host 127.0.0.1 --port "$port" \
        --access-key "$access_key" --secret-key "$secret_key" .
    wait_until signed_http --head "$endpoint/$bucket"
}
