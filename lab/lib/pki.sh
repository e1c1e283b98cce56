# shellcheck shell=bash
# The cluster's certificate authority, certificates and kubeconfigs.

pki_key() { openssl ecparam -name prime256v1 -genkey -noout 2>/dev/null | openssl pkcs8 -topk8 -nocrypt -out "$1"; }

pki_ca() {
  [[ ! -s $PKI/$1.crt ]] || return 0
  pki_key "$PKI/$1.key"
  openssl req -x509 -new -key "$PKI/$1.key" -sha256 -days 3650 -subj "/CN=$2" -out "$PKI/$1.crt" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
}

# subject USER [GROUP…]: as openssl wants it, with its separators escaped.
subject() {
  local group out="/CN=${1//\//\\/}"
  shift
  for group in "$@"; do out+="/O=${group//\//\\/}"; done
  echo "$out"
}

# pki_cert FILE CA SUBJECT [SUBJECT-ALT-NAMES]
pki_cert() {
  [[ ! -s $PKI/$1.crt ]] || return 0
  local extensions="basicConstraints=CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=clientAuth,serverAuth"
  [[ -z ${4:-} ]] || extensions+=$'\n'"subjectAltName=$4"
  pki_key "$PKI/$1.key"
  openssl req -new -key "$PKI/$1.key" -subj "$3" -utf8 -out "$PKI/$1.csr" 2>/dev/null
  openssl x509 -req -in "$PKI/$1.csr" -CA "$PKI/$2.crt" -CAkey "$PKI/$2.key" -set_serial "0x$(openssl rand -hex 15)" \
    -days 3650 -sha256 -extfile <(echo "$extensions") -out "$PKI/$1.crt.new" 2>/dev/null
  rm -f "$PKI/$1.csr"
  mv "$PKI/$1.crt.new" "$PKI/$1.crt"
}

pki_up() {
  mkdir -p "$PKI"
  chmod 700 "$PKI"
  umask 077
  pki_ca ca octroi-lab-ca
  pki_ca etcd-ca octroi-lab-etcd-ca
  pki_ca public-ca octroi-lab-public-ca
  pki_cert etcd etcd-ca /CN=etcd IP:127.0.0.1
  pki_cert apiserver-etcd-client etcd-ca /CN=kube-apiserver
  pki_cert apiserver ca /CN=kube-apiserver \
    "IP:$BRIDGE_ADDRESS,IP:$API_SERVICE_ADDRESS,IP:127.0.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local"
  pki_cert apiserver-kubelet-client ca "$(subject kube-apiserver-kubelet-client system:masters)"
  pki_cert kubelet-server ca "/CN=$NODE" "IP:$BRIDGE_ADDRESS,DNS:$NODE"
  [[ -s $PKI/service-accounts.key ]] || pki_key "$PKI/service-accounts.key"
  openssl ec -in "$PKI/service-accounts.key" -pubout -out "$PKI/service-accounts.pub" 2>/dev/null
  component_kubeconfig admin octroi-lab-admin system:masters
  component_kubeconfig kube-controller-manager system:kube-controller-manager
  component_kubeconfig kube-scheduler system:kube-scheduler
  component_kubeconfig kubelet "system:node:$NODE" system:nodes
  component_kubeconfig kube-proxy system:kube-proxy
  component_kubeconfig coredns octroi-lab:coredns
  umask 022
}

# write_kubeconfig FILE CERTIFICATE USER
write_kubeconfig() {
  (
    umask 077
    cat >"$1.new" <<YAML
apiVersion: v1
kind: Config
current-context: octroi-lab
clusters:
- name: octroi-lab
  cluster:
    server: $API_SERVER
    certificate-authority-data: $(base64 -w0 <"$PKI/ca.crt")
contexts:
- name: octroi-lab
  context: {cluster: octroi-lab, user: "$3"}
users:
- name: "$3"
  user:
    client-certificate-data: $(base64 -w0 <"$PKI/$2.crt")
    client-key-data: $(base64 -w0 <"$PKI/$2.key")
YAML
    mv "$1.new" "$1"
  )
}

component_kubeconfig() {
  local name=$1
  shift
  [[ ! -s $PKI/$name.kubeconfig || ! -s $PKI/$name.crt ]] || return 0
  pki_cert "$name" ca "$(subject "$@")"
  write_kubeconfig "$PKI/$name.kubeconfig" "$name" "$1"
}

user_kubeconfig() {
  (($#)) || die "kubeconfig needs a user" "lab/lab.sh kubeconfig USER [GROUP…]"
  [[ -s $PKI/ca.key ]] || die "there is no lab here ($STATE)" "lab/lab.sh up"
  [[ $1 =~ ^[A-Za-z0-9@._:-]+$ ]] || die "the user '$1' has characters a certificate's name should not have" "use letters, digits and @._:-"
  local name file
  name="user-$(tr -c 'A-Za-z0-9._\n-' _ <<<"$1")-$(printf '%s\n' "$@" | hash_of)"
  file="$STATE/kubeconfig/$name"
  mkdir -p "$STATE/kubeconfig"
  if [[ ! -s $file ]]; then
    (
      exec {lock}>"$PKI/.lock"
      flock "$lock"
      umask 077
      pki_cert "$name" ca "$(subject "$@")"
      write_kubeconfig "$file" "$name" "$1"
    )
  fi
  echo "$file"
}
