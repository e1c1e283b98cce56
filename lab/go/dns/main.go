// Command dns is the DNS of the lab's clients: one zone in memory, written by dynamic updates (RFC 2136) that are signed
// with a key (TSIG, RFC 8945), as a company's own name server is by cert-manager. A public DNS cannot be had in the lab.
package main

import (
	"flag"
	"log"
	"os"
	"sync"

	"github.com/miekg/dns"
)

const ttlSeconds = 1

// zone holds records by their lower-case owner name.
type zone struct {
	origin string
	mutex  sync.Mutex
	names  map[string][]dns.RR
	serial uint32
}

func main() {
	origin := flag.String("zone", "test.", "what it answers for")
	listen := flag.String("listen", ":5353", "address, both of UDP and of TCP")
	key := flag.String("key", "octroi-lab.", "name of the TSIG key; its secret is in TSIG_SECRET, in base64")
	flag.Parse()
	served := &zone{origin: *origin, names: map[string][]dns.RR{}, serial: 1}
	failed := make(chan error)
	for _, network := range []string{"udp", "tcp"} {
		server := &dns.Server{
			Addr: *listen, Net: network, Handler: served,
			TsigSecret: map[string]string{*key: os.Getenv("TSIG_SECRET")},
			// The library's own refuses updates.
			MsgAcceptFunc: func(header dns.Header) dns.MsgAcceptAction {
				if opcode := int(header.Bits>>11) & 0xF; opcode == dns.OpcodeUpdate {
					return dns.MsgAccept
				}
				return dns.DefaultMsgAcceptFunc(header)
			},
		}
		go func() { failed <- server.ListenAndServe() }()
	}
	log.Fatal(<-failed)
}

// ServeDNS answers a query or carries out an update.
func (z *zone) ServeDNS(writer dns.ResponseWriter, request *dns.Msg) {
	z.mutex.Lock()
	defer z.mutex.Unlock()
	reply := new(dns.Msg)
	reply.SetReply(request)
	reply.Authoritative = true
	signature := request.IsTsig()
	if request.Opcode == dns.OpcodeUpdate {
		if signature == nil || writer.TsigStatus() != nil {
			reply.Rcode = dns.RcodeNotAuth
		} else {
			reply.Rcode = z.update(request.Ns)
		}
	} else {
		z.answer(request, reply)
	}
	if signature != nil && writer.TsigStatus() == nil {
		reply.SetTsig(signature.Hdr.Name, signature.Algorithm, signature.Fudge, int64(signature.TimeSigned))
	}
	if err := writer.WriteMsg(reply); err != nil {
		log.Print(err)
	}
}

// answer follows no alias to its end: a resolver asks again for what a CNAME names.
func (z *zone) answer(request, reply *dns.Msg) {
	if len(request.Question) != 1 || !dns.IsSubDomain(z.origin, request.Question[0].Name) {
		reply.Rcode = dns.RcodeRefused
		return
	}
	question := request.Question[0]
	name := dns.CanonicalName(question.Name)
	records := z.names[name]
	if name == z.origin {
		records = append([]dns.RR{z.authority(), z.server()}, records...)
	}
	for _, record := range records {
		kind := record.Header().Rrtype
		if kind == question.Qtype || kind == dns.TypeCNAME || question.Qtype == dns.TypeANY {
			reply.Answer = append(reply.Answer, record)
		}
	}
	if len(reply.Answer) == 0 {
		reply.Ns = []dns.RR{z.authority()}
		if len(records) == 0 && !z.isAbove(name) {
			reply.Rcode = dns.RcodeNameError
		}
	}
}

// isAbove tells whether there is a record below a name: it exists then, although it has none (RFC 8020).
func (z *zone) isAbove(name string) bool {
	for owner := range z.names {
		if dns.IsSubDomain(name, owner) {
			return true
		}
	}
	return false
}

// update carries out section 3.4.2 of RFC 2136, all of it or nothing.
func (z *zone) update(records []dns.RR) int {
	for _, record := range records {
		if !dns.IsSubDomain(z.origin, record.Header().Name) {
			return dns.RcodeNotZone
		}
	}
	for _, record := range records {
		header := record.Header()
		name := dns.CanonicalName(header.Name)
		switch header.Class {
		case dns.ClassINET:
			header.Ttl = ttlSeconds
			z.keep(name, func(old dns.RR) bool { return !dns.IsDuplicate(old, record) })
			z.names[name] = append(z.names[name], record)
		case dns.ClassNONE:
			header.Class = dns.ClassINET
			z.keep(name, func(old dns.RR) bool { return !dns.IsDuplicate(old, record) })
		case dns.ClassANY:
			z.keep(name, func(old dns.RR) bool { return header.Rrtype != dns.TypeANY && old.Header().Rrtype != header.Rrtype })
		default:
			return dns.RcodeFormatError
		}
	}
	z.serial++
	return dns.RcodeSuccess
}

func (z *zone) keep(name string, wanted func(dns.RR) bool) {
	var kept []dns.RR
	for _, record := range z.names[name] {
		if wanted(record) {
			kept = append(kept, record)
		}
	}
	if len(kept) == 0 {
		delete(z.names, name)
		return
	}
	z.names[name] = kept
}

func (z *zone) authority() dns.RR {
	return &dns.SOA{
		Hdr: z.header(dns.TypeSOA), Ns: "ns." + z.origin, Mbox: "hostmaster." + z.origin, Serial: z.serial,
		Refresh: ttlSeconds, Retry: ttlSeconds, Expire: ttlSeconds, Minttl: ttlSeconds,
	}
}

func (z *zone) server() dns.RR { return &dns.NS{Hdr: z.header(dns.TypeNS), Ns: "ns." + z.origin} }

func (z *zone) header(kind uint16) dns.RR_Header {
	return dns.RR_Header{Name: z.origin, Rrtype: kind, Class: dns.ClassINET, Ttl: ttlSeconds}
}
