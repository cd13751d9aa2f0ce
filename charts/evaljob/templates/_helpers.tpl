{{/* Beginning of every name: the release's, with the chart's where it lacks it. */}}
{{- define "evaljob.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "evaljob.operator" -}}{{ include "evaljob.fullname" . }}-operator{{- end -}}
{{- define "evaljob.agent" -}}{{ include "evaljob.fullname" . }}-agent{{- end -}}
{{- define "evaljob.selftest" -}}{{ include "evaljob.fullname" . }}-selftest{{- end -}}
{{- define "evaljob.tlsSecret" -}}{{ include "evaljob.operator" . }}-tls{{- end -}}
{{- define "evaljob.caConfigMap" -}}{{ include "evaljob.operator" . }}-ca{{- end -}}

{{- define "evaljob.operatorAccount" -}}
{{- default (include "evaljob.operator" .) .Values.operator.serviceAccount.name -}}
{{- end -}}
{{- define "evaljob.agentAccount" -}}
{{- default (include "evaljob.agent" .) .Values.agent.serviceAccount.name -}}
{{- end -}}

{{/* What never changes, by which Pods are found: dict "root" $ "component" "operator". */}}
{{- define "evaljob.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Labels of an object: dict "root" $ "component" "operator". */}}
{{- define "evaljob.labels" -}}
{{ include "evaljob.selector" . }}
app.kubernetes.io/part-of: evaljob
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels and annotations of an object: dict "root" $ "component" "operator", and perhaps "annotations". */}}
{{- define "evaljob.metadata" -}}
labels:
  {{- include "evaljob.labels" . | nindent 2 }}
{{- with merge (dict) (default (dict) .annotations) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* An image: dict "image" .Values.operator.image "tag" "0.1.0". */}}
{{- define "evaljob.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ default .tag .image.tag }}
{{- end -}}
{{- end -}}

{{- define "evaljob.operatorImage" -}}
{{- include "evaljob.image" (dict "image" .Values.operator.image "tag" .Chart.AppVersion) -}}
{{- end -}}
{{- define "evaljob.agentImage" -}}
{{- $tag := ternary (printf "%s-toolbox" .Chart.AppVersion) .Chart.AppVersion .Values.agent.toolbox -}}
{{- include "evaljob.image" (dict "image" .Values.agent.image "tag" $tag) -}}
{{- end -}}

{{/* Root file system of jobs without an image; empty: none. */}}
{{- define "evaljob.rootfs" -}}
{{- if .Values.agent.rootfs -}}{{ .Values.agent.rootfs }}{{- else if .Values.agent.toolbox -}}/toolbox{{- end -}}
{{- end -}}

{{/* Names in the operator's certificate, the first is what agents expect. */}}
{{- define "evaljob.tlsNames" -}}
{{- $service := include "evaljob.operator" . -}}
{{- $names := list $service (printf "%s.%s" $service .Release.Namespace) (printf "%s.%s.svc" $service .Release.Namespace) (printf "%s.%s.svc.%s" $service .Release.Namespace .Values.tls.clusterDomain) -}}
{{- toYaml $names -}}
{{- end -}}

{{/* What the Service is called in the environment of Pods that start after it. */}}
{{- define "evaljob.serviceVariable" -}}
{{- include "evaljob.operator" . | upper | replace "-" "_" | replace "." "_" -}}
{{- end -}}
