package main

import _ "sigs.k8s.io/gateway-api/conformance/tests"
func main(){}
