{{- define "fullhouse.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "fullhouse.labels" -}}
app.kubernetes.io/name: fullhouse
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "fullhouse.selector" -}}
app.kubernetes.io/name: fullhouse
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- /* What every pod has: nobody's user, nothing to write to but /tmp and /data, no token of the cluster. */ -}}
{{- define "fullhouse.pod" -}}
automountServiceAccountToken: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
volumes:
  - {name: tmp, emptyDir: {}}
  - {name: data, emptyDir: {}}
{{- end -}}

{{- define "fullhouse.container" -}}
image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  - {name: data, mountPath: /data}
{{- end -}}

{{- /* The Secret of all, and then that of the part, whose settings count where both have one. */ -}}
{{- define "fullhouse.secrets" -}}
envFrom:
  - secretRef: {name: {{ .root.Values.secretName }}}
{{- with .own }}
  - secretRef: {name: {{ . }}}
{{- end }}
{{- end -}}

{{- define "fullhouse.env" -}}
{{- range $name, $value := .Values.settings }}
- {name: {{ $name }}, value: {{ $value | toString | quote }}}
{{- end }}
{{- end -}}

{{- /* Replicas on different machines where that can be: the loss of one takes not all. */ -}}
{{- define "fullhouse.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "fullhouse.selector" .root | nindent 8 }}
        app.kubernetes.io/component: {{ .component }}
{{- end -}}
