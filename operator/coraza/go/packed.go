package main

import (
	"encoding/binary"
	"errors"
)

// packed reads a message of the Rust half (src/packed.rs): big-endian 32-bit numbers, and byte strings behind their length. The
// first thing that does not fit makes every later answer empty; err says so.
type packed struct {
	rest []byte
	err  error
}

var errShort = errors.New("the message ends too early")

func (p *packed) number() int {
	if p.err != nil || len(p.rest) < 4 {
		p.err = errShort
		return 0
	}
	value := binary.BigEndian.Uint32(p.rest)
	p.rest = p.rest[4:]
	return int(value)
}

// bytes is a part of the message itself, not a copy.
func (p *packed) bytes() []byte {
	size := p.number()
	if p.err != nil || size > len(p.rest) {
		p.err = errShort
		return nil
	}
	value := p.rest[:size]
	p.rest = p.rest[size:]
	return value
}

func (p *packed) text() string { return string(p.bytes()) }

func (p *packed) flag() bool { return p.number() != 0 }

// times calls read as often as the next number says; a message cannot make it run longer than it has bytes.
func (p *packed) times(read func()) {
	for left := p.number(); left > 0 && p.err == nil; left-- {
		read()
	}
}

func (p *packed) end() error {
	if p.err == nil && len(p.rest) > 0 {
		return errors.New("the message goes on after its end")
	}
	return p.err
}
