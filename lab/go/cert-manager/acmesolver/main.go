// Command acmesolver answers one HTTP-01 challenge, as the pod that cert-manager starts for it: the flags are those that
// cert-manager gives (buildDefaultPod of pkg/issuer/acme/http/pod.go).
package main

import (
	"flag"

	"k8s.io/klog/v2"

	"github.com/cert-manager/cert-manager/pkg/issuer/acme/http/solver"
)

func main() {
	answers := &solver.HTTP01Solver{}
	flag.IntVar(&answers.ListenPort, "listen-port", 8089, "port")
	flag.StringVar(&answers.Domain, "domain", "", "host of the challenge")
	flag.StringVar(&answers.Token, "token", "", "token of the challenge")
	flag.StringVar(&answers.Key, "key", "", "what is answered")
	flag.Parse()
	klog.Fatal(answers.Listen(klog.Background()))
}
