// Package main is the Go half of the crate octroi-coraza: the WAF engine behind six C functions.
//
// Each call but the first takes one message of bytes and gives one back; both belong to the caller, and nothing here keeps a pointer to either
// after it returned. A panic of the engine becomes an error of that one call.
package main

// #include <stdint.h>
// #include <stdlib.h>
import "C"

import (
	"fmt"
	"runtime/cgo"
	"unsafe"
)

const (
	done   C.int32_t = 0
	failed C.int32_t = -1
)

//export octroi_coraza_expressions
func octroi_coraza_expressions(new, match C.uintptr_t) { useExpressions(new, match) }

//export octroi_coraza_new
func octroi_coraza_new(in *C.uint8_t, size C.size_t, handle *C.uintptr_t, out **C.uint8_t, outSize *C.size_t) (status C.int32_t) {
	defer recovered(&status, out, outSize)
	engine, err := load(message(in, size))
	if err != nil {
		reply(out, outSize, []byte(err.Error()))
		return failed
	}
	*handle = C.uintptr_t(cgo.NewHandle(engine))
	return done
}

//export octroi_coraza_inspect
func octroi_coraza_inspect(handle C.uintptr_t, in *C.uint8_t, size C.size_t, out **C.uint8_t, outSize *C.size_t) (status C.int32_t) {
	defer recovered(&status, out, outSize)
	engine := cgo.Handle(handle).Value().(*engine)
	outcome, err := engine.inspect(message(in, size))
	if err != nil {
		reply(out, outSize, []byte(err.Error()))
		return failed
	}
	reply(out, outSize, outcome)
	return done
}

//export octroi_coraza_rules
func octroi_coraza_rules(out **C.uint8_t, outSize *C.size_t) (status C.int32_t) {
	defer recovered(&status, out, outSize)
	rules, err := coreRuleSet()
	if err != nil {
		reply(out, outSize, []byte(err.Error()))
		return failed
	}
	reply(out, outSize, rules)
	return done
}

//export octroi_coraza_close
func octroi_coraza_close(handle C.uintptr_t) {
	defer func() { _ = recover() }()
	engine := cgo.Handle(handle).Value().(*engine)
	cgo.Handle(handle).Delete()
	engine.close()
}

//export octroi_coraza_release
func octroi_coraza_release(out *C.uint8_t) { C.free(unsafe.Pointer(out)) }

// message is the caller's memory: whoever keeps a part of it makes a copy.
func message(in *C.uint8_t, size C.size_t) []byte {
	if size == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(in)), int(size))
}

func reply(out **C.uint8_t, outSize *C.size_t, bytes []byte) {
	if len(bytes) == 0 {
		return
	}
	*out = (*C.uint8_t)(C.CBytes(bytes))
	*outSize = C.size_t(len(bytes))
}

// A panic must not cross into Rust, and must not look like a verdict either.
func recovered(status *C.int32_t, out **C.uint8_t, outSize *C.size_t) {
	if problem := recover(); problem != nil {
		reply(out, outSize, []byte(fmt.Sprintf("the engine panicked: %v", problem)))
		*status = failed
	}
}

func main() {}
