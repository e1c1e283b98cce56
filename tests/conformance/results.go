package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// result is what came of one test.
type result struct {
	Outcome string  `json:"outcome"`
	Seconds float64 `json:"seconds"`
	Why     string  `json:"why,omitempty"`
}

// results by name of the test.
type results map[string]result

// readResults are those of an earlier run of other tests; none when there is no file.
func readResults(file string) (results, error) {
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return results{}, nil
	}
	if err != nil {
		return nil, err
	}
	found := results{}
	return found, json.Unmarshal(content, &found)
}

func (r results) add(name string, failed, skipped bool, took time.Duration, why string) {
	outcome := "passed"
	switch {
	case failed:
		outcome = "FAILED"
	case skipped:
		outcome = "skipped"
	}
	r[name] = result{Outcome: outcome, Seconds: took.Round(100 * time.Millisecond).Seconds(), Why: why}
}

func (r results) write(file string) error {
	content, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, append(content, '\n'), 0o644)
}

// table prints every selected test, by what it is about; its last line counts.
func (r results) table(out io.Writer) {
	counts := map[string]int{}
	for _, group := range isolationTests {
		fmt.Fprintf(out, "%s\n", group.about)
		for _, name := range group.names {
			one, found := r[name]
			if !found {
				one.Outcome = "not run"
			}
			counts[one.Outcome]++
			fmt.Fprintf(out, "  %-52s %-8s %6.1f s  %s\n", name, one.Outcome, one.Seconds, one.Why)
		}
	}
	fmt.Fprintf(out, "conformance: %d passed, %d failed, %d skipped, %d not run\n",
		counts["passed"], counts["FAILED"], counts["skipped"], counts["not run"])
}
