{{- /* Where pods find the CA of the broker's certificate: as a volume source with the key ca.crt. */ -}}
{{- define "framebrush.brokerCa" -}}
{{- with .Values.local.broker.tls.existingSecret -}}
secret:
  secretName: {{ . }}
  items:
    - { key: ca.crt, path: ca.crt }
{{- else -}}
configMap:
  name: {{ include "framebrush.fullname" . }}-broker-ca
{{- end -}}
{{- end }}

{{- define "framebrush.localPlacement" -}}
{{- with .Values.local.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.local.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* The volume `data`: (list $ NAME). */ -}}
{{- define "framebrush.localData" -}}
- name: data
  {{- if (index . 0).Values.local.persistence.enabled }}
  persistentVolumeClaim:
    claimName: {{ index . 1 }}
  {{- else }}
  emptyDir: {}
  {{- end }}
{{- end }}
