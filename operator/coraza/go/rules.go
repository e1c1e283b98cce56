package main

import (
	"encoding/binary"
	"io/fs"

	coreruleset "github.com/corazawaf/coraza-coreruleset/v4"
)

// coreRuleSet is every file of the OWASP Core Rule Set that this was built with: name and content, as src/packed.rs reads them.
func coreRuleSet() ([]byte, error) {
	var all []byte
	err := fs.WalkDir(coreruleset.FS, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(coreruleset.FS, name)
		all = appendBytes(appendBytes(all, []byte(name)), content)
		return err
	})
	return all, err
}

func appendBytes(to, value []byte) []byte {
	return append(binary.BigEndian.AppendUint32(to, uint32(len(value))), value...)
}
