package main

/*
#include <stddef.h>
#include <stdint.h>

typedef uintptr_t (*rx_new)(const uint8_t *, size_t);
typedef int32_t (*rx_match)(uintptr_t, const uint8_t *, size_t, int64_t *, size_t);

static uintptr_t call_new(uintptr_t f, const uint8_t *in, size_t size) { return ((rx_new)f)(in, size); }
static int32_t call_match(uintptr_t f, uintptr_t handle, const uint8_t *in, size_t size, int64_t *spans, size_t groups) {
	return ((rx_match)f)(handle, in, size, spans, groups);
}
*/
import "C"

import (
	"fmt"
	"unsafe"

	"github.com/corazawaf/coraza/v3/experimental/plugins"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
)

// The engine keeps the whole match and eight groups.
const maxGroups = 9

// rx is the engine's @rx by Rust's regular expressions, which take a small part of the time that Go's do.
type rx struct{ match, handle C.uintptr_t }

func useExpressions(new, match C.uintptr_t) {
	plugins.RegisterOperator("rx", func(options plugintypes.OperatorOptions) (plugintypes.Operator, error) {
		text := options.Arguments
		handle := C.call_new(new, start(text), C.size_t(len(text)))
		if handle == 0 {
			return nil, fmt.Errorf("not an expression: %s", text)
		}
		return &rx{match, handle}, nil
	})
}

func (r *rx) Evaluate(tx plugintypes.TransactionState, value string) bool {
	if !tx.Capturing() {
		return C.call_match(r.match, r.handle, start(value), C.size_t(len(value)), nil, 0) > 0
	}
	var spans [2 * maxGroups]C.int64_t
	found := int(C.call_match(r.match, r.handle, start(value), C.size_t(len(value)), &spans[0], maxGroups))
	for i := 0; i < found; i++ {
		field := ""
		if spans[2*i] >= 0 {
			field = value[spans[2*i]:spans[2*i+1]]
		}
		tx.CaptureField(i, field)
	}
	return found > 0
}

// start is a string's first byte; Rust reads it during the call only.
func start(text string) *C.uint8_t {
	return (*C.uint8_t)(unsafe.Pointer(unsafe.StringData(text)))
}
