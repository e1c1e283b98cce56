// Package pin holds the version of the OWASP Core Rule Set: the lab takes its rules and its regression tests out of this module.
package pin

import _ "github.com/corazawaf/coraza-coreruleset/v4" // keeps the requirement in go.mod
