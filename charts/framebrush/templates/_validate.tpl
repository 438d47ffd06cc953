{{- /*
"true" where a cluster answers. `helm template` without one knows the kinds of Kubernetes itself, of which the
aggregation layer's are none.
*/ -}}
{{- define "framebrush.real" -}}
{{- if .Capabilities.APIVersions.Has "apiregistration.k8s.io/v1" -}}true{{- end -}}
{{- end }}
{{- /* What the schema cannot say: each failure names the value and what to do about it. */ -}}
{{- define "framebrush.validate" -}}
{{- $local := .Values.local.enabled -}}
{{- if and (not $local) (not (include "framebrush.keyed" .)) -}}
{{- if not .Values.azure.serviceBusNamespace -}}
{{- fail "azure.serviceBusNamespace is empty: name the Service Bus namespace (--set azure.serviceBusNamespace=NAME), or use the local stack (--values values-kind.yaml)" -}}
{{- end -}}
{{- if not .Values.azure.storageAccount -}}
{{- fail "azure.storageAccount is empty: name the storage account (--set azure.storageAccount=NAME), or use the local stack (--values values-kind.yaml)" -}}
{{- end -}}
{{- range $name, $account := include "framebrush.serviceAccounts" . | fromYaml -}}
{{- if not $account.clientId -}}
{{- printf "no client id for service account %s: set auth.workloadIdentity.clientId to the managed identity's (az identity show --query clientId), or auth.mode=connectionString to use keys" $name | fail -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if not (or $local (include "framebrush.keyed" .) .Values.auth.workloadIdentity.keda.identityId .Values.auth.workloadIdentity.keda.annotated) -}}
{{- fail "auth.workloadIdentity.keda.identityId is empty: set it to the client id of the identity by which KEDA reads the queues (az identity show --query clientId); with AKS' KEDA add-on nothing scales without it. If the service account of KEDA's operator is annotated with an identity of its own, set auth.workloadIdentity.keda.annotated=true instead" -}}
{{- end -}}
{{- if and (include "framebrush.real" .) (not (.Capabilities.APIVersions.Has "keda.sh/v1alpha1/ScaledObject")) -}}
{{- fail "this cluster has no KEDA, without which nothing scales: az aks update --enable-keda, or helm install keda kedacore/keda --namespace keda --create-namespace (2.17 or newer); then install again" -}}
{{- end -}}
{{- /*
Whoever installs may not be allowed to read definitions, but everybody may ask which kinds there are. KEDA has this one
from 2.16 on at the latest, and its operator does not run without it.
*/ -}}
{{- if and (include "framebrush.real" .) (not (.Capabilities.APIVersions.Has "eventing.keda.sh/v1alpha1/ClusterCloudEventSource")) -}}
{{- fail "this cluster's KEDA is older than 2.16, and 2.17 is needed: the add-on's version follows that of Kubernetes (az aks upgrade); another KEDA is upgraded by helm upgrade keda kedacore/keda --namespace keda; then install again" -}}
{{- end -}}
{{- range $api := ternary (list .Values.monitoring.podMonitor.apiVersion) list (and .Values.monitoring.podMonitor.enabled (include "framebrush.real" . | eq "true")) -}}
{{- if not ($.Capabilities.APIVersions.Has $api) -}}
{{- printf "this cluster knows no PodMonitor of %s: enable managed Prometheus (azmonitoring.coreos.com/v1) or install the Prometheus Operator (monitoring.coreos.com/v1), or set monitoring.podMonitor.enabled=false" $api | fail -}}
{{- end -}}
{{- end -}}
{{- if and (not $local) (include "framebrush.keyed" .) (not .Values.auth.connectionString.existingSecret) -}}
{{- range $key := list "storage" "serviceBus" -}}
{{- if not (get $.Values.auth.connectionString $key) -}}
{{- printf "auth.connectionString.%s is empty: set it, or name a Secret that has the connection strings in auth.connectionString.existingSecret" $key | fail -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.styles.existingConfigMap .Values.styles.volume -}}
{{- fail "styles.existingConfigMap and styles.volume are both set: styles come from one of them" -}}
{{- end -}}
{{- $workloads := include "framebrush.workloads" . | fromYaml -}}
{{- range $component := list "splitter" "dispatcher" "scorer" "stitcher" -}}
{{- $count := 0 -}}
{{- range $workloads -}}{{- if eq .component $component -}}{{- $count = add1 $count -}}{{- end -}}{{- end -}}
{{- if not $count -}}
{{- printf "no %s is enabled: no run could end; enable services.%s%s" $component $component (ternary " or one of its pools" "" (eq $component "scorer")) | fail -}}
{{- end -}}
{{- end -}}
{{- if and .Values.setup.enabled (not $local) .Values.setup.serviceAccount.create -}}
{{- if hasKey (include "framebrush.serviceAccounts" . | fromYaml) (.Values.setup.serviceAccount.name | default (printf "%s-setup" (include "framebrush.fullname" .))) -}}
{{- printf "setup.serviceAccount.name: %q is the services' account, which the set-up Job would replace and delete; give another name (empty for one of its own)" .Values.setup.serviceAccount.name | fail -}}
{{- end -}}
{{- if not (or (include "framebrush.keyed" .) .Values.setup.serviceAccount.clientId .Values.auth.workloadIdentity.clientId) -}}
{{- fail "no client id for the set-up Job: set setup.serviceAccount.clientId to that of a managed identity that may manage queues, or setup.enabled=false and create queues and containers yourself" -}}
{{- end -}}
{{- end -}}
{{- range $workloads -}}
{{- if and .scaling.enabled (lt (addf .scaling.cooldownPeriod .timing.drainGrace) (float64 .timing.messageTimeout)) -}}
{{- printf "%s: scaling.cooldownPeriod (%v) + drainGrace (%v) is less than messageTimeout (%v): where locked messages are not counted, a long message would be given up again and again; raise scaling.cooldownPeriod" .label .scaling.cooldownPeriod .timing.drainGrace .timing.messageTimeout | fail -}}
{{- end -}}
{{- if lt (int .scaling.maxReplicas) (int .scaling.minReplicas) -}}
{{- printf "%s: scaling.maxReplicas (%v) is less than scaling.minReplicas (%v)" .label .scaling.maxReplicas .scaling.minReplicas | fail -}}
{{- end -}}
{{- $deliveries := .settings.maxDeliveries | default 8 -}}
{{- range $queue, $options := $.Values.queues -}}
{{- if le (int $options.maxDeliveryCount) (int $deliveries) -}}
{{- printf "queues.%s.maxDeliveryCount (%v) must exceed settings.maxDeliveries (%v): the broker would give up before the service does" $queue $options.maxDeliveryCount $deliveries | fail -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}
