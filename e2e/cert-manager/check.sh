#!/bin/bash
# cert-manager signs the operator's certificate and renews it under running Pods; jobs are judged before and after.
# Called by `make test-cert-manager` beside a cluster with one node: KUBECONFIG, kubectl and helm come from there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
manager=$("$here/build.sh")
namespace=evaljob-system
log=$(mktemp)
trap '[ -z "${pid:-}" ] || kill "$pid"; rm -f "$log"' EXIT

# until WHAT COMMAND...: once a second for ten minutes.
until_true() {
	local what=$1 second
	shift
	for ((second = 0; second < 600; second++)); do
		if "$@" >/dev/null 2>&1; then
			echo "ok     $what ($second s)"
			return
		fi
		sleep 1
	done
	echo "failed: $what" >&2
	kubectl -n "$namespace" get certificates,pods,events >&2 || true
	kubectl -n "$namespace" logs deployment/evaljob-operator --tail=20 >&2 || true
	tail -n 20 "$log" >&2
	exit 1
}

accepted() {
	local name
	name=$(kubectl create -f "$here/../../examples/hello.yaml" -o name)
	kubectl wait "$name" --for=condition=Finished --timeout=300s >/dev/null
	test "$(kubectl get "$name" -o 'jsonpath={.status.verdict}')" = Accepted
}

# The certificate that an agent would be shown.
serial() {
	local address
	address=$(kubectl -n "$namespace" get pods -l app.kubernetes.io/component=operator -o 'jsonpath={.items[0].status.podIP}')
	timeout 10 openssl s_client -connect "$address:7443" -alpn h2 </dev/null 2>/dev/null | openssl x509 -noout -serial
}

changed() {
	local now
	now=$(serial) && test -n "$now" && test "$now" != "$first"
}

starts() {
	kubectl -n "$namespace" get pods -o 'jsonpath={range .items[*]}{.metadata.name} {.status.containerStatuses[0].restartCount}{"\n"}{end}' | sort
}

kubectl apply --server-side -f "$manager/crds" >/dev/null
kubectl create namespace cert-manager >/dev/null
"$manager/controller" --kubeconfig="$KUBECONFIG" --leader-elect=false --cluster-resource-namespace=cert-manager \
	--enable-certificate-owner-ref=false >"$log" 2>&1 &
pid=$!
until_true 'the issuers are accepted' kubectl apply -f - <"$here/issuers.yaml"
until_true 'the issuer is ready' kubectl wait clusterissuer/internal --for=condition=Ready --timeout=1s

helm install evaljob "$here/../../charts/evaljob" --namespace "$namespace" --create-namespace \
	-f "$here/../../charts/evaljob/ci/cert-manager.yaml" \
	--set operator.image.repository=registry.local/evaljob-operator,operator.image.tag=e2e,operator.replicas=1 \
	--set agent.image.repository=registry.local/evaljob-agent,agent.image.tag=e2e-toolbox \
	--set agent.allowCgroupV1=true,agent.resources.requests.cpu=100m >/dev/null
until_true 'the certificate is signed' kubectl -n "$namespace" wait certificates --all --for=condition=Ready --timeout=1s
until_true 'the operator shows it' serial
accepted
echo 'ok     a job is judged'
first=$(serial)
before=$(starts)

certificate=$(kubectl -n "$namespace" get certificates -o name)
now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
kubectl -n "$namespace" patch "$certificate" --subresource=status --type=json -p '[{"op": "add", "path": "/status/conditions/-",
	"value": {"type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "message": "", "lastTransitionTime": "'"$now"'"}}]' >/dev/null
until_true 'the operator shows the renewed one' changed
accepted
echo 'ok     a job is judged after the renewal'
agent=$(kubectl -n "$namespace" get pods -l app.kubernetes.io/component=agent -o name)
kubectl -n "$namespace" delete "$agent" >/dev/null
kubectl -n "$namespace" rollout status daemonset/evaljob-agent --timeout=300s >/dev/null
accepted
echo 'ok     a job is judged by an agent that came after it'
test "$(grep operator <<<"$before")" = "$(starts | grep operator)" || { echo "the operator was started again" >&2; exit 1; }
echo 'ok     the operator was not started again'
