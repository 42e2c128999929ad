# shellcheck shell=bash disable=SC2154
# How one server is brought up. Sourced by `run`, which starts `bring_up NAME` in the background for
# each server; that reads NAME.bash, with these set:
#
#     home   where `install` puts the server's software; kept from run to run
#     data   an empty folder for this start, and the working directory of `start`
#     here, bucket, region, access_key, secret_key
#
# The file sets `version` and, if the defaults do not do, `install_limit_s` and `start_limit_s`, and
# defines `install` and `start`. `leaves FILE...` names what the server puts outside `data`. Output of both goes to a log. `start` sets `endpoint` and returns when
# the bucket is there; any command that fails in it means that the server cannot be had.

# Below the range from which Linux takes the ports of outgoing connections, above the well-known.
first_port=10000
ports=22000
# Shared by all runs of a user, whatever their folders.
port_locks=${TMPDIR:-/tmp}/cas-test-ports-$UID

# --- For the servers' files -----------------------------------------------------------------------

# Ends the attempt to bring up a server, with a reason for the warning.
give_up() {
    printf '%s\n' "$*" >"$state/reason"
    exit 1
}

need() {
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null || give_up "$tool is not installed"
    done
}

# Sets `port` to one that nothing listens on and that no other run will pick: a lock on a file named
# after the port is held by this process and all it starts.
free_port() {
    local lock
    mkdir -p "$port_locks"
    while :; do
        port=$((first_port + RANDOM % ports))
        exec {lock}>"$port_locks/$port"
        if flock --nonblock "$lock" && ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            return
        fi
        exec {lock}>&-
    done
}

# Names files to be removed after the run.
leaves() { printf '%s\n' "$@" >>"$run_dir/leftovers"; }

# Starts a server's process in the background.
serve() {
    "$@" &
    served+=($!)
}

# Waits until a command succeeds. Fails when a process of the server has ended; the time limit is kept
# by the main process.
wait_until() {
    local pid
    until "$@" >/dev/null 2>&1; do
        for pid in "${served[@]}"; do
            if ! kill -0 "$pid" 2>/dev/null; then
                echo 'a process of the server ended'
                exit 1
            fi
        done
        sleep 0.1
    done
}

# curl to a server on loopback. An HTTP error is a failure.
http() { curl --noproxy '*' --silent --show-error --fail --max-time 10 "$@"; }

# The same with a signature (version 4) over the request.
signed_http() {
    # Not all of curl's releases send the header that S3 wants with a signature, so it is given here.
    http --aws-sigv4 "aws:amz:$region:s3" --user "$access_key:$secret_key" \
        --header 'x-amz-content-sha256: UNSIGNED-PAYLOAD' "$@"
}

# --- The life of a server -------------------------------------------------------------------------

bring_up() {
    local name=$1 state=$run_dir/$1 install_limit_s=600 start_limit_s=60
    local home data log version endpoint='' started
    local served=()
    trap - EXIT INT HUP
    trap stop TERM
    data=$state/data
    log=$state/log
    rm -rf "$state"
    mkdir -p "$data" "$state/tmp"
    exec >"$log" 2>&1
    # shellcheck source=/dev/null
    source "$here/$name.bash"
    home=$servers_dir/$name-$version

    set_deadline "$install_limit_s"
    install_once

    echo starting >"$state/stage"
    set_deadline "$start_limit_s"
    started=${EPOCHREALTIME/[.,]/}
    cd "$data" || exit
    export TMPDIR=$state/tmp
    start
    say "$name $version: answers at $endpoint after $(((${EPOCHREALTIME/[.,]/} - started) / 1000)) ms"
    printf '%s\n' "s3://$bucket?endpoint=$endpoint&region=$region" >"$state/url.new"
    mv "$state/url.new" "$state/url"

    # Stays, to tell a test that fails for its own reasons from one whose server is gone.
    wait -n "${served[@]}" || true
    if [[ ! -e $run_dir/stopping ]]; then
        say "$name: A PROCESS OF THE SERVER ENDED DURING THE RUN; the end of its log:"
        tail -n 20 "$log" >&"$talk"
    fi
}

# What SIGTERM does, which goes to the whole group: this process stays to reap the others, because
# where no init does they would look as if they still ran.
stop() {
    ((${#served[@]})) || exit 143
    { sleep "$stop_limit_s" && kill -KILL "${served[@]}"; } 2>/dev/null &
    wait "${served[@]}" || true
    exit 143
}

# The main process ends the attempt when this time is over.
set_deadline() {
    echo "$((EPOCHSECONDS + $1))" >"$state/deadline.new"
    mv "$state/deadline.new" "$state/deadline"
}

# One run installs, others that want the same server wait for it. The last thing that is written says
# that the folder is complete, so an interrupted install is begun again.
install_once() {
    local lock installed=$SECONDS
    exec {lock}>"$home.lock"
    flock "$lock"
    if [[ ! -e $home/complete ]]; then
        say "$name $version: installing into $home"
        rm -rf "$home"
        mkdir -p "$home"
        install
        touch "$home/complete"
        say "$name $version: installed in $((SECONDS - installed)) s," \
            "$(du -sm "$home" | cut -f1) MB"
    fi
    exec {lock}>&-
}
