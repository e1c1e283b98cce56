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
{{ include "octroi.selectorLabels" . }}
{{ include "octroi.commonLabels" . }}
{{- end -}}

{{- define "octroi.wafSelectorLabels" -}}
app.kubernetes.io/name: octroi-waf
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "octroi.wafLabels" -}}
{{ include "octroi.wafSelectorLabels" . }}
{{ include "octroi.commonLabels" . }}
{{- end -}}

{{- define "octroi.commonLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
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

{{- /* Where pods may run, with the selector of whose pods it is: a dict of root and selector. */ -}}
{{- define "octroi.placement" -}}
{{- with .root.Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range . }}
  {{- $selector := dict "labelSelector" (dict "matchLabels" ($.selector | fromYaml)) }}
  - {{- toYaml (merge (deepCopy .) $selector) | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}
