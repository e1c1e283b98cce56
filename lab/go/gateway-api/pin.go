// Package pin holds the Gateway API's module version: the lab installs the CRDs out of this module.
package pin

import _ "sigs.k8s.io/gateway-api/apis/v1" // keeps the requirement in go.mod
