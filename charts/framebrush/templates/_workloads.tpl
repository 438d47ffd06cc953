{{- /* What the services are, and their values laid over each other. */ -}}

{{- /*
Facts of the code, not choices: the queues that a service consumes, with the messages that it handles at a time (its
concurrency if not said), and the queues during whose work it must be awake.
*/ -}}
{{- define "framebrush.stages" -}}
splitter:
  consumes:
    - { queue: triggers, slots: 1 }
    - { queue: splits }
dispatcher:
  consumes:
    - { queue: frames }
    - { queue: events }
  # It tracks progress, and finds dead letters that the broker made of a message whose process died again and again.
  awakeFor: [triggers, splits, batches, scored]
scorer:
  consumes:
    - { queue: batches }
stitcher:
  consumes:
    - { queue: scored }
learner:
  consumes:
    - { queue: learnings, slots: 1 }
{{- end }}

{{- /* Lay OVER upon BASE in place: (list BASE OVER). Maps are merged, all else is replaced, also by false, 0 and ""; null removes. */ -}}
{{- define "framebrush.overlay" -}}
{{- $base := index . 0 -}}
{{- range $key, $value := index . 1 -}}
{{- if kindIs "invalid" $value -}}
{{- $_ := unset $base $key -}}
{{- else if and (kindIs "map" $value) (kindIs "map" (get $base $key)) -}}
{{- include "framebrush.overlay" (list (get $base $key) $value) -}}
{{- else -}}
{{- $_ := set $base $key $value -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- /*
Every Deployment by its name, as YAML: the merged values, with `component`, `pool`, `fullname`, `consumes`, `awakeFor`
and the times of framebrush.timing.
*/ -}}
{{- define "framebrush.workloads" -}}
{{- $root := . -}}
{{- $stages := include "framebrush.stages" . | fromYaml -}}
{{- $found := dict -}}
{{- range $component, $own := .Values.services -}}
{{- $service := deepCopy $root.Values.defaults -}}
{{- include "framebrush.overlay" (list $service (omit $own "pools")) -}}
{{- $pools := ternary $own.pools (dict "" dict) (hasKey $own "pools") -}}
{{- range $pool, $values := $pools -}}
{{- $workload := deepCopy $service -}}
{{- include "framebrush.overlay" (list $workload (deepCopy ($values | default dict))) -}}
{{- if $workload.enabled -}}
{{- $fullname := compact (list (include "framebrush.fullname" $root) $component $pool) | join "-" -}}
{{- $_ := set $workload "component" $component -}}
{{- $_ := set $workload "pool" $pool -}}
{{- $_ := set $workload "label" (compact (list "services" $component (ternary "pools" "" (ne $pool "")) $pool) | join ".") -}}
{{- $_ := set $workload "fullname" $fullname -}}
{{- $_ := set $workload "consumes" (index $stages $component "consumes") -}}
{{- $_ := set $workload "awakeFor" (index $stages $component "awakeFor" | default list) -}}
{{- $_ := set $workload "serviceAccountName" ($workload.serviceAccount.name | default (include "framebrush.fullname" $root)) -}}
{{- $_ := set $workload "timing" (include "framebrush.timing" $workload | fromYaml) -}}
{{- $_ := set $found $fullname $workload -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $found -}}
{{- end }}

{{- /*
The one place where a message's time becomes a pod's: a workload gives messageTimeout, drainGrace and metricsLinger (s).

At SIGTERM a service finishes what it has in hand within the drain grace, which is all the time that a message may take
unless a shorter one is asked for (a spot node is gone after 30 s: better hand back early than be cut off). Then it
hands back the rest (5 s), stays until its last counts are scraped, and ends; 10 s are for all else.
*/ -}}
{{- define "framebrush.timing" -}}
{{- $grace := .messageTimeout -}}
{{- if not (kindIs "invalid" .drainGrace) -}}{{- $grace = .drainGrace -}}{{- end -}}
messageTimeout: {{ include "framebrush.scalar" .messageTimeout }}
drainGrace: {{ include "framebrush.scalar" $grace }}
metricsLinger: {{ include "framebrush.scalar" .metricsLinger }}
terminationGracePeriod: {{ addf $grace .metricsLinger 15 | ceil | int64 }}
{{- end }}

{{- /* Settings as a map of environment variables: (list $ WORKLOAD). */ -}}
{{- define "framebrush.settings" -}}
{{- $root := index . 0 -}}
{{- $workload := index . 1 -}}
{{- range $name, $value := $workload.settings }}
FRAMEBRUSH_{{ $name | snakecase | upper }}: {{ include "framebrush.scalar" $value | quote }}
{{- end }}
{{- /* A pod that is given a GPU does not paint on the CPU if CUDA finds none: it does not start. */}}
{{- if and (has $workload.component (list "scorer" "learner")) (hasKey (dig "limits" dict $workload.resources) "nvidia.com/gpu") (not (hasKey $workload.settings "device")) }}
FRAMEBRUSH_DEVICE: cuda
{{- end }}
{{- if and (eq $workload.component "splitter") (not (hasKey $workload.settings "windowBatches")) }}
FRAMEBRUSH_WINDOW_BATCHES: {{ include "framebrush.windowBatches" $root | quote }}
{{- end }}
FRAMEBRUSH_CONCURRENCY: {{ include "framebrush.scalar" $workload.concurrency | quote }}
FRAMEBRUSH_MESSAGE_TIMEOUT: {{ $workload.timing.messageTimeout | quote }}
FRAMEBRUSH_DRAIN_GRACE: {{ $workload.timing.drainGrace | quote }}
FRAMEBRUSH_METRICS_LINGER: {{ $workload.timing.metricsLinger | quote }}
{{- if and (eq $workload.component "scorer") (include "framebrush.stylesVolume" $root) }}
FRAMEBRUSH_STYLES: /styles
{{- end }}
{{- with $root.Values.tracing.endpoint }}
OTEL_EXPORTER_OTLP_ENDPOINT: {{ . | quote }}
OTEL_RESOURCE_ATTRIBUTES: {{ printf "k8s.namespace.name=%s" $root.Release.Namespace | quote }}
{{- end }}
{{ include "framebrush.endpoints" $root }}
{{- end }}

{{- /*
How many score batches of one run are in work at a time: twice what all scorers hold at their most, by which KEDA scales
them. Fewer would keep it from making the last pods; more would only make runs that come later wait longer. Scorers of
another release are not known here: 16 is what the service itself takes.
*/ -}}
{{- define "framebrush.windowBatches" -}}
{{- $held := 0 -}}
{{- range include "framebrush.workloads" . | fromYaml -}}
{{- if eq .component "scorer" -}}
{{- $pods := ternary .scaling.maxReplicas (max 1 (int .scaling.minReplicas)) .scaling.enabled -}}
{{- $held = add $held (mulf $pods .concurrency .scaling.messagesPerSlot | ceil) -}}
{{- end -}}
{{- end -}}
{{- max 16 (mul 2 $held) -}}
{{- end }}

{{- /* The volume of further styles, if there is one. */ -}}
{{- define "framebrush.stylesVolume" -}}
{{- if .Values.styles.volume -}}
{{- toYaml .Values.styles.volume -}}
{{- else if .Values.styles.existingConfigMap -}}
configMap:
  name: {{ .Values.styles.existingConfigMap }}
{{- end -}}
{{- end }}

{{- /* Every service account that pods run as, by name: its client id and annotations; as YAML. */ -}}
{{- define "framebrush.serviceAccounts" -}}
{{- $root := . -}}
{{- $found := dict -}}
{{- range $name, $workload := include "framebrush.workloads" . | fromYaml -}}
{{- if $workload.serviceAccount.create -}}
{{- $client := $workload.serviceAccount.clientId | default $root.Values.auth.workloadIdentity.clientId -}}
{{- $account := dict "clientId" $client "annotations" $workload.serviceAccount.annotations -}}
{{- if and (hasKey $found $workload.serviceAccountName) (ne (toJson $account) (toJson (get $found $workload.serviceAccountName))) -}}
{{- printf "%s.serviceAccount: %q has another clientId or other annotations elsewhere; give this one a name of its own" $workload.label $workload.serviceAccountName | fail -}}
{{- end -}}
{{- $_ := set $found $workload.serviceAccountName $account -}}
{{- end -}}
{{- end -}}
{{- toYaml $found -}}
{{- end }}
