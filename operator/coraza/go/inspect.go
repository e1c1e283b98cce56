package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"testing/fstest"

	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/collection"
	"github.com/corazawaf/coraza/v3/experimental"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/coraza/v3/types"
	"github.com/corazawaf/coraza/v3/types/variables"
)

// What a match carries at most of the request: enough to see what it was, not enough to fill a log.
const maxValue = 256

type engine struct{ waf coraza.WAF }

// remover is what a rule's own ctl:ruleRemoveTargetById calls. The engine's public interface leaves it out; its transaction has it.
// load refuses an engine without it, so that an upgrade cannot lose it unseen. ADR 8 has what the public ways cost.
type remover interface {
	RemoveRuleTargetByID(id int, variable variables.RuleVariable, key string, keyRx *regexp.Regexp)
	RemoveRuleByID(id int)
}

func load(in []byte) (*engine, error) {
	p := packed{rest: in}
	directives, maxBody := p.text(), p.number()
	files := fstest.MapFS{}
	p.times(func() {
		name := p.text()
		files[name] = &fstest.MapFile{Data: append([]byte(nil), p.bytes()...)}
	})
	if err := p.end(); err != nil {
		return nil, err
	}
	// The engine refuses a body that reaches its limit; ours may be as long as the limit.
	config := coraza.NewWAFConfig().WithRootFS(files).WithDirectives(directives).
		WithRequestBodyAccess().WithRequestBodyLimit(maxBody + 1).WithRequestBodyInMemoryLimit(maxBody + 1)
	waf, err := coraza.NewWAF(config)
	if err != nil {
		return nil, err
	}
	loaded := &engine{waf}
	if err := loaded.check(); err != nil {
		loaded.close()
		return nil, err
	}
	return loaded, nil
}

// check fails for an engine that hides what every request needs.
func (e *engine) check() error {
	tx := e.waf.NewTransaction()
	defer tx.Close()
	if _, ok := tx.(plugintypes.TransactionState); !ok {
		return errors.New("this version of the engine hides its variables")
	}
	if _, ok := tx.(remover); !ok {
		return errors.New("this version of the engine cannot exclude targets")
	}
	return nil
}

// close gives the compiled expressions back, which the engine shares between rule sets.
func (e *engine) close() {
	if closer, ok := e.waf.(experimental.WAFCloser); ok {
		_ = closer.Close()
	}
}

func (e *engine) inspect(in []byte) ([]byte, error) {
	p := packed{rest: in}
	tx := e.waf.NewTransaction()
	defer tx.Close()
	state, ok := tx.(plugintypes.TransactionState)
	if !ok {
		return nil, errors.New("this version of the engine hides its variables")
	}
	if err := prepare(&p, tx, state); err != nil {
		return nil, err
	}
	if err := run(&p, tx); err != nil {
		return nil, err
	}
	tx.ProcessLogging()
	return json.Marshal(outcomeOf(tx, state))
}

// prepare sets the variables that the rules read as their settings, and takes away what is excluded.
func prepare(p *packed, tx types.Transaction, state plugintypes.TransactionState) error {
	settings := state.Variables().TX()
	p.times(func() {
		name := p.text()
		settings.Set(name, []string{p.text()})
	})
	exclusions, ok := tx.(remover)
	if !ok {
		return errors.New("this version of the engine cannot exclude targets")
	}
	var problem error
	p.times(func() {
		rule, name, key := p.number(), p.text(), p.text()
		// The engine reads an empty key as all of the collection; here all is said by naming no collection.
		switch variable, err := variables.Parse(name); {
		case name == "" && key == "":
			exclusions.RemoveRuleByID(rule)
		case err != nil || key == "":
			problem = fmt.Errorf("nothing can be excluded by %q and %q", name, key)
		default:
			exclusions.RemoveRuleTargetByID(rule, variable, key, nil)
		}
	})
	return errors.Join(problem, p.err)
}

// run goes through the phases until one of them interrupts. All of the message is read before the first.
func run(p *packed, tx types.Transaction) error {
	client, method, target, protocol := p.text(), p.text(), p.text(), p.text()
	headers, body := p.headers(), p.bytes()
	answered := p.flag()
	var answer response
	if answered {
		answer = response{status: p.number(), headers: p.headers(), body: p.bytes()}
	}
	if err := p.end(); err != nil {
		return err
	}
	tx.ProcessConnection(client, 0, "", 0)
	tx.ProcessURI(target, method, protocol)
	for _, header := range headers {
		tx.AddRequestHeader(header.name, header.value)
		if len(header.name) == 4 && (header.name == "Host" || header.name == "host") {
			tx.SetServerName(hostOf(header.value))
		}
	}
	if tx.ProcessRequestHeaders() != nil {
		return nil
	}
	if stop, _, err := tx.WriteRequestBody(body); stop != nil || err != nil {
		return err
	}
	if stop, err := tx.ProcessRequestBody(); stop != nil || err != nil || !answered {
		return err
	}
	return answer.run(tx, protocol)
}

type response struct {
	status  int
	headers []header
	body    []byte
}

func (r response) run(tx types.Transaction, protocol string) error {
	for _, header := range r.headers {
		tx.AddResponseHeader(header.name, header.value)
	}
	if tx.ProcessResponseHeaders(r.status, protocol) != nil {
		return nil
	}
	if tx.IsResponseBodyAccessible() && tx.IsResponseBodyProcessable() {
		if stop, _, err := tx.WriteResponseBody(r.body); stop != nil || err != nil {
			return err
		}
	}
	_, err := tx.ProcessResponseBody()
	return err
}

type header struct{ name, value string }

func (p *packed) headers() []header {
	var all []header
	p.times(func() { all = append(all, header{name: p.text(), value: p.text()}) })
	return all
}

func hostOf(value string) string {
	if host, _, err := net.SplitHostPort(value); err == nil {
		return host
	}
	return value
}

type outcome struct {
	Interruption *interruption `json:"interruption,omitempty"`
	Score        int           `json:"score"`
	Rules        []rule        `json:"rules"`
}

type interruption struct {
	Status int `json:"status"`
	Rule   int `json:"rule"`
}

type rule struct {
	ID       int      `json:"id"`
	Message  string   `json:"message"`
	Data     string   `json:"data"`
	Severity int      `json:"severity"`
	Tags     []string `json:"tags"`
	Matches  []match  `json:"matches"`
}

type match struct {
	Variable string `json:"variable"`
	Key      string `json:"key"`
	Value    string `json:"value"`
}

func outcomeOf(tx types.Transaction, state plugintypes.TransactionState) outcome {
	result := outcome{Score: scoreOf(state.Variables().TX()), Rules: []rule{}}
	if stop := tx.Interruption(); stop != nil {
		result.Interruption = &interruption{Status: stop.Status, Rule: stop.RuleID}
	}
	for _, matched := range tx.MatchedRules() {
		// Rules that only set variables are not logged, and nobody's business.
		if logged, ok := matched.(interface{ Log() bool }); ok && !logged.Log() {
			continue
		}
		result.Rules = append(result.Rules, ruleOf(matched))
	}
	return result
}

func ruleOf(matched types.MatchedRule) rule {
	about := matched.Rule()
	result := rule{ID: about.ID(), Message: matched.Message(), Data: cut(matched.Data()), Severity: about.Severity().Int(),
		Tags: append([]string{}, about.Tags()...), Matches: []match{}}
	for _, data := range matched.MatchedDatas() {
		result.Matches = append(result.Matches, match{Variable: data.Variable().Name(), Key: cut(data.Key()), Value: cut(data.Value())})
	}
	return result
}

func scoreOf(settings collection.Map) int {
	for _, value := range settings.Get("blocking_inbound_anomaly_score") {
		if score, err := strconv.Atoi(value); err == nil {
			return score
		}
	}
	return 0
}

func cut(value string) string {
	if len(value) > maxValue {
		return value[:maxValue]
	}
	return value
}
