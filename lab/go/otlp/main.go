// Command otlp is the collector of the lab: it takes traces by OTLP over gRPC, keeps the last of them in memory, and answers them
// as JSON. What a real collector does with them is not the lab's business.
package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"flag"
	"log"
	"net"
	"net/http"
	"sync"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/grpc"
)

// Spans that are kept.
const most = 10_000

// span is what the tests read of one.
type span struct {
	Name       string            `json:"name"`
	TraceID    string            `json:"trace_id"`
	ParentID   string            `json:"parent_id"`
	Kind       string            `json:"kind"`
	Attributes map[string]string `json:"attributes"`
	Resource   map[string]string `json:"resource"`
}

type store struct {
	collector.UnimplementedTraceServiceServer
	mutex sync.Mutex
	spans []span
}

func main() {
	grpcAddress := flag.String("grpc", ":4317", "where it takes traces")
	httpAddress := flag.String("http", ":8080", "where GET / answers all spans, and DELETE / forgets them")
	flag.Parse()
	kept := &store{spans: []span{}}
	listener, err := net.Listen("tcp", *grpcAddress)
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	collector.RegisterTraceServiceServer(server, kept)
	failed := make(chan error)
	go func() { failed <- server.Serve(listener) }()
	go func() { failed <- http.ListenAndServe(*httpAddress, kept) }()
	log.Fatal(<-failed)
}

// Export takes spans.
func (s *store) Export(_ context.Context, request *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, of := range request.GetResourceSpans() {
		resource := texts(of.GetResource().GetAttributes())
		for _, scope := range of.GetScopeSpans() {
			for _, one := range scope.GetSpans() {
				s.spans = append(s.spans, span{
					Name:       one.GetName(),
					TraceID:    hex.EncodeToString(one.GetTraceId()),
					ParentID:   hex.EncodeToString(one.GetParentSpanId()),
					Kind:       one.GetKind().String(),
					Attributes: texts(one.GetAttributes()),
					Resource:   resource,
				})
			}
		}
	}
	if over := len(s.spans) - most; over > 0 {
		s.spans = append([]span{}, s.spans[over:]...)
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

func texts(attributes []*common.KeyValue) map[string]string {
	all := map[string]string{}
	for _, one := range attributes {
		if text, ok := one.GetValue().GetValue().(*common.AnyValue_StringValue); ok {
			all[one.GetKey()] = text.StringValue
		} else {
			all[one.GetKey()] = one.GetValue().String()
		}
	}
	return all
}

func (s *store) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if request.Method == http.MethodDelete {
		s.spans = []span{}
	}
	writer.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(writer).Encode(s.spans); err != nil {
		log.Print(err)
	}
}
