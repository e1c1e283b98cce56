{{- /* What the admission guards share, so that no rule is written twice. A guard is a ValidatingAdmissionPolicy with its
binding; it holds while the operator is down, and outlives the release.

How each of them treats an update: what the object already has may stay, so that a finalizer or a label of an old object
can still be edited after a host or a right was withdrawn; what is new or changed is judged. */ -}}

{{- /* The head of a policy. Takes root and name. */ -}}
{{- define "octroi.guard" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: {{ .name }}
  labels: {{- include "octroi.labels" .root | nindent 4 }}
  annotations:
    {{- include "octroi.keep" .root | nindent 4 }}
{{- end -}}

{{- /* The binding of a policy. Takes root and name; suffix and selector where a policy has several. */ -}}
{{- define "octroi.guardBinding" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ .name }}{{ with .suffix }}-{{ . }}{{ end }}
  labels: {{- include "octroi.labels" .root | nindent 4 }}
  annotations:
    {{- include "octroi.keep" .root | nindent 4 }}
spec:
  policyName: {{ .name }}
  validationActions: [Deny]
  {{- with .selector }}
  matchResources:
    namespaceSelector: {{- . | nindent 6 }}
  {{- end }}
{{- end -}}

{{- /* Selects a tenant's own namespaces: only the operator writes these labels. Not for a policy on Namespaces, whose
selector reads the labels that are about to be. */ -}}
{{- define "octroi.tenantNamespaces" -}}
matchLabels: {octroi.dev/role: tenant}
matchExpressions:
  - {key: octroi.dev/tenant, operator: Exists}
{{- end -}}

{{- /* The same and gw-<tenant>. */ -}}
{{- define "octroi.tenantAndGatewayNamespaces" -}}
matchExpressions:
  - {key: octroi.dev/role, operator: In, values: [tenant, gateway]}
  - {key: octroi.dev/tenant, operator: Exists}
{{- end -}}

{{- /* The five route kinds, as the resources of a rule. */ -}}
{{- define "octroi.routes" -}}
[httproutes, grpcroutes, tlsroutes, tcproutes, udproutes]
{{- end -}}

{{- define "octroi.operatorUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "octroi.fullname" . }}
{{- end -}}

{{- /* A matchCondition: who is judged. Takes root, and identities: controllers of Kubernetes that must write the kind. They
are let through by their own accounts in kube-system, and by the one user that they share where the controller manager
runs without an account for each. In one expression, since each costs every write about 0.01 ms. */ -}}
{{- define "octroi.judged" -}}
- name: judged
  expression: >-
    request.userInfo.username != {{ include "octroi.operatorUser" .root | squote }}
    {{- with .root.Values.admission.breakGlassGroup }}
    && !('{{ . }}' in request.userInfo.groups)
    {{- end }}
    {{- with .identities }}
    && !(request.userInfo.username in ['system:kube-controller-manager'
    {{- range . }}, 'system:serviceaccount:kube-system:{{ . }}'{{ end }}])
    {{- end }}
{{- end -}}

{{- /* matchConditions come before everything else, and a messageExpression is evaluated even when there is nothing to say,
with all variables that it reads. So what can be seen without the namespace (namespaceObject is null here) is seen here:
an ordinary route costs the guards on hosts and parents, and of the others this one expression. */ -}}

{{- /* For guards on routes: a write of metadata alone brings nothing new. */ -}}
{{- define "octroi.cel.specChanged" -}}
(request.operation != 'UPDATE' || object.spec != oldObject.spec)
{{- end -}}

{{- /* variables. namespaceObject may be read from here on. */ -}}
{{- define "octroi.var.tenant" -}}
- name: tenant
  expression: namespaceObject.metadata.labels['octroi.dev/tenant']
{{- end -}}

{{- /* Not every route kind, nor every channel of the Gateway API, has each field: hence dyn. */ -}}
{{- define "octroi.var.rules" -}}
- name: rules
  expression: dyn(object).spec.?rules.orValue([])
{{- end -}}

{{- /* Every filter of a route: {at: its place, filter: it}. */ -}}
{{- define "octroi.var.filters" -}}
- name: filters
  expression: >-
    variables.rules.transformList(i, rule,
      rule.?filters.orValue([]).transformList(j, f, {'at': dyn('spec.rules[%d].filters[%d]'.format([i, j])), 'filter': f})
      + rule.?backendRefs.orValue([]).transformList(j, b, b.?filters.orValue([]).transformList(k, f,
        {'at': dyn('spec.rules[%d].backendRefs[%d].filters[%d]'.format([i, j, k])), 'filter': f})).flatten()
    ).flatten()
{{- end -}}

{{- /* Everything that a route sends requests to, mirrors included: {at: its place, to: the reference}. Needs filters. */ -}}
{{- define "octroi.var.backends" -}}
- name: backends
  expression: >-
    variables.rules.transformList(i, rule, rule.?backendRefs.orValue([]).transformList(j, b,
      {'at': dyn('spec.rules[%d].backendRefs[%d]'.format([i, j])), 'to': b})).flatten()
    + variables.filters.filter(f, has(f.filter.requestMirror) && has(f.filter.requestMirror.backendRef))
      .map(f, {'at': dyn(f.at + '.requestMirror.backendRef'), 'to': f.filter.requestMirror.backendRef})
{{- end -}}

{{- /* Whether a label or annotation is new or changed, or with removed gone, and is one of those that matter. Takes wrong, an
expression over the key k, and removed. */ -}}
{{- define "octroi.cel.metadataChanged" -}}
{{- $wrong := .wrong -}}
{{- $removed := .removed -}}
{{- range $i, $field := list "labels" "annotations" }}
{{ if $i }}|| {{ end }}object.metadata.?{{ $field }}.orValue({}).exists(k, v, {{ $wrong }}
  && (oldObject == null || oldObject.metadata.?{{ $field }}[?k] != optional.of(v)))
{{- if $removed }}
|| oldObject != null && oldObject.metadata.?{{ $field }}.orValue({}).exists(k, v, {{ $wrong }}
  && !object.metadata.?{{ $field }}[?k].hasValue())
{{- end }}
{{- end }}
{{- end -}}

{{- /* The places of those. */ -}}
{{- define "octroi.cel.metadataPlaces" -}}
{{- $wrong := .wrong -}}
{{- $removed := .removed -}}
({{- range $i, $field := list "labels" "annotations" }}
{{- if $i }}
+ {{ end }}object.metadata.?{{ $field }}.orValue({}).transformList(k, v, {{ $wrong }}
  && (oldObject == null || oldObject.metadata.?{{ $field }}[?k] != optional.of(v)), 'metadata.{{ $field }}[%s]'.format([k]))
{{- if $removed }}
+ (oldObject == null ? [] : oldObject.metadata.?{{ $field }}.orValue({}).transformList(k, v, {{ $wrong }}
  && !object.metadata.?{{ $field }}[?k].hasValue(), 'metadata.{{ $field }}[%s]'.format([k])))
{{- end }}
{{- end }}).sort()
{{- end -}}

{{- /* The first three of a list of places, in words. Takes the expression of the list. */ -}}
{{- define "octroi.cel.few" -}}
({{ . }}.size() <= 3 ? {{ . }}.join(', ') : {{ . }}.slice(0, 3).join(', ') + ' and %d more'.format([{{ . }}.size() - 3]))
{{- end -}}

{{- /* Prefixes of labels and annotations that steer a data plane or a controller. */ -}}
{{- define "octroi.steeringPrefixes" -}}
octroi.dev kgateway.dev agentgateway.dev solo.io gateway.envoyproxy.io gateway.networking.k8s.io gateway.networking.x-k8s.io external-dns.alpha.kubernetes.io externaldns.k8s.io cert-manager.io ingress.kubernetes.io service.beta.kubernetes.io metallb.io metallb.universe.tf kube-vip.io tailscale.com
{{- end -}}

{{- /* Whether the key k has one of these prefixes, or one below. */ -}}
{{- define "octroi.cel.steers" -}}
k.matches('^([^/]*[.])?({{ include "octroi.steeringPrefixes" . | replace " " "|" | replace "." "[.]" }})/')
{{- end -}}

{{- /* Whether it may have. */ -}}
{{- define "octroi.cel.maySteer" -}}
({{ range $i, $prefix := splitList " " (include "octroi.steeringPrefixes" .) }}{{ if $i }} || {{ end }}k.contains('{{ $prefix }}/'){{ end }})
{{- end -}}

{{- /* Whether the key k on a Namespace says whose it is, or, on a tenant's, what may run in it and what watches it. */ -}}
{{- define "octroi.cel.saysWhose" -}}
{{- $always := list "octroi.dev" -}}
{{- $tenants := list "pod-security.kubernetes.io" "istio.io" "kgateway.dev" "agentgateway.dev" "gateway.envoyproxy.io"
  "gateway.networking.k8s.io" "scheduler.alpha.kubernetes.io" -}}
(k.matches('^([^/]*[.])?({{ join "|" $always | replace "." "[.]" }})/')
        || variables.tenant.size() > 0 && (k in ['app.kubernetes.io/managed-by', 'istio-injection']
          || k.matches('^([^/]*[.])?({{ join "|" $tenants | replace "." "[.]" }})/')))
{{- end -}}

{{- /* Namespaces that are never a tenant's: the names that the API refuses too, and where this release lives. */ -}}
{{- define "octroi.platformNamespaces" -}}
{{- $names := list "argocd" "cert-manager" "default" "edge" "envoy-gateway-system" "istio-system" "kgateway-system" "monitoring" "octroi" -}}
{{- range $i, $name := append $names .Release.Namespace | uniq }}{{ if $i }}, {{ end }}'{{ $name }}'{{ end -}}
{{- end -}}

{{- /* Whether the parentRef p is the tenant's entry. */ -}}
{{- define "octroi.cel.isEntry" -}}
p.name == variables.tenant && p.?kind.orValue('Gateway') == 'ListenerSet'
          && p.?namespace.orValue(request.namespace) == 'gw-' + variables.tenant
          && p.?group.orValue('gateway.networking.k8s.io') == 'gateway.networking.k8s.io'
{{- end -}}

{{- /* Whether the hostname h is the tenant's: to the letter, or one label below an own wildcard. What is below ends as the
wildcard does, to the letter; the label before that is lower case and no wildcard, also where a CRD of another channel is
laxer. No regular expression, since each call compiles it. */ -}}
{{- define "octroi.cel.isOwnHost" -}}
h in variables.owned || h.indexOf('.') > 0 && !h.startsWith('*') && h == h.lowerAscii() && !h.contains(':')
          && ('*' + h.substring(h.indexOf('.'))) in variables.owned
{{- end -}}

{{- /* Whether a reference, by its name in the expression, is other than a Service of the route's own namespace. */ -}}
{{- define "octroi.cel.isElsewhere" -}}
{{ . }}.?kind.orValue('Service') != 'Service' || {{ . }}.?group.orValue('') != '' || {{ . }}.?namespace.orValue(request.namespace) != request.namespace
{{- end -}}

{{- /* Whether b, one of the backends, is an upstream of the tenant's own: a Backend in gw-<tenant>, as a backend of an HTTPRoute. */ -}}
{{- define "octroi.cel.isUpstream" -}}
request.kind.kind == 'HTTPRoute' && !b.at.endsWith('.requestMirror.backendRef') && b.to.?kind.orValue('') == 'Backend'
          && b.to.?group.orValue('') in ['gateway.envoyproxy.io', 'gateway.kgateway.dev']
          && b.to.?namespace.orValue('') == 'gw-' + variables.tenant
{{- end -}}

{{- /* Whether a rule or a backendRef has a filter that mirrors to such a reference. */ -}}
{{- define "octroi.cel.mirrorsElsewhere" -}}
has({{ . }}.filters) && {{ . }}.filters.exists(f, has(f.requestMirror) && has(f.requestMirror.backendRef)
            && ({{ include "octroi.cel.isElsewhere" "f.requestMirror.backendRef" }}))
{{- end -}}

{{- /* The types of filters that a tenant's routes may have. */ -}}
{{- define "octroi.cel.filterTypes" -}}
(request.kind.kind == 'HTTPRoute' ? ['RequestHeaderModifier', 'ResponseHeaderModifier', 'RequestMirror', 'RequestRedirect', 'URLRewrite', 'CORS'] : ['RequestHeaderModifier', 'ResponseHeaderModifier', 'RequestMirror'])
{{- end -}}

{{- /* Whether a header names the client or the platform, or is hop-by-hop, by which a message is cut in two. */ -}}
{{- define "octroi.cel.isPlatformHeader" -}}
[{{ . }}.lowerAscii()].exists(n, n.startsWith('x-forwarded-') || n.startsWith('x-envoy-') || n.startsWith('x-octroi-')
              || n.startsWith(':') || n in ['forwarded', 'host', 'strict-transport-security', 'connection', 'content-length',
                'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'])
{{- end -}}

{{- /* Whether Envoy reads a command in a header's value, between two %: an environment variable or a file of the proxy, for
one. %% is a per cent sign. */ -}}
{{- define "octroi.cel.isCommand" -}}
({{ . }}.contains('%') && {{ . }}.replace('%%', '').contains('%'))
{{- end -}}

{{- /* Whether a rule or a backendRef has a filter that is not for tenants. Both kinds of modifier are looked at, whatever
the filter's type says. */ -}}
{{- define "octroi.cel.hasWrongFilter" -}}
has({{ . }}.filters) && {{ . }}.filters.exists(f, !(f.type in {{ include "octroi.cel.filterTypes" . }})
            || [f.?requestHeaderModifier, f.?responseHeaderModifier].exists(m, m.hasValue() && (
              m.value().?set.orValue([]).exists(h, {{ include "octroi.cel.isPlatformHeader" "h.name" }} || {{ include "octroi.cel.isCommand" "h.value" }})
              || m.value().?add.orValue([]).exists(h, {{ include "octroi.cel.isPlatformHeader" "h.name" }} || {{ include "octroi.cel.isCommand" "h.value" }})
              || m.value().?remove.orValue([]).exists(h, {{ include "octroi.cel.isPlatformHeader" "h" }}))))
{{- end -}}
