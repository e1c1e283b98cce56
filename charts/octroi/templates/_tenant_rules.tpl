{{- /* Rules of the tenants' roles. Each role holds the rules of the one below it, since a member is bound to one only.

What none of them may write, because one object of it undoes what the platform built: Gateways, ListenerSets,
ReferenceGrants, policies and extensions of a data plane, Certificates and Issuers, Roles and RoleBindings,
NetworkPolicies, ResourceQuotas, LimitRanges, Endpoints, EndpointSlices, Ingresses, Namespaces. A test holds the list. */ -}}

{{- define "octroi.rules.view" -}}
- apiGroups: [""]
  resources:
    - configmaps
    - endpoints
    - events
    - limitranges
    - namespaces
    - persistentvolumeclaims
    - persistentvolumeclaims/status
    - pods
    - pods/log
    - pods/status
    - replicationcontrollers
    - replicationcontrollers/scale
    - replicationcontrollers/status
    - resourcequotas
    - resourcequotas/status
    - serviceaccounts
    - services
    - services/status
  verbs: [get, list, watch]
- apiGroups: [apps]
  resources:
    - controllerrevisions
    - daemonsets
    - daemonsets/status
    - deployments
    - deployments/scale
    - deployments/status
    - replicasets
    - replicasets/scale
    - replicasets/status
    - statefulsets
    - statefulsets/scale
    - statefulsets/status
  verbs: [get, list, watch]
- apiGroups: [batch]
  resources: [cronjobs, cronjobs/status, jobs, jobs/status]
  verbs: [get, list, watch]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers, horizontalpodautoscalers/status]
  verbs: [get, list, watch]
- apiGroups: [policy]
  resources: [poddisruptionbudgets, poddisruptionbudgets/status]
  verbs: [get, list, watch]
- apiGroups: [gateway.networking.k8s.io]
  resources:
    - grpcroutes
    - grpcroutes/status
    - httproutes
    - httproutes/status
    - referencegrants
    - tcproutes
    - tcproutes/status
    - tlsroutes
    - tlsroutes/status
    - udproutes
    - udproutes/status
  verbs: [get, list, watch]
- apiGroups: [networking.k8s.io]
  resources: [ingresses, networkpolicies]
  verbs: [get, list, watch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [get, list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [get, list, watch]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, list, watch]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [rolebindings, roles]
  verbs: [get, list, watch]
# kubectl top pods
- apiGroups: [metrics.k8s.io]
  resources: [pods]
  verbs: [get, list]
{{- end -}}

{{- define "octroi.rules.edit" -}}
{{ include "octroi.rules.view" . }}
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch, create, update, patch, delete, deletecollection]
- apiGroups: [""]
  resources: [configmaps, persistentvolumeclaims, pods, replicationcontrollers, services]
  verbs: [create, update, patch, delete, deletecollection]
- apiGroups: [""]
  resources: [pods/attach, pods/exec, pods/portforward]
  verbs: [get, create]
- apiGroups: [""]
  resources: [pods/eviction]
  verbs: [create]
- apiGroups: [""]
  resources: [pods/ephemeralcontainers, pods/resize, replicationcontrollers/scale]
  verbs: [get, update, patch]
- apiGroups: [apps]
  resources: [daemonsets, deployments, replicasets, statefulsets]
  verbs: [create, update, patch, delete, deletecollection]
- apiGroups: [apps]
  resources: [deployments/scale, replicasets/scale, statefulsets/scale]
  verbs: [update, patch]
- apiGroups: [batch]
  resources: [cronjobs, jobs]
  verbs: [create, update, patch, delete, deletecollection]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [create, update, patch, delete, deletecollection]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [create, update, patch, delete, deletecollection]
- apiGroups: [gateway.networking.k8s.io]
  resources: [grpcroutes, httproutes, tcproutes, tlsroutes, udproutes]
  verbs: [create, update, patch, delete, deletecollection]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create, update, patch]
{{- end -}}

{{- define "octroi.rules.admin" -}}
{{ include "octroi.rules.edit" . }}
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [create, update, patch, delete, deletecollection]
- apiGroups: [""]
  resources: [serviceaccounts/token]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [delete, deletecollection]
{{- end -}}

{{- /* A Dedicated tenant's proxy runs in gw-<tenant>; its log is that tenant's own traffic. A Shared tenant has no pod
there. Secrets, which hold the certificates' keys, are in nobody's reach, and neither are ConfigMaps, in which data
planes keep a proxy's bootstrap. */ -}}
{{- define "octroi.rules.gateway" -}}
- apiGroups: [""]
  resources: [events, namespaces, pods, pods/log, services]
  verbs: [get, list, watch]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch]
- apiGroups: [gateway.networking.k8s.io]
  resources: [gateways, gateways/status, listenersets, listenersets/status, referencegrants]
  verbs: [get, list, watch]
- apiGroups: [cert-manager.io]
  resources: [certificates, certificates/status]
  verbs: [get, list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [get, list, watch]
{{- end -}}
