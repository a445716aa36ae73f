# shellcheck shell=bash disable=SC2154,SC2034  # work, here, ... are set by interop.sh, and it reads note
# Tools that everybody has, through both agents, and who is refused at the HBONE port; sourced by interop.sh.

show_tools() {
    own_certificate=(-cert "$work/peer-gateway/chain.pem" -cert_chain "$work/peer-gateway/chain.pem"
        -key "$work/peer-gateway/key.pem")
    first "nginx speaks HTTP/2 in pay/api" start_http2
    step "curl: 200 requests on one connection, by service address" curl_passes
    step "nghttp: HTTP/2 with prior knowledge inside of the tunnel, to the last frame" nghttp_passes
    step "h2load: 20,000 requests, 10 sessions, 10 streams on each: all answered" h2load_passes
    step "h2load --h1: 20,000 requests on 32 connections: all answered" h2load_h1_passes
    step "redis-benchmark: SET and GET, pipelined and not; the server has counted them" redis_benchmark_passes
    step "openssl s_client with Envoy's certificate, TLS 1.3 and h2 is let in: SETTINGS come" client_is_let_in
    step "... TLS 1.2 is refused" is_not_let_in "protocol version" -tls1_2 -alpn h2 "${own_certificate[@]}"
    step "... without a certificate: refused" is_not_let_in "certificate required" -tls1_3 -alpn h2
    step "... ALPN http/1.1 instead of h2: refused" \
        is_not_let_in "no application protocol" -tls1_3 -alpn http/1.1 "${own_certificate[@]}"
    step "... without ALPN: refused" is_not_let_in "" -tls1_3 "${own_certificate[@]}"
    step "... a certificate that another authority of the same name has signed: refused" \
        stranger_is_not_let_in stranger "spiffe://cluster.local/ns/edge/sa/gateway" --stranger
    step "... a certificate that has expired: refused" \
        stranger_is_not_let_in expired "spiffe://cluster.local/ns/edge/sa/gateway" --expired
    step "... a certificate of another trust domain: refused" \
        stranger_is_not_let_in elsewhere "spiffe://elsewhere.example/ns/edge/sa/gateway"
    step "... a session of before cannot be resumed: there are no tickets" no_ticket_is_given
    step "TLS_CHACHA20_POLY1305 or AES, X25519 or P-256: what the agent supports is negotiated" algorithms_are_negotiated
    step "plaintext HTTP/2 and HTTP/1.1 at the HBONE port: refused" plaintext_is_refused
}

# Beside the nginx of pods.sh, one for HTTP/2 without TLS.
start_http2() {
    local directory=$work/nginx-http2
    mkdir -p "$directory" && cat >"$directory/nginx.conf" <<-CONF || return 1
		user root;
		daemon off;
		worker_processes 1;
		pid $directory/pid;
		error_log $directory/error.log;
		events { worker_connections 4096; }
		http {
		    access_log off;
		    client_body_temp_path $directory/body;
		    proxy_temp_path $directory/proxy;
		    fastcgi_temp_path $directory/fastcgi;
		    uwsgi_temp_path $directory/uwsgi;
		    scgi_temp_path $directory/scgi;
		    keepalive_requests 1000000;
		    server {
		        listen 8081 http2 backlog=4096;
		        location / { return 200 "api saw \$remote_addr\n"; }
		    }
		}
	CONF
    start api "$directory/log" nginx -c "$directory/nginx.conf" -e "$directory/error.log"
    wait_until 10 in_namespace api bash -c ': </dev/tcp/127.0.0.1/8081'
}

curl_passes() {
    local urls=() count answers
    for ((count = 0; count < 200; count++)); do
        urls+=("http://$api_service/$count")
    done
    answers=$(in_namespace web curl -sS --fail --max-time 20 -w '%{num_connects}\n' "${urls[@]}") || return 1
    # An answer and the number of new connections in turn: one for the first, none for the others.
    sort <<<"$answers" | uniq -c
    (($(grep -c 'api saw 10.240.1.10' <<<"$answers") == 200)) &&
        (($(grep -cx 1 <<<"$answers") == 1)) && (($(grep -cx 0 <<<"$answers") == 199))
}

nghttp_passes() {
    in_namespace web timeout 20 nghttp --verbose --no-dep "http://$api:8081/" "http://$api:8081/more" >"$work/nghttp.txt" ||
        return 1
    tail -n 20 "$work/nghttp.txt"
    grep -q 'api saw 10.240.1.10' "$work/nghttp.txt" && (($(grep -c ':status: 200' "$work/nghttp.txt") == 2))
}

h2load_passes() { load -c 10 -m 10 -n 20000 "http://$api:8081/"; }
h2load_h1_passes() { load --h1 -c 32 -n 20000 "http://$api:8080/"; }

load() {
    in_namespace web timeout 60 h2load "$@" >"$work/h2load.txt" || return 1
    tail -n 15 "$work/h2load.txt"
    grep -qE '20000 succeeded, 0 failed, 0 errored, 0 timeout' "$work/h2load.txt" &&
        grep -qE 'status codes: 20000 2xx' "$work/h2load.txt" &&
        note=$(sed -n 's/^finished in [^,]*, \([^,]*\),.*/\1/p' "$work/h2load.txt")
}

redis_benchmark_passes() {
    local before after pipelined
    before=$(redis_commands) || return 1
    in_namespace web timeout 30 redis-benchmark -h "$cache_service" -c 50 -n 20000 -t set,get --csv >"$work/redis.csv" &&
        in_namespace web timeout 30 redis-benchmark -h "$cache_service" -c 20 -P 32 -n 100000 -t set,get --csv \
            >"$work/redis-pipelined.csv" || return 1
    after=$(redis_commands) || return 1
    ((after - before >= 240000)) || {
        echo "the server saw only $((after - before)) commands"
        return 1
    }
    note="$(rates_of "$work/redis.csv"); pipelined $(rates_of "$work/redis-pipelined.csv")"
}

rates_of() { awk -F'","|"' '/SET|GET/ { printf "%s%s %d/s", sep, $2, $3; sep = ", " }' "$1"; }

redis_commands() {
    in_namespace cache redis-cli info stats | tr -d '\r' | awk -F: '$1 == "total_commands_processed" { print $2 }'
}

# --- openssl s_client at the HBONE port

# Speaks TLS with pay/api as the rest of the arguments say, sends the preface of HTTP/2, and writes what came to the file
# that is named first. Ends with 0 once something came, with another status if the other side closed before.
handshake() {
    local answer=$1
    shift
    : >"$answer" && rm -f "$answer.ended"
    preface_until_answer "$answer" | {
        local status=0
        in_namespace gateway timeout 5 openssl s_client -connect "$api:15008" -CAfile "$work/peer-gateway/root.pem" \
            -quiet -no_ign_eof "$@" >"$answer" 2>"$answer.log" || status=$?
        touch "$answer.ended"
        exit "$status"
    }
}

# The preface and empty SETTINGS; the input stays open until there is an answer in file $1, or nobody who waits for one.
preface_until_answer() {
    printf 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0'
    wait_until 4 has_answer "$1" >/dev/null || true
}

has_answer() { [[ -s $1 || -e $1.ended ]]; }

# Whether the answer begins as that of an HTTP/2 server: a SETTINGS frame (RFC 9113 section 3.4) on stream 0.
has_settings() {
    [[ $(head -c 9 "$1" | od -An -tx1 | tr -d ' \n') =~ ^0000[0-9a-f]{2}040000000000$ ]]
}

client_is_let_in() {
    handshake "$work/handshake" -tls1_3 -alpn h2 "${own_certificate[@]}" && has_settings "$work/handshake" &&
        ! grep -i alert "$work/handshake.log" && return 0
    cat "$work/handshake.log"
    return 1
}

# $1 is what the alert says; the rest goes to openssl.
is_not_let_in() {
    local alert=$1
    shift
    # Only a refusal in this step counts: the same with what is right is let in.
    client_is_let_in || return 1
    if handshake "$work/handshake" "$@" && [[ -s $work/handshake ]]; then
        echo "it was answered"
        return 1
    fi
    cat "$work/handshake.log"
    [[ ! -s $work/handshake ]] || ! has_settings "$work/handshake" || return 1
    note=$(grep -oiE 'alert [a-z ]+|alert number [0-9]+|unexpected eof[a-z ]*|connection reset[a-z ]*' "$work/handshake.log" |
        head -n 1)
    [[ -n $note && ${note,,} == *"${alert,,}"* ]]
}

# $1 names the client, $2 is its identity, the rest goes to issue.py.
stranger_is_not_let_in() {
    issue "$@" || return 1
    is_not_let_in "" -tls1_3 -alpn h2 -cert "$work/peer-$1/chain.pem" -cert_chain "$work/peer-$1/chain.pem" \
        -key "$work/peer-$1/key.pem"
}

no_ticket_is_given() {
    handshake "$work/handshake" -tls1_3 -alpn h2 "${own_certificate[@]}" -sess_out "$work/ticket" \
        -msg -msgfile "$work/messages" || return 1
    grep -q 'Finished' "$work/messages" || {
        head -n 20 "$work/messages"
        return 1
    }
    ! grep 'NewSessionTicket' "$work/messages" && [[ ! -s $work/ticket ]]
}

algorithms_are_negotiated() {
    local suite group
    for suite in TLS_AES_256_GCM_SHA384 TLS_AES_128_GCM_SHA256 TLS_CHACHA20_POLY1305_SHA256; do
        for group in X25519 P-256; do
            if handshake "$work/handshake" -tls1_3 -alpn h2 "${own_certificate[@]}" -ciphersuites "$suite" \
                -groups "$group" && has_settings "$work/handshake"; then
                continue
            fi
            echo "$suite with $group: $(tail -n 2 "$work/handshake.log")"
            return 1
        done
    done
    ! handshake "$work/handshake" -tls1_3 -alpn h2 "${own_certificate[@]}" -ciphersuites TLS_AES_128_CCM_SHA256 &&
        ! has_settings "$work/handshake"
}

plaintext_is_refused() {
    local status=0
    in_namespace gateway curl -sS --max-time 5 --http2-prior-knowledge "http://$api:15008/" && return 1
    in_namespace gateway curl -sS --max-time 5 "http://$api:15008/" || status=$?
    # 52 empty reply, 56 receive error: connected, then cut.
    [[ $status == 52 || $status == 56 ]] && note="curl ends with $status"
}
