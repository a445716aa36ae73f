# shellcheck shell=bash disable=SC2154,SC2034  # work, here, ... are set by demo.sh, and it reads note
# The demo's pods, brought up as a node brings them up: a sandbox, the chain of CNI plugins, an address in the status,
# then the containers; sourced by demo.sh.

# Pods as NAME:NODE, in the order in which they come up: host-local gives addresses in turn, from .10 and ::10.
demo_pods=(web:a batch:a legacy:a api:b cache:b mail:b archive:b)

# Where Debian's plugins are.
cni_plugins=/usr/lib/cni

# --- the chain

# Writes the configuration of the network of node $1, as it lies in /etc/cni/net.d. Without agents the chain ends with
# Debian's plugins.
write_network() {
    local node=$1 meshnode_plugin=""
    local -A numbers=([a]=1 [b]=2 [c]=3)
    local number=${numbers[$node]}
    ((only_direct)) || meshnode_plugin=$(printf ',\n    {"type": "meshnode-cni", "agentSocket": "%s"}' \
        "$work/node-$node/run/cni.sock")
    mkdir -p "$work/node-$node/net.d" && cat >"$work/node-$node/net.d/10-demo.conflist" <<-CONFLIST
		{
		  "cniVersion": "1.0.0",
		  "name": "demo",
		  "plugins": [
		    {
		      "type": "bridge",
		      "bridge": "cni0",
		      "isGateway": true,
		      "ipam": {
		        "type": "host-local",
		        "dataDir": "$work/node-$node/addresses",
		        "ranges": [
		          [{"subnet": "10.240.$number.0/24", "rangeStart": "10.240.$number.10"}],
		          [{"subnet": "fd00:240:0:$number::/64", "rangeStart": "fd00:240:0:$number::10"}]
		        ],
		        "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]
		      }
		    }$meshnode_plugin
		  ]
		}
	CONFLIST
}

# Runs the chain for pod NAME:NODE $2 with command $1: add, del or check. Prints the result, or why it is refused.
chain() {
    local command=$1 name=${2%:*} node=${2#*:}
    in_namespace "$node" "$python" "$here/cni-chain.py" "$work/node-$node/net.d/10-demo.conflist" "$command" \
        "$(sandbox_id "$name")" "/run/netns/$netns_prefix-$name" --path "$cni_plugins:$(dirname "${binary:-/}")" \
        --state "$work/node-$node/results" --time \
        --pod "$(pod_field "$name" namespace)/$name" --uid "$(pod_field "$name" uid)"
}

# A field of the metadata of pod $1, out of its manifest.
pod_field() { sed -n "s/^  $2: //p" "$work/node-a/manifests/pod-$1.yaml"; }

# What a runtime would call the sandbox of pod $1.
sandbox_id() { pod_field "$1" uid | sha256sum | cut -c-64; }

# --- cgroups

# Where cgroups of version 2 are on this machine, in a directory of the demo's own; nothing if there are none.
cgroups_directory() {
    local mount
    mount=$(findmnt --noheadings --first-only --types cgroup2 --output TARGET) && echo "$mount/$netns_prefix"
}

# The cgroup of the container of pod $1, with the pod's uid in its path as a kubelet puts it; nothing if there are none.
pod_cgroup() {
    local directory uid
    directory=$(cgroups_directory) || return 0
    uid=$(pod_field "$1" uid)
    directory+=/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${uid//-/_}.slice
    echo "$directory/cri-containerd-$(sandbox_id "$1").scope"
}

# Starts "$3"... in pod $1, in its network namespace and its cgroup; its output goes to file $2.
start_in_pod() {
    local name=$1 log=$2 cgroup
    shift 2
    cgroup=$(pod_cgroup "$name")
    if [[ -z $cgroup ]]; then
        start "$name" "$log" "$@"
        return
    fi
    # shellcheck disable=SC2016  # expanded by the shell inside
    mkdir -p "$cgroup" && start "$name" "$log" sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$cgroup" "$@"
}

# Deletes the pods' cgroups; those that still have a process stay.
delete_cgroups() {
    local directory
    directory=$(cgroups_directory) && [[ -d $directory ]] || return 0
    find "$directory" -depth -type d -exec rmdir {} \; 2>/dev/null
    [[ ! -d $directory ]]
}

# --- pods

# A sandbox for pod $1, and the process that keeps it.
make_sandbox() {
    ip netns add "$netns_prefix-$1" && ip -n "$netns_prefix-$1" link set lo up &&
        in_namespace "$1" sh -c 'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad' &&
        start_in_pod "$1" /dev/null sleep infinity
}

# Brings up pod NAME:NODE $1. Its manifest gets its addresses from the chain, as a kubelet reports them.
start_pod() {
    local name=${1%:*}
    make_sandbox "$name" && chain add "$1" >"$work/$name.result" 2>>"$work/chain.times" &&
        put_status "$name" Pending
}

# Writes phase $2 and the chain's addresses into the status of pod $1; $2 is Pending or Running.
put_status() {
    "$python" "$here/demo/set-pod-status.py" "$work/node-a/manifests/pod-$1.yaml" "$work/$1.result" "$2"
}

start_pods() {
    local pod
    for pod in "${demo_pods[@]}"; do
        start_pod "$pod" || {
            cat "$work/${pod%:*}.result" "$work/chain.times"
            return 1
        }
    done
    note=$(awk '/^ADD / { sum[$2] += $3; n[$2]++ }
        END { for (plugin in sum) printf "%s%s %.1f ms", (m++ ? ", " : ""), plugin, sum[plugin] / n[plugin] }' \
        "$work/chain.times")
}

# What runs in the pods. The others are places to call from.
start_servers() {
    local pod
    start_nginx api && start_nginx archive || return 1
    start_in_pod cache "$work/redis.log" redis-server --bind 0.0.0.0 :: --port 6379 --protected-mode no \
        --save "" --appendonly no --dir "$work"
    start_in_pod mail "$work/mail.log" "$python" -u -m aiosmtpd -n -l 0.0.0.0:2525
    wait_until 10 get api http://127.0.0.1:8080/ && wait_until 10 get archive http://127.0.0.1:8080/ &&
        wait_until 10 in_namespace cache redis-cli ping &&
        wait_until 10 in_namespace mail bash -c ': </dev/tcp/127.0.0.1/2525' || return 1
    for pod in "${demo_pods[@]}"; do
        put_status "${pod%:*}" Running || return 1
    done
}

# An nginx in pod $1 that says and logs who calls.
start_nginx() {
    local directory=$work/nginx-$1
    mkdir -p "$directory" "$work/www" && : >"$directory/access.log" &&
        cat >"$directory/nginx.conf" <<-CONF || return 1
			user root;
			daemon off;
			worker_processes 1;
			pid $directory/pid;
			error_log $directory/error.log;
			events { worker_connections 4096; }
			http {
			    log_format who '\$remote_addr "\$request_uri" \$status';
			    access_log $directory/access.log who;
			    client_body_temp_path $directory/body;
			    proxy_temp_path $directory/proxy;
			    fastcgi_temp_path $directory/fastcgi;
			    uwsgi_temp_path $directory/uwsgi;
			    scgi_temp_path $directory/scgi;
			    keepalive_requests 100000;
			    sendfile on;
			    server {
			        listen 8080 backlog=4096;
			        listen [::]:8080 ipv6only=on backlog=4096;
			        location / { return 200 "$1 saw \$remote_addr\n"; }
			        location = /big { root $work/www; }
			    }
			}
		CONF
    start_in_pod "$1" "$directory/log" nginx -c "$directory/nginx.conf" -e "$directory/error.log"
}
