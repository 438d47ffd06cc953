{{- /* Names, labels, images. */ -}}

{{- define "framebrush.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{- /* Release name if it says what this is, else release and chart. Short, since pools and KEDA's HPA add to it. */ -}}
{{- define "framebrush.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "framebrush.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "framebrush.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- /* Labels that never change: (list $ COMPONENT POOL), the pool may be "". */ -}}
{{- define "framebrush.selectorLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "framebrush.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- with index . 2 }}
framebrush.io/pool: {{ . }}
{{- end }}
{{- end }}

{{- /* All labels: (list $ COMPONENT POOL). */ -}}
{{- define "framebrush.labels" -}}
{{- $root := index . 0 -}}
{{ include "framebrush.selectorLabels" . }}
app.kubernetes.io/part-of: framebrush
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* Labels of pods: (list $ COMPONENT POOL). Without the chart's version, so that a new chart alone restarts nothing. */ -}}
{{- define "framebrush.podLabels" -}}
{{- $root := index . 0 -}}
{{ include "framebrush.selectorLabels" . }}
app.kubernetes.io/part-of: framebrush
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
{{ include "framebrush.identityLabel" . }}
{{- end }}

{{- /* By which Azure's webhook gives a pod its identity: (list $ COMPONENT POOL). The local stack has none. */ -}}
{{- define "framebrush.identityLabel" -}}
{{- if not (include "framebrush.keyed" (index . 0)) -}}
azure.workload.identity/use: "true"
{{- end -}}
{{- end }}

{{- /* Labels of what belongs to no component. */ -}}
{{- define "framebrush.commonLabels" -}}
app.kubernetes.io/name: {{ include "framebrush.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: framebrush
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* An image: (list $ NAME OVERRIDES); REGISTRY/REPOSITORY/NAME:TAG, with a digest REGISTRY/REPOSITORY/NAME:TAG@DIGEST. */ -}}
{{- define "framebrush.image" -}}
{{- $root := index . 0 -}}
{{- $image := mergeOverwrite (deepCopy $root.Values.image) (index . 2 | default dict) -}}
{{- $path := compact (list $image.registry $image.repository ($image.name | default (index . 1))) | join "/" -}}
{{- $digest := index $root.Values.image.digests ($image.name | default (index . 1)) | default "" -}}
{{- $digest = $image.digest | default (ternary "" $digest (hasKey (index . 2 | default dict) "tag")) -}}
{{- list (printf "%s:%s" $path ($image.tag | default $root.Chart.AppVersion)) $digest | compact | join "@" -}}
{{- end }}

{{- define "framebrush.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{- /* Pod security "restricted", the same in every pod: constants, not values. */ -}}
{{- define "framebrush.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "framebrush.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- /* Where a pod may run, from a workload's values. */ -}}
{{- define "framebrush.placement" -}}
{{- range $key := list "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" "runtimeClassName" "priorityClassName" -}}
{{- with get $ $key }}
{{ dict $key . | toYaml }}
{{- end -}}
{{- end -}}
{{- end }}

{{- /* A setting's value as an environment variable has it: whole numbers without exponent. */ -}}
{{- define "framebrush.scalar" -}}
{{- if kindIs "float64" . -}}
{{- if eq (floor .) . -}}{{ int64 . }}{{- else -}}{{ . }}{{- end -}}
{{- else -}}
{{- . -}}
{{- end -}}
{{- end }}
