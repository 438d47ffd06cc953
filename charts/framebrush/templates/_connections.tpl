{{- /* Where Service Bus and Blob are, and by which credentials. */ -}}

{{- /* "keyless": workload identity; "keyed": connection strings. The local stack has no other way than keys. */ -}}
{{- define "framebrush.keyed" -}}
{{- if or .Values.local.enabled (eq .Values.auth.mode "connectionString") -}}true{{- end -}}
{{- end }}

{{- define "framebrush.clouds" -}}
AzurePublicCloud: { serviceBus: servicebus.windows.net, storage: core.windows.net }
AzureUSGovernmentCloud: { serviceBus: servicebus.usgovcloudapi.net, storage: core.usgovcloudapi.net }
AzureChinaCloud: { serviceBus: servicebus.chinacloudapi.cn, storage: core.chinacloudapi.cn }
{{- end }}

{{- define "framebrush.serviceBusHost" -}}
{{- $name := .Values.azure.serviceBusNamespace -}}
{{- if contains "." $name -}}
{{- $name -}}
{{- else -}}
{{- printf "%s.%s" $name (index (include "framebrush.clouds" . | fromYaml) .Values.azure.cloud).serviceBus -}}
{{- end -}}
{{- end }}

{{- /* The URL of a storage account: (list $ NAME). */ -}}
{{- define "framebrush.storageUrl" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- if hasPrefix "https://" $name -}}
{{- trimSuffix "/" $name -}}
{{- else -}}
{{- printf "https://%s.blob.%s" $name (index (include "framebrush.clouds" $root | fromYaml) $root.Values.azure.cloud).storage -}}
{{- end -}}
{{- end }}

{{- /* What is no secret, as a map of environment variables. */ -}}
{{- define "framebrush.endpoints" -}}
FRAMEBRUSH_INPUT_CONTAINER: {{ .Values.containers.input | quote }}
FRAMEBRUSH_WORK_CONTAINER: {{ .Values.containers.work | quote }}
FRAMEBRUSH_OUTPUT_CONTAINER: {{ .Values.containers.output | quote }}
FRAMEBRUSH_STYLES_CONTAINER: {{ .Values.containers.styles | quote }}
FRAMEBRUSH_LOGS_CONTAINER: {{ .Values.containers.logs | quote }}
{{- if not (include "framebrush.keyed" .) }}
FRAMEBRUSH_SERVICEBUS_NAMESPACE: {{ include "framebrush.serviceBusHost" . }}
FRAMEBRUSH_STORAGE_ACCOUNT_URL: {{ include "framebrush.storageUrl" (list . .Values.azure.storageAccount) }}
{{- with .Values.azure.systemStorageAccount }}
FRAMEBRUSH_SYSTEM_STORAGE_ACCOUNT_URL: {{ include "framebrush.storageUrl" (list $ .) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* The Secret of connection strings that services and KEDA read. */ -}}
{{- define "framebrush.secretName" -}}
{{- if and .Values.auth.connectionString.existingSecret (not .Values.local.enabled) -}}
{{- .Values.auth.connectionString.existingSecret -}}
{{- else -}}
{{- include "framebrush.fullname" . }}-connections
{{- end -}}
{{- end }}

{{- define "framebrush.secretKeys" -}}
{{- if and .Values.auth.connectionString.existingSecret (not .Values.local.enabled) -}}
{{- toYaml .Values.auth.connectionString.keys -}}
{{- else -}}
storage: storage
serviceBus: servicebus
serviceBusAdmin: servicebus-admin
{{- if and (not .Values.local.enabled) .Values.auth.connectionString.systemStorage }}
systemStorage: system-storage
{{- end }}
{{- end -}}
{{- end }}

{{- /* True if the chart makes the Secret. */ -}}
{{- define "framebrush.secretCreated" -}}
{{- if and (include "framebrush.keyed" .) (or .Values.local.enabled (not .Values.auth.connectionString.existingSecret)) -}}true{{- end -}}
{{- end }}

{{- /* Its content, in plain text. The local stack's are no secrets: well known, or not checked. */ -}}
{{- define "framebrush.secretData" -}}
{{- if .Values.local.enabled -}}
{{- $broker := printf "%s-broker.%s.svc.%s" (include "framebrush.fullname" .) .Release.Namespace .Values.clusterDomain -}}
{{- $azurite := printf "%s-azurite.%s.svc.%s" (include "framebrush.fullname" .) .Release.Namespace .Values.clusterDomain -}}
storage: DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;BlobEndpoint=http://{{ $azurite }}:10000/devstoreaccount1;
servicebus: Endpoint=sb://{{ $broker }}:5672;SharedAccessKeyName=local;SharedAccessKey=local;UseDevelopmentEmulator=true
servicebus-admin: Endpoint=sb://{{ $broker }};SharedAccessKeyName=local;SharedAccessKey=local
{{- else -}}
{{- with .Values.auth.connectionString -}}
storage: {{ .storage | quote }}
{{- with .systemStorage }}
system-storage: {{ . | quote }}
{{- end }}
servicebus: {{ .serviceBus | quote }}
servicebus-admin: {{ .serviceBusAdmin | default .serviceBus | quote }}
{{- end -}}
{{- end -}}
{{- end }}

{{- /* Environment variables from the Secret: (list $ SECRET SERVICEBUSKEY), SERVICEBUSKEY a key of secretKeys. */ -}}
{{- define "framebrush.secretEnv" -}}
{{- $root := index . 0 -}}
{{- $keys := include "framebrush.secretKeys" $root | fromYaml -}}
{{- if include "framebrush.keyed" $root -}}
- name: FRAMEBRUSH_STORAGE_CONNECTION_STRING
  valueFrom:
    secretKeyRef:
      name: {{ index . 1 }}
      key: {{ $keys.storage }}
{{- with $keys.systemStorage }}
- name: FRAMEBRUSH_SYSTEM_STORAGE_CONNECTION_STRING
  valueFrom:
    secretKeyRef:
      name: {{ index $ 1 }}
      key: {{ . }}
{{- end }}
- name: FRAMEBRUSH_SERVICEBUS_CONNECTION_STRING
  valueFrom:
    secretKeyRef:
      name: {{ index . 1 }}
      key: {{ get $keys (index . 2) }}
{{- end -}}
{{- end }}
