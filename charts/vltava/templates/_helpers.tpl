{{- define "vltava.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "vltava.selector" -}}
app.kubernetes.io/name: vltava-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "vltava.labels" -}}
{{ include "vltava.selector" . }}
app.kubernetes.io/component: operator
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "vltava.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "vltava.fullname" .) -}}
{{- end -}}

{{- define "vltava.image" -}}
{{- printf "%v:%v" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}

{{- /* Name of the webhook's Service, Secret and configuration; empty where there is none. */ -}}
{{- define "vltava.webhook" -}}
{{- if and .Values.evictionWebhook.enabled (empty .Values.watchNamespace) -}}
{{- printf "%s-eviction" (include "vltava.fullname" .) -}}
{{- end -}}
{{- end -}}
