# shellcheck shell=bash disable=SC2034,SC2154
# Ceph's radosgw over a cluster of one monitor, one manager and one OSD, as Debian packages them.
#
# The packages go into the system, not under target/: this server is asked for by name only, and only
# root can have it.

# Whatever the system's packages bring; `radosgw --version` is in the log.
version=system
# 73 MB to fetch, 286 MB unpacked.
install_limit_s=1800
start_limit_s=180

programs=(ceph ceph-authtool ceph-mgr ceph-mon ceph-osd monmaptool radosgw radosgw-admin)

install() {
    local program
    ((EUID == 0)) || give_up 'only root can install and start it'
    for program in "${programs[@]}"; do
        if ! command -v "$program" >/dev/null; then
            need apt-get
            apt-get update --quiet
            DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends \
                ceph-common ceph-mgr ceph-mon ceph-osd radosgw
            break
        fi
    done
}

start() {
    local port mon fsid osd
    # Does nothing, unless the packages have been removed since.
    install
    radosgw --version
    free_port && mon=$port
    free_port
    endpoint=http://127.0.0.1:$port
    fsid=$(</proc/sys/kernel/random/uuid)
    osd=$(</proc/sys/kernel/random/uuid)

    mkdir mon osd mgr rgw run crash logs
    write_config
    export CEPH_CONF=$data/ceph.conf
    write_keys

    monmaptool --create --fsid "$fsid" --addv m "[v2:127.0.0.1:$mon]" monmap
    ceph-mon -i m --mkfs --monmap monmap --keyring keyring
    serve ceph-mon -i m --foreground
    wait_until ceph --connect-timeout 20 -s
    serve ceph-mgr -i x --foreground
    ceph osd new "$osd"
    ceph-osd -i 0 --mkfs --osd-uuid "$osd"
    serve ceph-osd -i 0 --foreground
    wait_until osd_is_up
    serve radosgw -n client.rgw --foreground
    radosgw-admin user create --uid=test --display-name=test \
        --access-key="$access_key" --secret-key="$secret_key"
    wait_until signed_http --request PUT "$endpoint/$bucket"
}

osd_is_up() { ceph osd stat | grep --quiet '1 up'; }

# One copy of everything; no admin sockets, whose names could become too long for a socket.
write_config() {
    cat >ceph.conf <<EOF
[global]
fsid = $fsid
mon_host = v2:127.0.0.1:$mon/0
public_addr = 127.0.0.1
public_network = 127.0.0.0/8
cluster_network = 127.0.0.0/8
ms_bind_ipv4 = true
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
auth_allow_insecure_global_id_reclaim = false
keyring = $data/keyring
mon_data_avail_warn = 2
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pgp_num = 8
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_warn_on_pool_no_redundancy = false
osd_objectstore = bluestore
bluestore_block_size = 10737418240
bluestore_fsck_on_mount = false
osd_memory_target = 939524096
run_dir = $data/run
admin_socket =
pid_file = $data/run/\$name.pid
log_file = $data/logs/\$name.log
crash_dir = $data/crash
mon_data = $data/mon
osd_data = $data/osd
mgr_data = $data/mgr
rgw_data = $data/rgw
rgw_enable_usage_log = false
rgw_thread_pool_size = 64
debug_ms = 0
[client.rgw]
# Without tcp_nodelay each answer waits for the client's delayed acknowledgement.
rgw_frontends = beast endpoint=127.0.0.1:$port tcp_nodelay=1
EOF
}

write_keys() {
    ceph-authtool --create-keyring keyring --gen-key -n mon. --cap mon 'allow *'
    ceph-authtool keyring --gen-key -n client.admin \
        --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
    ceph-authtool keyring --gen-key -n client.rgw \
        --cap mon 'allow rwx' --cap osd 'allow rwx' --cap mgr 'allow rw'
    ceph-authtool keyring --gen-key -n osd.0 \
        --cap mon 'allow profile osd' --cap osd 'allow *' --cap mgr 'allow profile osd'
    ceph-authtool keyring --gen-key -n mgr.x \
        --cap mon 'allow profile mgr' --cap osd 'allow *' --cap mds 'allow *'
}
