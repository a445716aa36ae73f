# shellcheck shell=bash disable=SC2154,SC2034  # work, here, ... are set by interop.sh, and it reads note
# A Prometheus server scrapes both agents; sourced by interop.sh.

show_prometheus() {
    step "traffic before it is measured" small_requests web "$waypoint"
    step "promtool check metrics: nothing to say, on either node" promtool_is_content
    first "a Prometheus server scrapes both agents" start_prometheus
    step "each family of the text is known to Prometheus, with the same type and help" families_are_known
    step "Prometheus has as many samples as the text" samples_are_complete
    step "text and OpenMetrics have the same families" forms_agree
    step "counters go up with traffic: bytes and connections, by the labels of either side" counters_go_up
}

prometheus_address=127.0.0.1:9090

# The metrics of node $1, in the form that header Accept $2 asks for.
metrics_of() {
    in_namespace "$1" curl -fsS --max-time 5 -H "Accept: ${2:-text/plain}" "http://${node_address[$1]}:15020/metrics"
}

declare -A node_address=([a]=10.240.0.1 [b]=10.240.0.2)

promtool_is_content() {
    local node said
    for node in a b; do
        metrics_of "$node" >"$work/metrics-$node.txt" && [[ -s $work/metrics-$node.txt ]] || return 1
        said=$(promtool check metrics <"$work/metrics-$node.txt" 2>&1) || {
            echo "node $node: $said"
            return 1
        }
        [[ -z $said ]] || {
            echo "node $node: $said"
            return 1
        }
    done
    note="$(grep -c '^# TYPE' "$work/metrics-b.txt") families on node B"
}

start_prometheus() {
    mkdir -p "$work/prometheus" && cat >"$work/prometheus/prometheus.yml" <<-YAML || return 1
		global:
		  scrape_interval: 1s
		  scrape_timeout: 1s
		scrape_configs:
		  - job_name: meshnode
		    static_configs:
		      - targets: ["${node_address[a]}:15020", "${node_address[b]}:15020"]
	YAML
    promtool check config "$work/prometheus/prometheus.yml" || return 1
    # From node A, which reaches both.
    start a "$work/prometheus/log" prometheus --config.file="$work/prometheus/prometheus.yml" \
        --storage.tsdb.path="$work/prometheus/data" --web.listen-address="$prometheus_address"
    wait_until 20 both_are_up && return 0
    ask_prometheus targets
    tail -n 5 "$work/prometheus/log"
    return 1
}

# Asks the server's API for $1; the rest are parameters, encoded by curl. Prints JSON.
ask_prometheus() {
    local path=$1 parameters=() parameter
    shift
    for parameter in "$@"; do
        parameters+=(--data-urlencode "$parameter")
    done
    in_namespace a curl -fsS --max-time 5 --get ${parameters[@]+"${parameters[@]}"} "http://$prometheus_address/api/v1/$path"
}

# The one value of query $1; nothing if there is none.
prometheus_value() {
    ask_prometheus query "query=$1" | "$python" -c '
import json, sys
found = json.load(sys.stdin)["data"]["result"]
print(found[0]["value"][1] if len(found) == 1 else "")'
}

both_are_up() { [[ $(prometheus_value 'sum(up{job="meshnode"})') == 2 ]]; }

families_are_known() {
    local node
    wait_until 5 both_are_up || return 1
    for node in a b; do
        metrics_of "$node" >"$work/metrics-$node.txt" || return 1
        ask_prometheus targets/metadata "match_target={instance=\"${node_address[$node]}:15020\"}" \
            >"$work/metadata-$node.json" || return 1
        "$python" "$here/interop/families.py" known "$work/metrics-$node.txt" "$work/metadata-$node.json" || return 1
    done
    note=$("$python" "$here/interop/families.py" known "$work/metrics-b.txt" "$work/metadata-b.json")
}

# A scrape takes what there is at its time; series only come, so between two looks they bound it.
samples_are_complete() {
    local node before after scraped
    for node in a b; do
        before=$(metrics_of "$node" | grep -cv '^#')
        wait_until 5 was_scraped_again "$node" || return 1
        scraped=$(prometheus_value "scrape_samples_scraped{instance=\"${node_address[$node]}:15020\"}")
        after=$(metrics_of "$node" | grep -cv '^#')
        ((before <= scraped && scraped <= after)) || {
            echo "node $node: $before lines, $scraped samples, $after lines"
            return 1
        }
        note+="${note:+, }$scraped on node ${node^^}"
    done
}

# Whether node $1 was scraped after this was asked first: two looks at the time of the last one.
was_scraped_again() {
    local query="timestamp(scrape_samples_scraped{instance=\"${node_address[$1]}:15020\"})" first
    first=$(prometheus_value "$query")
    wait_until 4 is_not "$first" prometheus_value "$query"
}

is_not() {
    local value
    value=$("${@:2}") && [[ $value != "$1" ]]
}

forms_agree() {
    metrics_of b 'application/openmetrics-text; version=1.0.0' >"$work/openmetrics.txt" &&
        metrics_of b >"$work/metrics-b.txt" || return 1
    tail -n 1 "$work/openmetrics.txt" | grep -qx '# EOF' || {
        echo "no # EOF at the end of OpenMetrics"
        return 1
    }
    note=$("$python" "$here/interop/families.py" same "$work/metrics-b.txt" "$work/openmetrics.txt")
}

counters_go_up() {
    local opened='sum(istio_tcp_connections_opened_total{destination_workload="waypoint",reporter="source"})'
    local sent='sum(istio_tcp_sent_bytes_total{destination_workload="waypoint",reporter="source"})'
    local connections bytes
    wait_until 5 is_not "" prometheus_value "$opened" || return 1
    # What came before has to be in.
    wait_until 5 was_scraped_again a || return 1
    connections=$(prometheus_value "$opened") bytes=$(prometheus_value "$sent")
    call web requests "$waypoint" 7000 20 50 || return 1
    # 20 connections, 50 questions of 200 bytes on each, and the last request of all is closed by now.
    note="$connections connections, $bytes bytes; then"
    if wait_until 10 counted "$opened" "$((connections + 20))" && wait_until 10 counted "$sent" "$((bytes + 200000))"; then
        note+=" $(prometheus_value "$opened"), $(prometheus_value "$sent")"
        return 0
    fi
    note+=" $(prometheus_value "$opened"), $(prometheus_value "$sent")"
    return 1
}

counted() { [[ $(prometheus_value "$1") == "$2" ]]; }
