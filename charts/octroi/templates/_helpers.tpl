{{- define "octroi.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 53 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "octroi.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "octroi.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "octroi.selectorLabels" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | trimSuffix "-" | trimSuffix "." | trimSuffix "_" | quote }}
app.kubernetes.io/part-of: octroi
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "octroi.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- /* What outlives the release: what traffic, tenants' rights or the guards hang on. Helm takes these back when a
release of the same name is installed in the same namespace again. */ -}}
{{- define "octroi.keep" -}}
helm.sh/resource-policy: keep
{{- end -}}

{{- /* A matchCondition of the deletion guards. */ -}}
{{- define "octroi.notBreakGlass" -}}
{{- with .Values.admission.breakGlassGroup -}}
matchConditions:
  - name: not-break-glass
    expression: {{ printf "!('%s' in request.userInfo.groups)" . | quote }}
{{- end -}}
{{- end -}}
