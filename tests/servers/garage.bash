# shellcheck shell=bash disable=SC2034,SC2154
# Garage: a distributed store without consensus, whose put-if-absent lets every writer win. It is here
# to be refused.

version=2.5.0
install_limit_s=5400

install() {
    need cargo
    CARGO_TARGET_DIR=$home/build nice cargo install --quiet --locked --root "$home" \
        --version "$version" garage
    rm -rf "$home/build"
}

start() {
    local port s3 rpc admin
    free_port && s3=$port
    free_port && rpc=$port
    free_port && admin=$port
    endpoint=http://127.0.0.1:$s3
    cat >garage.toml <<EOF
metadata_dir = "$data/meta"
data_dir = "$data/blocks"
db_engine = "sqlite"
replication_factor = 1
rpc_bind_addr = "127.0.0.1:$rpc"
rpc_public_addr = "127.0.0.1:$rpc"
rpc_secret = "$(printf '%064d' 0)"

[s3_api]
s3_region = "$region"
api_bind_addr = "127.0.0.1:$s3"

[admin]
api_bind_addr = "127.0.0.1:$admin"
EOF
    # Lays out a cluster of one node and makes the key and the bucket.
    GARAGE_DEFAULT_ACCESS_KEY=$access_key GARAGE_DEFAULT_SECRET_KEY=$secret_key \
        GARAGE_DEFAULT_BUCKET=$bucket \
        serve "$home/bin/garage" -c garage.toml server --single-node --default-bucket
    wait_until signed_http --head "$endpoint/$bucket"
}
